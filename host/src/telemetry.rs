//! What operators see: the log and the figures of each service.

use crate::os::{Clock, console};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub mod histogram;
pub mod log_ring;
pub mod rate;

use histogram::Histogram;
pub use log_ring::Level;
use log_ring::LogRing;
use rate::TokenBucket;

/// Memory for the lines that `logs` can show. Older ones are only in what standard error was sent to.
const LOG_BYTES_MAX: usize = 4 << 20;
/// A longer line is cut.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Failures of one service that are reported per second; the rest are counted.
const FAILURES_PER_SECOND: u32 = 20;

/// The log of one host: standard error, and a ring that `bookshop-host logs` reads.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    host: String,
    clock: Arc<dyn Clock>,
    /// Whether lines go to standard error too.
    is_heard: bool,
    ring: Mutex<LogRing>,
}

impl Log {
    /// An empty log of `host`.
    #[must_use]
    pub fn new(host: &str, clock: Arc<dyn Clock>) -> Self {
        Self::start(host, clock, true)
    }

    /// The same, but only kept: for simulations, of which there are thousands.
    #[must_use]
    pub fn silent(host: &str, clock: Arc<dyn Clock>) -> Self {
        Self::start(host, clock, false)
    }

    fn start(host: &str, clock: Arc<dyn Clock>, is_heard: bool) -> Self {
        Self(Arc::new(Inner {
            host: host.to_owned(),
            clock,
            is_heard,
            ring: Mutex::new(LogRing::new(LOG_BYTES_MAX)),
        }))
    }

    /// Something that an operator may want to know.
    pub fn info(&self, service: Option<&str>, message: &str) {
        self.line(Level::Info, service, message);
    }

    /// Something that an operator should look at.
    pub fn warn(&self, service: Option<&str>, message: &str) {
        self.line(Level::Warn, service, message);
    }

    /// Something that does not work.
    pub fn error(&self, service: Option<&str>, message: &str) {
        self.line(Level::Error, service, message);
    }

    /// Adds one line. Control characters are made visible, so that no guest can forge lines or drive the terminal.
    pub fn line(&self, level: Level, service: Option<&str>, message: &str) {
        let message = clean(message);
        let wall_ms = u64::try_from(self.0.clock.wall().as_millis()).unwrap_or(u64::MAX);
        if self.0.is_heard {
            console::line(&format!(
                "{} {:5} {} {message}",
                time_of_day(wall_ms),
                level.name(),
                service.unwrap_or("host")
            ));
        }
        self.lock()
            .push(wall_ms, &self.0.host, service, level, &message);
    }

    /// Works on the lines kept.
    pub fn lock(&self) -> std::sync::MutexGuard<'_, LogRing> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clean(message: &str) -> String {
    let mut end = message.len().min(LINE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = String::with_capacity(end);
    for character in message[..end].chars() {
        if character.is_control() && character != '\t' {
            text.extend(character.escape_default())
        } else {
            text.push(character)
        }
    }
    if end < message.len() {
        text.push('…');
    }
    text
}

/// `HH:MM:SS.mmm` of a moment, UTC.
#[must_use]
pub fn time_of_day(wall_ms: u64) -> String {
    let (seconds, milliseconds) = (wall_ms / 1000 % 86_400, wall_ms % 1000);
    format!(
        "{:02}:{:02}:{:02}.{milliseconds:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The log as one service writes to it: bounded in lines per second.
pub struct ServiceLog {
    log: Log,
    service: Arc<str>,
    guest: Mutex<TokenBucket>,
    failures: Mutex<TokenBucket>,
}

impl ServiceLog {
    /// Lets the guest write `lines_per_second`.
    #[must_use]
    pub fn new(log: Log, service: Arc<str>, lines_per_second: u32) -> Self {
        let guest = Mutex::new(TokenBucket::new(lines_per_second, lines_per_second));
        Self {
            log,
            service,
            guest,
            failures: Mutex::new(TokenBucket::new(FAILURES_PER_SECOND, FAILURES_PER_SECOND)),
        }
    }

    /// A line of the guest's own.
    pub fn guest_line(&self, level: Level, message: &str) {
        self.limited(&self.guest, level, message);
    }

    /// A failed call.
    pub fn failure(&self, message: &str) {
        self.limited(&self.failures, Level::Error, message);
    }

    /// Something about the service that its operator should look at, at most as often as failures.
    pub fn warn(&self, message: &str) {
        self.limited(&self.failures, Level::Warn, message);
    }

    fn limited(&self, bucket: &Mutex<TokenBucket>, level: Level, message: &str) {
        let now = self.log.0.clock.monotonic();
        let dropped = {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            if !bucket.allow(now) {
                return;
            }
            bucket.take_dropped()
        };
        if dropped > 0 {
            self.log.warn(
                Some(&self.service),
                &format!("{dropped} lines were dropped: more than limits.log-lines-per-second"),
            );
        }
        self.log.line(level, Some(&self.service), message);
    }
}

/// Counts of one service on one host.
#[derive(Default)]
pub struct Figures {
    latency: Histogram,
    total_ns: AtomicU64,
    completed: AtomicU64,
    errors: AtomicU64,
}

/// [`Figures`] at one moment, of one host or several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiguresSnapshot {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Calls without an answer: refused, late, trapped.
    pub errors: u64,
    /// Latencies of the calls that were answered.
    pub latency: histogram::Snapshot,
}

/// Sums over all calls of a service on one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that were answered.
    pub completed: u64,
    /// Calls that were not.
    pub errors: u64,
    /// How long answers took, together.
    pub latency_ns: u64,
}

impl Figures {
    /// A call was answered after `latency`.
    pub fn completed(&self, latency: Duration) {
        self.completed.fetch_add(1, Ordering::Relaxed);
        self.total_ns.fetch_add(
            u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        self.latency.record(latency);
    }

    /// A call was not answered.
    pub fn refused_or_failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// The mean latency so far; zero if there was no call.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let completed = self.completed.load(Ordering::Relaxed);
        Duration::from_nanos(
            self.total_ns
                .load(Ordering::Relaxed)
                .checked_div(completed)
                .unwrap_or(0),
        )
    }

    /// What was answered, what was not, and the time that answers took in all; one after the other, so that calls of this moment may be in some only.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            completed: self.completed.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            latency_ns: self.total_ns.load(Ordering::Relaxed),
        }
    }

    /// The figures now.
    #[must_use]
    pub fn snapshot(&self) -> FiguresSnapshot {
        let errors = self.errors.load(Ordering::Relaxed);
        FiguresSnapshot {
            calls: self.completed.load(Ordering::Relaxed) + errors,
            errors,
            latency: self.latency.snapshot(),
        }
    }
}

impl FiguresSnapshot {
    /// Adds the figures of another host.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.latency.merge(&other.latency);
    }
}
