//! Brings all groups of a host back to what they were, and starts their threads.

use super::checkpoint::{self, Checkpoints};
use super::delivery::Courier;
use super::handle::{GroupHandle, INBOX_MAX};
use super::journal::{Fatal, Journal, Progress};
use super::owner::{Owner, Parts};
use crate::config::{Config, HostName};
use crate::dispatch::{Dispatch, ServiceId};
use crate::log::{self, Log};
use crate::os::Os;
use crate::os::executor::Tasks;
use crate::os::task;
use crate::replica::group::{self, Group};
use crate::replica::published::Published;
use crate::replica::sessions::Bounds;
use crate::services::Services;
use crate::state::{GroupId, Store, View};
use crate::telemetry;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

mod error;
pub(crate) mod opening;

pub use error::RecoveryError;
use opening::{Files, Opened};

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

/// The groups as they were left, before anything runs.
pub struct Recovered {
    /// None if the host keeps nothing.
    kept: Option<(Store, Log)>,
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

/// Reads everything that the host keeps. A host that keeps nothing, and has no service that would, takes no room on the disk.
///
/// # Errors
/// See [`RecoveryError`]; nothing was changed, apart from the cut of a log's torn end.
pub fn recover(options: Options) -> Result<Recovered, RecoveryError> {
    let folder = options.config.cluster.data.join(options.host.as_str());
    let placed: Vec<&str> = options
        .config
        .services
        .iter()
        .filter(|service| service.replicated.is_some() && service.is_placed_on(&options.host))
        .map(|service| service.name.as_str())
        .collect();
    let files = Files {
        blocks: &options.os.blocks,
        log: folder.join(LOG_FOLDER),
        state: folder.join(STATE_FOLDER),
        log_options: log::Options::default(),
    };
    if placed.is_empty() && files.are_missing()? {
        return Ok(Recovered::nothing(options));
    }
    let Opened {
        store,
        log,
        groups,
        cut,
    } = files.open(&placed)?;
    if let Some(cut) = cut {
        let message = format!(
            "cut {} bytes off the end of {}: they were being written when the host was ended, and nobody was told of them",
            cut.bytes,
            cut.file.display()
        );
        options.log.info(None, &message);
    }
    let mut recovered = Recovered::nothing(options);
    for found in groups {
        recovered.add(&store, found)?;
    }
    recovered.kept = Some((store, log));
    Ok(recovered)
}

impl Recovered {
    /// Of a host that keeps nothing.
    fn nothing(options: Options) -> Self {
        Self {
            kept: None,
            groups: Vec::new(),
            handles: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            fatal: Fatal::default(),
            options,
        }
    }

    fn add(&mut self, store: &Store, found: opening::Found) -> Result<(), RecoveryError> {
        let opening::Found {
            id,
            name,
            applied,
            entries,
        } = found;
        let base = store.base(id).map_err(RecoveryError::Read)?;
        let config = &self.options.config;
        let service = config
            .services
            .iter()
            .find(|service| service.name.as_str() == name);
        let replicated = service.and_then(|service| service.replicated.as_ref());
        let group_options = group::Options {
            name: name.clone(),
            sessions: Bounds::of(replicated),
            mutant: None,
        };
        let group =
            Group::recover(group_options, View::new(base), applied, entries).map_err(|source| {
                RecoveryError::Group {
                    service: name.clone(),
                    source,
                }
            })?;
        let (requests, inbox) = mpsc::channel(INBOX_MAX);
        let handle = GroupHandle {
            requests,
            published: Published::default(),
            fatal: self.fatal.clone(),
        };
        // Before anything serves: a query may come before the group's task has had its first turn.
        handle.published.publish(group.snapshot());
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
            kept,
            groups,
            options,
            handles,
            mut inboxes,
            fatal,
        } = self;
        let (stop, stopped) = oneshot::channel::<()>();
        let Some((store, log)) = kept else {
            return Ok(Running {
                _stop: stop,
                threads: Vec::new(),
            });
        };
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
