//! What waits to be sent on one connection: frames, ready in the form in which they leave, and bounded by their bytes.

use super::frame;
use crate::replica::network::ReplicaLane;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes that may wait on each lane, those under way included. A peer that is this far behind gets what is newer by being asked what it
/// has; more would only be sent in vain. Two of the largest messages fit, or, on the control lane, tens of thousands of small ones.
const WAITING_BYTES_MAX: [usize; 2] = [40 << 20, 2 << 20];
/// A buffer that had to grow beyond this is given back after use.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// Frames of one lane to one peer.
pub struct Queue {
    lane: ReplicaLane,
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Whether there is a connection. Without one nothing is kept.
    is_open: bool,
    /// Leaves next.
    ready: Vec<u8>,
    under_way_bytes: usize,
    /// Injected delays: by the moment at which each leaves, and the order in which it came.
    delayed: BTreeMap<(Duration, u64), Vec<u8>>,
    delayed_bytes: usize,
    count: u64,
    is_full_reported: bool,
}

/// A frame was not taken, since too many wait.
#[derive(Debug, PartialEq, Eq)]
pub struct Full {
    /// Whether it is the first since the queue was empty.
    pub is_news: bool,
}

/// What is to be sent at once.
pub struct Batch {
    /// The frames; empty if there are none.
    pub bytes: Vec<u8>,
    /// When the next delayed frame has to leave.
    pub next: Option<Duration>,
}

impl Queue {
    /// Empty, and without a connection.
    pub fn new(lane: ReplicaLane) -> Self {
        Self {
            lane,
            waiting: Mutex::default(),
            more: Notify::new(),
        }
    }

    /// Adds a message, to leave at once or when the time `due` has come. Without a connection it is forgotten.
    pub fn push(&self, service: &str, message: &[u8], due: Option<Duration>) -> Result<(), Full> {
        let mut waiting = self.lock();
        if !waiting.is_open {
            return Ok(());
        }
        let bytes = frame::message_bytes(service, message);
        if waiting.bytes() + bytes > WAITING_BYTES_MAX[self.lane.index()] {
            let is_news = !std::mem::replace(&mut waiting.is_full_reported, true);
            return Err(Full { is_news });
        }
        let Some(due) = due else {
            // What would not be read is not sent; the engine that made it is told by its own bounds.
            let _ = frame::put_message(&mut waiting.ready, service, message, self.lane);
            drop(waiting);
            self.more.notify_one();
            return Ok(());
        };
        let mut frame = Vec::with_capacity(bytes);
        if frame::put_message(&mut frame, service, message, self.lane) {
            waiting.count += 1;
            let place = (due, waiting.count);
            waiting.delayed_bytes += frame.len();
            waiting.delayed.insert(place, frame);
            drop(waiting);
            self.more.notify_one();
        }
        Ok(())
    }

    /// Takes what is to be sent at `now`, and the empty or sent buffer `spare` in exchange: what was in it is not under way any more.
    pub fn take(&self, now: Duration, mut spare: Vec<u8>) -> Batch {
        spare.clear();
        if spare.capacity() > SPARE_BYTES_MAX {
            spare = Vec::new();
        }
        let mut waiting = self.lock();
        while let Some(first) = waiting.delayed.first_entry() {
            if first.key().0 > now {
                break;
            }
            let frame = first.remove();
            waiting.delayed_bytes -= frame.len();
            waiting.ready.extend_from_slice(&frame);
        }
        let bytes = std::mem::replace(&mut waiting.ready, spare);
        waiting.under_way_bytes = bytes.len();
        if waiting.bytes() == 0 {
            waiting.is_full_reported = false;
        }
        let next = waiting.delayed.keys().next().map(|(due, _)| *due);
        Batch { bytes, next }
    }

    /// Resolves when something was added since the last time.
    pub async fn more(&self) {
        self.more.notified().await;
    }

    /// There is a connection.
    pub fn open(&self) {
        self.lock().is_open = true;
    }

    /// There is none any more: what waits is forgotten, since nobody knows what the peer will have missed.
    pub fn close(&self) {
        *self.lock() = Waiting::default();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.ready.len() + self.under_way_bytes + self.delayed_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: ReplicaLane = ReplicaLane::Control;

    fn open() -> Queue {
        let queue = Queue::new(LANE);
        queue.open();
        queue
    }

    fn frames(messages: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            assert!(frame::put_message(&mut out, "orders", message, LANE));
        }
        out
    }

    fn taken(queue: &Queue, now_ms: u64) -> (Vec<u8>, Option<Duration>) {
        let batch = queue.take(Duration::from_millis(now_ms), Vec::new());
        (batch.bytes, batch.next)
    }

    #[test]
    fn what_comes_together_leaves_together() {
        let queue = open();
        for message in [b"a", b"b", b"c"] {
            assert_eq!(queue.push("orders", message, None), Ok(()));
        }
        assert_eq!(taken(&queue, 0), (frames(&[b"a", b"b", b"c"]), None));
        assert_eq!(taken(&queue, 0), (Vec::new(), None));
    }

    #[test]
    fn a_delayed_message_leaves_when_its_time_has_come_and_holds_nothing_up() {
        let queue = open();
        let at = Duration::from_millis;
        for (message, due) in [(b"a", Some(at(20))), (b"b", Some(at(10))), (b"c", None)] {
            assert_eq!(queue.push("orders", message, due), Ok(()));
        }
        assert_eq!(taken(&queue, 0), (frames(&[b"c"]), Some(at(10))));
        assert_eq!(taken(&queue, 9), (Vec::new(), Some(at(10))));
        assert_eq!(taken(&queue, 30), (frames(&[b"b", b"a"]), None));
    }

    #[test]
    fn without_a_connection_nothing_is_kept() {
        let queue = Queue::new(LANE);
        assert_eq!(queue.push("orders", b"a", None), Ok(()));
        queue.open();
        assert_eq!(taken(&queue, 0), (Vec::new(), None));
        assert_eq!(queue.push("orders", b"a", None), Ok(()));
        assert_eq!(queue.push("orders", b"b", Some(Duration::ZERO)), Ok(()));
        queue.close();
        queue.open();
        assert_eq!(taken(&queue, 0), (Vec::new(), None));
    }

    #[test]
    fn a_peer_that_takes_nothing_is_sent_no_more() {
        let queue = open();
        let message = vec![0; 50 << 10];
        let mut count = 0;
        let full = loop {
            let due = (count % 2 == 0).then_some(Duration::ZERO);
            match queue.push("orders", &message, due) {
                Ok(()) => count += 1,
                Err(full) => break full,
            }
        };
        let taking = WAITING_BYTES_MAX[LANE.index()] / frame::message_bytes("orders", &message);
        assert_eq!((count, full), (taking, Full { is_news: true }));
        let again = queue.push("orders", &message, None);
        assert_eq!(again, Err(Full { is_news: false }));
        // What is under way still counts.
        let batch = queue.take(Duration::ZERO, Vec::new());
        let again = queue.push("orders", &message, None);
        assert_eq!(again, Err(Full { is_news: false }));
        assert!(queue.take(Duration::ZERO, batch.bytes).bytes.is_empty());
        assert_eq!(queue.push("orders", &message, None), Ok(()));
    }
}
