//! Takes up what is in force: one task of each host, which compares what the host runs with what the cluster's state says.
//!
//! For a new value it fetches the components, compiles, loads and links them without running any, asks for the turn of its host, and writes the value down as [on trial](crate::control::taken). If one component is all that changed, it takes the place of the other at once; for anything else the task
//! has the host restart in place. The next process settles on it once its services run and its groups know their leaders, and says so, which
//! gives the turn to the next host; or it goes back, and says why, and the other hosts stay as they are. Where the state cannot be asked, the host runs on
//! with what it has.

use crate::compile::Compiler;
use crate::component::Digest;
use crate::config::{Config, HostName, Pinned};
use crate::control::first_value;
use crate::control::registry::{Component, Outcome, Registry, Value};
use crate::control::taken::{Before, TakenFile, effective};
use crate::host::Restart;
use crate::host::spread::{Spread, SpreadError};
use crate::os::Os;
use crate::services::Services;
use crate::supervisor::{Supervisor, chain};
use crate::telemetry::Log;
use crate::transport::peers::Peers;
use crate::version;
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod back;
mod canary;
mod error;
mod own;
mod rehearsal;
mod trial;
mod turn;
mod watch;

use error::{FollowError, Unfit};

/// How often the state is asked whether it is newer: what a person waits who applies a file.
const POLL: Duration = Duration::from_millis(500);
/// Elections take less than this, so only what lasts longer is worth a line in the log.
const PATIENCE: Duration = Duration::from_secs(10);
/// Components that nothing names are kept so long: somebody may be about to name them.
const UNNAMED_AGE_MIN: Duration = Duration::from_secs(3600);
/// All revisions that the registry remembers.
const HISTORY_MAX: u32 = 50;

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
    /// One component gets another share of the calls of a service, or none any more.
    Canary {
        service: String,
        canary: Option<(Pinned, u32)>,
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
    /// Which other hosts are there.
    pub peers: Arc<Peers>,
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
        self.restore_canaries().await;
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
            self.pause(&mut follows).await;
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
        let failed = taken
            .failed
            .as_ref()
            .filter(|failed| failed.revision == revision);
        if let Some(failed) = failed {
            return match failed.goes_back {
                true => self.go_back(revision, &failed.reason).await,
                false => Ok(()),
            };
        }
        if follows.left_out == Some(revision) {
            return Ok(());
        }
        if taken.revision() == revision {
            if !follows.is_tidy {
                self.tidy().await?;
                follows.is_tidy = true;
            }
            return self.look_after_canaries(follows).await;
        }
        match self.registry.current().await? {
            Some(value) => self.take_up(value, follows).await,
            None => Ok(()),
        }
    }

    /// Fetches again what is missing or damaged of what this host runs; the supervisor finds it when it tries again.
    async fn complete(&self) -> Result<(), FollowError> {
        if let Some(running) = self.taken.taken.running() {
            for component in running.named() {
                self.obtain(&component).await?;
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
        let hosts: Vec<HostName> = config.hosts.iter().map(|host| host.name.clone()).collect();
        for component in value.named() {
            self.obtain(&component).await?;
        }
        let step = self.step(&config, &value.components).await?;
        if step == Step::Nothing {
            self.taken.taken.settle(value);
            self.taken.write()?;
            return self.report(follows).await;
        }
        let rehearsed = match &step {
            Step::Nothing => Ok(()),
            // All else is loaded and linked already.
            Step::Swap {
                service, component, ..
            } => {
                let fits = self.supervisor.fits(service, component.clone()).await;
                fits.map_err(Unfit::from)
            }
            Step::Canary {
                service,
                canary: Some((component, _)),
            } => {
                let fits = self.supervisor.fits(service, component.clone()).await;
                fits.map_err(Unfit::from)
            }
            Step::Canary { canary: None, .. } => Ok(()),
            Step::Restart => self.rehearse(config).await,
        };
        if let Err(unfit) = rehearsed {
            return self.refuse(value, chain(&unfit)).await;
        }
        if matches!(step, Step::Restart) {
            follows.is_withdrawn.clear();
        }
        let services = Arc::clone(&self.services);
        self.registry
            .report(&self.host, revision, &Outcome::Ready)
            .await?;
        let line = format!("takes up revision {revision} of the cluster file when its turn comes");
        self.log.info(None, &line);
        let (swapped, next_form) = match &step {
            Step::Swap {
                service, component, ..
            } => (Some(service.as_str()), version::form(&component.digest)),
            Step::Nothing | Step::Canary { .. } | Step::Restart => (None, 0),
        };
        let slot = swapped.and_then(|service| services.find(service));
        let expect = |form| slot.iter().for_each(|slot| slot.set_next_form(form));
        expect(next_form);
        if !self.all_ready(&hosts, swapped, revision).await? || !self.turn(revision).await? {
            expect(0);
            follows.left_out = Some(revision);
            // It is ready for nothing any more.
            follows.reported = None;
            return self.report(follows).await;
        }
        let before = self.before();
        self.taken.taken.try_out(value.clone(), before);
        self.taken.write()?;
        let goes_back = !matches!(step, Step::Restart);
        let done = match step {
            Step::Nothing => Ok(()),
            Step::Swap {
                service,
                component,
                before,
            } => self.swap(&service, component, before).await,
            Step::Canary { service, canary } => {
                let given = self.supervisor.canary(&service, canary).await;
                given.map_err(Unfit::from)
            }
            Step::Restart => match self.restart.ask() {
                Ok(()) => pending().await,
                Err(error) => Err(Unfit::from(error)),
            },
        };
        expect(0);
        match done {
            Ok(()) => {
                self.taken.taken.settle(value);
                self.taken.write()?;
            }
            // What it did while it served, others are about to do.
            Err(unfit) => {
                let (revision, reason) = (value.revision, chain(&unfit));
                self.refuse(value, reason.clone()).await?;
                if let (Some(failed), true) = (&mut self.taken.taken.failed, goes_back) {
                    failed.goes_back = true;
                    self.taken.write()?;
                    self.go_back(revision, &reason).await?;
                }
            }
        }
        // The next host waits for it.
        self.report(follows).await
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
        let mut others = others.filter(|it| config.service(&it.service).is_some());
        // Several at once could only be checked together, one after the other they would meet in between.
        Ok(match (others.next(), others.next()) {
            (None, _) => Step::Nothing,
            (Some(component), None) => {
                let mut before = running.iter().filter(|it| it.service == component.service);
                let pinned = |digest: &Digest| self.spread.pinned(digest.clone());
                let (before, service) = (before.next(), component.service.clone());
                match (before, &component.canary) {
                    (Some(before), canary) if before.digest == component.digest => Step::Canary {
                        service,
                        canary: canary.as_ref().map(|it| (pinned(&it.digest), it.percent)),
                    },
                    (Some(before), None) => Step::Swap {
                        service,
                        component: pinned(&component.digest),
                        before: Some(pinned(&before.digest)),
                    },
                    (Some(_), Some(_)) | (None, _) => Step::Restart,
                }
            }
            (Some(_), Some(_)) => Step::Restart,
        })
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
            wanted.extend(value.named().map(|it| it.digest));
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
    /// The revision whose canaries hold their share, and since when.
    holds: Option<(u64, Duration)>,
    /// Canaries that this host has withdrawn, and why: by their digests, until the others know.
    is_withdrawn: BTreeMap<String, String>,
}

fn with_service(component: &Component, source: SpreadError) -> FollowError {
    FollowError::Spread {
        service: component.service.clone(),
        source,
    }
}
