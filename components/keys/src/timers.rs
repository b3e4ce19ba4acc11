//! What wakes a service later: the host's timers, or a map in tests.

use crate::bindings::bookshop::platform::timers;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Alarms, as `bookshop:platform/timers` has them.
pub trait Timers {
    /// Sets the timer of this key to go off in so many milliseconds, whatever it was set to before.
    fn set(&self, key: &str, after_ms: u64, payload: &[u8]);

    /// Takes a timer back. Returns whether it was set.
    fn cancel(&self, key: &str) -> bool;
}

/// The timers of the host.
#[derive(Debug, Clone, Copy)]
pub struct HostTimers;

impl Timers for HostTimers {
    fn set(&self, key: &str, after_ms: u64, payload: &[u8]) {
        timers::set(key, after_ms, payload);
    }

    fn cancel(&self, key: &str) -> bool {
        timers::cancel(key)
    }
}

/// Timers in a map, for native tests. They go off when somebody takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alarms {
    /// The time that timers are set from, in milliseconds.
    pub now_ms: Cell<u64>,
    /// When each is due, and its payload.
    pub set: RefCell<BTreeMap<String, (u64, Vec<u8>)>>,
}

impl Alarms {
    /// Takes the timer that is due first out, if it is due now. Of those due at the same time the first key goes first.
    pub fn take_due(&self) -> Option<(String, Vec<u8>)> {
        let mut set = self.set.borrow_mut();
        let due = set.iter().filter(|(_, alarm)| alarm.0 <= self.now_ms.get());
        let first = due.min_by_key(|(_, alarm)| alarm.0)?.0.clone();
        set.remove_entry(&first)
            .map(|(key, (_, payload))| (key, payload))
    }

    /// When the next one is due.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.set.borrow().values().map(|alarm| alarm.0).min()
    }
}

impl Timers for Alarms {
    fn set(&self, key: &str, after_ms: u64, payload: &[u8]) {
        let due_ms = self.now_ms.get().saturating_add(after_ms);
        let alarm = (due_ms, payload.to_vec());
        self.set.borrow_mut().insert(key.into(), alarm);
    }

    fn cancel(&self, key: &str) -> bool {
        self.set.borrow_mut().remove(key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_go_off_in_the_order_of_their_time_and_once() {
        let alarms = Alarms::default();
        alarms.set("late", 30, b"3");
        alarms.set("early", 10, b"0");
        alarms.set("early", 20, b"1");
        alarms.set("cancelled", 5, b"");
        assert!(alarms.cancel("cancelled") && !alarms.cancel("cancelled"));
        assert_eq!((alarms.next_due_ms(), alarms.take_due()), (Some(20), None));
        alarms.now_ms.set(30);
        let took = |key: &str, payload: &[u8]| Some((key.to_owned(), payload.to_vec()));
        assert_eq!(alarms.take_due(), took("early", b"1"));
        assert_eq!(alarms.take_due(), took("late", b"3"));
        assert_eq!(alarms.take_due(), None);
    }
}
