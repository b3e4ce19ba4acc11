//! Brings all replicas of a host back to what they were, and starts their threads.

use super::birth::Origin;
use super::checkpoint::{self, Checkpoints};
use super::delivery::Courier;
use super::handle::{CheckpointAsked, Ends, GroupHandle};
use super::hello::{self, Registry};
use super::journal::{Fatal, Journal, Progress};
use super::owner::{self, Parts};
use super::snapshots::Pins;
use crate::config::{Config, HostName};
use crate::dispatch::{Dispatch, ServiceId};
use crate::log::{self, Log};
use crate::os::Os;
use crate::os::executor::Tasks;
use crate::os::task;
use crate::replica::consensus::StartEngine;
use crate::replica::group;
use crate::replica::member::{self, Timing};
use crate::replica::network::{Incoming, ReplicaNetwork, ReplicaRequests};
use crate::replica::sessions::Bounds;
use crate::replica::wit::EntryKind;
use crate::services::Services;
use crate::state::{GroupId, Store, View};
use crate::telemetry;
use std::collections::{BTreeMap, BTreeSet};
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

/// Checkpoints that are asked for at once, and wait for the one that is being made.
const CHECKPOINTS_ASKED_MAX: usize = 16;

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

/// What comes from other hosts goes in here.
pub type Receive = Box<dyn Fn(Incoming) + Send + Sync>;

/// The ways to other hosts' replicas.
pub struct Network {
    /// For messages.
    pub messages: Arc<dyn ReplicaNetwork>,
    /// For what is asked.
    pub asking: Arc<dyn ReplicaRequests>,
}

/// What is made on the thread of the groups.
pub struct Surroundings {
    /// Carries out calls.
    pub dispatch: Box<dyn FnOnce() -> Arc<dyn Dispatch> + Send>,
    /// Connects to other hosts; none if there are none with replicas of the same services.
    pub connect: Option<Box<dyn FnOnce(Receive) -> Network + Send>>,
    /// Makes consensus engines.
    pub start_engine: StartEngine,
}

/// The replicas as they were left, before anything runs.
pub struct Recovered {
    /// None if the host keeps nothing.
    kept: Option<(Store, Log)>,
    replicas: Vec<Found>,
    options: Options,
    /// Who wants a checkpoint.
    asking: mpsc::Sender<CheckpointAsked>,
    asked: mpsc::Receiver<CheckpointAsked>,
    /// Handles to the replicas of services that the configuration has.
    pub handles: BTreeMap<String, GroupHandle>,
    /// Other hosts that have replicas of the same groups although the configuration does not say so, or not any more.
    pub partners: BTreeSet<HostName>,
    /// What other hosts may fetch.
    pub pins: Pins,
    /// What other hosts are told.
    pub registry: Registry,
    /// Says when the host must stop.
    pub fatal: Fatal,
}

struct Found {
    id: GroupId,
    name: String,
    origin: Origin,
    ends: Ends,
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
        let (asking, asked) = mpsc::channel(CHECKPOINTS_ASKED_MAX);
        Self {
            asking,
            asked,
            partners: BTreeSet::new(),
            kept: None,
            replicas: Vec::new(),
            handles: BTreeMap::new(),
            pins: Pins::new(options.os.clone()),
            registry: Registry::default(),
            fatal: Fatal::default(),
            options,
        }
    }

    fn add(&mut self, store: &Store, found: opening::Found) -> Result<(), RecoveryError> {
        let opening::Found {
            id,
            name,
            identity,
            applied,
            records,
            is_void,
        } = found;
        let base = store.base(id).map_err(RecoveryError::Read)?;
        let config = &self.options.config;
        let service = config
            .services
            .iter()
            .find(|service| service.name.as_str() == name);
        let replicated = service.and_then(|service| service.replicated.as_ref());
        let hosts = match service {
            Some(service) => config
                .hosts
                .iter()
                .map(|host| &host.name)
                .filter(|host| service.is_placed_on(host))
                .cloned()
                .collect(),
            None => vec![self.options.host.clone()],
        };
        let hosts: Vec<HostName> = hosts;
        let view = View::new(base);
        let members = identity
            .as_ref()
            .map(|identity| member::roster(&view, identity));
        let members = members
            .transpose()
            .map_err(|error| RecoveryError::Members {
                service: name.clone(),
                source: Box::new(error),
            })?;
        // Who was added since the checkpoint the engine finds out; until then it may be anybody.
        let is_change = |record: &member::Record| {
            let entry = member::decode_record(record.clone());
            entry.is_ok_and(|entry| entry.kind == EntryKind::Change)
        };
        let has_changed = records.iter().any(is_change);
        let anybody = config
            .hosts
            .iter()
            .filter(|_| has_changed)
            .map(|host| &host.name);
        let known = members.iter().flat_map(|roster| roster.hosts.values());
        let known = known.chain(anybody);
        let is_other =
            |host: &&HostName| **host != self.options.host && config.host(host.as_str()).is_some();
        let partners: BTreeSet<HostName> = hosts
            .iter()
            .chain(known)
            .filter(is_other)
            .cloned()
            .collect();
        self.partners.extend(partners.iter().cloned());
        let origin = Origin {
            is_empty: is_void || identity.is_none(),
            refusal: String::new(),
            is_configured: replicated.is_some(),
            partners: partners.into_iter().collect(),
            identity,
            hosts,
            view,
            applied,
            records,
            options: group::Options {
                name: name.clone(),
                sessions: Bounds::of(replicated),
                mutant: None,
            },
            timing: Timing {
                heartbeat: config.cluster.heartbeat_interval,
                election: config.cluster.election_timeout,
            },
        };
        let replicas = replicated.map_or(1, |replicated| replicated.replicas);
        let (handle, ends) =
            GroupHandle::new(&name, replicas, self.asking.clone(), self.fatal.clone());
        self.registry.add(&name, handle.requests.downgrade());
        self.handles.insert(name.clone(), handle);
        self.replicas.push(Found {
            id,
            name,
            origin,
            ends,
        });
        Ok(())
    }

    /// Starts everything.
    ///
    /// # Errors
    /// [`RecoveryError::Thread`].
    pub fn start(
        self,
        services: &Arc<Services>,
        surroundings: Surroundings,
    ) -> Result<Running, RecoveryError> {
        let Self {
            kept,
            replicas,
            options,
            asking: _,
            asked,
            partners,
            handles,
            pins,
            registry,
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
        for found in &replicas {
            let (sender, receiver) = watch::channel(Progress::default());
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
                let Surroundings {
                    dispatch,
                    connect,
                    start_engine,
                } = surroundings;
                let dispatch = dispatch();
                let mut inboxes = BTreeMap::new();
                let mut routes = BTreeMap::new();
                for found in &replicas {
                    let (sender, inbox) = mpsc::unbounded_channel();
                    routes.insert(found.name.clone(), sender);
                    inboxes.insert(found.id, inbox);
                }
                let network = connect.map(|connect| connect(receive(routes)));
                let hearing = network.as_ref().map(|network| {
                    task::spawn(hello::run(
                        registry.clone(),
                        partners.into_iter().collect(),
                        Arc::clone(&network.asking),
                        options.os.clone(),
                    ))
                });
                let checkpoints = Checkpoints {
                    store: store.clone(),
                    journal: journal.clone(),
                    groups: replicas
                        .iter()
                        .filter_map(|found| {
                            let handle = handles.get(&found.name)?;
                            Some((found.id, handle.requests.downgrade()))
                        })
                        .collect(),
                    interval: cluster.checkpoint_interval,
                    log_bytes: cluster.checkpoint_log_bytes,
                    asked,
                    log: options.log.clone(),
                    fatal: fatal.clone(),
                    os: options.os.clone(),
                };
                let mut owners = Vec::new();
                for found in replicas {
                    let (Some(incoming), Some(progress), Some(handle)) = (
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
                    let Ends {
                        requests,
                        readers,
                        standing,
                        compared,
                    } = found.ends;
                    let owner = owner::run(Parts {
                        origin: found.origin,
                        id: found.id,
                        name: found.name.as_str().into(),
                        service,
                        host: options.host.clone(),
                        services: Arc::clone(&services),
                        requests,
                        readers,
                        incoming,
                        progress,
                        journal: journal.clone(),
                        store: store.clone(),
                        start_engine: Arc::clone(&start_engine),
                        network: network.as_ref().map(|it| Arc::clone(&it.messages)),
                        asking: network.as_ref().map(|it| Arc::clone(&it.asking)),
                        pins: pins.clone(),
                        told: registry.clone(),
                        published: handle.published.clone(),
                        standing,
                        compared,
                        courier,
                        dispatch: Arc::clone(&dispatch),
                        fatal: fatal.clone(),
                        log: options.log.clone(),
                        hops_max: cluster.hops_max,
                        os: options.os.clone(),
                    });
                    let (fatal, name) = (fatal.clone(), found.name);
                    owners.push(task::spawn(async move {
                        if let Err(error) = task::spawn(owner).await {
                            fatal.report(&format!("service {name}: {error}"));
                        }
                    }));
                }
                let checkpointing = task::spawn(checkpoint::run(checkpoints));
                // An error means that the sender was dropped, which is how it is said.
                let _ = stopped.await;
                drop((owners, checkpointing, hearing, handles, network));
            });
        })
        .map_err(RecoveryError::Thread)?;
        Ok(Running {
            _stop: stop,
            threads: vec![state_thread, log_thread],
        })
    }
}

/// Takes what comes from other hosts to the replicas that it is for.
fn receive(routes: BTreeMap<String, mpsc::UnboundedSender<Incoming>>) -> Receive {
    Box::new(move |incoming| {
        // A replica whose task has ended hears nothing any more.
        match &incoming {
            Incoming::Message { service, .. } => {
                if let Some(route) = routes.get(&**service) {
                    let _ = route.send(incoming);
                }
            }
            Incoming::Connected(_) | Incoming::Lost(_) => {
                for route in routes.values() {
                    let _ = route.send(incoming.clone());
                }
            }
        }
    })
}
