//! Keeps the daemon of one service running: starts it, starts it again when it fails, and asks it to finish when it should.

use super::backoff::Backoff;
use super::handle::{Daemon, Phase, Run};
use super::life;
use crate::dispatch::Dispatch;
use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::telemetry::Log;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The keeper of one service's daemon.
pub struct Keeper {
    /// What should run.
    pub daemon: Arc<Daemon>,
    /// The service.
    pub service: Arc<str>,
    /// Carries out its calls.
    pub dispatch: Arc<dyn Dispatch>,
    /// Calls below one of its own.
    pub hops_max: u8,
    /// How long it has to finish.
    pub drain_timeout: Duration,
    /// Where to report.
    pub log: Log,
    /// The outside.
    pub os: Os,
}

/// What is wanted of a keeper has changed.
struct Changed;

/// How a run ended: `Ok` if it is not to be repeated.
type Ended = Result<(), String>;

impl Keeper {
    /// Keeps it until the host is done with all daemons.
    pub async fn keep(self) {
        let mut wanted = self.daemon.wanted();
        loop {
            let run = wanted.borrow_and_update().clone();
            let Some(run) = run else {
                self.daemon.note(|condition| {
                    if condition.phase != Phase::Absent {
                        condition.phase = Phase::Stopped;
                    }
                });
                if wanted.changed().await.is_err() {
                    return;
                }
                continue;
            };
            // Whatever changed is looked at anew.
            let Changed = self.keep_run(&run, &mut wanted).await;
        }
    }

    async fn keep_run(&self, run: &Run, wanted: &mut watch::Receiver<Option<Run>>) -> Changed {
        let clock = self.os.clock.as_ref();
        let mut backoff = Backoff::default();
        loop {
            let since = clock.monotonic();
            self.daemon
                .note(|condition| condition.phase = Phase::Running { since });
            self.info("the daemon runs");
            let reason = match self.live(run, wanted).await {
                Err(Changed) => return Changed,
                Ok(Ok(())) => {
                    self.info("the daemon has finished; it runs again when the service is started");
                    let since = clock.monotonic();
                    self.daemon
                        .note(|condition| condition.phase = Phase::Finished { since });
                    // The sender ends with the daemon's owner, and then this task does too.
                    let _ = wanted.changed().await;
                    return Changed;
                }
                Ok(Err(reason)) => reason,
            };
            let now = clock.monotonic();
            let delay = backoff.after(now.saturating_sub(since));
            let milliseconds = delay.as_millis();
            self.log.error(
                Some(&self.service),
                &format!("the daemon failed and runs again in {milliseconds} ms: {reason}"),
            );
            self.daemon.note(|condition| {
                condition.phase = Phase::Waiting { since: now };
                condition.last_error = Some(reason);
            });
            tokio::select! {
                biased;
                _ = wanted.changed() => return Changed,
                () = sleep(clock, delay) => {}
            }
            self.daemon.note(|condition| condition.restarts += 1);
        }
    }

    /// One run, unless something else is wanted before it ends: then it has been told so, and is dropped if it does not finish in time.
    async fn live(
        &self,
        run: &Run,
        wanted: &mut watch::Receiver<Option<Run>>,
    ) -> Result<Ended, Changed> {
        let clock = self.os.clock.as_ref();
        let dispatch = Arc::clone(&self.dispatch);
        let stopping = run.stop.subscribe();
        let mut life = pin!(life::live(&run.version, dispatch, self.hops_max, stopping));
        tokio::select! {
            biased;
            ended = &mut life => return Ok(ended),
            _ = wanted.changed() => {}
        }
        let since = clock.monotonic();
        self.daemon
            .note(|condition| condition.phase = Phase::Stopping { since });
        match timeout(clock, self.drain_timeout, life).await {
            Ok(Ok(())) => self.info("the daemon has finished, as it was told to"),
            Ok(Err(reason)) => self.log.warn(
                Some(&self.service),
                &format!("the daemon failed when it was told to finish: {reason}"),
            ),
            Err(_elapsed) => {
                let seconds = self.drain_timeout.as_secs_f64();
                self.log.warn(
                    Some(&self.service),
                    &format!("the daemon did not finish within cluster.drain-timeout, {seconds} s, and was ended"),
                );
            }
        }
        Err(Changed)
    }

    fn info(&self, message: &str) {
        self.log.info(Some(&self.service), message);
    }
}
