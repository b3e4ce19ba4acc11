//! What one call may use: memory and CPU time.

use crate::os::Clock;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// Counts the memory of one store against its limit.
#[derive(Debug)]
pub struct MemoryMeter {
    limit_bytes: usize,
    used_bytes: usize,
    /// Whether the guest asked for more than it may have. It is told so by the failed growth; most then abort.
    pub is_exhausted: bool,
}

/// A guest's tables hold its function pointers; no compiler emits more than a few thousand.
const TABLE_ELEMENTS_MAX: usize = 100_000;

impl MemoryMeter {
    /// A meter that allows `limit_bytes` in all memories together.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX),
            used_bytes: 0,
            is_exhausted: false,
        }
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used_bytes + desired.saturating_sub(current);
        if used > self.limit_bytes {
            self.is_exhausted = true;
            return Ok(false);
        }
        self.used_bytes = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// The CPU time of one call: the time its task spends being polled, as long as the clock moves at the pace of the epoch.
///
/// Shared between the task's wrapper, which keeps it, and the epoch callback inside the guest, which looks at it.
pub struct CpuMeter {
    clock: Arc<dyn Clock>,
    used_ns: AtomicU64,
    last_look_ns: AtomicU64,
}

/// A guest that runs is looked at with every tick of the epoch. If more time than this went by between two looks, its thread was
/// not running but waiting for a core, on a machine that does other things as well, and the rest is not the guest's doing.
const BETWEEN_LOOKS_NS_MAX: u64 = 2_000_000;

/// The guest computed for longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call used more CPU time than it may")]
pub struct CpuExceeded;

impl CpuMeter {
    /// A meter at zero.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            used_ns: AtomicU64::new(0),
            last_look_ns: AtomicU64::new(0),
        })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A poll of the call's task begins.
    fn resume(&self) {
        self.last_look_ns.store(self.now_ns(), Ordering::Relaxed);
    }

    /// CPU time used so far, the current poll included.
    ///
    /// Only called from inside a poll: all accesses are on one thread, the atomics only make the type shareable.
    pub fn used(&self) -> Duration {
        let now = self.now_ns();
        let since = now.saturating_sub(self.last_look_ns.swap(now, Ordering::Relaxed));
        let since = since.min(BETWEEN_LOOKS_NS_MAX);
        let before = self.used_ns.fetch_add(since, Ordering::Relaxed);
        Duration::from_nanos(before.saturating_add(since))
    }

    /// Forgets what was used, for the next call of the same instance.
    pub fn reset(&self) {
        self.used_ns.store(0, Ordering::Relaxed);
        self.resume();
    }
}

pin_project_lite::pin_project! {
    /// Measures the polls of a future.
    pub struct Metered<F> {
        #[pin]
        future: F,
        meter: Arc<CpuMeter>,
    }
}

impl<F> Metered<F> {
    /// Adds the time spent polling `future` to `meter`.
    pub fn new(meter: Arc<CpuMeter>, future: F) -> Self {
        Self { future, meter }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.meter.resume();
        let poll = this.future.poll(context);
        this.meter.used();
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock::Sleep;
    use std::sync::Mutex;

    /// A clock that stands still until it is moved.
    #[derive(Default)]
    struct Still(Mutex<Duration>);

    impl Clock for Still {
        fn monotonic(&self) -> Duration {
            *self.0.lock().expect("no test panics while it holds this")
        }

        fn wall(&self) -> Duration {
            self.monotonic()
        }

        fn sleep_until(&self, _moment: Duration) -> Sleep {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn waiting_for_a_core_is_not_counted_as_computing() {
        let clock = Arc::new(Still::default());
        let meter = CpuMeter::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let pass = |milliseconds| {
            *clock.0.lock().expect("no test panics while it holds this") +=
                Duration::from_millis(milliseconds);
        };
        meter.resume();
        pass(1);
        assert_eq!(meter.used(), Duration::from_millis(1));
        pass(500);
        assert_eq!(meter.used(), Duration::from_millis(3));
        pass(500);
        meter.resume();
        pass(1);
        assert_eq!(meter.used(), Duration::from_millis(4));
        meter.reset();
        assert_eq!(meter.used(), Duration::ZERO);
    }
}
