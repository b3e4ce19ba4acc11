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

/// A clock that the simulation moves.
#[derive(Default)]
pub struct SimClock {
    now_us: AtomicU64,
    /// How far the wall clock is wrong.
    skew_ms: AtomicI64,
}

impl SimClock {
    /// Moves it to a moment.
    pub fn set(&self, now: Duration) {
        let now_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.now_us.store(now_us, Ordering::Relaxed);
    }

    /// Makes the wall clock wrong by so much.
    pub fn skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.now_us.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Duration {
        let right = BEGIN_MS.saturating_add(self.now_us.load(Ordering::Relaxed) / 1_000);
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
