//! Time: a monotonic clock, a wall clock, and sleeping until a moment of the monotonic one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A future that resolves at a moment.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Monotonic and wall time of one host.
pub trait Clock: Send + Sync {
    /// Time since an arbitrary moment before this host started; never goes back.
    fn monotonic(&self) -> Duration;

    /// Time since 1970-01-01T00:00:00Z, as this host believes; may jump.
    fn wall(&self) -> Duration;

    /// Resolves once [`monotonic`](Clock::monotonic) has reached `moment`; at once if it has.
    fn sleep_until(&self, moment: Duration) -> Sleep;
}

/// The clocks of the machine.
pub struct RealClock {
    started: Instant,
}

impl RealClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for RealClock {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall(&self) -> Duration {
        // A machine set before 1970 reads as 1970: callers only ever compare or print this.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }

    fn sleep_until(&self, moment: Duration) -> Sleep {
        // A moment too far to represent is the same as one nobody lives to see.
        let moment = self
            .started
            .checked_add(moment)
            .unwrap_or_else(|| self.started + Duration::from_secs(u32::MAX.into()));
        Box::pin(tokio::time::sleep_until(moment.into()))
    }
}

/// A clock whose wall time is wrong, for drills; its monotonic time is right.
pub struct SkewedClock {
    clock: Arc<dyn Clock>,
    ahead: Duration,
    behind: Duration,
}

impl SkewedClock {
    /// `clock`, but `ahead` and `behind` of the right time.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, ahead: Duration, behind: Duration) -> Self {
        Self {
            clock,
            ahead,
            behind,
        }
    }
}

impl Clock for SkewedClock {
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn wall(&self) -> Duration {
        (self.clock.wall() + self.ahead).saturating_sub(self.behind)
    }

    fn sleep_until(&self, moment: Duration) -> Sleep {
        self.clock.sleep_until(moment)
    }
}

/// `moment` passed before `future` was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct Elapsed;

pin_project_lite::pin_project! {
    /// A future that ends at a moment, done or not. A type of its own: an `async` function would have room for `future` twice.
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The result wins a tie: work that is done is not thrown away.
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        this.sleep.as_mut().poll(context).map(|()| Err(Elapsed))
    }
}

/// Runs `future` until `moment` of `clock`, then gives up on it with [`Elapsed`].
pub fn timeout_at<F: Future>(clock: &dyn Clock, moment: Duration, future: F) -> Timeout<F> {
    Timeout {
        future,
        sleep: clock.sleep_until(moment),
    }
}

/// [`timeout_at`] counted from now.
pub fn timeout<F: Future>(clock: &dyn Clock, duration: Duration, future: F) -> Timeout<F> {
    timeout_at(clock, clock.monotonic().saturating_add(duration), future)
}

/// Waits for `duration`.
pub async fn sleep(clock: &dyn Clock, duration: Duration) {
    clock
        .sleep_until(clock.monotonic().saturating_add(duration))
        .await;
}

/// A clock for tests that stands still until it is moved, and then wakes whoever waited for that moment.
#[cfg(test)]
#[derive(Default)]
pub struct ManualClock(tokio::sync::watch::Sender<Duration>);

#[cfg(test)]
impl ManualClock {
    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

#[cfg(test)]
impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    fn wall(&self) -> Duration {
        self.monotonic()
    }

    fn sleep_until(&self, moment: Duration) -> Sleep {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            // The end of the clock is the end of its test.
            let _ = now.wait_for(|now| *now >= moment).await;
        })
    }
}
