//! How the rest of the host reaches a group.

use super::journal::Fatal;
use crate::call_error::CallError;
use crate::dispatch::FunctionName;
use crate::envelope::Envelope;
use crate::replica::keyspace::{MessageId, Meta};
use crate::replica::published::Published;
use crate::state::{Base, Layer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::Val;

/// Requests on their way to a group's task. Admission bounds those that wait; this only smooths handing them over.
pub(super) const INBOX_MAX: usize = 1024;

/// A command of a caller.
pub struct Command {
    /// What is called.
    pub function: Arc<FunctionName>,
    /// Its arguments.
    pub arguments: Vec<Val>,
    /// Its identity and bounds.
    pub envelope: Envelope,
    /// Where its answer goes. A command whose caller has gone before its turn is not executed.
    pub reply: oneshot::Sender<Result<Vec<Val>, CallError>>,
}

/// What a group's task is told.
pub enum Request {
    /// Execute a command.
    Command(Command),
    /// A message has an answer; none: it is to be sent again later.
    Delivered(MessageId, Option<Result<String, CallError>>),
    /// Take out what came since the last checkpoint.
    Freeze(oneshot::Sender<Option<(u64, Layer)>>),
    /// What was taken out is in the state store.
    Folded(Base),
    /// What was taken out could not be put there.
    Unfreeze,
}

/// A group as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Entries that were ever applied.
    pub position: u64,
    /// What the service stores, in bytes.
    pub data_bytes: u64,
    /// What the answers to idempotency keys take.
    pub session_bytes: u64,
    /// Timers that are set.
    pub timers: u64,
    /// Messages on their way.
    pub messages: u64,
}

/// A handle to the group of one service.
#[derive(Clone)]
pub struct GroupHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) published: Published,
    pub(super) fatal: Fatal,
}

impl GroupHandle {
    /// Hands a command over; its answer comes through [`Command::reply`], which is dropped if the host must stop.
    pub async fn execute(&self, command: Command) {
        // A failed send drops the reply, which is how the caller learns of it.
        let _ = self.requests.send(Request::Command(command)).await;
    }

    /// Its committed state.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Why the host has to stop, if it has to.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.fatal.reason()
    }

    /// How it is; none before it is recovered.
    #[must_use]
    pub fn status(&self) -> Option<GroupStatus> {
        let snapshot = self.published.newest()?;
        let Meta {
            data_bytes,
            session_bytes,
            timers,
            messages,
            ..
        } = snapshot.meta;
        Some(GroupStatus {
            position: snapshot.index,
            data_bytes,
            session_bytes,
            timers,
            messages,
        })
    }
}
