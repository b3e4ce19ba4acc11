//! How many orders the same contact has placed within an hour.
//!
//! Counted in a table of fixed size in the host's scratch, whatever the number of customers: contacts share a row by their hash, and
//! the oldest orders leave a row that is full. Contacts themselves are not kept. Orders on other hosts are not counted.

use checkout::bytes::{Reader, Unreadable, Writer};
use checkout::store::Store;

/// How long an order counts.
const HOUR_MS: u64 = 3_600_000;

/// Rows of the table.
const ROWS: u64 = 4_096;

/// Orders in a row: more than the models care to count.
const ROW_ORDERS_MAX: usize = 32;

/// How often to try to write a row that others write too. One order more or less does not matter.
const ATTEMPTS_MAX: u32 = 4;

/// Counts an order of this contact and returns how many there were in the hour before.
pub fn count(store: &impl Store, contact: &str, now_ms: u64) -> u32 {
    let place = Place::of(contact);
    let mut before = 0;
    for _ in 0..ATTEMPTS_MAX {
        let (mut orders, revision) = read(store, &place.key);
        orders.retain(|order| order.counts(now_ms));
        let same = |order: &&Order| order.fingerprint == place.fingerprint;
        before = orders.iter().filter(same).count() as u32;
        let superfluous = (orders.len() + 1).saturating_sub(ROW_ORDERS_MAX);
        orders.drain(..superfluous);
        orders.push(Order {
            fingerprint: place.fingerprint,
            at_ms: now_ms,
        });
        let written = store.put_if(&place.key, revision, &to_bytes(&orders), HOUR_MS);
        if written.is_ok() {
            break;
        }
    }
    before
}

/// An order in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    /// Which contact, as far as it can be told from others of the row.
    fingerprint: u32,
    at_ms: u64,
}

impl Order {
    fn counts(&self, now_ms: u64) -> bool {
        // An order from the future is one from before the clock was corrected.
        now_ms.saturating_sub(self.at_ms) < HOUR_MS
    }
}

/// Where in the table a contact is.
struct Place {
    key: String,
    fingerprint: u32,
}

impl Place {
    fn of(contact: &str) -> Self {
        let hash = hash(contact.trim());
        Self {
            key: format!("velocity/{}", hash % ROWS),
            fingerprint: (hash >> 32) as u32,
        }
    }
}

/// FNV-1a of 64 bits, without regard to the case of English letters.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The orders of a row, the oldest first. One that cannot be read, since another version wrote it, is begun anew.
fn read(store: &impl Store, key: &str) -> (Vec<Order>, Option<u64>) {
    match store.get(key) {
        Some((bytes, revision)) => (from_bytes(&bytes).unwrap_or_default(), Some(revision)),
        None => (Vec::new(), None),
    }
}

fn to_bytes(orders: &[Order]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(12 * orders.len() + 1);
    writer.list(orders, |writer, order| {
        writer.number(order.fingerprint.into());
        writer.number(order.at_ms);
    });
    writer.finish()
}

fn from_bytes(bytes: &[u8]) -> Result<Vec<Order>, Unreadable> {
    Reader::new(bytes).list(|reader| {
        Ok(Order {
            fingerprint: reader.small()?,
            at_ms: reader.number()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use checkout::store::ScratchError;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    /// Scratch that always lets its only caller write.
    #[derive(Default)]
    struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

    impl Store for Memory {
        fn get(&self, key: &str) -> Option<(Vec<u8>, u64)> {
            self.0.borrow().get(key).map(|bytes| (bytes.clone(), 1))
        }

        fn put_if(
            &self,
            key: &str,
            _: Option<u64>,
            value: &[u8],
            ttl_ms: u64,
        ) -> Result<u64, ScratchError> {
            assert_eq!(ttl_ms, HOUR_MS);
            self.0.borrow_mut().insert(key.into(), value.into());
            Ok(1)
        }

        fn delete_if(&self, _: &str, _: u64) -> Result<(), ScratchError> {
            panic!("nothing is deleted")
        }
    }

    const CONTACT: &str = "john.doe@example.com";

    #[test]
    fn orders_of_the_same_contact_count_for_an_hour() {
        let store = Memory::default();
        let check =
            |contact, now_ms, expected| assert_eq!(count(&store, contact, now_ms), expected);
        check(CONTACT, 1_000, 0);
        check(" John.Doe@Example.com", 2_000, 1);
        check("jane.doe@example.com", 3_000, 0);
        check(CONTACT, 1_000 + HOUR_MS - 1, 2);
        check(CONTACT, 1_000 + HOUR_MS, 2);
        check(CONTACT, 3 * HOUR_MS, 0);
    }

    #[test]
    fn a_row_has_an_end() {
        let store = Memory::default();
        let most = (0..100).map(|at_ms| count(&store, CONTACT, at_ms)).max();
        assert_eq!(most, Some(ROW_ORDERS_MAX as u32));
        assert!(store.0.borrow().values().all(|row| row.len() < 500));
    }

    #[test]
    fn an_order_is_judged_even_if_it_cannot_be_counted() {
        struct Full;
        impl Store for Full {
            fn get(&self, _: &str) -> Option<(Vec<u8>, u64)> {
                None
            }
            fn put_if(
                &self,
                _: &str,
                _: Option<u64>,
                _: &[u8],
                _: u64,
            ) -> Result<u64, ScratchError> {
                Err(ScratchError::Full)
            }
            fn delete_if(&self, _: &str, _: u64) -> Result<(), ScratchError> {
                Err(ScratchError::Conflict(None))
            }
        }
        assert_eq!(count(&Full, CONTACT, 0), 0);
    }

    #[test]
    fn contacts_share_a_fixed_number_of_rows() {
        let store = Memory::default();
        for customer in 0..20_000 {
            count(&store, &format!("{customer}@example.com"), 0);
        }
        let rows = store.0.borrow().len() as u64;
        assert!(rows > ROWS / 2 && rows <= ROWS, "{rows} rows");
    }
}
