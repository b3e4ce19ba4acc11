//! The ordered keys of a service: what `bookshop:platform/storage` works on.
//!
//! Today they are kept in memory and do not survive the host (`storage = "volatile"`); the contract towards the guest is the
//! final one: each call sees the state as if no other ran beside it, and all its writes take effect together when it succeeds,
//! or none of them. Calls run side by side all the same: what a call read is compared when it commits, and a call that read what
//! another has changed since runs again. A lock held through a call would make each wait for the turn of the one before it on its thread.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A key, or a value.
pub type Bytes = Vec<u8>;

/// Memory that an entry takes besides its key and value, about.
const ENTRY_BYTES: usize = 64;

/// Why a call's writes did not take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another call changed what this one read: it has to run again.
    #[error("another call changed what this one read")]
    Conflict,
    /// The service has as much as it may.
    #[error(transparent)]
    Full(#[from] Full),
}

/// The service has as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service stores as much as it may; raise limits.storage, or delete something")]
pub struct Full;

/// The keys of one service on one host.
#[derive(Clone)]
pub struct Storage {
    committed: Arc<Mutex<Committed>>,
    bytes_max: usize,
}

#[derive(Default)]
struct Committed {
    values: BTreeMap<Bytes, Stored>,
    bytes: usize,
    /// Commits with writes so far, which is also the version of what the last one wrote.
    commits: u64,
}

struct Stored {
    value: Bytes,
    version: u64,
}

/// The version of a key that has no value.
const ABSENT: u64 = 0;

impl Storage {
    /// No keys; keys and values may take `bytes_max` in all.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self {
            committed: Arc::default(),
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
        }
    }

    /// Begins the work of one call.
    #[must_use]
    pub fn begin(&self) -> Transaction {
        Transaction {
            storage: self.clone(),
            reads: BTreeMap::new(),
            scanned_at: None,
            writes: BTreeMap::new(),
            written_bytes: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Committed> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work of one call. Dropping it undoes its writes.
pub struct Transaction {
    storage: Storage,
    /// The versions of the keys that were read.
    reads: BTreeMap<Bytes, u64>,
    /// The number of commits at the first scan. A scan reads what is not there as well, so any commit since is a conflict.
    scanned_at: Option<u64>,
    /// What the call wrote; none is a deletion.
    writes: BTreeMap<Bytes, Option<Bytes>>,
    written_bytes: usize,
}

impl Transaction {
    /// The value of `key`, as this call left it.
    #[must_use]
    pub fn get(&mut self, key: &[u8]) -> Option<Bytes> {
        if let Some(written) = self.writes.get(key) {
            return written.clone();
        }
        let committed = self.storage.lock();
        let stored = committed.values.get(key);
        let version = stored.map_or(ABSENT, |stored| stored.version);
        // The first look counts: if a later one differs, the call has already seen two states and must run again.
        if !self.reads.contains_key(key) {
            self.reads.insert(key.to_vec(), version);
        }
        stored.map(|stored| stored.value.clone())
    }

    /// Sets `key`.
    ///
    /// # Errors
    /// [`Full`]: this call alone writes more than the service may store. What it would exceed together with the rest is noticed when it commits.
    pub fn set(&mut self, key: Bytes, value: Bytes) -> Result<(), Full> {
        self.written_bytes += size(&key, &value);
        if self.written_bytes > self.storage.bytes_max {
            return Err(Full);
        }
        self.writes.insert(key, Some(value));
        Ok(())
    }

    /// Deletes `key`; whether there was a value.
    pub fn delete(&mut self, key: Bytes) -> bool {
        let was_there = self.get(&key).is_some();
        self.writes.insert(key, None);
        was_there
    }

    /// The first `limit` keys from `low` up to, but not including, `high`, with their values; the last ones, downwards, if `reverse`.
    #[must_use]
    pub fn scan(
        &mut self,
        low: &[u8],
        high: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Vec<(Bytes, Bytes)> {
        if high.is_some_and(|high| high <= low) {
            return Vec::new();
        }
        let range = (
            Bound::Included(low),
            high.map_or(Bound::Unbounded, Bound::Excluded),
        );
        let state = self.storage.lock();
        self.scanned_at.get_or_insert(state.commits);
        let committed = state.values.range::<[u8], _>(range);
        let committed = committed.map(|(key, stored)| (key, Some(&stored.value)));
        let written = self.writes.range::<[u8], _>(range);
        let written = written.map(|(key, value)| (key, value.as_ref()));
        let pair = |(key, value): (&Bytes, Option<&Bytes>)| {
            value.map(|value| (key.clone(), value.clone()))
        };
        if reverse {
            merge(committed.rev(), written.rev(), |a, b| a > b)
                .filter_map(pair)
                .take(limit)
                .collect()
        } else {
            merge(committed, written, |a, b| a < b)
                .filter_map(pair)
                .take(limit)
                .collect()
        }
    }

    /// Makes the writes of the call take effect, if what it read is still so.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing was changed.
    pub fn commit(self) -> Result<(), CommitError> {
        let mut committed = self.storage.lock();
        let version = |key: &Bytes| {
            committed
                .values
                .get(key)
                .map_or(ABSENT, |stored| stored.version)
        };
        let is_current = self.reads.iter().all(|(key, seen)| version(key) == *seen);
        if !is_current
            || self
                .scanned_at
                .is_some_and(|commits| commits != committed.commits)
        {
            return Err(CommitError::Conflict);
        }
        if self.writes.is_empty() {
            return Ok(());
        }
        let mut bytes = committed.bytes;
        for (key, value) in &self.writes {
            bytes += value.as_ref().map_or(0, |value| size(key, value));
            bytes -= committed
                .values
                .get(key)
                .map_or(0, |stored| size(key, &stored.value));
        }
        // A call that frees room may do so even where a limit was lowered below what is stored.
        if bytes > self.storage.bytes_max && bytes > committed.bytes {
            return Err(Full.into());
        }
        committed.bytes = bytes;
        committed.commits += 1;
        let version = committed.commits;
        for (key, value) in self.writes {
            match value {
                Some(value) => drop(committed.values.insert(key, Stored { value, version })),
                None => drop(committed.values.remove(&key)),
            }
        }
        Ok(())
    }
}

fn size(key: &[u8], value: &[u8]) -> usize {
    ENTRY_BYTES + key.len() + value.len()
}

type Pair<'a> = (&'a Bytes, Option<&'a Bytes>);

/// Merges two iterators that are sorted by `before`; where both have a key, the written one is taken.
fn merge<'a>(
    committed: impl Iterator<Item = Pair<'a>>,
    written: impl Iterator<Item = Pair<'a>>,
    before: impl Fn(&Bytes, &Bytes) -> bool,
) -> impl Iterator<Item = Pair<'a>> {
    let (mut committed, mut written) = (committed.peekable(), written.peekable());
    std::iter::from_fn(move || match (committed.peek(), written.peek()) {
        (Some((old, _)), Some((new, _))) if before(old, new) => committed.next(),
        (Some((old, _)), Some((new, _))) => {
            if old == new {
                committed.next();
            }
            written.next()
        }
        (Some(_), None) => committed.next(),
        (None, _) => written.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(storage: &Storage, pairs: &[(&str, &str)]) {
        let mut transaction = storage.begin();
        for (key, value) in pairs {
            transaction
                .set((*key).into(), (*value).into())
                .expect("room");
        }
        transaction.commit().expect("nobody else writes");
    }

    fn scan(
        transaction: &mut Transaction,
        low: &str,
        high: Option<&str>,
        limit: usize,
        reverse: bool,
    ) -> String {
        let pairs = transaction.scan(low.as_bytes(), high.map(str::as_bytes), limit, reverse);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        pairs
            .into_iter()
            .map(|(key, value)| format!("{}={}", text(key), text(value)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn writes_of_a_call_take_effect_together_or_not_at_all() {
        let storage = Storage::new(10_000);
        write(&storage, &[("a", "1"), ("b", "2")]);
        let mut failed = storage.begin();
        failed.set("a".into(), "9".into()).expect("room");
        assert!(failed.delete("b".into()));
        assert_eq!(failed.get(b"a"), Some("9".into()));
        drop(failed);
        assert_eq!(scan(&mut storage.begin(), "", None, 10, false), "a=1 b=2");
    }

    #[test]
    fn a_scan_sees_the_calls_own_writes_in_order() {
        let storage = Storage::new(10_000);
        write(&storage, &[("a", "1"), ("c", "3"), ("e", "5")]);
        let mut transaction = storage.begin();
        transaction.set("b".into(), "2".into()).expect("room");
        transaction.set("c".into(), "33".into()).expect("room");
        transaction.delete("e".into());
        transaction.set("f".into(), "6".into()).expect("room");
        let mut check = |low, high, limit, reverse, expected: &str| {
            assert_eq!(scan(&mut transaction, low, high, limit, reverse), expected);
        };
        check("", None, 10, false, "a=1 b=2 c=33 f=6");
        check("b", Some("f"), 10, true, "c=33 b=2");
        check("", None, 2, true, "f=6 c=33");
        check("c", Some("c"), 10, false, "");
        check("d", Some("b"), 10, false, "");
    }

    #[test]
    fn a_call_that_read_what_another_changed_runs_again() {
        let storage = Storage::new(10_000);
        write(&storage, &[("a", "1")]);
        let (mut first, mut second) = (storage.begin(), storage.begin());
        for transaction in [&mut first, &mut second] {
            assert_eq!(transaction.get(b"a"), Some("1".into()));
            transaction.set("a".into(), "2".into()).expect("room");
        }
        assert_eq!(first.commit(), Ok(()));
        assert_eq!(second.commit(), Err(CommitError::Conflict));
        let (mut absent, mut scanning) = (storage.begin(), storage.begin());
        assert_eq!(absent.get(b"b"), None);
        assert_eq!(scan(&mut scanning, "x", None, 10, false), "");
        write(&storage, &[("b", "1")]);
        assert_eq!(absent.commit(), Err(CommitError::Conflict));
        assert_eq!(scanning.commit(), Err(CommitError::Conflict));
    }

    #[test]
    fn calls_that_touch_different_keys_do_not_disturb_each_other() {
        let storage = Storage::new(10_000);
        let (mut first, mut second) = (storage.begin(), storage.begin());
        for (transaction, key) in [(&mut first, "a"), (&mut second, "b")] {
            assert_eq!(transaction.get(key.as_bytes()), None);
            transaction.set(key.into(), "1".into()).expect("room");
        }
        assert_eq!((second.commit(), first.commit()), (Ok(()), Ok(())));
        assert_eq!(scan(&mut storage.begin(), "", None, 10, false), "a=1 b=1");
    }

    #[test]
    fn the_quota_counts_what_is_stored_now() {
        let storage = Storage::new(200);
        write(&storage, &[("a", "1"), ("b", "2")]);
        let mut transaction = storage.begin();
        transaction
            .set("c".into(), vec![0; 80])
            .expect("alone it has room");
        assert_eq!(transaction.commit(), Err(CommitError::Full(Full)));
        let mut transaction = storage.begin();
        assert_eq!(transaction.set("c".into(), vec![0; 180]), Err(Full));
        let mut transaction = storage.begin();
        transaction.delete("a".into());
        transaction
            .set("c".into(), vec![0; 50])
            .expect("the place of a");
        assert_eq!(transaction.commit(), Ok(()));
        assert_eq!(
            storage.lock().bytes,
            size(b"b", b"2") + size(b"c", &[0; 50])
        );
    }
}
