//! How many calls a service may have: so many at once, so many more waiting, and a clear refusal for the rest.

use crate::os::Clock;
use crate::os::clock::timeout_at;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The gate of one service.
pub struct Admission {
    running: Arc<Semaphore>,
    running_max: u32,
    waiting: AtomicU32,
    waiting_max: u32,
}

/// The right to run one call; given back when it is dropped.
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// A permit that the caller of a command shares with whoever executes it. It is given back as soon as one of them lets go: the caller because it does not wait any
/// more, the other because the command ran and only waits to be safe.
pub struct Shared(Arc<Mutex<Option<Permit>>>);

impl Permit {
    /// The two that have it.
    #[must_use]
    pub fn share(self) -> (Shared, Shared) {
        let permit = Arc::new(Mutex::new(Some(self)));
        (Shared(Arc::clone(&permit)), Shared(permit))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Given back outside the lock, since it may wake somebody.
        let permit = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(permit);
    }
}

/// Why a call was not admitted. It had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many calls run and wait as may.
    #[error("the queue is full")]
    Full,
    /// The call's deadline passed while it waited.
    #[error("the deadline passed in the queue")]
    Deadline,
}

impl Admission {
    /// Lets `running_max` calls run at once and `waiting_max` wait.
    #[must_use]
    pub fn new(running_max: u32, waiting_max: u32) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running_max as usize)),
            running_max,
            waiting: AtomicU32::new(0),
            waiting_max,
        }
    }

    /// Waits for the right to run, first come first served, until `deadline` of `clock`.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn enter(&self, clock: &dyn Clock, deadline: Duration) -> Result<Permit, Refusal> {
        // The usual case takes no timer and counts nothing.
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(Permit { _permit: permit });
        }
        let Some(_waiting) = Waiting::enter(&self.waiting, self.waiting_max) else {
            return Err(Refusal::Full);
        };
        match timeout_at(clock, deadline, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit { _permit: permit }),
            Ok(Err(_closed)) => unreachable!("the semaphore is never closed"),
            Err(_elapsed) => Err(Refusal::Deadline),
        }
    }

    /// Calls running now.
    #[must_use]
    pub fn running(&self) -> u32 {
        // The semaphore began with a u32.
        self.running_max
            - u32::try_from(self.running.available_permits()).unwrap_or(self.running_max)
    }

    /// Calls waiting now.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A place in the queue, left however the wait ends.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicU32, max: u32) -> Option<Self> {
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < max).then_some(waiting + 1)
            })
            .ok()?;
        Some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::Os;

    #[tokio::test]
    async fn calls_beyond_the_queue_are_refused_and_waiting_ends_at_the_deadline() {
        let (admission, os) = (Admission::new(1, 1), Os::real());
        let clock = os.clock.as_ref();
        let first = admission
            .enter(clock, Duration::ZERO)
            .await
            .unwrap_or_else(|refusal| panic!("{refusal}"));
        let soon = clock.monotonic() + Duration::from_millis(20);
        let (second, third) =
            tokio::join!(admission.enter(clock, soon), admission.enter(clock, soon));
        assert_eq!(second.err(), Some(Refusal::Deadline));
        assert_eq!(third.err(), Some(Refusal::Full));
        drop(first);
        assert!(admission.enter(clock, Duration::ZERO).await.is_ok());
        assert_eq!((admission.running(), admission.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_shared_permit_is_given_back_once_by_whoever_lets_go_first() {
        let (admission, os) = (Admission::new(1, 0), Os::real());
        let enter = || admission.enter(os.clock.as_ref(), Duration::ZERO);
        let (caller, executor) = enter().await.expect("it is free").share();
        assert!(enter().await.is_err());
        drop(executor);
        let other = enter().await.expect("the command ran");
        drop(caller);
        assert!(enter().await.is_err(), "that one was another's");
        drop(other);
        let (caller, _executor) = enter().await.expect("it is free").share();
        drop(caller);
        assert!(enter().await.is_ok());
    }
}
