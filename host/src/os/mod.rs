//! The only code that touches the outside: time, network, disk, randomness, processes and the task executor.
//!
//! Everything else receives an [`Os`] and can therefore run on seeded replacements. `main.rs` builds the real one.
//! Tasks run on tokio's current-thread runtime, here and in the simulator, so [`task`] is a set of functions, not a trait.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where the outside world is"
)]

use std::sync::Arc;

pub mod block;
pub mod clock;
pub mod console;
pub mod disk;
pub mod entropy;
pub mod executor;
pub mod listeners;
pub mod network;
pub mod process;
pub mod signal;
pub mod task;

pub use block::{BlockDisk, BlockFile};
pub use clock::Clock;
pub use disk::Disk;
pub use entropy::Entropy;
pub use network::Network;

/// Everything that can make two runs differ.
#[derive(Clone)]
pub struct Os {
    /// Monotonic and wall time, and waiting for them.
    pub clock: Arc<dyn Clock>,
    /// Files of this host.
    pub disk: Arc<dyn Disk>,
    /// Files of this host that are written in place: its log and its state.
    pub blocks: Arc<dyn BlockDisk>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Listening sockets and connections.
    pub network: Arc<dyn Network>,
}

impl Os {
    /// The machine this process runs on.
    #[must_use]
    pub fn real() -> Self {
        Self {
            clock: Arc::new(clock::RealClock::start()),
            disk: Arc::new(disk::RealDisk),
            blocks: Arc::new(block::RealBlockDisk),
            entropy: Arc::new(entropy::RealEntropy),
            network: Arc::new(network::RealNetwork::of_this_process()),
        }
    }
}
