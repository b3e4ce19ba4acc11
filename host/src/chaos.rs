//! Faults on the links from this host to the others, injected and healed while it runs.
//!
//! The transport asks [`Chaos::fate`] before each message leaves; `admin::chaos` sets and heals. A rule belongs to one direction and
//! lives in the memory of the host that sends: a host that starts again has none. Nothing here touches a connection, and
//! nobody is told of a message that is dropped: whoever waits for it finds out as for one that was lost.

use crate::config::{Config, HostName};
use crate::os::Os;
use crate::telemetry::Log;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

mod percent;
mod rule;

#[cfg(test)]
mod tests;

pub use percent::Percent;
pub use rule::{Delay, Fault, Rule, Timed, milliseconds};

/// The longest a message may be delayed: longer than almost every deadline, and short enough that what waits stays little.
pub const DELAY_MAX: Duration = Duration::from_secs(60);
/// The longest time after which a fault may end by itself. One that should last longer lasts until it is healed.
pub const LASTS_MAX: Duration = Duration::from_secs(24 * 3600);

/// What happens to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It leaves now.
    Deliver,
    /// It leaves after this long, at most [`DELAY_MAX`]; those behind it do not wait for it.
    Delay(Duration),
    /// It never leaves.
    Drop,
}

/// Why a fault is not injected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChaosError {
    /// The configuration does not allow it.
    #[error(
        "faults can be injected only with `[chaos] enabled = true` in {} (two lines: the header, then the key); add them and start the hosts again", .file.display()
    )]
    Disabled {
        /// The cluster file.
        file: PathBuf,
    },
    /// No such fault makes sense; the text says what would.
    #[error("{0}")]
    Invalid(String),
}

/// The faults on all links from one host. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Chaos(Arc<Inner>);

struct Inner {
    /// The cluster file, if it does not enable chaos.
    disabled_by: Option<PathBuf>,
    /// One for each host of the configuration, in its order. That of this host itself never has a rule.
    links: Vec<Link>,
    /// Wakes whoever waits for the next rule to end.
    changed: Notify,
    log: Log,
    os: Os,
}

struct Link {
    to: HostName,
    is_own: bool,
    /// Whether `rule` has anything in it: all that a message costs on a link without faults.
    is_faulty: AtomicBool,
    rule: Mutex<Rule>,
}

impl Chaos {
    /// No faults on any link from `host`.
    #[must_use]
    pub fn new(config: &Config, host: &HostName, log: Log, os: Os) -> Self {
        let link = |to: &crate::config::Host| Link {
            to: to.name.clone(),
            is_own: to.name == *host,
            is_faulty: AtomicBool::new(false),
            rule: Mutex::default(),
        };
        Self(Arc::new(Inner {
            disabled_by: (!config.chaos.enabled).then(|| config.path.clone()),
            links: config.hosts.iter().map(link).collect(),
            changed: Notify::new(),
            log,
            os,
        }))
    }

    /// What happens to a message to the host at index `to` of `Config::hosts`. Without a fault on that link this is one atomic load.
    ///
    /// # Panics
    /// There is no such host: a bug of the caller.
    #[must_use]
    pub fn fate(&self, to: usize) -> Fate {
        let link = &self.0.links[to];
        if !link.is_faulty.load(Ordering::Relaxed) {
            return Fate::Deliver;
        }
        let rule = *link.lock();
        let os = &self.0.os;
        rule.fate(os.clock.monotonic(), os.entropy.as_ref())
    }

    /// Whether faults may be injected at all.
    ///
    /// # Errors
    /// [`ChaosError::Disabled`]: they may not.
    pub fn check_enabled(&self) -> Result<(), ChaosError> {
        match &self.0.disabled_by {
            None => Ok(()),
            Some(file) => Err(ChaosError::Disabled { file: file.clone() }),
        }
    }

    /// Injects `fault` into the link to the host at index `to`. Of what the link has already, the same kind is replaced, the other kept.
    /// Returns all that is wrong with the link now.
    ///
    /// # Errors
    /// See [`ChaosError`]; this host has no link to itself.
    pub fn set(&self, to: usize, fault: Fault) -> Result<Rule, ChaosError> {
        self.check_enabled()?;
        let link = self.link(to)?;
        let now = self.now();
        self.sweep(now);
        let (before, after) = {
            let mut rule = link.lock();
            let before = *rule;
            rule.apply(fault, now);
            link.is_faulty.store(!rule.is_empty(), Ordering::Relaxed);
            (before, *rule)
        };
        let was = if before.is_empty() {
            String::new()
        } else {
            format!("; before: {}", before.describe(now))
        };
        let is = after.describe(now);
        self.warn(&format!("messages to {}: {is}{was}", link.to));
        self.0.changed.notify_one();
        Ok(after)
    }

    /// Takes every fault from the link to the host at index `to`. Returns whether it had one.
    ///
    /// # Errors
    /// See [`ChaosError`]; this host has no link to itself.
    pub fn heal(&self, to: usize) -> Result<bool, ChaosError> {
        self.check_enabled()?;
        let link = self.link(to)?;
        let now = self.now();
        self.sweep(now);
        let healed = {
            let mut rule = link.lock();
            link.is_faulty.store(false, Ordering::Relaxed);
            std::mem::take(&mut *rule)
        };
        if healed.is_empty() {
            return Ok(false);
        }
        let was = healed.describe(now);
        self.info(&format!("messages to {}: healed; before: {was}", link.to));
        Ok(true)
    }

    /// The links that have a fault now: the index of the other host, and the rule.
    #[must_use]
    pub fn rules(&self) -> Vec<(usize, Rule)> {
        self.sweep(self.now());
        let links = self.0.links.iter().map(|link| *link.lock()).enumerate();
        links.filter(|(_, rule)| !rule.is_empty()).collect()
    }

    /// Ends faults when their time has come, until it is dropped. [`fate`](Self::fate) does not need it; the log does.
    pub async fn expire(self) {
        loop {
            let changed = self.0.changed.notified();
            match self.sweep(self.now()) {
                None => changed.await,
                Some(moment) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = self.0.os.clock.sleep_until(moment) => {}
                },
            }
        }
    }

    /// Ends what should have ended by `now`, and returns when the next one is due.
    fn sweep(&self, now: Duration) -> Option<Duration> {
        let mut next = None;
        for link in &self.0.links {
            let ended = {
                let mut rule = link.lock();
                let ended = rule.end_expired(now);
                link.is_faulty.store(!rule.is_empty(), Ordering::Relaxed);
                next = rule.expires().into_iter().chain(next).min();
                ended
            };
            if !ended.is_empty() {
                let was = ended.describe(now);
                self.info(&format!("messages to {}: expired: {was}", link.to));
            }
        }
        next
    }

    fn link(&self, to: usize) -> Result<&Link, ChaosError> {
        let link = &self.0.links[to];
        if link.is_own {
            let message = format!("{} has no link to itself; name two hosts", link.to);
            return Err(ChaosError::Invalid(message));
        }
        Ok(link)
    }

    /// The monotonic time that rules end by.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.os.clock.monotonic()
    }

    fn warn(&self, message: &str) {
        self.0.log.warn(None, &format!("chaos: {message}"));
    }

    fn info(&self, message: &str) {
        self.0.log.info(None, &format!("chaos: {message}"));
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, Rule> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
