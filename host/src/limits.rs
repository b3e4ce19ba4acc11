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

/// The CPU time of one call: the time its task spends being polled.
///
/// Shared between the task's wrapper, which keeps it, and the epoch callback inside the guest, which looks at it.
pub struct CpuMeter {
    clock: Arc<dyn Clock>,
    used_ns: AtomicU64,
    poll_started_ns: AtomicU64,
}

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
            poll_started_ns: AtomicU64::new(0),
        })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }

    /// CPU time used so far, the current poll included.
    ///
    /// Only called from inside a poll: all accesses are on one thread, the atomics only make the type shareable.
    #[must_use]
    pub fn used(&self) -> Duration {
        let current = self
            .now_ns()
            .saturating_sub(self.poll_started_ns.load(Ordering::Relaxed));
        Duration::from_nanos(self.used_ns.load(Ordering::Relaxed).saturating_add(current))
    }

    /// Forgets what was used, for the next call of the same instance.
    pub fn reset(&self) {
        self.used_ns.store(0, Ordering::Relaxed);
        self.poll_started_ns.store(self.now_ns(), Ordering::Relaxed);
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
        let started = this.meter.now_ns();
        this.meter.poll_started_ns.store(started, Ordering::Relaxed);
        let poll = this.future.poll(context);
        let used = this.meter.now_ns().saturating_sub(started);
        this.meter.used_ns.fetch_add(used, Ordering::Relaxed);
        poll
    }
}
