//! One host: its services, its serving threads, its ways to other hosts, its admin interface, from start to drained stop.

use crate::admin;
use crate::certificates::Credentials;
use crate::chaos::Chaos;
use crate::compile::Compiler;
use crate::config::Config;
use crate::consensus::Engines;
use crate::control::code;
use crate::control::registry::Registry;
use crate::control::taken::{TakenFile, effective};
use crate::daemon::{self, Daemons};
use crate::depot::SharedDepot;
use crate::dispatch::{Dispatch, FunctionName};
use crate::engine::Ticker;
use crate::groups;
use crate::groups::journal::Fatal;
use crate::groups::recovery::{Network, Surroundings};
use crate::os::Os;
use crate::os::disk::FolderLock;
use crate::os::listeners::Listeners;
use crate::os::process;
use crate::os::task::{self, Task};
use crate::parent::Parent;
use crate::replica::network::ReplicaNetwork;
use crate::services::Services;
use crate::supervisor::{self, Supervisor};
use crate::telemetry::Log;
use crate::transport::Refusals;
use crate::transport::components::Carrier;
use crate::transport::peers::Peers;
use crate::transport::probe::{self, Introducer, Schedule};
use crate::transport::replicas::{self, Replicas, Sources};
use crate::transport::wire::Wire;
use crate::version::HTTP_INTERFACE;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};

mod drain;
mod error;
mod follower;
mod listening;
mod migration;
mod parts;
mod peering;
mod restart;
mod serving;
mod shared;
pub mod spread;

pub use error::StartError;
use follower::Follower;
use migration::Migrator;
pub use restart::{Ending, Restart, RestartError};
use serving::Entrance;
use shared::Shared;
use spread::Spread;

/// Folder of the compiled code, below the data root: shared by its hosts.
pub const COMPILED_FOLDER: &str = "compiled";
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
    parts::host(&config, &name)?;
    let log = Log::new(&name, Arc::clone(&os.clock));
    let lock = lock(&config, &name, &os)?;
    // What the cluster's state says goes before the file.
    let file = Arc::clone(&config);
    let folder = config.cluster.data.join(&name);
    let taken = match config.cluster.control {
        true => Some(TakenFile::begin(&folder, &os)?),
        false => None,
    };
    let config = match &taken {
        Some(taken) => Arc::new(effective(&file, &name, &taken.taken)?),
        None => config,
    };
    let host = parts::host(&config, &name)?;
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
    let for_follower = compiler.clone();
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
        components: (config.cluster.control).then(|| SharedDepot::new(folder, os.clone())),
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
    let carrier = Carrier::new(Arc::clone(&shared.peers), Arc::clone(&wire), os.clone());
    let spread = shared.components.clone();
    let spread = spread.map(|depot| Spread::new(depot, carrier));
    let state = Arc::new(admin::Admin {
        config: Arc::clone(&config),
        host: host.name.clone(),
        services: Arc::clone(&services),
        dispatch: Arc::clone(&dispatch),
        spread: spread.clone(),
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
    let migrator = Migrator {
        config: Arc::clone(&config),
        services: Arc::clone(&services),
        log: log.clone(),
        os: os.clone(),
    };
    tasks.push(task::spawn(migrator.run()));
    if let (Some(taken), Some(spread)) = (taken, spread) {
        let registry = Registry::new(
            config.cluster.hops_max,
            Arc::clone(&services),
            Arc::clone(&dispatch),
            os.clone(),
        );
        let follower = Follower {
            target: file.cargo_target(process::variable("CARGO_TARGET_DIR")),
            file,
            config: Arc::clone(&config),
            host: host.name.clone(),
            taken,
            registry,
            spread,
            compiler: for_follower,
            services: Arc::clone(&services),
            peers: Arc::clone(&shared.peers),
            supervisor: supervisor.clone(),
            restart: restart.clone(),
            log: log.clone(),
            os: os.clone(),
        };
        tasks.push(task::spawn(follower.run()));
    }
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
