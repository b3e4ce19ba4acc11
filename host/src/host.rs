//! One host: its services, its serving threads, its ways to other hosts, its admin interface, from start to drained stop.

use crate::admin;
use crate::certificates::Credentials;
use crate::chaos::Chaos;
use crate::compile::Compiler;
use crate::config::Config;
use crate::consensus::Engines;
use crate::control::code;
use crate::control::components::OwnFolder;
use crate::daemon::{self, Daemons};
use crate::dispatch::{Dispatch, FunctionName};
use crate::engine::Ticker;
use crate::groups;
use crate::groups::journal::Fatal;
use crate::groups::recovery::{Network, Surroundings};
use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::os::disk::FolderLock;
use crate::os::listeners::Listeners;
use crate::os::task::{self, Task};
use crate::parent::Parent;
use crate::replica::network::ReplicaNetwork;
use crate::services::{Services, State};
use crate::supervisor::{self, Supervisor};
use crate::telemetry::Log;
use crate::transport::Refusals;
use crate::transport::peers::{Health, Peers};
use crate::transport::probe::{self, Introducer, Schedule};
use crate::transport::replicas::{self, Replicas, Sources};
use crate::transport::wire::Wire;
use crate::version::HTTP_INTERFACE;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

mod error;
mod listening;
mod parts;
mod peering;
mod restart;
mod serving;
mod shared;

pub use error::StartError;
pub use restart::{Ending, Restart, RestartError};
use serving::Entrance;
use shared::Shared;

/// Folder of the compiled code, below the data root: shared by its hosts.
pub const COMPILED_FOLDER: &str = "compiled";
/// How often a drain looks whether the last call is done.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// How long a stopping host waits until others lead what it led.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stopping host waits for its peers to hear of it. One that does not finds out at its next call.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(100);

/// How much later than `cluster.drain-timeout` a daemon that does not finish may be ended: the turns that its thread takes.
const DAEMONS_MARGIN: Duration = Duration::from_secs(1);

/// What a host is started with.
pub struct Options {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// The host to be.
    pub name: String,
    /// A `bookshop-host`, to compile components with.
    pub program: PathBuf,
    /// The process that started this one.
    pub parent: Parent,
    /// How code inside the host asks for a restart in place.
    pub restart: Restart,
    /// The outside.
    pub os: Os,
}

/// A running host.
pub struct Host {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where other hosts connect.
    pub peer: SocketAddr,
    /// Where programs outside the cluster call services.
    pub api: SocketAddr,
    /// Where the admin interface is.
    pub admin: SocketAddr,
    /// Its log.
    pub log: Log,
    /// Its services.
    pub services: Arc<Services>,
    /// Carries out calls.
    pub dispatch: Arc<dyn Dispatch>,
    /// What it knows of the other hosts.
    pub peers: Arc<Peers>,
    /// Stops and starts services.
    pub supervisor: Supervisor,
    config: Arc<Config>,
    os: Os,
    stop: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
    restart: Restart,
    /// The listening sockets once more, so that a restart in place may keep them open.
    listeners: Listeners,
    wire: Arc<Wire>,
    introducer: Arc<Introducer>,
    administration: Task<()>,
    tasks: Vec<Task<()>>,
    threads: Vec<JoinHandle<()>>,
    fatal: Fatal,
    groups: Option<groups::Running>,
    daemons: Option<Daemons>,
    _ticker: Ticker,
    _lock: FolderLock,
}

/// Starts a host. When this returns it serves; services that could not be loaded are in its status and its log.
///
/// # Errors
/// See [`StartError`].
pub async fn start(options: Options) -> Result<Host, StartError> {
    let Options {
        config,
        name,
        program,
        parent,
        restart,
        os,
    } = options;
    let Some(host) = config.host(&name) else {
        let known = config
            .hosts
            .iter()
            .map(|host| host.name.to_string())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(StartError::UnknownHost { name, known });
    };
    let log = Log::new(&name, Arc::clone(&os.clock));
    let lock = lock(&config, &name, &os)?;
    code::write(&config, &os)?;
    // Bound before anything is loaded, so that a taken port is known at once; clients that come early wait in the kernel's queue.
    let mut listeners = Listeners::default();
    let mut listen = |key, address| listening::listen(&os, &name, key, address, &mut listeners);
    let (http_listener, http) = listen("http", host.http)?;
    let (peer_listener, peer) = listen("peer", host.peer)?;
    let (api_listener, api) = listen("api", host.api)?;
    let (admin_listener, admin) = listen("admin", host.admin)?;
    let credentials = Credentials::load(
        &config.cluster.certificates_folder(),
        &config.cluster.name,
        &host.name,
        &os,
    )?;

    let (engine, ticker) = parts::engine(&config, &host.name, &log)?;
    let recovered = groups::recovery::recover(groups::Options {
        config: Arc::clone(&config),
        host: host.name.clone(),
        log: log.clone(),
        os: os.clone(),
    })?;
    let fatal = recovered.fatal.clone();
    let pins = recovered.pins.clone();
    let slots = parts::slots(&config, &host.name, &recovered.handles, &log, &os);
    let services = Arc::new(Services::new(slots));
    let compiler = Compiler::new(
        program,
        config.cluster.data.join(COMPILED_FOLDER),
        os.clone(),
    );
    let engines = compiler.clone();
    let (supervisor, supervising) = supervisor::start(supervisor::Options {
        config: Arc::clone(&config),
        host: host.name.clone(),
        engine,
        compiler,
        services: Arc::clone(&services),
        log: log.clone(),
        os: os.clone(),
    })
    .await
    .map_err(|error| StartError::Engine(format!("{error:#}")))?;

    let (stop, stopped) = watch::channel(false);
    let (stopping, is_stopping) = watch::channel(false);
    let introducer = Arc::new(Introducer {
        host: name.clone(),
        peer,
        services: Arc::clone(&services),
        stopped: is_stopping,
        os: os.clone(),
    });
    let shared = Shared {
        peers: Arc::new(Peers::new(&config, &host.name, log.clone(), os.clone())),
        chaos: Chaos::new(&config, &host.name, log.clone(), os.clone()),
        refusals: Arc::new(Refusals::new(log.clone())),
        handle: Arc::new(FunctionName {
            interface: HTTP_INTERFACE.into(),
            function: "handle".into(),
        }),
        config: Arc::clone(&config),
        host: host.name.clone(),
        services: Arc::clone(&services),
        credentials,
        introducer: Arc::clone(&introducer),
        replicas: Some(Sources {
            snapshots: Arc::new(recovered.pins.clone()),
            hello: Arc::new(recovered.registry.clone()),
        }),
        log: log.clone(),
        os: os.clone(),
    };
    let (groups_wire, groups_dispatch) = shared.router();
    let (replica_connections, accepted) = mpsc::channel(replicas::ACCEPTED_MAX);
    let replicas = shared.replicas(groups_wire, accepted, recovered.partners.clone());
    let has_partners = !replicas.partners.is_empty();
    let connect = move |receive| {
        let replicas = Replicas::start(replicas, receive);
        Network {
            messages: Arc::clone(&replicas) as Arc<dyn ReplicaNetwork>,
            asking: replicas,
        }
    };
    let surroundings = Surroundings {
        dispatch: Box::new(move || groups_dispatch),
        connect: has_partners.then_some(Box::new(connect)),
        start_engine: Arc::new(move |window, boot| {
            let (instance, output) = Engines::kept(&engines)?.start(window, boot)?;
            Ok((Box::new(instance), output))
        }),
    };
    let groups = recovered.start(&services, surroundings)?;
    let (_, daemons_dispatch) = shared.router();
    let daemons = daemon::start(daemon::Options {
        services: Arc::clone(&services),
        dispatch: daemons_dispatch,
        hops_max: config.cluster.hops_max,
        drain_timeout: config.cluster.drain_timeout,
        log: log.clone(),
        os: os.clone(),
    })
    .map_err(StartError::Thread)?;
    let doors = (0..threads(&config)).map(|_| shared.doors()).collect();
    let (handovers, threads) = serving::start(doors, &stopped).map_err(StartError::Thread)?;
    let (wire, dispatch) = shared.router();
    let state = Arc::new(admin::Admin {
        config: Arc::clone(&config),
        host: host.name.clone(),
        services: Arc::clone(&services),
        dispatch: Arc::clone(&dispatch),
        component_bytes: Arc::new(OwnFolder::new(&config, &name, os.clone())),
        supervisor: supervisor.clone(),
        parent,
        restart: restart.clone(),
        peers: Arc::clone(&shared.peers),
        chaos: shared.chaos.clone(),
        pins,
        log: log.clone(),
        started: os.clock.monotonic(),
        os: os.clone(),
    });
    let administration = task::spawn(admin::server::serve(state, admin_listener, stopped.clone()));
    let schedule = Schedule {
        interval: config.cluster.probe_interval,
        timeout: config.cluster.probe_timeout,
    };
    let mut tasks = probe::start(&shared.peers, &wire, &introducer, schedule);
    tasks.extend([
        supervising,
        task::spawn(shared.chaos.clone().expire()),
        task::spawn(shared.credentials.clone().watch(log.clone())),
    ]);
    let api_entrance = if api.ip().is_loopback() {
        Entrance::ApiInTheClear
    } else {
        Entrance::ApiCertified
    };
    tasks.push(task::spawn(peering::accept(
        peer_listener,
        handovers.clone(),
        shared.incoming(Arc::clone(&dispatch)),
        replica_connections,
        stopped.clone(),
        os.clone(),
        log.clone(),
    )));
    for (entrance, listener) in [
        (Entrance::Http, http_listener),
        (api_entrance, api_listener),
    ] {
        let (handovers, stopped) = (handovers.clone(), stopped.clone());
        let accepting = serving::accept(
            entrance,
            listener,
            handovers,
            stopped,
            os.clone(),
            log.clone(),
        );
        tasks.push(task::spawn(accepting));
    }
    log.info(
        None,
        &format!("{name} serves http://{http}, api {api}, peers {peer}, admin http://{admin}"),
    );
    Ok(Host {
        http,
        peer,
        api,
        admin,
        log,
        services,
        dispatch,
        peers: shared.peers,
        supervisor,
        config,
        os,
        stop,
        stopping,
        restart,
        listeners,
        wire,
        introducer,
        administration,
        tasks,
        threads,
        fatal,
        groups: Some(groups),
        daemons: Some(daemons),
        _ticker: ticker,
        _lock: lock,
    })
}

impl Host {
    /// Lets other hosts lead what this one leads, so that nobody has to wait for an election.
    async fn hand_over(&self) {
        let groups = self.services.iter().filter_map(|slot| slot.group.clone());
        let handing: Vec<Task<()>> = groups
            .filter(|group| group.has_others() && group.serves())
            .map(|group| {
                let log = self.log.clone();
                task::spawn(async move {
                    if let Err(reason) = group.hand_over().await {
                        log.warn(
                            None,
                            &format!("another replica has to be elected: {reason}"),
                        );
                    }
                })
            })
            .collect();
        let clock = self.os.clock.as_ref();
        let handed = async {
            for handing in handing {
                // A task that panicked has printed why; the election comes all the same.
                let _ = handing.await;
            }
        };
        // When all stop together there is nobody to take over.
        let alone = async {
            let is_there = |index| self.peers.get(index).view().health == Health::Up;
            while self.peers.indexes().any(is_there) {
                sleep(clock, DRAIN_POLL).await;
            }
        };
        tokio::select! {
            biased;
            () = handed => {}
            () = alone => {}
            // Who does not take over in that time is elected or not without us.
            () = sleep(clock, HAND_OVER_TIMEOUT) => {}
        }
    }

    /// Waits until this host must not go on, because what it keeps is not safe any more, and says why. Stop it then without draining.
    pub async fn failed(&self) -> String {
        self.fatal.wait().await
    }

    /// Waits for what ends this host's serving, and says what that is; `told_to_stop` is what does so from outside. The caller ends the host.
    pub async fn ending(&self, told_to_stop: impl Future<Output = ()>) -> Ending {
        tokio::select! {
            biased;
            reason = self.failed() => Ending::Failed(reason),
            () = told_to_stop => Ending::Stopped,
            () = self.restart.asked() => Ending::RestartInPlace,
        }
    }

    /// Tells its peers and its daemons, takes no more connections, lets the calls under way and the daemons finish within `cluster.drain-timeout`, then ends the rest.
    /// Returns how many calls were cut off.
    pub async fn stop(mut self) -> u32 {
        self.listeners = Listeners::default();
        self.drain().await
    }

    /// The same, but the sockets go on listening: connections that come from now on wait in the kernel for whoever accepts from them.
    pub async fn stop_listening_on(mut self) -> Listeners {
        let listeners = std::mem::take(&mut self.listeners);
        self.drain().await;
        listeners
    }

    async fn drain(&mut self) -> u32 {
        let _ = self.stopping.send(true);
        for slot in self.services.iter() {
            slot.daemon.stop();
        }
        self.services.waits.close();
        probe::announce(&self.peers, &self.wire, &self.introducer, ANNOUNCE_TIMEOUT).await;
        self.hand_over().await;
        // The listening sockets close here, unless they are held; connections end with the request they are in.
        let _ = self.stop.send(true);
        let clock = self.os.clock.as_ref();
        let drained = async {
            while self.services.calls_under_way() > 0
                || self.services.daemons_at_work() > 0
                || self.threads.iter().any(|thread| !thread.is_finished())
                || !self.administration.is_finished()
            {
                sleep(clock, DRAIN_POLL).await;
            }
        };
        let cut_off = match timeout(clock, self.config.cluster.drain_timeout, drained).await {
            Ok(()) => 0,
            Err(_elapsed) => self.services.calls_under_way(),
        };
        // Keepers end what does not finish by the same time, and say so; this only lets them.
        let ended = async {
            for slot in self.services.iter() {
                slot.daemon.ended().await;
            }
        };
        let _ = timeout(clock, DAEMONS_MARGIN, ended).await;
        for slot in self.services.iter() {
            slot.set(State::Stopping);
        }
        // A thread that is not done has a client that does not let go; it ends with the process.
        for thread in self.threads.drain(..).filter(JoinHandle::is_finished) {
            // A thread that panicked has printed why.
            let _ = thread.join();
        }
        if cut_off > 0 {
            self.log.warn(
                None,
                &format!("{cut_off} calls outlived cluster.drain-timeout and were cut off"),
            );
        }
        self.tasks.clear();
        if let Some(daemons) = self.daemons.take() {
            daemons.end();
        }
        if let Some(groups) = self.groups.take() {
            groups.join();
        }
        self.log.info(None, "stopped");
        cut_off
    }
}

fn lock(config: &Config, name: &str, os: &Os) -> Result<FolderLock, StartError> {
    let path = config.cluster.data.join(name);
    os.disk.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => StartError::DataInUse { path },
        _ => StartError::Data { path, source },
    })
}

fn threads(config: &Config) -> usize {
    if config.cluster.workers == 0 {
        task::cores()
    } else {
        config.cluster.workers as usize
    }
}
