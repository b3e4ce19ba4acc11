//! Clock, randomness and network of a simulated host: virtual time, seeded numbers, no sockets.

use super::random::Random;
use crate::os::clock::Sleep;
use crate::os::entropy::Entropy;
use crate::os::network::{Connecting, Network, TcpListener};
use crate::os::{Clock, Os, disk};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The wall clock when a simulation begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// A clock of a host, which the simulation moves. All hosts share true time, and read it each in its own way.
#[derive(Default)]
pub struct SimClock {
    /// True time, in microseconds since the simulation began.
    true_us: Arc<AtomicU64>,
    /// How much faster than true time both clocks run, in millionths.
    drift_ppm: i64,
    /// How far the wall clock is wrong.
    skew_ms: AtomicI64,
}

const MILLION: i128 = 1_000_000;

fn saturated(number: i128) -> u64 {
    u64::try_from(number.max(0)).unwrap_or(u64::MAX)
}

impl SimClock {
    /// A clock that shows `true_us` with a drift.
    #[must_use]
    pub fn new(true_us: &Arc<AtomicU64>, drift_ppm: i64) -> Self {
        Self {
            true_us: Arc::clone(true_us),
            drift_ppm,
            skew_ms: AtomicI64::new(0),
        }
    }

    /// Makes the wall clock wrong by so much.
    pub fn skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// The true time at which the monotonic clock shows a moment, or just after.
    #[must_use]
    pub fn true_time(&self, monotonic: Duration) -> Duration {
        let shown =
            i128::try_from(monotonic.as_nanos().div_ceil(1_000)).unwrap_or(i128::MAX / MILLION);
        let speed = MILLION + i128::from(self.drift_ppm);
        let mut us = saturated(shown * MILLION / speed);
        while i128::from(self.shown_us(us)) < shown {
            us += 1;
        }
        Duration::from_micros(us)
    }

    fn shown_us(&self, true_us: u64) -> u64 {
        let drift = i128::from(true_us) * i128::from(self.drift_ppm) / MILLION;
        saturated(i128::from(true_us) + drift)
    }

    fn now_us(&self) -> u64 {
        self.shown_us(self.true_us.load(Ordering::Relaxed))
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.now_us())
    }

    fn wall(&self) -> Duration {
        let right = BEGIN_MS.saturating_add(self.now_us() / 1_000);
        Duration::from_millis(right.saturating_add_signed(self.skew_ms.load(Ordering::Relaxed)))
    }

    fn sleep_until(&self, _moment: Duration) -> Sleep {
        // Nothing in a simulation waits for time but the simulation itself; a deadline never ends what takes no time.
        Box::pin(std::future::pending())
    }
}

/// Seeded numbers.
pub struct SimEntropy(Mutex<Random>);

impl SimEntropy {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Random::new(seed)))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A network that reaches nobody: messages between services are the simulation's own events.
struct NoNetwork;

impl Network for NoNetwork {
    fn listen(&self, _address: SocketAddr) -> io::Result<TcpListener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn close_inherited(&self) {}

    fn connect(&self, _address: SocketAddr) -> Connecting {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }
}

/// The outside of a simulated host, whose log and state are on `blocks`.
#[must_use]
pub fn os(clock: &Arc<SimClock>, seed: u64, blocks: Arc<dyn crate::os::BlockDisk>) -> Os {
    Os {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        // Whole files are read before a simulation begins, and none in it.
        disk: Arc::new(disk::RealDisk),
        blocks,
        entropy: Arc::new(SimEntropy::new(seed)),
        network: Arc::new(NoNetwork),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_a_clock_is_not_reached_before_its_true_time() {
        for drift_ppm in [-50_000, -7, 0, 13, 50_000] {
            let true_us = Arc::new(AtomicU64::new(0));
            let clock = SimClock::new(&true_us, drift_ppm);
            for us in [0, 1, 999_999, 1_000_001, 86_400_000_003] {
                let at = clock.true_time(Duration::from_micros(us));
                true_us.store(at.as_micros() as u64, Ordering::Relaxed);
                let shown = clock.monotonic().as_micros() as u64;
                assert!((us..=us + 1).contains(&shown), "{drift_ppm} {us} {shown}");
            }
        }
    }
}
