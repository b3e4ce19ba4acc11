//! Takes up what is in force: one task of each host, which compares what the host runs with what the cluster's state says.
//!
//! For a new value it fetches the components, compiles, loads and links them without running any, asks for the turn of its host, and writes the value down as [on trial](crate::control::taken). If one component is all that changed, it takes the place of the other at once; for anything else the task
//! has the host restart in place. The next process settles on it once its services run and its groups know their leaders, and says so, which
//! gives the turn to the next host; or it goes back, and says why, and the other hosts stay as they are. Where the state cannot be asked, the host runs on
//! with what it has.

use crate::compile::Compiler;
use crate::component::Digest;
use crate::config::{Config, HostName, Pinned};
use crate::control::components::ComponentsError;
use crate::control::first_value;
use crate::control::registry::{
    ApplyError, Component, Outcome, Registry, RegistryError, TurnError, Value,
};
use crate::control::taken::{Before, TakenError, TakenFile, effective};
use crate::depot;
use crate::host::spread::{Spread, SpreadError};
use crate::host::{Restart, RestartError, StartError};
use crate::os::Os;
use crate::os::clock::sleep;
use crate::os::task::TaskError;
use crate::services::Services;
use crate::supervisor::{Supervisor, SupervisorError, chain};
use crate::telemetry::Log;
use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod own;
mod rehearsal;
mod trial;
mod watch;

/// How often the state is asked whether it is newer: what a person waits who applies a file.
const POLL: Duration = Duration::from_millis(500);
/// How often a host that waits for its turn asks again.
const TURN_POLL: Duration = Duration::from_millis(200);
/// Elections take less than this, so only what lasts longer is worth a line in the log.
const PATIENCE: Duration = Duration::from_secs(10);
/// Components that nothing names are kept so long: somebody may be about to name them.
const UNNAMED_AGE_MIN: Duration = Duration::from_secs(3600);
/// All revisions that the registry remembers.
const HISTORY_MAX: u32 = 50;

/// Why a host does not get further with the cluster's state for now.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Turn(#[from] TurnError),
    #[error("the file that this host was started with cannot become the first value")]
    First(#[source] ApplyError),
    #[error("component of {service}")]
    Spread {
        service: String,
        #[source]
        source: SpreadError,
    },
    #[error(transparent)]
    Components(#[from] ComponentsError),
    #[error("cannot read the cluster file {file}")]
    File {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Taken(#[from] TakenError),
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why a host cannot run a value.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("{}", .0.join("; "))]
    Services(Vec<String>),
    #[error("cannot try to load its services: {0}")]
    Engine(String),
    #[error(transparent)]
    Address(#[from] Box<StartError>),
    #[error("{0}")]
    Worse(String),
    #[error(transparent)]
    Swap(#[from] SupervisorError),
    #[error(transparent)]
    Restart(#[from] RestartError),
}

/// What makes a host run a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// It does already.
    Nothing,
    /// One component takes the place of another, while the host serves.
    Swap {
        service: String,
        component: Pinned,
        before: Option<Pinned>,
    },
    /// It begins anew.
    Restart,
}

/// What the task works with.
pub struct Follower {
    /// The file that the host was started with.
    pub file: Arc<Config>,
    /// What it runs.
    pub config: Arc<Config>,
    /// The host.
    pub host: HostName,
    /// What it has taken up.
    pub taken: TakenFile,
    /// The cluster's state.
    pub registry: Registry,
    /// The components of all hosts.
    pub spread: Spread,
    /// Makes compiled code.
    pub compiler: Compiler,
    /// What runs here.
    pub services: Arc<Services>,
    /// Replaces components.
    pub supervisor: Supervisor,
    /// Restarts this host in place.
    pub restart: Restart,
    /// The folder in which cargo leaves the components it builds.
    pub target: PathBuf,
    /// Where to report.
    pub log: Log,
    /// The outside.
    pub os: Os,
}

impl Follower {
    /// Follows for as long as the host runs.
    pub async fn run(mut self) {
        self.compare_with_file().await;
        if let Some(trial) = self.taken.taken.trial.clone() {
            self.stand_trial(trial).await;
        }
        let clock = Arc::clone(&self.os.clock);
        let mut follows = Follows::default();
        let (mut well_since, mut said) = (clock.monotonic(), String::new());
        loop {
            match self.follow(&mut follows).await {
                Ok(()) => {
                    well_since = clock.monotonic();
                    said.clear();
                }
                Err(error) => {
                    let problem = chain(&error);
                    let lasts = clock.monotonic().saturating_sub(well_since) >= PATIENCE;
                    if lasts && problem != said {
                        let line = format!(
                            "cannot follow the cluster's state, and runs on with revision {}: {problem}",
                            self.taken.taken.revision()
                        );
                        self.log.warn(None, &line);
                        said = problem;
                    }
                }
            }
            sleep(clock.as_ref(), POLL).await;
        }
    }

    /// Says so if the host runs something else than the file it was started with.
    async fn compare_with_file(&self) {
        let Some(running) = self.taken.taken.running() else {
            return;
        };
        let text = self.own_text().await;
        if text.is_ok_and(|text| text != running.config) {
            let (revision, file) = (running.revision, self.file.path.display());
            let line = format!(
                "runs revision {revision} of the cluster file, and {file} is another: `bookshop-host apply {file}` puts it in force"
            );
            self.log.info(None, &line);
        }
    }

    /// One look at what is in force, and all that follows from it.
    async fn follow(&mut self, follows: &mut Follows) -> Result<(), FollowError> {
        self.report(follows).await?;
        if !follows.is_complete {
            self.complete().await?;
            follows.is_complete = true;
        }
        let newest = self.registry.history(1).await?;
        let Some(newest) = newest.first() else {
            return self.propose_own().await;
        };
        let revision = newest.revision;
        let taken = &self.taken.taken;
        let has_failed = taken
            .failed
            .as_ref()
            .is_some_and(|it| it.revision == revision);
        if taken.revision() == revision || has_failed || follows.left_out == Some(revision) {
            if !follows.is_tidy && taken.revision() == revision {
                self.tidy().await?;
                follows.is_tidy = true;
            }
            return Ok(());
        }
        match self.registry.current().await? {
            Some(value) => self.take_up(value, follows).await,
            None => Ok(()),
        }
    }

    /// Fetches again what is missing or damaged of what this host runs; the supervisor finds it when it tries again.
    async fn complete(&self) -> Result<(), FollowError> {
        if let Some(running) = self.taken.taken.running() {
            for component in &running.components {
                self.obtain(component).await?;
            }
        }
        Ok(())
    }

    /// Says how this host is with what it has taken up, once.
    async fn report(&self, follows: &mut Follows) -> Result<(), FollowError> {
        let taken = &self.taken.taken;
        let (revision, outcome) = match (&taken.failed, &taken.value) {
            (Some(failed), _) => (failed.revision, Outcome::Failed(failed.reason.clone())),
            (None, Some(value)) => (value.revision, Outcome::Running),
            (None, None) => return Ok(()),
        };
        if follows.reported != Some(revision) {
            self.registry.report(&self.host, revision, &outcome).await?;
            follows.reported = Some(revision);
        }
        Ok(())
    }

    /// Makes the file that this host was started with the first value.
    async fn propose_own(&self) -> Result<(), FollowError> {
        let (config, components) = self.own().await?;
        for component in &components {
            self.obtain(component).await?;
            let spread = self.spread.to_majority(&component.digest).await;
            spread.map_err(|source| with_service(component, source))?;
        }
        let first = first_value(config, components, &self.host, &self.registry).await;
        first.map(drop).map_err(FollowError::First)
    }

    /// Takes a new value up, which ends this process if the host has to run something else then.
    async fn take_up(&mut self, value: Value, follows: &mut Follows) -> Result<(), FollowError> {
        let revision = value.revision;
        let mut next = self.taken.taken.clone();
        next.try_out(value.clone(), Before::default());
        let config = match effective(&self.file, self.host.as_str(), &next) {
            Ok(config) => config,
            Err(error) => return self.refuse(value, chain(&error)).await,
        };
        if config.host(self.host.as_str()).is_none() {
            follows.left_out = Some(revision);
            let line = format!(
                "revision {revision} of the cluster file has no host {0} any more: stop this host (`bookshop-host stop-host {0}`)",
                self.host
            );
            self.log.warn(None, &line);
            return Ok(());
        }
        for component in &value.components {
            self.obtain(component).await?;
        }
        let step = self.step(&config, &value.components).await?;
        if step == Step::Nothing {
            self.taken.taken.settle(value);
            self.taken.write()?;
            return self.report(follows).await;
        }
        if let Err(unfit) = self.rehearse(config).await {
            return self.refuse(value, chain(&unfit)).await;
        }
        let line = format!("takes up revision {revision} of the cluster file when its turn comes");
        self.log.info(None, &line);
        if !self.turn(revision).await? {
            follows.left_out = Some(revision);
            return Ok(());
        }
        let before = self.before();
        self.taken.taken.try_out(value.clone(), before);
        self.taken.write()?;
        let done = match step {
            Step::Nothing => Ok(()),
            Step::Swap {
                service,
                component,
                before,
            } => self.swap(&service, component, before).await,
            Step::Restart => match self.restart.ask() {
                Ok(()) => pending().await,
                Err(error) => Err(Unfit::from(error)),
            },
        };
        match done {
            Ok(()) => {
                self.taken.taken.settle(value);
                self.taken.write()?;
            }
            Err(unfit) => self.refuse(value, chain(&unfit)).await?,
        }
        // The next host waits for it.
        self.report(follows).await
    }

    /// Replaces one component while this host serves, and puts the one before back if that was better.
    async fn swap(
        &self,
        service: &str,
        component: Pinned,
        before: Option<Pinned>,
    ) -> Result<(), Unfit> {
        let short = |digest: &str| digest.get(..12).unwrap_or_default().to_owned();
        let digest = short(&component.digest);
        let Some(slot) = self.services.find(service) else {
            return Ok(());
        };
        let figures = slot.service.figures.totals();
        self.supervisor.swap(service, component).await?;
        self.log
            .info(Some(service), &format!("swapped, sha256 {digest}"));
        // Where it does not run there is nothing to see.
        if !slot.service.config.is_placed_on(&self.host) {
            return Ok(());
        }
        let (Err(worse), Some(before)) = (self.watch(slot, figures).await, before) else {
            return Ok(());
        };
        let line = format!("{worse}; {} is put back", short(&before.digest));
        self.log.warn(Some(service), &line);
        self.supervisor.swap(service, before).await?;
        Err(worse)
    }

    /// The component of a service that this host has in its folder.
    fn pinned(&self, component: &Component) -> Pinned {
        let folder = self.file.cluster.data.join(self.host.as_str());
        Pinned {
            digest: component.digest.clone(),
            path: depot::path(&folder, &component.digest),
        }
    }

    /// What makes this host run a value.
    async fn step(&self, config: &Config, components: &[Component]) -> Result<Step, FollowError> {
        let unpinned = |config: &Config| {
            let mut config = config.clone();
            for service in &mut config.services {
                service.pinned = None;
            }
            config
        };
        if unpinned(config) != unpinned(&self.config) {
            return Ok(Step::Restart);
        }
        let running = match self.taken.taken.running() {
            Some(running) => running.components.clone(),
            None => self.own().await?.1,
        };
        let others = components.iter().filter(|it| !running.contains(it));
        let mut others = others.filter_map(|it| config.service(&it.service));
        // Several at once could only be checked together, one after the other they would meet in between.
        Ok(match (others.next(), others.next()) {
            (None, _) => Step::Nothing,
            (Some(service), None) => match &service.pinned {
                Some(component) => {
                    let before = running
                        .iter()
                        .find(|it| it.service == service.name.as_str());
                    Step::Swap {
                        service: service.name.to_string(),
                        component: component.clone(),
                        before: before.map(|before| self.pinned(before)),
                    }
                }
                None => Step::Restart,
            },
            (Some(_), Some(_)) => Step::Restart,
        })
    }

    /// Waits for the turn of this host. False if the revision is not to be taken up any more.
    async fn turn(&self, revision: u64) -> Result<bool, FollowError> {
        loop {
            match self.registry.take_turn(&self.host, revision).await {
                Ok(()) => return Ok(true),
                Err(TurnError::Busy(_)) => sleep(self.os.clock.as_ref(), TURN_POLL).await,
                // The next look finds the newer one.
                Err(TurnError::Superseded(_)) => return Ok(false),
                Err(TurnError::Failed(host)) => {
                    let line = format!(
                        "stays with revision {}, since {host} could not run revision {revision}",
                        self.taken.taken.revision()
                    );
                    self.log.warn(None, &line);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// This host cannot run a value; the next report says so.
    async fn refuse(&mut self, value: Value, reason: String) -> Result<(), FollowError> {
        let line = format!(
            "cannot run revision {} of the cluster file: {reason}",
            value.revision
        );
        self.log.error(None, &line);
        self.taken.taken.try_out(value, Before::default());
        self.taken.taken.fail(reason);
        Ok(self.taken.write()?)
    }

    /// Removes components that no revision names which can be gone back to.
    async fn tidy(&self) -> Result<(), FollowError> {
        let mut wanted: BTreeSet<Digest> = BTreeSet::new();
        let mut add = |value: &Value| {
            let digests = value.components.iter().map(|it| it.digest.clone());
            wanted.extend(digests);
        };
        if let Some(running) = self.taken.taken.running() {
            add(running);
        }
        let history = self.registry.history(HISTORY_MAX).await?;
        for entry in history.iter().filter(|entry| entry.has_config) {
            if let Some(value) = self.registry.at(entry.revision).await? {
                add(&value);
            }
        }
        let removed = self.spread.depot().keep_only(wanted, UNNAMED_AGE_MIN).await;
        // What could not be removed takes room and nothing else.
        if let Err(error) = removed {
            self.log.warn(None, &chain(&error));
        }
        Ok(())
    }

    async fn obtain(&self, component: &Component) -> Result<(), FollowError> {
        let service = self.file.service(&component.service);
        let file = service.map(|service| service.wasm_path(&self.target));
        let obtained = self.spread.obtain(component, file).await;
        obtained.map_err(|source| with_service(component, source))
    }
}

/// What one process remembers of following.
#[derive(Default)]
struct Follows {
    /// The revision that it reported on.
    reported: Option<u64>,
    /// The newest revision, if this host is not to take it up.
    left_out: Option<u64>,
    /// Whether all components of what this host runs were here.
    is_complete: bool,
    /// Whether components that nothing names were removed.
    is_tidy: bool,
}

fn with_service(component: &Component, source: SpreadError) -> FollowError {
    FollowError::Spread {
        service: component.service.clone(),
        source,
    }
}
