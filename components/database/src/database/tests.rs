use super::*;
use crate::bindings::exports::bookshop::shop::database::{
    Addition, Bounded, Breach, Figures, KeyRange, OperationResult, Shortage, Test,
};
use keys::Memory;
use keys::bytes::Writer;

mod model;
mod pages;
mod transactions;

/// Enough for the tests that are not about forgetting.
const HISTORY: u64 = 100;

fn open(keys: &Memory) -> Database<'_, Memory> {
    Database::open(keys).expect("nobody damaged it")
}

fn set(keys: &Memory, key: &str, value: &[u8]) -> u64 {
    let revision = open(keys).set(key, value.to_vec(), HISTORY);
    revision.expect("it keeps to all bounds")
}

fn get(keys: &Memory, key: &str) -> Option<Entry> {
    open(keys).get(key.into()).expect("nobody damaged it")
}

fn entry(key: &str, value: &[u8], created_revision: u64, revision: u64, version: u64) -> Entry {
    Entry {
        key: key.into(),
        value: value.into(),
        created_revision,
        revision,
        version,
    }
}

#[test]
fn each_change_raises_the_one_revision() {
    let keys = Memory::default();
    assert_eq!(set(&keys, "a", b"1"), 1);
    assert_eq!(set(&keys, "b", b"1"), 2);
    assert_eq!(set(&keys, "a", b"2"), 3);
    assert_eq!(get(&keys, "a"), Some(entry("a", b"2", 1, 3, 2)));
    assert_eq!(open(&keys).delete("a", HISTORY), Ok(Some(4)));
    assert_eq!(open(&keys).delete("a", HISTORY), Ok(None));
    assert_eq!(get(&keys, "a"), None);
    assert_eq!(set(&keys, "a", b"3"), 5);
    assert_eq!(get(&keys, "a"), Some(entry("a", b"3", 5, 5, 1)));
    let figures = Figures {
        revision: 5,
        keys: 2,
        bytes: 4,
        first_available: 1,
    };
    assert_eq!(open(&keys).status(), figures);
}

#[test]
fn only_what_exists_is_updated() {
    let keys = Memory::default();
    assert_eq!(open(&keys).update("a", b"1".into(), HISTORY), Ok(None));
    assert_eq!(keys, Memory::default());
    set(&keys, "a", b"1");
    assert_eq!(open(&keys).update("a", b"2".into(), HISTORY), Ok(Some(2)));
    assert_eq!(get(&keys, "a"), Some(entry("a", b"2", 1, 2, 2)));
}

#[test]
fn of_two_who_saw_the_same_value_one_replaces_it() {
    let keys = Memory::default();
    let swap = |expected, value: Option<&[u8]>| {
        let value = value.map(<[u8]>::to_vec);
        open(&keys).compare_and_swap("a".into(), expected, value, HISTORY)
    };
    assert_eq!(swap(None, None), Ok(0));
    assert_eq!(swap(Some(1), Some(b"0")), Err(SwapError::Conflict(None)));
    assert_eq!(swap(None, Some(b"1")), Ok(1));
    assert_eq!(swap(Some(1), Some(b"2")), Ok(2));
    let second = entry("a", b"2", 1, 2, 2);
    let conflict = Err(SwapError::Conflict(Some(second)));
    assert_eq!(swap(Some(1), Some(b"3")), conflict);
    assert_eq!(swap(None, Some(b"3")), conflict);
    assert_eq!(swap(Some(1), None), conflict);
    assert_eq!(swap(Some(2), None), Ok(3));
    assert_eq!(get(&keys, "a"), None);
}

#[test]
fn what_is_there_is_not_loaded_again() {
    let keys = Memory::default();
    set(&keys, "b", b"mine");
    let pairs = [("a", "1"), ("b", "2"), ("c", "3"), ("c", "4")].map(|(key, value)| Pair {
        key: key.into(),
        value: value.into(),
    });
    let loaded = |added, revision| Ok(Loaded { added, revision });
    assert_eq!(open(&keys).load(pairs.to_vec(), HISTORY), loaded(2, 2));
    assert_eq!(open(&keys).load(pairs.to_vec(), HISTORY), loaded(0, 2));
    assert_eq!(get(&keys, "a"), Some(entry("a", b"1", 2, 2, 1)));
    assert_eq!(get(&keys, "b"), Some(entry("b", b"mine", 1, 1, 1)));
    assert_eq!(get(&keys, "c"), Some(entry("c", b"3", 2, 2, 1)));
}

#[test]
fn a_value_may_grow_and_shrink() {
    let keys = Memory::default();
    for bytes in [0, 1_024, 1_025, 512 << 10, 3] {
        let value = vec![7; bytes];
        set(&keys, "a", &value);
        assert_eq!(get(&keys, "a").map(|entry| entry.value), Some(value));
    }
    set(&keys, "a", &[7; 2_000]);
    assert_eq!(open(&keys).delete("a", HISTORY), Ok(Some(7)));
    let left = keys.0.borrow();
    assert!(left.keys().all(|key| key[0] != b'k' && key[0] != b'v'));
}

#[test]
fn every_function_refuses_what_is_out_of_bounds_and_writes_nothing() {
    let keys = Memory::default();
    let database = || open(&keys);
    let breach = |what, actual, least, most| {
        Err(AccessError::OutOfBounds(Breach {
            what,
            actual,
            least,
            most,
        }))
    };
    let no_key = breach(Bounded::KeyBytes, 0, 1, 1_024);
    let large = vec![0; (512 << 10) + 1];
    let too_large = breach(Bounded::ValueBytes, (512 << 10) + 1, 0, 512 << 10);
    assert_eq!(database().set("", b"1".into(), HISTORY).map(drop), no_key);
    assert_eq!(
        database().set("a", large.clone(), HISTORY).map(drop),
        too_large
    );
    assert_eq!(
        database().update("a", large.clone(), HISTORY).map(drop),
        too_large
    );
    assert_eq!(database().delete("", HISTORY).map(drop), no_key);
    assert_eq!(database().get(String::new()).map(drop), no_key);
    let swapped = database().compare_and_swap("a".into(), None, Some(large.clone()), HISTORY);
    assert_eq!(swapped.map(drop), too_large.clone().map_err(Into::into));
    let pair = Pair {
        key: "a".into(),
        value: large,
    };
    assert_eq!(
        database().load(vec![pair.clone()], HISTORY).map(drop),
        too_large
    );
    let operations = vec![Operation::Set(pair)];
    let transaction = database().transaction(&[], Vec::new(), operations, HISTORY);
    assert_eq!(transaction.map(drop), too_large.map_err(Into::into));
    assert_eq!(keys, Memory::default());
}

#[test]
fn what_another_version_wrote_is_an_error_and_not_a_panic() {
    let newer = {
        let mut writer = Writer::default();
        writer.number(2);
        writer.finish()
    };
    let check = |place: &[u8], what: &str| {
        let keys = Memory::default();
        set(&keys, "a", &[1; 2_000]);
        set(&keys, "a", &[2; 2_000]);
        keys.set(place, &newer);
        let expected = format!(
            "{what} in storage cannot be read; run the version of this component that wrote it"
        );
        let changes = Database::open(&keys)
            .map_err(ChangesError::from)
            .and_then(|database| database.changes(0, "", 10));
        assert_eq!(changes, Err(ChangesError::Unusable(expected.clone())));
        let untouched = keys.clone();
        let set = Database::open(&keys).and_then(|it| it.set("a", b"3".into(), 1));
        if place != b"va" {
            assert_eq!(set, Err(AccessError::Unusable(expected)));
            assert_eq!(keys, untouched);
        }
    };
    check(b"t", "the database");
    check(b"ka", "the line of a key");
    check(b"va", "a value");
    check(b"h\0\0\0\0\0\0\0\x01", "a line of the history");
}
