//! Those who wait until the state of a group is new enough, from all threads of a host.
//!
//! The task of the replica takes all of them at once and asks the others once for all, so that one more costs it next to nothing.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Those who wait to be taken at once. Each thread has fewer calls that wait for a leader's word, so this only bounds what a bug there could do.
const READERS_MAX: usize = 100_000;

/// Whoever waits.
pub type Reader = oneshot::Sender<()>;

struct Shared {
    /// None once nobody takes them any more.
    waiting: Mutex<Option<Vec<Reader>>>,
    came: Notify,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Option<Vec<Reader>>) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where readers come.
#[derive(Clone)]
pub struct Door(Arc<Shared>);

/// Where they are taken. When it is dropped they are sent away, and so are those who come later.
pub struct Readers(Arc<Shared>);

/// The two ends.
#[must_use]
pub fn readers() -> (Door, Readers) {
    let shared = Arc::new(Shared {
        waiting: Mutex::new(Some(Vec::new())),
        came: Notify::new(),
    });
    (Door(Arc::clone(&shared)), Readers(shared))
}

impl Door {
    /// Resolves when the state is new enough, and fails when nobody can say that any more.
    pub fn enter(&self) -> oneshot::Receiver<()> {
        let (reader, read) = oneshot::channel();
        let is_first = self.0.change(|waiting| match waiting {
            Some(waiting) if waiting.len() < READERS_MAX => {
                waiting.push(reader);
                waiting.len() == 1
            }
            Some(_) | None => false,
        });
        // Whoever is first has the others taken as well: they are all in the list by the time it is looked at, or are first in the next one.
        if is_first {
            self.0.came.notify_one();
        }
        read
    }
}

impl Readers {
    /// Takes all who came.
    pub fn take(&self) -> Vec<Reader> {
        self.0.change(|waiting| {
            let waiting = waiting.as_mut();
            waiting.map(mem::take).unwrap_or_default()
        })
    }

    /// Resolves when somebody has come who was not taken; once more than that at times.
    pub async fn came(&self) {
        self.0.came.notified().await;
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        // Dropped outside the lock: each wakes somebody.
        let sent_away = self.0.change(Option::take);
        drop(sent_away);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn is_ready(future: impl Future<Output = ()>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(future).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn those_who_come_are_taken_together_and_announced_once() {
        let (door, readers) = readers();
        assert!(!is_ready(readers.came()));
        let mut entered = [door.enter(), door.clone().enter()];
        assert!(is_ready(readers.came()));
        assert!(!is_ready(readers.came()));
        let taken = readers.take();
        assert_eq!(taken.len(), 2);
        assert!(entered.iter_mut().all(|read| read.try_recv().is_err()));
        for reader in taken {
            reader.send(()).unwrap();
        }
        assert!(entered.iter_mut().all(|read| read.try_recv() == Ok(())));
        assert!(readers.take().is_empty());
    }

    #[test]
    fn whoever_comes_after_a_taking_is_announced_again() {
        let (door, readers) = readers();
        let _first = door.enter();
        assert_eq!(readers.take().len(), 1);
        let _second = door.enter();
        assert!(is_ready(readers.came()));
        assert_eq!(readers.take().len(), 1);
    }

    #[test]
    fn nobody_waits_for_a_task_that_has_ended() {
        let (door, readers) = readers();
        let mut before = door.enter();
        drop(readers);
        assert_eq!(before.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        let mut after = door.enter();
        assert_eq!(after.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn too_many_are_sent_away() {
        let (door, readers) = readers();
        let mut entered: Vec<_> = (0..=READERS_MAX).map(|_| door.enter()).collect();
        let closed = Err(oneshot::error::TryRecvError::Closed);
        assert_eq!(entered.last_mut().unwrap().try_recv(), closed);
        assert_eq!(readers.take().len(), READERS_MAX);
    }
}
