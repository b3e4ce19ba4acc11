//! Whether a connection has brought its first request.
//!
//! A client that has just connected has its request on the way. A host that stops must not close such a connection unread: nothing
//! could have told the client not to come. The servers of this host (`http`, `api`, `admin`) ask here before they end a connection.

use crate::os::clock::{self, Clock, timeout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long a stopping host waits for the first request of a connection: a client sends it together with the connection, so this is
/// what a slow network takes. A connection that was opened in advance is closed after it, as an idle one is.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_millis(500);

/// Of one connection. Clones are of the same one.
#[derive(Clone, Default)]
pub struct Arrival(Arc<(AtomicBool, Notify)>);

impl Arrival {
    /// A request is here.
    pub fn came(&self) {
        let (has_come, waiting) = &*self.0;
        // Of all requests of a connection only the first one wakes anybody.
        if !has_come.swap(true, Ordering::AcqRel) {
            waiting.notify_one();
        }
    }

    /// Waits until the host stops and the connection may end, which is so once its first request is here.
    pub async fn may_end(&self, stop: &mut watch::Receiver<bool>, clock: &dyn Clock) {
        // The end of the sender means the same as its word.
        let _ = stop.wait_for(|stop| *stop).await;
        self.wait(clock).await;
    }

    /// Waits for the first request; not long, and not at all if it came before.
    async fn wait(&self, clock: &dyn Clock) {
        let (has_come, waiting) = &*self.0;
        if !has_come.load(Ordering::Acquire) {
            // Whether it came or not, the connection may end now.
            let _: Result<(), clock::Elapsed> =
                timeout(clock, FIRST_REQUEST_WITHIN, waiting.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock::RealClock;

    async fn check(comes_after: Option<Duration>, expected: std::ops::Range<Duration>) {
        let (arrival, clock) = (Arrival::default(), RealClock::start());
        let coming = arrival.clone();
        let comes = async {
            if let Some(after) = comes_after {
                clock::sleep(&clock, after).await;
                coming.came();
            }
        };
        let started = clock.monotonic();
        tokio::join!(comes, arrival.wait(&clock));
        let took = clock.monotonic().saturating_sub(started);
        assert!(expected.contains(&took), "{took:?}");
    }

    #[tokio::test]
    async fn a_request_is_waited_for_but_not_for_long() {
        let soon = Duration::from_millis(20);
        check(Some(soon), soon..FIRST_REQUEST_WITHIN).await;
        check(None, FIRST_REQUEST_WITHIN..Duration::from_secs(60)).await;
    }

    #[tokio::test]
    async fn one_that_came_before_is_not_waited_for() {
        let (arrival, clock) = (Arrival::default(), RealClock::start());
        arrival.came();
        arrival.came();
        let started = clock.monotonic();
        arrival.wait(&clock).await;
        assert!(clock.monotonic().saturating_sub(started) < FIRST_REQUEST_WITHIN);
    }
}
