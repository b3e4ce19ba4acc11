//! Entries in the order in which they came, in bounded room: when there is none left, the oldest go.
//!
//! An entry is a key with its value. Beside it is a line of the queue, from which the ledger knows what is the oldest, and there is
//! one total. Relies on storage to run one call at a time and to let all writes of a call take effect, or none.

use keys::bytes::{Reader, Unreadable, Writer};
use keys::{Bytes, Direction, Keys};

/// Where the total is.
const TOTAL: &[u8] = b"t";

/// What keys of the queue begin with; the entry's number follows, its highest byte first.
const QUEUE: u8 = b'q';

/// What an entry takes beside its key and value: its line of the queue, and the host's own bookkeeping for both.
const ENTRY_BYTES: u64 = 192;

/// The form of a line, before the entry's key. In the first form the entry's size was here, which was never below [`ENTRY_BYTES`]; an
/// entry may change its size, so it is looked at instead.
const LINE_FORM: u64 = 2;

/// The most lines that are looked at for one list.
const LINES_MAX: u32 = 1_000;

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
        let mut line = Writer::with_capacity(key.len() + 1);
        line.number(LINE_FORM);
        line.rest(key);
        self.keys.set(&line_key(number), &line.finish());
        total.bytes += bytes;
        total.next += 1;
        self.set_total(total);
        number
    }

    /// Gives an entry that is there another value. Its place in the queue stays; what it takes more, the next entry makes room for.
    pub fn replace(&self, key: &[u8], value: &[u8]) {
        let Some(old) = self.keys.get(key) else {
            return;
        };
        let mut total = self.total();
        let without = total.bytes.saturating_sub(entry_bytes(key, &old));
        total.bytes = without + entry_bytes(key, value);
        self.keys.set(key, value);
        self.set_total(total);
    }

    /// The keys of the newest entries whose keys begin with `prefix`, from before the one with the number `before`, the newest first; and, if there
    /// may be more, the number to go on from. Entries of other kinds are between them, so there may be fewer than `limit` and still more.
    pub fn newest(
        &self,
        prefix: u8,
        before: Option<u64>,
        limit: usize,
    ) -> (Vec<Bytes>, Option<u64>) {
        let high = before.map_or(vec![QUEUE + 1], |before| line_key(before).to_vec());
        let lines = self
            .keys
            .scan(&[QUEUE], Some(&high), LINES_MAX, Direction::Backward);
        let is_all = lines.len() < LINES_MAX as usize;
        let (mut keys, mut seen) = (Vec::new(), 0);
        for (_, line) in &lines {
            if keys.len() == limit {
                break;
            }
            seen += 1;
            keys.extend(
                line_entry(line)
                    .filter(|key| key.first() == Some(&prefix))
                    .map(Bytes::from),
            );
        }
        let has_more = seen < lines.len() || !is_all;
        let last_seen = seen.checked_sub(1).and_then(|last| lines.get(last));
        let number = last_seen.and_then(|(key, _)| key.last_chunk());
        (
            keys,
            number
                .filter(|_| has_more)
                .map(|number| u64::from_be_bytes(*number)),
        )
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
        let Some((line_key, line)) = self.keys.first(&[QUEUE], Some(&[QUEUE + 1])) else {
            return false;
        };
        self.remove_line(&line_key, &line, total);
        true
    }

    fn remove_line(&self, line_key: &[u8], line: &[u8], total: &mut Total) {
        self.keys.delete(line_key);
        if let Some(key) = line_entry(line)
            && let Some(value) = self.keys.get(key)
        {
            total.bytes = total.bytes.saturating_sub(entry_bytes(key, &value));
            self.keys.delete(key);
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

/// The key of the entry that a line is of.
fn line_entry(line: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(line);
    reader.number().ok()?;
    Some(reader.rest())
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
    use keys::Memory;
    use proptest::prelude::*;

    /// Room for exactly three entries of one byte each with keys of two.
    const THREE: u64 = 3 * (ENTRY_BYTES + 5);

    #[test]
    fn the_oldest_entries_make_room() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, THREE);
        for key in [b"ka", b"kb", b"kc", b"kd"] {
            ledger.add(key, b"1");
        }
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

    #[test]
    fn an_entry_that_grows_is_counted_as_what_it_is_and_keeps_its_place() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, THREE);
        for key in [b"ka", b"kb"] {
            ledger.add(key, b"1");
        }
        ledger.replace(b"ka", &[0; 200]);
        ledger.replace(b"kx", b"1");
        assert_eq!(ledger.get(b"kx"), None);
        assert_eq!(ledger.total().bytes, 2 * (ENTRY_BYTES + 5) + 199);
        ledger.add(b"kc", b"1");
        assert_eq!(ledger.get(b"ka"), None);
        assert_eq!(ledger.total().bytes, 2 * (ENTRY_BYTES + 5));
    }

    #[test]
    fn a_line_of_the_first_form_is_read() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, THREE);
        let number = ledger.add(b"ka", b"1");
        let mut line = Writer::default();
        line.number(ENTRY_BYTES + 5);
        line.rest(b"ka");
        keys.set(&line_key(number), &line.finish());
        assert_eq!(ledger.newest(b'k', None, 9), (vec![b"ka".to_vec()], None));
        ledger.remove(number);
        assert_eq!((ledger.get(b"ka"), ledger.total().bytes), (None, 0));
    }

    #[test]
    fn the_newest_entries_of_a_kind_come_in_parts() {
        let keys = Memory::default();
        let ledger = Ledger::new(&keys, u64::MAX);
        for key in [b"ka", b"xa", b"kb", b"kc", b"xb"] {
            ledger.add(key, b"1");
        }
        let check = |before, limit, expected: &[&[u8; 2]], next| {
            let keys: Vec<_> = expected.iter().map(|key| key.to_vec()).collect();
            assert_eq!(ledger.newest(b'k', before, limit), (keys, next));
        };
        check(None, 2, &[b"kc", b"kb"], Some(2));
        check(Some(2), 2, &[b"ka"], None);
        check(Some(2), 1, &[b"ka"], None);
        check(None, 3, &[b"kc", b"kb", b"ka"], None);
        check(Some(0), 9, &[], None);
        for number in 0..LINES_MAX {
            ledger.add(format!("x{number}").as_bytes(), b"1");
        }
        check(None, 1, &[], Some(5));
        check(Some(5), 1, &[b"kc"], Some(3));
    }

    proptest! {
        #[test]
        fn the_total_is_that_of_the_entries(sizes in prop::collection::vec(0..400usize, 1..40), removed in prop::collection::vec(0..40u64, 0..10), grown in prop::collection::vec((0..40usize, 0..400usize), 0..10)) {
            let keys = Memory::default();
            let ledger = Ledger::new(&keys, 2_000);
            for (place, size) in sizes.into_iter().enumerate() {
                ledger.add(format!("k{place}").as_bytes(), &vec![0; size]);
            }
            for (place, size) in &grown {
                ledger.replace(format!("k{place}").as_bytes(), &vec![0; *size]);
            }
            removed.into_iter().for_each(|number| ledger.remove(number));
            // Entries that have grown are only made room for by the next one.
            ledger.add(b"k", b"");
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
