//! How the rest of the host reaches a group.

use super::hello::Told;
use super::journal::Fatal;
use super::readers::{Door, Readers, readers};
use crate::admission;
use crate::call_error::CallError;
use crate::config::HostName;
use crate::dispatch::FunctionName;
use crate::envelope::Envelope;
use crate::replica::keyspace::{MessageId, Meta};
use crate::replica::member::Change;
use crate::replica::published::{Published, Snapshot};
use crate::replica::standing::{Role, Standing};
use crate::signature::Signature;
use crate::state::{Base, Layer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use wasmtime::component::Val;

/// Requests on their way to a group's task. Admission bounds those that wait; this only smooths handing them over.
const INBOX_MAX: usize = 1024;

/// A command of a caller.
pub struct Command {
    /// What is called.
    pub function: Arc<FunctionName>,
    /// The function as the caller knows it; none: as this host knows the service.
    pub types: Option<Arc<Signature>>,
    /// Its arguments.
    pub arguments: Vec<Val>,
    /// Its identity and bounds.
    pub envelope: Envelope,
    /// The right to be executed; nothing once it was, as far as there is room for what it answers.
    pub permit: Option<admission::Shared>,
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
    /// Hand the lead over to the replica on a host. The answer comes when that one leads, or says why it will not.
    Transfer(HostName, oneshot::Sender<Result<(), String>>),
    /// Hand the lead over to whichever replica is best prepared. The answer is as that of a transfer.
    HandOver(oneshot::Sender<Result<(), String>>),
    /// Change the members. The answer comes when that is done, or says why it is not.
    Change(Change, oneshot::Sender<Result<(), String>>),
    /// Say who the members are; none if this replica takes no part.
    Members(oneshot::Sender<Option<Membership>>),
    /// Say which entries are where.
    Positions(oneshot::Sender<Option<Positions>>),
    /// What another host says of its replica.
    Heard(HostName, Told),
    /// Give a host a new replica. The answer is its number, once it is a member.
    Join(HostName, oneshot::Sender<Result<u64, String>>),
}

/// Who belongs to a group, as one of its replicas knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Whether the replica that says so leads, so that nobody knows it better.
    pub leads: bool,
    /// The members, by number.
    pub members: Vec<MemberPart>,
    /// Hosts that were removed, and stay away until they are added.
    pub kept_out: Vec<String>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPart {
    /// Its number.
    pub id: u64,
    /// Its host.
    pub host: String,
    /// `voter`, `learner`, or `leaving`.
    pub kind: String,
    /// The last entry that it has, as far as the leader knows.
    pub matched: Option<u64>,
    /// Entries of the leader that it has not.
    pub lag: Option<u64>,
    /// Whether the leader has heard of it lately.
    pub active: Option<bool>,
    /// Whether it is being sent the whole state.
    pub is_fetching: Option<bool>,
}

/// Which entries of a group are where on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// The last entry that was applied.
    pub applied: u64,
    /// The last one that is in the state store.
    pub checkpoint: u64,
    /// The first one that the log still has; one more than the last if it has none.
    pub log_first: u64,
    /// The last one that it has.
    pub log_last: u64,
}

/// A group as `status` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The last position of which this replica knows the hash of all that it keeps, and that hash in hexadecimal: replicas that agree have the same.
    #[serde(default)]
    pub state_hash: Option<(u64, String)>,
    /// Whether its state was found to differ from that of other replicas, and how.
    #[serde(default)]
    pub diverged: Option<String>,
}

/// What is known of the state of a replica when it is compared with others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The newest hash, and of which entry.
    pub hash: Option<(u64, String)>,
    /// How it differs.
    pub diverged: Option<String>,
}

/// Whoever wants a checkpoint of all groups now, and hears whether it was made.
pub type CheckpointAsked = oneshot::Sender<Result<(), String>>;

/// A handle to the replica of one service on this host.
#[derive(Clone)]
pub struct GroupHandle {
    pub(super) service: Arc<str>,
    pub(super) replicas: u32,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) readers: Door,
    pub(super) published: Published,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) compared: watch::Receiver<Compared>,
    pub(super) checkpoints: mpsc::Sender<CheckpointAsked>,
    pub(super) fatal: Fatal,
}

/// What the owner of a group works with, the other end of its handles.
pub struct Ends {
    /// What it is told.
    pub requests: mpsc::Receiver<Request>,
    /// Who wants to know when what is published is certainly not older than their coming. Without a leader they wait until there is one.
    pub readers: Readers,
    /// Where it says what part its replica has.
    pub standing: watch::Sender<Standing>,
    /// Where it shows what is known of its state.
    pub compared: watch::Sender<Compared>,
}

impl GroupHandle {
    /// A handle to a replica, of which there are so many, that is to be made. Who wants a checkpoint says so through `checkpoints`.
    #[must_use]
    pub fn new(
        service: &str,
        replicas: u32,
        checkpoints: mpsc::Sender<CheckpointAsked>,
        fatal: Fatal,
    ) -> (Self, Ends) {
        let (requests, inbox) = mpsc::channel(INBOX_MAX);
        let (door, readers) = readers();
        let (standing, shown) = watch::channel(Standing::default());
        let (compared, shown_compared) = watch::channel(Compared::default());
        let handle = Self {
            service: service.into(),
            replicas,
            requests,
            readers: door,
            published: Published::default(),
            standing: shown,
            compared: shown_compared,
            checkpoints,
            fatal,
        };
        let ends = Ends {
            requests: inbox,
            readers,
            standing,
            compared,
        };
        (handle, ends)
    }

    /// Hands a command over; its answer comes through [`Command::reply`], which is dropped if the host must stop.
    ///
    /// The only replica of a service leads soon after its host has started: until then there is nobody else to ask.
    pub async fn execute(&self, command: Command) {
        if !self.has_others() && !self.serves() {
            // An error means that the host stops, of which the caller learns below.
            let _ = self.standing().wait_for(|standing| standing.serves).await;
        }
        // A failed send drops the reply, which is how the caller learns of it.
        let _ = self.requests.send(Request::Command(command)).await;
    }

    /// Its part in the group, and waiting for it to change.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Whether it takes commands now.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.standing.borrow().serves
    }

    /// Whether there are other replicas, which could lead in its place.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.replicas > 1 || self.standing.borrow().has_others
    }

    /// Whether it takes part no more, so that others have to be asked.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.standing.borrow().role == Role::Removed
    }

    /// A state that is certainly not older than this call. Waits until there is a leader, however long that takes.
    ///
    /// # Errors
    /// [`CallError::Unavailable`]: the host must stop.
    pub async fn read(&self) -> Result<Arc<Snapshot>, CallError> {
        if (self.has_others() || !self.serves()) && self.readers.enter().await.is_err() {
            return Err(self.unavailable());
        }
        self.published.asked().ok_or_else(|| self.unavailable())
    }

    /// Hands the lead over to the replica on `to`.
    ///
    /// # Errors
    /// Why it will not.
    pub async fn transfer(&self, to: HostName) -> Result<(), String> {
        let (reply, transferred) = oneshot::channel();
        let _ = self.requests.send(Request::Transfer(to, reply)).await;
        transferred
            .await
            .unwrap_or_else(|_dropped| Err(self.unavailable().to_string()))
    }

    /// Hands the lead over to whichever replica is best prepared.
    ///
    /// # Errors
    /// Why none takes it.
    pub async fn hand_over(&self) -> Result<(), String> {
        let (reply, handed) = oneshot::channel();
        let _ = self.requests.send(Request::HandOver(reply)).await;
        handed
            .await
            .unwrap_or_else(|_dropped| Err(self.unavailable().to_string()))
    }

    /// Changes the members, if this replica leads.
    ///
    /// # Errors
    /// Why it will not.
    pub async fn change(&self, change: Change) -> Result<(), String> {
        let (reply, changed) = oneshot::channel();
        let _ = self.requests.send(Request::Change(change, reply)).await;
        changed
            .await
            .unwrap_or_else(|_dropped| Err(self.unavailable().to_string()))
    }

    /// Who the members are, as far as this replica knows; none if it takes no part.
    pub async fn members(&self) -> Option<Membership> {
        let (reply, members) = oneshot::channel();
        let _ = self.requests.send(Request::Members(reply)).await;
        members.await.ok().flatten()
    }

    /// Folds what was applied into the state store, now, and says which entries are where then.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn checkpoint(&self) -> Result<Positions, String> {
        let gone = || self.unavailable().to_string();
        let (reply, made) = oneshot::channel();
        let asked = self.checkpoints.send(reply).await;
        asked.map_err(|_closed| gone())?;
        made.await.map_err(|_dropped| gone())??;
        let (reply, positions) = oneshot::channel();
        let _ = self.requests.send(Request::Positions(reply)).await;
        let positions = positions.await.ok().flatten();
        positions.ok_or_else(|| "it takes no part in its group".into())
    }

    /// Nothing was executed, since the group does not work here any more.
    fn unavailable(&self) -> CallError {
        CallError::Unavailable {
            service: self.service.to_string(),
            message: self
                .failure()
                .unwrap_or_else(|| "the host is shutting down".into()),
            maybe_executed: false,
        }
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
        let compared = self.compared.borrow().clone();
        let Some(snapshot) = self.published.newest() else {
            // One that was removed says so, also after a start.
            return self.is_removed().then(|| GroupStatus {
                diverged: compared.diverged,
                ..GroupStatus::default()
            });
        };
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
            state_hash: compared.hash,
            diverged: compared.diverged,
        })
    }
}
