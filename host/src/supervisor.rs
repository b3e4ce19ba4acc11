//! Brings services up, stops and starts them, and tries failed ones again.
//!
//! One task owns all changes of the table of services; [`Supervisor`] is the handle to it.

use crate::compile::Compiler;
use crate::component::{self, Loaded, short_digest};
use crate::config::{Config, HostName, Pinned};
use crate::dispatch::ServiceId;
use crate::linker::ServiceLinker;
use crate::os::clock::{sleep, timeout, timeout_at};
use crate::os::task::{self, Task};
use crate::os::{Os, process};
use crate::services::{ServiceTypes, Services, Slot, State};
use crate::telemetry::Log;
use crate::version::Version;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use wasmtime::Engine;

mod canary;
mod linked;
mod migration;
mod rehearsal;
mod swap;

pub use rehearsal::rehearse;

/// Commands waiting for the supervisor. Every sender waits for its reply, so a longer queue would hide delay, not remove it.
const COMMANDS_MAX: usize = 16;
/// A failed service is tried again after this long, then after twice as long, and so on up to the maximum.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often a drain looks whether the last call is done.
const DRAIN_POLL: Duration = Duration::from_millis(5);

/// A daemon has this much longer than calls until it counts as not to be stopped.
const DAEMON_MARGIN: Duration = Duration::from_secs(1);

/// Why a service could not be stopped or started.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SupervisorError {
    /// No such service in the configuration.
    #[error("no service {0} in the configuration; `bookshop-host status` lists them")]
    Unknown(String),
    /// It is placed on other hosts only.
    #[error("service {0} is not placed on this host")]
    Elsewhere(String),
    /// It was started and failed again.
    #[error("service {service} could not be loaded: {reason}")]
    Failed {
        /// The service.
        service: String,
        /// The reason, with its causes.
        reason: String,
    },
    /// Calls outlived the drain timeout; they keep running on the old version.
    #[error("service {0} takes no new calls, but some of its calls outlived cluster.drain-timeout")]
    DrainTimeout(String),
    /// Another component was to take the place of what runs, which goes on.
    #[error("service {service} keeps what it runs: {reason}")]
    NotSwapped {
        /// The service.
        service: String,
        /// The reason, with its causes.
        reason: String,
    },
    /// The host is shutting down.
    #[error("the host is shutting down")]
    Stopping,
}

enum Command {
    Canary(
        String,
        Option<(Pinned, u32)>,
        oneshot::Sender<Result<(), SupervisorError>>,
    ),
    Fits(String, Pinned, oneshot::Sender<Result<(), SupervisorError>>),
    Misfits(oneshot::Sender<Vec<Arc<str>>>),
    Swap(String, Pinned, oneshot::Sender<Result<(), SupervisorError>>),
    Stop(String, oneshot::Sender<Result<(), SupervisorError>>),
    Start(String, oneshot::Sender<Result<(), SupervisorError>>),
}

/// A handle to the task that owns the services.
#[derive(Clone)]
pub struct Supervisor {
    commands: mpsc::Sender<Command>,
}

impl Supervisor {
    /// Lets a service take no more calls, tells its daemon to finish, and waits until both are done.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub async fn stop(&self, service: &str) -> Result<(), SupervisorError> {
        self.send(|reply| Command::Stop(service.to_owned(), reply))
            .await
    }

    /// Loads a service again from its file and lets it take calls. One that runs keeps running; its daemon runs again if it has finished.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub async fn start(&self, service: &str) -> Result<(), SupervisorError> {
        self.send(|reply| Command::Start(service.to_owned(), reply))
            .await
    }

    /// Puts another component in the place of what a service runs: calls that come from then on find it, those under way finish on the old one.
    /// Where the service does not run, whoever calls it is linked to the new one.
    ///
    /// # Errors
    /// See [`SupervisorError`]. Nothing has changed then.
    pub async fn swap(&self, service: &str, component: Pinned) -> Result<(), SupervisorError> {
        self.send(|reply| Command::Swap(service.to_owned(), component, reply))
            .await
    }

    async fn send(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), SupervisorError>>) -> Command,
    ) -> Result<(), SupervisorError> {
        let (reply, done) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| SupervisorError::Stopping)?;
        done.await.map_err(|_| SupervisorError::Stopping)?
    }
}

/// Everything the supervisor works with.
pub struct Options {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// The host this is.
    pub host: HostName,
    /// The engine of this host.
    pub engine: Engine,
    /// Makes compiled code.
    pub compiler: Compiler,
    /// The table to keep.
    pub services: Arc<Services>,
    /// Where to report.
    pub log: Log,
    /// The outside.
    pub os: Os,
}

/// Loads every service and starts the task that supervises them. The task ends with its handle.
///
/// # Errors
/// A bug of the host: its own interfaces cannot be linked.
pub async fn start(options: Options) -> wasmtime::Result<(Supervisor, Task<()>)> {
    let mut owner = Owner::new(options)?;
    for (id, result) in owner.load_all().await {
        owner.settle(id, result);
    }
    let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
    Ok((Supervisor { commands }, task::spawn(owner.run(receiver))))
}

struct Owner {
    options: Options,
    linker: ServiceLinker,
    /// The folder in which cargo leaves the components it builds.
    target: PathBuf,
    /// Services whose code is loaded, placed here or not: others are linked to their types.
    loaded: BTreeMap<ServiceId, Loaded>,
    /// Components that took the place of those that the configuration names.
    pins: BTreeMap<ServiceId, Pinned>,
    /// How many versions of each service ran here.
    versions: BTreeMap<ServiceId, u32>,
    retries: BTreeMap<ServiceId, Retry>,
}

struct Retry {
    attempts: u32,
    at: Duration,
}

impl Owner {
    fn new(options: Options) -> wasmtime::Result<Self> {
        let target = options
            .config
            .cargo_target(process::variable("CARGO_TARGET_DIR"));
        Ok(Self {
            linker: ServiceLinker::new(&options.engine)?,
            target,
            loaded: BTreeMap::new(),
            pins: BTreeMap::new(),
            versions: BTreeMap::new(),
            retries: BTreeMap::new(),
            options,
        })
    }

    async fn load_all(&mut self) -> Vec<(ServiceId, Result<Option<Version>, String>)> {
        let ids: Vec<ServiceId> = self
            .options
            .services
            .iter()
            .map(|slot| slot.service.id)
            .collect();
        let mut failures = BTreeMap::new();
        for &id in &ids {
            if let Err(reason) = self.load(id).await {
                failures.insert(id, reason);
            }
        }
        // What they export is the same for all of them.
        let exporters = self.exporters();
        let link = |id: ServiceId| {
            let result = match failures.remove(&id) {
                Some(reason) => Err(reason),
                None => self.link_to(id, &exporters),
            };
            (id, result)
        };
        ids.into_iter().map(link).collect()
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let next = self
                .retries
                .values()
                .map(|retry| retry.at)
                .min()
                .unwrap_or(Duration::MAX);
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    // The requester may have gone; what it asked for was done all the same.
                    Some(Command::Stop(service, reply)) => drop(reply.send(self.stop(&service).await)),
                    Some(Command::Start(service, reply)) => drop(reply.send(self.start(&service).await)),
                    Some(Command::Misfits(reply)) => {
                        let misfits = self.misfits().into_keys().map(|id| self.name(id));
                        drop(reply.send(misfits.collect()));
                    }
                    Some(Command::Fits(service, component, reply)) => {
                        drop(reply.send(self.fits(&service, &component).await));
                    }
                    Some(Command::Canary(service, canary, reply)) => drop(reply.send(self.canary(&service, canary).await)),
                    Some(Command::Swap(service, component, reply)) => drop(reply.send(self.swap(&service, component).await)),
                    None => return,
                },
                () = self.options.os.clock.sleep_until(next) => self.retry().await,
            }
        }
    }

    fn slot(&self, id: ServiceId) -> &Slot {
        self.options
            .services
            .get(id)
            .expect("ids come from this table")
    }

    fn name(&self, id: ServiceId) -> Arc<str> {
        Arc::clone(&self.slot(id).service.name)
    }

    fn find(&self, service: &str) -> Result<ServiceId, SupervisorError> {
        let slot = self
            .options
            .services
            .find(service)
            .ok_or_else(|| SupervisorError::Unknown(service.to_owned()))?;
        if matches!(*slot.state(), State::Elsewhere) {
            return Err(SupervisorError::Elsewhere(service.to_owned()));
        }
        Ok(slot.service.id)
    }

    async fn stop(&mut self, service: &str) -> Result<(), SupervisorError> {
        let id = self.find(service)?;
        self.retries.remove(&id);
        let slot = self.slot(id);
        let running = slot.running();
        slot.set(State::Stopped);
        self.options
            .log
            .info(Some(service), "stopped by the operator");
        slot.set_former(None);
        if let Some(version) = running {
            version.idle.clear();
        }
        let clock = self.options.os.clock.as_ref();
        let drain_timeout = self.options.config.cluster.drain_timeout;
        let started = clock.monotonic();
        slot.daemon.stop();
        let drained = async {
            while slot.admission.running() > 0 {
                sleep(clock, DRAIN_POLL).await;
            }
        };
        let drained = timeout(clock, drain_timeout, drained).await;
        // A daemon is ended at that time at the latest; the margin is for the turns of its thread.
        let end = started.saturating_add(drain_timeout + DAEMON_MARGIN);
        let ended = timeout_at(clock, end, slot.daemon.ended()).await;
        drained
            .and(ended)
            .map_err(|_| SupervisorError::DrainTimeout(service.to_owned()))
    }

    async fn start(&mut self, service: &str) -> Result<(), SupervisorError> {
        let id = self.find(service)?;
        if let Some(version) = self.slot(id).running() {
            self.slot(id).daemon.run_again(&version);
            return Ok(());
        }
        self.slot(id).set(State::Starting);
        let result = match self.load(id).await {
            Ok(()) => self.link(id),
            Err(reason) => Err(reason),
        };
        self.settle(id, result);
        match &*self.slot(id).state() {
            State::Failed { reason } => Err(SupervisorError::Failed {
                service: service.to_owned(),
                reason: reason.clone(),
            }),
            State::Elsewhere
            | State::Starting
            | State::Running(_)
            | State::Stopped
            | State::Stopping => Ok(()),
        }
    }

    async fn retry(&mut self) {
        let now = self.options.os.clock.monotonic();
        let due: Vec<ServiceId> = self
            .retries
            .iter()
            .filter(|(_, retry)| retry.at <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let result = match self.load(id).await {
                Ok(()) => self.link(id),
                Err(reason) => Err(reason),
            };
            self.settle(id, result);
        }
    }

    async fn load(&mut self, id: ServiceId) -> Result<(), String> {
        let config = &self.slot(id).service.config;
        let pinned = self.pins.get(&id).or(config.pinned.as_ref());
        let loaded = match pinned {
            Some(pinned) => self.load_pinned(pinned).await?,
            None => {
                let path = config.wasm_path(&self.target);
                self.load_file(&path).await?
            }
        };
        let slot = self.slot(id);
        slot.set_types(ServiceTypes::new(
            &slot.service.name,
            loaded.exports(&self.options.engine),
        ));
        self.loaded.insert(id, loaded);
        Ok(())
    }

    async fn load_file(&self, path: &Path) -> Result<Loaded, String> {
        let Options {
            engine,
            compiler,
            os,
            ..
        } = &self.options;
        let loaded = component::load(path, engine, compiler, os).await;
        loaded.map_err(|error| chain(&error))
    }

    fn settle(&mut self, id: ServiceId, result: Result<Option<Version>, String>) {
        let slot = self
            .options
            .services
            .get(id)
            .expect("ids come from this table");
        match result {
            Ok(None) => slot.set(State::Elsewhere),
            Ok(Some(version)) => {
                self.retries.remove(&id);
                let digest = short_digest(&version.digest).to_owned();
                let version = Arc::new(version);
                slot.set(State::Running(Arc::clone(&version)));
                if version.run.is_some() {
                    slot.daemon.run(version);
                }
                self.options.log.info(
                    Some(&slot.service.name),
                    &format!("running, sha256 {digest}"),
                );
            }
            Err(reason) => {
                let attempts = self.retries.get(&id).map_or(0, |retry| retry.attempts) + 1;
                let delay = RETRY_MIN
                    .saturating_mul(1 << attempts.min(16).saturating_sub(1))
                    .min(RETRY_MAX);
                self.retries.insert(
                    id,
                    Retry {
                        attempts,
                        at: self.options.os.clock.monotonic() + delay,
                    },
                );
                let is_news =
                    !matches!(&*slot.state(), State::Failed { reason: known } if *known == reason);
                if is_news {
                    self.options.log.error(
                        Some(&slot.service.name),
                        &format!("could not be loaded: {reason}"),
                    );
                }
                slot.set(State::Failed { reason });
            }
        }
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
