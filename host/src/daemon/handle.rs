//! What should run as a service's daemon, and how it is.

use crate::version::Version;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What a daemon is doing. Moments are of the host's monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    #[default]
    Absent,
    /// It is about to run.
    Starting,
    /// It runs.
    Running {
        /// From when on.
        since: Duration,
    },
    /// It failed and runs again in a while.
    Waiting {
        /// From when on.
        since: Duration,
    },
    /// It has returned without an error; it runs again when the service is started.
    Finished {
        /// From when on.
        since: Duration,
    },
    /// It was told to finish and has not yet.
    Stopping {
        /// From when on.
        since: Duration,
    },
    /// It has ended as it was told to.
    Stopped,
}

impl Phase {
    /// One word for `status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Starting => "starting",
            Self::Running { .. } => "running",
            Self::Waiting { .. } => "waiting",
            Self::Finished { .. } => "finished",
            Self::Stopping { .. } => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it runs, or would again.
    fn is_at_work(self) -> bool {
        match self {
            Self::Absent | Self::Stopped => false,
            Self::Starting
            | Self::Running { .. }
            | Self::Waiting { .. }
            | Self::Finished { .. }
            | Self::Stopping { .. } => true,
        }
    }
}

/// How a daemon is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// What it is doing.
    pub phase: Phase,
    /// How often it was started again since the service was.
    pub restarts: u64,
    /// Why it last ended, if that was a failure.
    pub last_error: Option<String>,
}

/// What is to run until its service is stopped.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) version: Arc<Version>,
    /// Tells the daemon to finish.
    pub(super) stop: watch::Sender<bool>,
}

/// The daemon of one service on one host. One end is the supervisor's, the other that of its keeper.
#[derive(Default)]
pub struct Daemon {
    wanted: watch::Sender<Option<Run>>,
    condition: watch::Sender<Condition>,
}

impl Daemon {
    /// Has a version run.
    pub fn run(&self, version: Arc<Version>) {
        self.condition.send_replace(Condition {
            phase: Phase::Starting,
            ..Condition::default()
        });
        let stop = watch::Sender::new(false);
        self.want(Some(Run { version, stop }));
    }

    /// Has a version run again, if it is this service's daemon and has finished.
    pub fn run_again(&self, version: &Arc<Version>) {
        let is_finished = matches!(self.condition.borrow().phase, Phase::Finished { .. });
        if is_finished && version.run.is_some() {
            self.run(Arc::clone(version));
        }
    }

    /// Tells it to finish. It knows when this returns.
    pub fn stop(&self) {
        self.want(None);
    }

    fn want(&self, run: Option<Run>) {
        if let Some(before) = self.wanted.send_replace(run) {
            before.stop.send_replace(true);
        }
    }

    /// Waits until it has ended after [`stop`](Self::stop).
    pub async fn ended(&self) {
        let mut condition = self.condition.subscribe();
        // The sender is borrowed, so it is there.
        let _ = condition
            .wait_for(|condition| !condition.phase.is_at_work())
            .await;
    }

    /// Whether a shutdown has to wait for it.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.condition.borrow().phase.is_at_work()
    }

    /// How it is; none if there is no daemon.
    #[must_use]
    pub fn condition(&self) -> Option<Condition> {
        let condition = self.condition.borrow();
        (condition.phase != Phase::Absent).then(|| condition.clone())
    }

    /// What should run, for its keeper.
    pub(super) fn wanted(&self) -> watch::Receiver<Option<Run>> {
        self.wanted.subscribe()
    }

    /// Notes how it is. Only its keeper does.
    pub(super) fn note(&self, change: impl FnOnce(&mut Condition)) {
        self.condition.send_modify(change);
    }
}
