//! What a group has to do at some time, in order: timers that are due, messages to be sent. Each is tried until it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After a failure a thing is tried again after this long, then after twice as long, up to the maximum.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Things to be done, each known by a key, in the order of their keys.
pub struct Schedule<K> {
    ready: BTreeSet<K>,
    busy: BTreeSet<K>,
    later: BTreeSet<(Duration, K)>,
    failures: BTreeMap<K, Failures>,
}

struct Failures {
    count: u32,
    until: Duration,
}

impl<K> Default for Schedule<K> {
    fn default() -> Self {
        Self {
            ready: BTreeSet::new(),
            busy: BTreeSet::new(),
            later: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone> Schedule<K> {
    /// Adds a thing.
    pub fn add(&mut self, key: K) {
        if !self.busy.contains(&key) && !self.failures.contains_key(&key) {
            self.ready.insert(key);
        }
    }

    /// A thing is done, or not to be done any more.
    pub fn remove(&mut self, key: &K) {
        self.ready.remove(key);
        self.busy.remove(key);
        if let Some(failures) = self.failures.remove(key) {
            self.later.remove(&(failures.until, key.clone()));
        }
    }

    /// Takes the first thing that can be done now and that `accepts` accepts; it is busy from then on.
    pub fn take(&mut self, now: Duration, accepts: impl FnOnce(&K) -> bool) -> Option<K> {
        while let Some((until, key)) = self.later.first()
            && *until <= now
        {
            self.ready.insert(key.clone());
            self.later.pop_first();
        }
        let key = self.ready.first().filter(|key| accepts(key))?.clone();
        self.ready.remove(&key);
        self.busy.insert(key.clone());
        Some(key)
    }

    /// A busy thing could not be done: it is tried again later.
    pub fn failed(&mut self, key: &K, now: Duration) {
        if !self.busy.remove(key) {
            return;
        }
        let count = self.failures.get(key).map_or(0, |failures| failures.count);
        let delay = RETRY_MIN.saturating_mul(1 << count.min(16)).min(RETRY_MAX);
        let until = now.saturating_add(delay);
        let failures = Failures {
            count: count.saturating_add(1),
            until,
        };
        self.failures.insert(key.clone(), failures);
        self.later.insert((until, key.clone()));
    }

    /// A busy thing was not done, through no fault of its own: it is to be done as before.
    pub fn release(&mut self, key: &K) {
        if self.busy.remove(key) {
            self.ready.insert(key.clone());
        }
    }

    /// Nothing is busy any more, and nothing has failed: everything is to be done, by somebody else perhaps.
    pub fn reset(&mut self) {
        self.later.clear();
        let failed = std::mem::take(&mut self.failures).into_keys();
        self.ready.append(&mut self.busy);
        self.ready.extend(failed);
    }

    /// How many things are busy.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len() + self.busy.len() + self.later.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first thing that is ready.
    #[must_use]
    pub fn first_ready(&self) -> Option<&K> {
        self.ready.first()
    }

    /// When the next failed thing is tried again.
    #[must_use]
    pub fn next_retry(&self) -> Option<Duration> {
        self.later.first().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn schedule(keys: &[u32]) -> Schedule<u32> {
        let mut schedule = Schedule::default();
        for key in keys {
            schedule.add(*key);
        }
        schedule
    }

    #[test]
    fn things_are_done_in_order_and_once() {
        let mut schedule = schedule(&[3, 1, 2]);
        assert_eq!(schedule.take(NOW, |key| *key < 3), Some(1));
        schedule.add(1);
        assert_eq!(schedule.take(NOW, |key| *key < 3), Some(2));
        assert_eq!(schedule.take(NOW, |key| *key < 3), None);
        schedule.remove(&1);
        assert_eq!((schedule.len(), schedule.busy()), (2, 1));
    }

    #[test]
    fn after_a_reset_everything_is_to_be_done_at_once() {
        let mut schedule = schedule(&[1, 2, 3]);
        schedule.take(NOW, |_| true);
        schedule.failed(&1, NOW);
        schedule.take(NOW, |_| true);
        schedule.reset();
        assert_eq!((schedule.len(), schedule.busy()), (3, 0));
        assert_eq!(schedule.next_retry(), None);
        assert_eq!(schedule.take(NOW, |_| true), Some(1));
    }

    #[test]
    fn what_fails_is_tried_again_later_and_later() {
        let mut schedule = schedule(&[1]);
        let mut now = NOW;
        let mut delays = Vec::new();
        for _ in 0..12 {
            assert_eq!(schedule.take(now, |_| true), Some(1));
            schedule.failed(&1, now);
            assert_eq!(schedule.take(now, |_| true), None);
            let next = schedule.next_retry().expect("a retry");
            delays.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(delays[..4], [100, 200, 400, 800]);
        assert_eq!(delays[11], 60_000);
        schedule.remove(&1);
        assert!(schedule.is_empty());
    }

    #[test]
    fn what_was_not_tried_keeps_its_place() {
        let mut schedule = schedule(&[1, 2]);
        assert_eq!(schedule.take(NOW, |_| true), Some(1));
        schedule.release(&1);
        assert_eq!(schedule.take(NOW, |_| true), Some(1));
    }
}
