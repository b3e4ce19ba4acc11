//! Where a service keeps everything: the host's storage, or a map in tests.

use crate::bindings::bookshop::platform::storage;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

/// A key, or a value.
pub type Bytes = Vec<u8>;

/// The most pairs that one scan returns: what the host allows.
pub const SCAN_MAX: u32 = 10_000;

/// The order in which a scan goes through its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the first key to the last.
    Forward,
    /// From the last key to the first.
    Backward,
}

/// Ordered keys with values, as `bookshop:platform/storage` has them.
///
/// One call has them for itself, and all its writes take effect together, or none.
pub trait Keys {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Option<Bytes>;

    /// Gives a key a value, whatever it had.
    fn set(&self, key: &[u8], value: &[u8]);

    /// Takes a key's value away. Returns whether it had one.
    fn delete(&self, key: &[u8]) -> bool;

    /// The keys from `low` up to, but without, `high` (for none: to the last) with their values, at most `limit` and at most
    /// [`SCAN_MAX`] of them. Empty if `high` is not after `low`.
    fn scan(
        &self,
        low: &[u8],
        high: Option<&[u8]>,
        limit: u32,
        direction: Direction,
    ) -> Vec<(Bytes, Bytes)>;

    /// The first of the keys from `low` up to, but without, `high`.
    fn first(&self, low: &[u8], high: Option<&[u8]>) -> Option<(Bytes, Bytes)> {
        self.scan(low, high, 1, Direction::Forward).pop()
    }

    /// The last of the keys from `low` up to, but without, `high`.
    fn last(&self, low: &[u8], high: Option<&[u8]>) -> Option<(Bytes, Bytes)> {
        self.scan(low, high, 1, Direction::Backward).pop()
    }
}

/// Where the keys that begin with `prefix` end: the first key after all of them. None if there is no such key.
pub fn prefix_end(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The storage of the host.
#[derive(Debug, Clone, Copy)]
pub struct Storage;

impl Keys for Storage {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        storage::get(key)
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        storage::set(key, value);
    }

    fn delete(&self, key: &[u8]) -> bool {
        storage::delete(key)
    }

    fn scan(
        &self,
        low: &[u8],
        high: Option<&[u8]>,
        limit: u32,
        direction: Direction,
    ) -> Vec<(Bytes, Bytes)> {
        if high.is_some_and(|high| high <= low) {
            return Vec::new();
        }
        storage::scan(low, high, limit, direction == Direction::Backward)
    }
}

/// Keys and values in a map, for native tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory(pub RefCell<BTreeMap<Bytes, Bytes>>);

impl Keys for Memory {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.0.borrow_mut().insert(key.into(), value.into());
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.0.borrow_mut().remove(key).is_some()
    }

    fn scan(
        &self,
        low: &[u8],
        high: Option<&[u8]>,
        limit: u32,
        direction: Direction,
    ) -> Vec<(Bytes, Bytes)> {
        if high.is_some_and(|high| high <= low) {
            return Vec::new();
        }
        let keys = self.0.borrow();
        let range = keys.range::<[u8], _>((
            Bound::Included(low),
            high.map_or(Bound::Unbounded, Bound::Excluded),
        ));
        let owned = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
        let limit = limit.min(SCAN_MAX) as usize;
        match direction {
            Direction::Forward => range.take(limit).map(owned).collect(),
            Direction::Backward => range.rev().take(limit).map(owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(low: &str, high: Option<&str>, limit: u32, direction: Direction, expected: &str) {
        let keys = Memory::default();
        for key in ["a", "ab", "b", "c"] {
            keys.set(key.as_bytes(), b"");
        }
        let found = keys.scan(low.as_bytes(), high.map(str::as_bytes), limit, direction);
        let found: Vec<_> = found
            .iter()
            .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
            .collect();
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn a_range_begins_with_low_ends_before_high_and_may_be_read_backward() {
        use Direction::{Backward, Forward};
        check("a", Some("b"), 9, Forward, "a ab");
        check("a", Some("c"), 9, Backward, "b ab a");
        check("ab", None, 9, Forward, "ab b c");
        check("ab", None, 1, Backward, "c");
        check("", None, 2, Forward, "a ab");
        check("c", Some("a"), 9, Forward, "");
        check("a", Some("a"), 9, Backward, "");
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_its_keys() {
        let check = |prefix: &[u8], expected: Option<&[u8]>| {
            assert_eq!(prefix_end(prefix).as_deref(), expected);
        };
        check(b"ab", Some(b"ac"));
        check(b"a\xff\xff", Some(b"b"));
        check(b"\xff", None);
        check(b"", None);
    }
}
