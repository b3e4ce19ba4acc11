//! The keys under which orders came, so that the same key gets the same answer: bounded by count and by age.
//!
//! Under `k` and the key is what it stands for; under `a` and the order's number, in the order of arrival, is the key. One more key
//! makes room for itself, so nothing has to be cleaned up.

use crate::totals::Totals;
use keys::bytes::{Reader, Unreadable, Writer};
use keys::{Direction, Keys};

/// The form in which keys are kept.
const FORM: u64 = 1;

/// What the keys in storage begin with.
const KEY: u8 = b'k';
const ARRIVAL: u8 = b'a';

/// How many keys one more may push out: more than one, so that those that are too old become fewer.
const FORGOTTEN_MAX: u32 = 2;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many keys.
    pub count_max: u64,
    /// How long each, in milliseconds.
    pub age_max_ms: u64,
}

impl Bounds {
    /// What the interface says.
    pub const DEFAULT: Self = Self {
        count_max: 50_000,
        age_max_ms: 24 * 3_600_000,
    };
}

/// What a key stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The order's number.
    pub number: u64,
    /// The order's identity.
    pub order_id: String,
    at_ms: u64,
}

/// What a key stands for; none if it is not remembered any more.
///
/// # Errors
/// Something else wrote it.
pub fn find(
    keys: &impl Keys,
    key: &str,
    now_ms: u64,
    bounds: Bounds,
) -> Result<Option<Remembered>, Unreadable> {
    let found = load(keys, &storage_key(key.as_bytes()))?;
    Ok(found.filter(|it| !is_old(it, now_ms, bounds)))
}

/// Remembers a key that [`find`] does not.
///
/// # Errors
/// Something else wrote what has to make room.
pub fn add(
    keys: &impl Keys,
    totals: &mut Totals,
    (key, number, order_id): (&str, u64, &str),
    now_ms: u64,
    bounds: Bounds,
) -> Result<(), Unreadable> {
    let storage_key = storage_key(key.as_bytes());
    // Everything is read before anything is written: what cannot be read stays as it is, and so does the rest.
    let mut forgotten = Vec::new();
    if let Some(old) = load(keys, &storage_key)? {
        forgotten.push((old.number, storage_key.clone()));
    }
    let high = [ARRIVAL + 1];
    for (_, oldest) in keys.scan(&[ARRIVAL], Some(&high), FORGOTTEN_MAX, Direction::Forward) {
        let oldest_key = self::storage_key(&oldest);
        let oldest = load(keys, &oldest_key)?.ok_or(Unreadable)?;
        let left = totals.remembered.saturating_sub(forgotten.len() as u64);
        if left < bounds.count_max && !is_old(&oldest, now_ms, bounds) {
            break;
        }
        if oldest_key != storage_key {
            forgotten.push((oldest.number, oldest_key));
        }
    }
    totals.remembered = totals
        .remembered
        .checked_sub(forgotten.len() as u64)
        .ok_or(Unreadable)?
        + 1;
    for (number, storage_key) in forgotten {
        keys.delete(&storage_key);
        keys.delete(&arrival_key(number));
    }
    let mut writer = Writer::with_capacity(64);
    writer.number(FORM);
    writer.number(number);
    writer.number(now_ms);
    writer.text(order_id);
    keys.set(&storage_key, &writer.finish());
    keys.set(&arrival_key(number), key.as_bytes());
    Ok(())
}

fn load(keys: &impl Keys, storage_key: &[u8]) -> Result<Option<Remembered>, Unreadable> {
    let Some(bytes) = keys.get(storage_key) else {
        return Ok(None);
    };
    let mut reader = Reader::new(&bytes);
    if reader.number()? != FORM {
        return Err(Unreadable);
    }
    Ok(Some(Remembered {
        number: reader.number()?,
        at_ms: reader.number()?,
        order_id: reader.text()?.into(),
    }))
}

fn is_old(remembered: &Remembered, now_ms: u64, bounds: Bounds) -> bool {
    now_ms.saturating_sub(remembered.at_ms) >= bounds.age_max_ms
}

fn storage_key(key: &[u8]) -> Vec<u8> {
    [&[KEY], key].concat()
}

fn arrival_key(number: u64) -> Vec<u8> {
    [&[ARRIVAL], number.to_be_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::Memory;

    const BOUNDS: Bounds = Bounds {
        count_max: 3,
        age_max_ms: 100,
    };

    struct Keyring {
        keys: Memory,
        totals: Totals,
    }

    impl Keyring {
        fn new() -> Self {
            let keys = Memory::default();
            let totals = Totals::read(&keys).expect("there are none");
            Self { keys, totals }
        }

        fn add(&mut self, key: &str, number: u64, now_ms: u64) {
            add(
                &self.keys,
                &mut self.totals,
                (key, number, "1-2"),
                now_ms,
                BOUNDS,
            )
            .expect("everything is readable");
            assert_eq!(
                self.keys.0.borrow().len() as u64,
                2 * self.totals.remembered
            );
        }

        #[track_caller]
        fn check(&self, now_ms: u64, expected: &[(&str, Option<u64>)]) {
            for &(key, number) in expected {
                let found = find(&self.keys, key, now_ms, BOUNDS).expect("it is readable");
                assert_eq!(found.map(|it| it.number), number, "{key}");
            }
        }
    }

    #[test]
    fn one_key_too_many_pushes_the_oldest_out() {
        let mut keyring = Keyring::new();
        for (number, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            keyring.add(key, number as u64, 0);
        }
        keyring.check(
            0,
            &[("a", None), ("b", Some(1)), ("c", Some(2)), ("d", Some(3))],
        );
        assert_eq!(keyring.totals.remembered, 3);
    }

    #[test]
    fn a_key_is_forgotten_at_its_age_and_makes_room_at_the_next() {
        let mut keyring = Keyring::new();
        keyring.add("a", 1, 0);
        keyring.add("b", 2, 0);
        keyring.check(99, &[("a", Some(1))]);
        keyring.check(100, &[("a", None), ("b", None)]);
        keyring.add("c", 3, 100);
        assert_eq!(keyring.totals.remembered, 1);
    }

    #[test]
    fn a_forgotten_key_may_stand_for_something_new() {
        let mut keyring = Keyring::new();
        keyring.add("a", 1, 0);
        keyring.add("b", 2, 50);
        keyring.add("a", 3, 100);
        keyring.check(100, &[("a", Some(3)), ("b", Some(2))]);
        assert_eq!(keyring.totals.remembered, 2);
    }
}
