//! What runs on a simulated host: its log, its state store and its replicas. Everything in it is gone when the host ends.

use super::engine::Engine;
use super::history::Cause;
use super::host::SimHost;
use super::install::Fetching;
use super::invariants::durable::{Change, Terms};
use super::plan::{AnyMutant, HostMutant, Plan};
use super::random::Random;
use super::workload::{CALLER, Workload};
use crate::call_error::CallError;
use crate::config::HostName;
use crate::consensus::Engines;
use crate::groups::RecoveryError;
use crate::groups::recovery::opening::{Files, Found, Opened};
use crate::log::{self, Log};
use crate::os::BlockDisk;
use crate::replica::event::CommandId;
use crate::replica::group;
use crate::replica::identity::{Birth, Identity};
use crate::replica::keyspace::{KeyHash, MessageId};
use crate::replica::member::{self, Boot, Member, MemberError, Output, Save, Timing};
use crate::replica::roster::Roster;
use crate::replica::sessions::Bounds;
use crate::services::FunctionType;
use crate::state::{self, Fold, GroupId, Store, View};
use crate::version::Version;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

const LOG_FOLDER: &str = "/host/log";
const STATE_FOLDER: &str = "/host/state";
/// Small, so that short runs use, recycle and lose many.
const SEGMENT_BYTES: u64 = 64 << 10;
/// How groups keep time. As in earnest, so that what one term takes is in proportion to disks and networks.
const TIMING: Timing = Timing {
    heartbeat: Duration::from_millis(60),
    election: Duration::from_millis(300),
};

/// Where a command came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A client's attempt.
    Client(usize, u64),
    /// A message of another group.
    Message(Sender),
    /// The host itself, which waits for no answer.
    Host,
}

impl From {
    /// How the service that is called knows the caller.
    pub fn caller(self, workload: &dyn Workload) -> &'static str {
        match self {
            Self::Client(client, _) => workload.caller(client),
            Self::Message(_) | Self::Host => CALLER,
        }
    }
}

/// Who sent a message: a replica in one life of its host, with one of its tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    pub host: usize,
    pub life: u64,
    pub group: GroupId,
    pub id: MessageId,
    pub try_number: u64,
}

/// A command that waits, runs, or waits for a majority.
pub struct Pending {
    pub from: From,
    pub cause: Cause,
    pub key: Option<KeyHash>,
    pub key_text: Option<String>,
    pub types: Arc<FunctionType>,
    pub arguments: Vec<Val>,
    pub results: Vec<Val>,
    /// The last entry that its answer rests on, with its term: its own, or the last one that it saw.
    pub seen: (u64, u64),
}

/// A query that waits until the state is new enough.
pub struct Query {
    pub from: From,
    pub cause: Cause,
    pub types: Arc<FunctionType>,
    /// What served when it came.
    pub version: Option<Arc<Version>>,
    pub arguments: Vec<Val>,
    /// What callers had been told of when it came.
    pub since: u64,
}

/// A replica and those who wait for it.
pub struct Replica {
    pub name: String,
    pub member: Member<Engine>,
    pub commands: BTreeMap<CommandId, Pending>,
    pub next_command: u64,
    pub queries: BTreeMap<u64, Query>,
    pub next_query: u64,
    pub replies: BTreeMap<MessageId, Result<String, CallError>>,
    /// The tries of messages whose fate is open.
    pub sent: BTreeMap<MessageId, u64>,
    pub next_try: u64,
    /// When it is to be woken, by its clock.
    pub wake: Option<Duration>,
    /// Times in a row that it wanted to be woken at once.
    pub hasty_ticks: u32,
    /// Whether its engine is about to be told of what happened.
    pub is_turning: bool,
    /// The number of the job that runs, or the next one's.
    pub job: u64,
    /// Terms of its log's entries, as it has ordered them.
    pub terms: Terms,
    /// The last entry that it was seen to have applied.
    pub applied: u64,
    /// Saves that have no room, in order.
    pub stuck: VecDeque<Save>,
    /// States that others may be fetching.
    pub pinned: BTreeMap<u64, View>,
    /// The state that it is fetching.
    pub fetching: Option<Fetching>,
}

/// A host that runs.
pub struct Node {
    pub log: Log,
    pub store: Store,
    pub replicas: BTreeMap<GroupId, Replica>,
    /// The last save of each group in the batch that is not synced.
    pub touched: BTreeMap<GroupId, u64>,
    /// What that batch changes.
    pub changes: Vec<Change>,
    pub is_syncing: bool,
    pub is_folding: bool,
    /// Groups, with their services, of which it has to have a replica and has none.
    pub missing: BTreeMap<GroupId, String>,
}

/// A replica that was started, and what it wants done first.
pub struct Begun {
    pub group: GroupId,
    /// The last entry that is not in its log.
    pub start: u64,
    pub records: Vec<member::Record>,
    pub outputs: Vec<Output>,
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Read(#[from] state::ReadError),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error("the first records of replicas cannot be kept")]
    Append(#[from] log::AppendError),
    #[error("the first records of replicas cannot be kept")]
    Sync(#[from] log::SyncError),
}

impl StartError {
    /// Whether there is merely no room.
    pub fn is_full(&self) -> bool {
        let error = match self {
            Self::Recovery(error) => error,
            Self::Append(error) => return *error == log::AppendError::Full,
            Self::Read(_) | Self::Member(_) | Self::Sync(_) => return false,
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
            | RecoveryError::Members { .. }
            | RecoveryError::Thread(_) => false,
        }
    }
}

impl Node {
    /// Starts a host on what its disk has.
    pub fn start(
        host: &SimHost,
        hosts: &[HostName],
        plan: &Plan,
        engines: &Engines,
        random: &mut Random,
    ) -> Result<(Self, Vec<Begun>), StartError> {
        let mut log_options = log::Options {
            segment_bytes: SEGMENT_BYTES,
            ..log::Options::default()
        };
        if let Some(AnyMutant::Log(mutant)) = plan.mutant {
            log_options.mutant = Some(mutant);
        }
        let disk: Arc<dyn BlockDisk> = Arc::new(host.disk.clone());
        let files = Files {
            blocks: &disk,
            log: LOG_FOLDER.into(),
            state: STATE_FOLDER.into(),
            log_options,
        };
        let names: Vec<&str> = host
            .services
            .iter()
            .map(|slot| &*slot.service.name)
            .collect();
        let Opened {
            store,
            mut log,
            mut groups,
            ..
        } = files.open(&names)?;
        if host.former.is_empty() {
            bear(&mut groups, &mut log, host, hosts)?;
        }
        let mut node = Self {
            log,
            store,
            replicas: BTreeMap::new(),
            touched: BTreeMap::new(),
            changes: Vec::new(),
            is_syncing: false,
            is_folding: false,
            missing: BTreeMap::new(),
        };
        let mut begun = Vec::new();
        for found in groups {
            begun.extend(node.begin(host, found, plan, engines, random)?);
        }
        Ok((node, begun))
    }

    fn begin(
        &mut self,
        host: &SimHost,
        found: Found,
        plan: &Plan,
        engines: &Engines,
        random: &mut Random,
    ) -> Result<Option<Begun>, StartError> {
        let Found {
            id,
            name,
            identity,
            applied,
            records,
            is_void: _,
        } = found;
        let is_out = |identity: &Identity| matches!(identity.birth, Birth::Removed | Birth::Void);
        let Some(identity) = identity.filter(|identity| !is_out(identity)) else {
            self.missing.insert(id, name);
            return Ok(None);
        };
        let is_added = identity.first.hosts.is_empty();
        let slot = host.services.find(&name);
        let replicated = slot.and_then(|slot| slot.service.config.replicated.as_ref());
        let options = group::Options {
            name: name.clone(),
            sessions: Bounds::of(replicated),
            mutant: match plan.mutant {
                Some(AnyMutant::Group(mutant)) => Some(mutant),
                Some(AnyMutant::Log(_) | AnyMutant::Host(_)) | None => None,
            },
        };
        let start = identity.start.index;
        // What a replica before it began must not be taken for its own.
        let job = identity.id << 32;
        let boot = Boot {
            options,
            identity,
            view: View::new(self.store.base(id)?),
            applied,
            records: records.clone(),
            timing: TIMING,
            seed: random.next(),
        };
        let mut outputs = Vec::new();
        let faults = host.engine_faults;
        let engine = |window, boot: &_| Engine::start(engines, faults, &host.is_calm, window, boot);
        let member = Member::start(boot, host.now(), engine, &mut outputs)?;
        let replica = Replica {
            name,
            member,
            commands: BTreeMap::new(),
            next_command: 0,
            queries: BTreeMap::new(),
            next_query: 0,
            replies: BTreeMap::new(),
            sent: BTreeMap::new(),
            next_try: 0,
            wake: None,
            hasty_ticks: 0,
            is_turning: false,
            job,
            terms: Terms::new(),
            applied: if is_added { applied } else { applied.max(1) },
            stuck: VecDeque::new(),
            pinned: BTreeMap::new(),
            fetching: None,
        };
        self.replicas.insert(id, replica);
        Ok(Some(Begun {
            group: id,
            start,
            records,
            outputs,
        }))
    }

    /// Begins a replica that is added to a group, whose own record is on the disk.
    #[allow(clippy::too_many_arguments, reason = "what every replica begins with")]
    pub fn begin_added(
        &mut self,
        host: &SimHost,
        group: GroupId,
        service: &str,
        identity: Identity,
        plan: &Plan,
        engines: &Engines,
        random: &mut Random,
    ) -> Result<Option<Begun>, StartError> {
        let found = Found {
            id: group,
            name: service.to_owned(),
            identity: Some(identity),
            applied: 0,
            records: Vec::new(),
            is_void: false,
        };
        self.begin(host, found, plan, engines, random)
    }

    /// The group of a service.
    pub fn find(&self, service: &str) -> Option<GroupId> {
        self.replicas
            .iter()
            .find(|(_, replica)| replica.name == service)
            .map(|(id, _)| *id)
    }

    /// Takes out of all groups what came since the last checkpoint.
    pub fn freeze(&mut self, plan: &Plan) -> Vec<Fold> {
        let mut folds = Vec::new();
        for (id, replica) in &mut self.replicas {
            let fetching = replica.fetching.as_ref();
            if fetching.is_some_and(|fetching| fetching.is_half_installed) {
                continue;
            }
            if let Some((applied, layer)) = replica.member.group_mut().freeze() {
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

/// Makes the replicas of groups that have none: the first time that the host starts.
fn bear(
    groups: &mut [Found],
    log: &mut Log,
    host: &SimHost,
    hosts: &[HostName],
) -> Result<(), StartError> {
    let roster = Roster::first(hosts);
    let mut is_new = false;
    for found in groups.iter_mut().filter(|found| found.identity.is_none()) {
        let id = roster.id_of(&host.name).unwrap_or(0);
        let identity = Identity::first(&found.name, id, roster.clone(), Birth::Started);
        log.set_state(found.id.0, &identity.to_bytes())?;
        found.identity = Some(identity);
        is_new = true;
    }
    if is_new {
        log.sync()?;
    }
    Ok(())
}
