//! The thread of all daemons of a host.

use super::keeper::Keeper;
use crate::dispatch::Dispatch;
use crate::os::Os;
use crate::os::task::{self, Task};
use crate::services::{Services, Slot, State};
use crate::telemetry::Log;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// What daemons are run with.
pub struct Options {
    /// The services of the host.
    pub services: Arc<Services>,
    /// Carries out their calls, on their thread.
    pub dispatch: Arc<dyn Dispatch>,
    /// Calls below one of theirs.
    pub hops_max: u8,
    /// How long one that is told to finish may take.
    pub drain_timeout: Duration,
    /// Where to report.
    pub log: Log,
    /// The outside.
    pub os: Os,
}

/// A handle to the thread.
pub struct Daemons {
    end: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// Starts the thread. Daemons run from then on, as the supervisor wants them.
///
/// # Errors
/// The machine has no threads left.
pub fn start(options: Options) -> io::Result<Daemons> {
    let runtime = task::runtime()?;
    let (end, mut ended) = watch::channel(false);
    let thread = task::thread("daemons", move || {
        runtime.block_on(async move {
            let _keepers = keepers(&options);
            // The sender is gone only if the host is.
            let _ = ended.wait_for(|ended| *ended).await;
        });
    })?;
    Ok(Daemons { end, thread })
}

fn keepers(options: &Options) -> Vec<Task<()>> {
    let is_here = |slot: &&Slot| !matches!(&*slot.state(), State::Elsewhere);
    let keeper = |slot: &Slot| Keeper {
        daemon: Arc::clone(&slot.daemon),
        service: Arc::clone(&slot.service.name),
        dispatch: Arc::clone(&options.dispatch),
        hops_max: options.hops_max,
        drain_timeout: options.drain_timeout,
        log: options.log.clone(),
        os: options.os.clone(),
    };
    let here = options.services.iter().filter(is_here);
    here.map(|slot| task::spawn(keeper(slot).keep())).collect()
}

impl Daemons {
    /// Ends all that are left at once, and waits for the thread.
    pub fn end(self) {
        self.end.send_replace(true);
        // A thread that panicked has printed why.
        let _ = self.thread.join();
    }
}
