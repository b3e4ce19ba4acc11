//! Brings all groups of a host back to what they were, and starts their threads.

use super::checkpoint::{self, Checkpoints};
use super::delivery::Courier;
use super::handle::{GroupHandle, INBOX_MAX};
use super::journal::{Fatal, Journal, Progress};
use super::owner::{Owner, Parts};
use crate::config::{Config, HostName, ServiceConfig};
use crate::dispatch::{Dispatch, ServiceId};
use crate::log::{self, Log};
use crate::os::Os;
use crate::os::executor::Tasks;
use crate::os::task;
use crate::replica::group::{self, Group, GroupError};
use crate::replica::sessions::Bounds;
use crate::services::Services;
use crate::state::{self, GroupId, Store, View};
use crate::telemetry;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Folders below that of the host.
pub const LOG_FOLDER: &str = "log";
/// See [`LOG_FOLDER`].
pub const STATE_FOLDER: &str = "state";

/// What the groups of a host are made with.
pub struct Options {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// The host this is.
    pub host: HostName,
    /// Where to report.
    pub log: telemetry::Log,
    /// The outside.
    pub os: Os,
}

/// Why the groups cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The state store cannot be opened.
    #[error("the state in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    State {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: state::OpenError,
    },
    /// The state store cannot be worked with.
    #[error("the state in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    Store {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: state::StoreError,
    },
    /// The state store cannot be read.
    #[error("the state in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    Read {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: state::ReadError,
    },
    /// The log cannot be opened.
    #[error("the log in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    Log {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: log::OpenError,
    },
    /// What is between the state store and the log is missing.
    #[error(
        "the state of service {service} ends with entry {applied} and the log begins with entry {first}: one of both was lost or replaced; put back the copy that fits"
    )]
    Gap {
        /// The service.
        service: String,
        /// The last entry in the state store.
        applied: u64,
        /// The first entry of the log.
        first: u64,
    },
    /// A group's state cannot be understood.
    #[error("the state of service {service} cannot be used")]
    Group {
        /// The service.
        service: String,
        /// Why.
        #[source]
        source: GroupError,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// The groups as they were left, before anything runs.
pub struct Recovered {
    store: Store,
    log: Log,
    groups: Vec<Found>,
    options: Options,
    /// Handles to the groups of services that the configuration has.
    pub handles: BTreeMap<String, GroupHandle>,
    inboxes: BTreeMap<GroupId, mpsc::Receiver<super::handle::Request>>,
    /// Says when the host must stop.
    pub fatal: Fatal,
}

struct Found {
    id: GroupId,
    name: String,
    group: Group,
}

/// What keeps the groups running; dropping it ends their threads.
pub struct Running {
    /// The thread on which groups run ends when this is dropped.
    _stop: oneshot::Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Waits until everything is on the disk and the threads have ended.
    pub fn join(self) {
        let Self { _stop, threads } = self;
        drop(_stop);
        for thread in threads {
            // A thread that panicked has printed why.
            let _ = thread.join();
        }
    }
}

/// Reads everything that the host keeps. `placed` are the replicated services that run here.
///
/// # Errors
/// See [`RecoveryError`]; nothing was changed, apart from the cut of a log's torn end.
pub fn recover(options: Options) -> Result<Recovered, RecoveryError> {
    let folder = options.config.cluster.data.join(options.host.as_str());
    let (log_folder, state_folder) = (folder.join(LOG_FOLDER), folder.join(STATE_FOLDER));
    let store_error = |source| RecoveryError::Store {
        folder: state_folder.clone(),
        source,
    };
    let store = Store::open(options.os.blocks.as_ref(), &state_folder).map_err(|source| {
        RecoveryError::State {
            folder: state_folder.clone(),
            source,
        }
    })?;
    let placed: Vec<&ServiceConfig> = options
        .config
        .services
        .iter()
        .filter(|service| service.replicated.is_some() && service.is_placed_on(&options.host))
        .collect();
    for service in &placed {
        store.register(service.name.as_str()).map_err(store_error)?;
    }
    let known = store.groups();
    let mut entries: BTreeMap<u32, Vec<(u64, Bytes)>> = BTreeMap::new();
    let must_have: Vec<(u32, u64)> = known
        .iter()
        .map(|group| (group.id.0, group.applied))
        .collect();
    let (mut log, recovery) = Log::open(
        Arc::clone(&options.os.blocks),
        &log_folder,
        &log::Options::default(),
        &must_have,
        &mut |record| match record {
            log::Record::Entry {
                group,
                index,
                payload,
            } => entries
                .entry(group)
                .or_default()
                .push((index, Bytes::copy_from_slice(payload))),
            log::Record::State { .. } => {}
        },
    )
    .map_err(|source| RecoveryError::Log {
        folder: log_folder.clone(),
        source,
    })?;
    if let Some(cut) = recovery.cut {
        let message = format!(
            "cut {} bytes off the end of {}: they were being written when the host was ended, and nobody was told of them",
            cut.bytes,
            cut.file.display()
        );
        options.log.info(None, &message);
    }
    for group in &known {
        // An old copy of the state store, or one that was made anew, is told by this from one that fits.
        if let Some(first) = log
            .first(group.id.0)
            .filter(|first| *first > group.applied + 1)
        {
            return Err(RecoveryError::Gap {
                service: group.name.clone(),
                applied: group.applied,
                first,
            });
        }
        // The log may not know of the last checkpoint.
        log.compact(group.id.0, group.applied);
    }
    let mut recovered = Recovered {
        groups: Vec::new(),
        handles: BTreeMap::new(),
        inboxes: BTreeMap::new(),
        fatal: Fatal::default(),
        store,
        log,
        options,
    };
    for state::Group { id, name, applied } in known {
        let entries = entries.remove(&id.0).unwrap_or_default();
        recovered
            .add(id, name, applied, entries)
            .map_err(|error| match error {
                AddError::Read(source) => RecoveryError::Read {
                    folder: state_folder.clone(),
                    source,
                },
                AddError::Group(service, source) => RecoveryError::Group { service, source },
            })?;
    }
    Ok(recovered)
}

enum AddError {
    Read(state::ReadError),
    Group(String, GroupError),
}

impl Recovered {
    fn add(
        &mut self,
        id: GroupId,
        name: String,
        applied: u64,
        entries: Vec<(u64, Bytes)>,
    ) -> Result<(), AddError> {
        let base = self.store.base(id).map_err(AddError::Read)?;
        let config = &self.options.config;
        let service = config
            .services
            .iter()
            .find(|service| service.name.as_str() == name);
        let replicated = service.and_then(|service| service.replicated.as_ref());
        let group_options = group::Options {
            name: name.clone(),
            sessions: replicated.map_or(
                // A service that the configuration has no more gets no calls.
                Bounds {
                    age_ms: u64::MAX,
                    bytes: u64::MAX,
                },
                |replicated| Bounds {
                    age_ms: u64::try_from(replicated.session_age.as_millis()).unwrap_or(u64::MAX),
                    bytes: replicated.sessions_bytes,
                },
            ),
            mutant: None,
        };
        let group = Group::recover(group_options, View::new(base), applied, entries)
            .map_err(|source| AddError::Group(name.clone(), source))?;
        let (requests, inbox) = mpsc::channel(INBOX_MAX);
        let handle = GroupHandle {
            requests,
            published: crate::replica::published::Published::default(),
            fatal: self.fatal.clone(),
        };
        self.inboxes.insert(id, inbox);
        self.handles.insert(name.clone(), handle);
        self.groups.push(Found { id, name, group });
        Ok(())
    }

    /// Starts everything. `dispatch` makes what carries out calls on the thread of the groups.
    ///
    /// # Errors
    /// [`RecoveryError::Thread`].
    pub fn start(
        self,
        services: &Arc<Services>,
        dispatch: impl FnOnce() -> Arc<dyn Dispatch> + Send + 'static,
    ) -> Result<Running, RecoveryError> {
        let Self {
            store,
            log,
            groups,
            options,
            handles,
            mut inboxes,
            fatal,
        } = self;
        let mut senders = BTreeMap::new();
        let mut receivers = BTreeMap::new();
        for found in &groups {
            let durable = found.group.committed().2;
            let (sender, receiver) = watch::channel(Progress {
                durable,
                refused: None,
            });
            senders.insert(found.id, sender);
            receivers.insert(found.id, receiver);
        }
        let (journal, log_thread) =
            Journal::start(log, senders, fatal.clone()).map_err(RecoveryError::Thread)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let services = Arc::clone(services);
        let cluster = options.config.cluster.clone();
        let runtime = task::runtime().map_err(RecoveryError::Thread)?;
        let state_thread = task::thread("state", move || {
            runtime.block_on(async move {
                let dispatch = dispatch();
                let checkpoints = Checkpoints {
                    store,
                    journal: journal.clone(),
                    groups: groups
                        .iter()
                        .filter_map(|found| {
                            let handle = handles.get(&found.name)?;
                            Some((found.id, handle.requests.downgrade()))
                        })
                        .collect(),
                    interval: cluster.checkpoint_interval,
                    log_bytes: cluster.checkpoint_log_bytes,
                    log: options.log.clone(),
                    fatal: fatal.clone(),
                    os: options.os.clone(),
                };
                let mut owners = Vec::new();
                for found in groups {
                    let (Some(requests), Some(progress), Some(handle)) = (
                        inboxes.remove(&found.id),
                        receivers.remove(&found.id),
                        handles.get(&found.name),
                    ) else {
                        continue;
                    };
                    let slot = services.find(&found.name);
                    let service: Option<ServiceId> = slot.map(|slot| slot.service.id);
                    let courier = Courier {
                        services: Arc::clone(&services),
                        dispatch: Arc::clone(&dispatch),
                        sender: found.name.as_str().into(),
                        requests: handle.requests.downgrade(),
                        hops_max: cluster.hops_max,
                        os: options.os.clone(),
                        tasks: Tasks::default(),
                    };
                    let owner = Owner::new(Parts {
                        group: found.group,
                        id: found.id,
                        service,
                        services: Arc::clone(&services),
                        requests,
                        progress,
                        journal: journal.clone(),
                        published: handle.published.clone(),
                        courier,
                        dispatch: Arc::clone(&dispatch),
                        fatal: fatal.clone(),
                        hops_max: cluster.hops_max,
                        os: options.os.clone(),
                    });
                    let (fatal, name) = (fatal.clone(), found.name);
                    owners.push(task::spawn(async move {
                        if let Err(error) = task::spawn(owner.run()).await {
                            fatal.report(&format!("service {name}: {error}"));
                        }
                    }));
                }
                let checkpointing = task::spawn(checkpoint::run(checkpoints));
                // An error means that the sender was dropped, which is how it is said.
                let _ = stopped.await;
                drop((owners, checkpointing, handles));
            });
        })
        .map_err(RecoveryError::Thread)?;
        Ok(Running {
            _stop: stop,
            threads: vec![state_thread, log_thread],
        })
    }
}
