//! One host: its services, its serving threads, its admin interface, from start to drained stop.

use crate::admin;
use crate::compile::Compiler;
use crate::config::{Config, HostName, StorageMode};
use crate::dispatch::{Dispatch, ServiceId};
use crate::engine::{self, Allocation, Room, Ticker};
use crate::http::{Front, Route, serve};
use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::os::disk::FolderLock;
use crate::os::network::{Accepted, TcpListener};
use crate::os::task::{self, Task};
use crate::parent::Parent;
use crate::router::Router;
use crate::scratch::Scratch;
use crate::service::Service;
use crate::services::{Services, Slot, State};
use crate::storage::Storage;
use crate::supervisor::{self, Supervisor};
use crate::telemetry::{Figures, Log, ServiceLog};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use wasmtime::Engine;

/// Folder of the compiled code, below the data root: shared by its hosts.
pub const COMPILED_FOLDER: &str = "compiled";
/// Connections handed to a thread that it has not yet begun to serve.
const HANDOVER_MAX: usize = 64;
/// Instances beyond those of all services' concurrency: retiring ones overlap with their successors for a moment.
const SPARE_CALLS: u32 = 32;
/// How often a drain looks whether the last call is done.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// How long to wait after an accept failed, which means that the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has no such host.
    #[error("no host {name} in the configuration; it has {known}")]
    UnknownHost {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Another process runs this host.
    #[error("the data folder {} is in use by another process; stop that host, or give this one another --data", .path.display())]
    DataInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}", .path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A port is taken.
    #[error(
        "host {host} cannot listen on {address} (its {key}): the port is in use; stop the other program, or change {key} in the configuration"
    )]
    PortInUse {
        /// The host.
        host: String,
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// An address cannot be listened on.
    #[error("host {host} cannot listen on {address} (its {key})")]
    Listen {
        /// The host.
        host: String,
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The engine does not run here.
    #[error("cannot start the engine: {0}")]
    Engine(String),
    /// The machine has no threads left.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

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
    /// The outside.
    pub os: Os,
}

/// A running host.
pub struct Host {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where the admin interface is.
    pub admin: SocketAddr,
    /// Its log.
    pub log: Log,
    /// Its services.
    pub services: Arc<Services>,
    /// Carries out calls.
    pub dispatch: Arc<dyn Dispatch>,
    /// Stops and starts services.
    pub supervisor: Supervisor,
    config: Arc<Config>,
    os: Os,
    stop: watch::Sender<bool>,
    administration: Task<()>,
    tasks: Vec<Task<()>>,
    threads: Vec<JoinHandle<()>>,
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
    let folder = config.cluster.data.join(&name);
    let lock = os
        .disk
        .lock(&folder)
        .map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => StartError::DataInUse {
                path: folder.clone(),
            },
            _ => StartError::Data {
                path: folder.clone(),
                source,
            },
        })?;
    // Bound before anything is loaded, so that a taken port is known at once; clients that come early wait in the kernel's queue.
    let http_listener = listen(&os, &name, "http", host.http)?;
    let admin_listener = listen(&os, &name, "admin", host.admin)?;
    let address = |listener: &TcpListener, configured| listener.local_addr().unwrap_or(configured);
    let (http, admin_address) = (
        address(&http_listener, host.http),
        address(&admin_listener, host.admin),
    );

    let (engine, ticker) = engine(&config, &host.name, &log)?;
    let services = Arc::new(Services::new(slots(&config, &host.name, &log, &os)));
    let compiler = Compiler::new(
        program,
        config.cluster.data.join(COMPILED_FOLDER),
        os.clone(),
    );
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
    let dispatch: Arc<dyn Dispatch> = Arc::new(Router::new(Arc::clone(&services), os.clone()));

    let (stop, stopped) = watch::channel(false);
    let front = Arc::new(Front::new(
        routes(&config, &host.name),
        Arc::clone(&dispatch),
        config.cluster.hops_max,
        os.clone(),
    ));
    let (handovers, threads) = serving_threads(&config, &front, &stopped)?;
    let state = Arc::new(admin::Admin {
        config: Arc::clone(&config),
        host: host.name.clone(),
        services: Arc::clone(&services),
        supervisor: supervisor.clone(),
        dispatch: Arc::clone(&dispatch),
        parent,
        log: log.clone(),
        started: os.clock.monotonic(),
        os: os.clone(),
    });
    let administration = task::spawn(admin::server::serve(state, admin_listener, stopped.clone()));
    let tasks = vec![
        supervising,
        task::spawn(accept(
            http_listener,
            handovers,
            stopped,
            os.clone(),
            log.clone(),
        )),
    ];
    log.info(
        None,
        &format!("{name} serves http://{http}, admin http://{admin_address}"),
    );
    Ok(Host {
        http,
        admin: admin_address,
        log,
        services,
        dispatch,
        supervisor,
        config,
        os,
        stop,
        administration,
        tasks,
        threads,
        _ticker: ticker,
        _lock: lock,
    })
}

impl Host {
    /// Takes no more connections, lets the calls under way finish within `cluster.drain-timeout`, then ends the rest.
    /// Returns how many calls were cut off.
    pub async fn stop(mut self) -> u32 {
        // The listening sockets close here; connections end with the request they are in.
        let _ = self.stop.send(true);
        let clock = self.os.clock.as_ref();
        let drained = async {
            while self.services.calls_under_way() > 0
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
        for slot in self.services.iter() {
            slot.set(State::Stopping);
        }
        if cut_off == 0 {
            for thread in self.threads.drain(..) {
                // A thread that panicked has printed why.
                let _ = thread.join();
            }
        } else {
            self.log.warn(
                None,
                &format!("{cut_off} calls outlived cluster.drain-timeout and were cut off"),
            );
        }
        self.tasks.clear();
        self.log.info(None, "stopped");
        cut_off
    }
}

fn listen(
    os: &Os,
    host: &str,
    key: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, StartError> {
    os.network
        .listen(address)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortInUse {
                host: host.to_owned(),
                key,
                address,
            },
            _ => StartError::Listen {
                host: host.to_owned(),
                key,
                address,
                source,
            },
        })
}

fn engine(config: &Config, host: &HostName, log: &Log) -> Result<(Engine, Ticker), StartError> {
    let placed = || {
        config
            .services
            .iter()
            .filter(|service| service.is_placed_on(host))
    };
    let room = Room {
        calls: placed()
            .map(|service| service.limits.concurrency)
            .sum::<u32>()
            + SPARE_CALLS,
        memory_bytes: placed()
            .map(|service| service.limits.memory_bytes)
            .max()
            .unwrap_or(0),
    };
    let (engine, allocation) =
        engine::runtime(room).map_err(|error| StartError::Engine(format!("{error:#}")))?;
    match allocation {
        Allocation::Pooling => {}
        Allocation::PoolingWithoutPagemap => log.warn(None, "this kernel lacks PAGEMAP_SCAN (Linux 6.7): calls cost about twice as much"),
        Allocation::OnDemand(reason) => log.warn(
            None,
            &format!("cannot reserve memory for {} calls at once ({reason}): calls cost about three times as much; lower limits.concurrency, or raise the address space limit (ulimit -v)", room.calls),
        ),
    }
    let ticker = Ticker::start(&engine).map_err(StartError::Thread)?;
    Ok((engine, ticker))
}

fn slots(config: &Config, host: &HostName, log: &Log, os: &Os) -> Vec<Slot> {
    let slot = |(index, service): (usize, &crate::config::ServiceConfig)| {
        let name: Arc<str> = service.name.as_str().into();
        let state = if service.is_placed_on(host) {
            State::Starting
        } else {
            State::Elsewhere
        };
        let service = Service {
            id: ServiceId(
                u32::try_from(index).expect("a configuration has fewer than 2^32 services"),
            ),
            log: ServiceLog::new(
                log.clone(),
                Arc::clone(&name),
                service.limits.log_lines_per_second,
            ),
            name,
            config: service.clone(),
            figures: Figures::default(),
            scratch: Scratch::new(service.limits.scratch_bytes),
            storage: service.storage.map(|mode| match mode {
                StorageMode::Volatile => Storage::new(service.limits.storage_bytes),
            }),
            os: os.clone(),
        };
        Slot::new(Arc::new(service), state)
    };
    config.services.iter().enumerate().map(slot).collect()
}

fn routes(config: &Config, host: &HostName) -> Vec<Route> {
    let services = config.services.iter().enumerate();
    services
        .filter(|(_, service)| service.is_placed_on(host))
        .filter_map(|(index, service)| {
            let http = service.http.as_ref()?;
            let id = ServiceId(u32::try_from(index).ok()?);
            Some(Route {
                prefix: http.path.clone(),
                service: id,
                limits: service.limits.clone(),
            })
        })
        .collect()
}

type Handovers = Vec<mpsc::Sender<Accepted>>;

fn serving_threads(
    config: &Config,
    front: &Arc<Front>,
    stopped: &watch::Receiver<bool>,
) -> Result<(Handovers, Vec<JoinHandle<()>>), StartError> {
    let count = if config.cluster.workers == 0 {
        task::cores()
    } else {
        config.cluster.workers as usize
    };
    let (mut handovers, mut threads) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (sender, receiver) = mpsc::channel(HANDOVER_MAX);
        let (front, stopped) = (Arc::clone(front), stopped.clone());
        let runtime = task::runtime().map_err(StartError::Thread)?;
        let thread = task::thread(&format!("serve-{number}"), move || {
            runtime.block_on(serve(front, receiver, stopped))
        });
        threads.push(thread.map_err(StartError::Thread)?);
        handovers.push(sender);
    }
    Ok((handovers, threads))
}

/// Gives connections to the serving threads in turn: with few connections the kernel's own spreading would leave cores idle.
async fn accept(
    listener: TcpListener,
    handovers: Handovers,
    mut stopped: watch::Receiver<bool>,
    os: Os,
    log: Log,
) {
    let mut turn = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            stream.into_std()
        }) {
            Ok(stream) => {
                turn = (turn + 1) % handovers.len();
                // A full queue means that this thread is far behind; the next one takes the connection.
                let next = (turn + 1) % handovers.len();
                if let Err(mpsc::error::TrySendError::Full(stream)) =
                    handovers[turn].try_send(stream)
                {
                    let _ = handovers[next].send(stream).await;
                }
            }
            Err(error) => {
                log.warn(None, &format!("cannot take a connection: {error}"));
                sleep(os.clock.as_ref(), ACCEPT_PAUSE).await;
            }
        }
    }
}
