//! Waits for changes of the replicated services of this host: by its own calls and daemons, and by those of other hosts.
//!
//! They hold no permit of a service, since they do no work; so they have a bound of their own.

use crate::call_error::CallError;
use crate::os::Clock;
use crate::os::clock::timeout;
use crate::replica::published::Published;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Waits on one host at once. One takes about a kilobyte, and every change of a service wakes those that wait for it.
pub const WAITS_MAX: u32 = 10_000;
/// What those beyond the bound are asked to wait: many times what a change takes.
pub const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Everybody who waits on this host.
#[derive(Default)]
pub struct Waits {
    taken: AtomicU32,
    closed: watch::Sender<bool>,
}

impl Waits {
    /// Waits until the state of `service`, shown by `published`, is beyond `after`. Returns its position; `after` itself when `within` is over.
    ///
    /// # Errors
    /// [`CallError::Overloaded`]: there are [`WAITS_MAX`]. [`CallError::Unavailable`]: the host is shutting down.
    pub async fn beyond(
        &self,
        service: &str,
        published: &Published,
        after: u64,
        within: Duration,
        clock: &dyn Clock,
    ) -> Result<u64, CallError> {
        let mut position = published.position();
        // The usual case of somebody who is behind takes no place and no timer.
        let now = *position.borrow();
        if now > after {
            return Ok(now);
        }
        let _place = Place::take(&self.taken, WAITS_MAX).ok_or_else(|| CallError::Overloaded {
            service: service.to_owned(),
            retry_after: RETRY_AFTER,
        })?;
        let mut closed = self.closed.subscribe();
        let waited = async {
            tokio::select! {
                biased;
                // Neither sender ends while this is borrowed from what has it.
                changed = position.wait_for(|position| *position > after) => changed.ok().map(|position| *position),
                _ = closed.wait_for(|closed| *closed) => None,
            }
        };
        match timeout(clock, within, waited).await {
            Ok(Some(position)) => Ok(position),
            Ok(None) => Err(CallError::Unavailable {
                service: service.to_owned(),
                message: "the host is shutting down".into(),
                maybe_executed: false,
            }),
            Err(_elapsed) => Ok(after),
        }
    }

    /// Ends all waits, and those to come: the host is shutting down.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }
}

/// One of a bounded number of places for those who wait; free again when it is dropped.
pub struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    /// A place among `max`, of which `taken` are; none if there is none.
    #[must_use]
    pub fn take(taken: &'a AtomicU32, max: u32) -> Option<Self> {
        let took = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            (taken < max).then_some(taken + 1)
        });
        took.is_ok().then_some(Self(taken))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock::ManualClock;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const SECOND: Duration = Duration::from_secs(1);

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn nothing_new_is_said_after_the_timeout_and_not_before() {
        let (waits, published, clock) = (
            Waits::default(),
            Published::default(),
            ManualClock::default(),
        );
        let mut wait = pin!(waits.beyond("a", &published, 7, SECOND, &clock));
        assert!(poll(wait.as_mut()).is_pending());
        clock.advance(SECOND / 2);
        assert!(poll(wait.as_mut()).is_pending());
        clock.advance(SECOND / 2);
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Ok(7)));
    }

    #[test]
    fn there_are_so_many_waits_and_each_leaves_its_place() {
        let (waits, published, clock) = (
            Waits::default(),
            Published::default(),
            ManualClock::default(),
        );
        let begin = || {
            let mut wait = Box::pin(waits.beyond("a", &published, 0, SECOND, &clock));
            (poll(wait.as_mut()), wait)
        };
        let mut waiting: Vec<_> = (0..WAITS_MAX).map(|_| begin()).collect();
        assert!(waiting.iter().all(|(polled, _)| polled.is_pending()));
        let (refused, _wait) = begin();
        let overloaded = CallError::Overloaded {
            service: "a".into(),
            retry_after: RETRY_AFTER,
        };
        assert_eq!(refused, Poll::Ready(Err(overloaded)));
        drop(waiting.pop());
        assert!(begin().0.is_pending());
    }

    #[test]
    fn a_host_that_shuts_down_lets_nobody_wait() {
        let (waits, published, clock) = (
            Waits::default(),
            Published::default(),
            ManualClock::default(),
        );
        let mut before = pin!(waits.beyond("a", &published, 0, SECOND, &clock));
        assert!(poll(before.as_mut()).is_pending());
        waits.close();
        let mut after = pin!(waits.beyond("a", &published, 0, SECOND, &clock));
        for wait in [before.as_mut(), after.as_mut()] {
            let Poll::Ready(Err(CallError::Unavailable { .. })) = poll(wait) else {
                panic!("it is told so");
            };
        }
    }
}
