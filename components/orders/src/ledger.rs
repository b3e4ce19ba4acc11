//! Entries in the order in which they came, in bounded room: when there is none left, the oldest go.
//!
//! An entry is a key with its value. Beside it is a line of the queue, from which the ledger knows what is the oldest and how large it
//! is, and there is one total. Relies on storage to run one call at a time and to let all writes of a call take effect, or none.

use crate::keys::{Bytes, Keys};
use checkout::bytes::{Reader, Unreadable, Writer};

/// Where the total is.
const TOTAL: &[u8] = b"t";

/// What keys of the queue begin with; the entry's number follows, its highest byte first.
const QUEUE: u8 = b'q';

/// What an entry takes beside its key and value: its line of the queue, and the host's own bookkeeping for both.
const ENTRY_BYTES: u64 = 192;

/// The entries of a service.
pub struct Ledger<'a, K> {
    keys: &'a K,
    /// How much the entries may take in all.
    bytes_max: u64,
}

/// What the ledger knows of all its entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Total {
    /// What they take.
    bytes: u64,
    /// The number of the next one.
    next: u64,
}

impl<'a, K: Keys> Ledger<'a, K> {
    /// The ledger that is kept in `keys`.
    pub fn new(keys: &'a K, bytes_max: u64) -> Self {
        Self { keys, bytes_max }
    }

    /// Whether nothing was ever added.
    pub fn is_new(&self) -> bool {
        self.keys.get(TOTAL).is_none()
    }

    /// The value of an entry.
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.keys.get(key)
    }

    /// Adds an entry that is not there yet, and returns its number.
    pub fn add(&self, key: &[u8], value: &[u8]) -> u64 {
        let mut total = self.total();
        let bytes = entry_bytes(key, value);
        while total.bytes + bytes > self.bytes_max && self.remove_oldest(&mut total) {}
        self.keys.set(key, value);
        let number = total.next;
        let mut line = Writer::with_capacity(key.len() + 4);
        line.number(bytes);
        line.rest(key);
        self.keys.set(&line_key(number), &line.finish());
        total.bytes += bytes;
        total.next += 1;
        self.set_total(total);
        number
    }

    /// The number that the next entry will have.
    pub fn next_number(&self) -> u64 {
        self.total().next
    }

    /// Removes an entry before its time.
    pub fn remove(&self, number: u64) {
        let mut total = self.total();
        let line_key = line_key(number);
        if let Some(line) = self.keys.get(&line_key) {
            self.remove_line(&line_key, &line, &mut total);
            self.set_total(total);
        }
    }

    /// Whether there was one.
    fn remove_oldest(&self, total: &mut Total) -> bool {
        let Some((line_key, line)) = self.keys.first(&[QUEUE], &[QUEUE + 1]) else {
            return false;
        };
        self.remove_line(&line_key, &line, total);
        true
    }

    fn remove_line(&self, line_key: &[u8], line: &[u8], total: &mut Total) {
        self.keys.delete(line_key);
        let mut reader = Reader::new(line);
        if let Ok(bytes) = reader.number() {
            total.bytes = total.bytes.saturating_sub(bytes);
            self.keys.delete(reader.rest());
        }
    }

    fn total(&self) -> Total {
        let total = self.keys.get(TOTAL);
        total
            .and_then(|bytes| read_total(&bytes).ok())
            .unwrap_or_default()
    }

    fn set_total(&self, total: Total) {
        let mut writer = Writer::with_capacity(16);
        writer.number(total.bytes);
        writer.number(total.next);
        self.keys.set(TOTAL, &writer.finish());
    }
}

fn read_total(bytes: &[u8]) -> Result<Total, Unreadable> {
    let mut reader = Reader::new(bytes);
    Ok(Total {
        bytes: reader.number()?,
        next: reader.number()?,
    })
}

fn entry_bytes(key: &[u8], value: &[u8]) -> u64 {
    (2 * key.len() + value.len()) as u64 + ENTRY_BYTES
}

fn line_key(number: u64) -> [u8; 9] {
    let mut key = [QUEUE; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Memory;
    use proptest::prelude::*;

    /// Room for exactly three entries of one byte each with keys of two.
    const THREE: u64 = 3 * (ENTRY_BYTES + 5);

    #[test]
    fn the_oldest_entries_make_room() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, THREE);
        assert!(ledger.is_new());
        for key in [b"ka", b"kb", b"kc", b"kd"] {
            ledger.add(key, b"1");
        }
        assert!(!ledger.is_new());
        assert_eq!(ledger.get(b"ka"), None);
        for key in [b"kb", b"kc", b"kd"] {
            assert_eq!(ledger.get(key), Some(b"1".to_vec()));
        }
    }

    #[test]
    fn an_entry_that_is_removed_makes_room_too() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, THREE);
        let numbers = [b"ka", b"kb", b"kc"].map(|key| ledger.add(key, b"1"));
        ledger.remove(numbers[1]);
        ledger.remove(numbers[1]);
        ledger.add(b"kd", b"1");
        assert_eq!(ledger.get(b"kb"), None);
        assert!(ledger.get(b"ka").is_some());
    }

    #[test]
    fn an_entry_that_is_larger_than_all_room_is_alone() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, THREE);
        ledger.add(b"ka", b"1");
        ledger.add(b"kb", &[0; 2_000]);
        assert_eq!(ledger.get(b"ka"), None);
        assert!(ledger.get(b"kb").is_some());
    }

    proptest! {
        #[test]
        fn the_total_is_that_of_the_entries(sizes in prop::collection::vec(0..400usize, 1..40), removed in prop::collection::vec(0..40u64, 0..10)) {
            let keys = Memory::default();
            let ledger = Ledger::new(&keys, 2_000);
            for (place, size) in sizes.into_iter().enumerate() {
                ledger.add(format!("k{place}").as_bytes(), &vec![0; size]);
            }
            removed.into_iter().for_each(|number| ledger.remove(number));
            let total = ledger.total();
            let keys = keys.0.borrow();
            let entries = keys.iter().filter(|(key, _)| key.starts_with(b"k"));
            let bytes: u64 = entries.clone().map(|(key, value)| entry_bytes(key, value)).sum();
            let lines = keys.keys().filter(|key| key.starts_with(&[QUEUE])).count();
            prop_assert_eq!(total.bytes, bytes);
            prop_assert_eq!(lines, entries.count());
            prop_assert!(bytes <= 2_000);
        }
    }
}
