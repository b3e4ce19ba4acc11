//! The simulated host: log, state store and groups on a simulated disk. Everything in it is gone when it ends.

use super::guests;
use super::history::{Caller, Cause};
use super::plan::{AnyMutant, HostMutant, Plan};
use super::workload::Request;
use crate::call_error::CallError;
use crate::groups::RecoveryError;
use crate::groups::recovery::opening::{Files, Found, Opened};
use crate::log::{self, Log};
use crate::os::BlockDisk;
use crate::replica::event::CommandId;
use crate::replica::group::{self, Group};
use crate::replica::keyspace::{KeyHash, MessageId};
use crate::replica::sessions::Bounds;
use crate::services::{FunctionType, Services};
use crate::state::{self, Fold, GroupId, Store, View};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

const LOG_FOLDER: &str = "/host/log";
const STATE_FOLDER: &str = "/host/state";
/// Small, so that short runs use, recycle and lose many.
const SEGMENT_BYTES: u64 = 64 << 10;

/// Where a command came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A client's attempt.
    Client(usize, u64),
    /// A message of another group, sent in this life of the host.
    Message(GroupId, MessageId),
}

/// A command that waits, runs, or waits for the disk.
pub struct Pending {
    pub from: From,
    pub cause: Cause,
    pub key: Option<KeyHash>,
    pub key_text: Option<String>,
    pub types: Arc<FunctionType>,
    pub arguments: Vec<Val>,
    pub results: Vec<Val>,
    /// The last entry that its answer rests on: its own, or the last one that it saw.
    pub seen: u64,
    /// What it saw, if it changed nothing and nobody was told of it yet.
    pub looked: Option<Sight>,
}

/// What a command that changed nothing saw.
pub struct Sight {
    pub caller: Caller,
    pub request: Arc<Request>,
    pub time_ms: u64,
    pub result: Value,
}

/// A group and those who wait for it.
pub struct Member {
    pub name: String,
    pub group: Group,
    pub commands: BTreeMap<CommandId, Pending>,
    pub next_command: u64,
    pub replies: BTreeMap<MessageId, Result<String, CallError>>,
    pub next_tick: Option<Duration>,
    /// Times in a row that it wanted to be woken at once.
    pub hasty_ticks: u32,
    /// The last entry that was made, whether the log took it or not.
    pub last: u64,
}

/// A host that runs.
pub struct Node {
    pub log: Log,
    pub store: Store,
    pub members: BTreeMap<GroupId, Member>,
    /// The last index of each group in the batch that is not synced.
    pub touched: BTreeMap<GroupId, u64>,
    /// Groups whose appends of this generation are refused.
    pub refusing: BTreeMap<GroupId, u64>,
    pub is_syncing: bool,
    pub is_folding: bool,
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Read(#[from] state::ReadError),
    #[error(transparent)]
    Group(#[from] group::GroupError),
}

impl StartError {
    /// Whether there is merely no room.
    pub fn is_full(&self) -> bool {
        let Self::Recovery(error) = self else {
            return false;
        };
        match error {
            RecoveryError::State { source, .. } => matches!(source, state::OpenError::Full { .. }),
            RecoveryError::Store { source, .. } => matches!(source, state::StoreError::Full { .. }),
            RecoveryError::Log { source, .. } => match source {
                log::OpenError::Full { .. } => true,
                // What is cut off a torn log is noted in a file first.
                log::OpenError::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
                log::OpenError::Corrupt { .. } | log::OpenError::NewerFormat { .. } => false,
            },
            RecoveryError::Read(_)
            | RecoveryError::Look { .. }
            | RecoveryError::Strange { .. }
            | RecoveryError::Group { .. }
            | RecoveryError::Thread(_) => false,
        }
    }
}

impl Node {
    /// Starts on what the disk has.
    pub fn start(
        disk: &Arc<dyn BlockDisk>,
        services: &Services,
        plan: &Plan,
    ) -> Result<Self, StartError> {
        let mut log_options = log::Options {
            segment_bytes: SEGMENT_BYTES,
            ..log::Options::default()
        };
        if let Some(AnyMutant::Log(mutant)) = plan.mutant {
            log_options.mutant = Some(mutant);
        }
        let files = Files {
            blocks: disk,
            log: LOG_FOLDER.into(),
            state: STATE_FOLDER.into(),
            log_options,
        };
        let names: Vec<&str> = services.iter().map(|slot| &*slot.service.name).collect();
        let Opened {
            store, log, groups, ..
        } = files.open(&names)?;
        let published = guests::published(services);
        let mut members = BTreeMap::new();
        for Found {
            id,
            name,
            applied,
            entries,
        } in groups
        {
            let slot = services.find(&name);
            let replicated = slot.and_then(|slot| slot.service.config.replicated.as_ref());
            let options = group::Options {
                name: name.clone(),
                sessions: Bounds::of(replicated),
                mutant: match plan.mutant {
                    Some(AnyMutant::Group(mutant)) => Some(mutant),
                    Some(AnyMutant::Log(_) | AnyMutant::Host(_)) | None => None,
                },
            };
            let base = View::new(store.base(id)?);
            let group = Group::recover(options, base, applied, entries)?;
            if let Some(published) = published.get(&name) {
                published.publish(group.snapshot());
            }
            let member = Member {
                last: group.committed().2,
                name,
                group,
                commands: BTreeMap::new(),
                next_command: 0,
                replies: BTreeMap::new(),
                next_tick: None,
                hasty_ticks: 0,
            };
            members.insert(id, member);
        }
        Ok(Self {
            log,
            store,
            members,
            touched: BTreeMap::new(),
            refusing: BTreeMap::new(),
            is_syncing: false,
            is_folding: false,
        })
    }

    /// The group of a service.
    pub fn find(&self, service: &str) -> Option<GroupId> {
        self.members
            .iter()
            .find(|(_, member)| member.name == service)
            .map(|(id, _)| *id)
    }

    /// Takes out of all groups what came since the last checkpoint.
    pub fn freeze(&mut self, plan: &Plan) -> Vec<Fold> {
        let mut folds = Vec::new();
        for (id, member) in &mut self.members {
            if let Some((applied, layer)) = member.group.freeze() {
                folds.push(Fold {
                    group: *id,
                    applied,
                    layer,
                });
            }
        }
        if plan.mutant == Some(AnyMutant::Host(HostMutant::CompactBeforeFold)) {
            for fold in &folds {
                self.log.compact(fold.group.0, fold.applied);
            }
        }
        folds
    }
}
