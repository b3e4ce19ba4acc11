//! The ordered keys of a service: what `bookshop:platform/storage` works on.
//!
//! Today they are kept in memory and do not survive the host (`storage = "volatile"`); the contract towards the guest is the
//! final one. Calls that use storage run one after another, each over what the ones before it left; all writes of a call take effect
//! together when it succeeds, and none of them when it does not.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// A key, or a value.
pub type Bytes = Vec<u8>;

/// Memory that an entry takes besides its key and value, about.
const ENTRY_BYTES: usize = 64;

/// The service has as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service stores as much as it may; raise limits.storage, or delete something")]
pub struct Full;

/// The keys of one service on one host.
pub struct Storage {
    committed: Arc<Mutex<Committed>>,
    bytes_max: usize,
}

#[derive(Default)]
struct Committed {
    values: BTreeMap<Bytes, Bytes>,
    bytes: usize,
}

impl Storage {
    /// No keys; keys and values may take `bytes_max` in all.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self {
            committed: Arc::default(),
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
        }
    }

    /// Waits until no other call works on the keys, and begins to.
    pub async fn begin(&self) -> Transaction {
        let committed = Arc::clone(&self.committed).lock_owned().await;
        Transaction {
            bytes: committed.bytes,
            bytes_max: self.bytes_max,
            committed,
            writes: BTreeMap::new(),
        }
    }
}

/// The work of one call. Dropping it undoes its writes.
pub struct Transaction {
    committed: OwnedMutexGuard<Committed>,
    /// What the call wrote; none is a deletion.
    writes: BTreeMap<Bytes, Option<Bytes>>,
    bytes: usize,
    bytes_max: usize,
}

impl Transaction {
    /// The value of `key`, as this call left it.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        match self.writes.get(key) {
            Some(written) => written.clone(),
            None => self.committed.values.get(key).cloned(),
        }
    }

    /// Sets `key`.
    ///
    /// # Errors
    /// [`Full`]; the call must fail, since it counted on the write.
    pub fn set(&mut self, key: Bytes, value: Bytes) -> Result<(), Full> {
        let added = size(&key, &value);
        self.bytes -= self.get(&key).map_or(0, |old| size(&key, &old));
        self.bytes += added;
        if self.bytes > self.bytes_max {
            return Err(Full);
        }
        self.writes.insert(key, Some(value));
        Ok(())
    }

    /// Deletes `key`; whether there was a value.
    pub fn delete(&mut self, key: Bytes) -> bool {
        let Some(old) = self.get(&key) else {
            return false;
        };
        self.bytes -= size(&key, &old);
        self.writes.insert(key, None);
        true
    }

    /// The first `limit` keys from `low` up to, but not including, `high`, with their values; the last ones, downwards, if `reverse`.
    #[must_use]
    pub fn scan(
        &self,
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
        let committed = self
            .committed
            .values
            .range::<[u8], _>(range)
            .map(|(key, value)| (key, Some(value)));
        let written = self
            .writes
            .range::<[u8], _>(range)
            .map(|(key, value)| (key, value.as_ref()));
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

    /// Makes the writes of the call visible to the next one.
    pub fn commit(mut self) {
        for (key, value) in std::mem::take(&mut self.writes) {
            match value {
                Some(value) => drop(self.committed.values.insert(key, value)),
                None => drop(self.committed.values.remove(&key)),
            }
        }
        self.committed.bytes = self.bytes;
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

    async fn written(storage: &Storage, pairs: &[(&str, &str)]) {
        let mut transaction = storage.begin().await;
        for (key, value) in pairs {
            transaction
                .set((*key).into(), (*value).into())
                .expect("room");
        }
        transaction.commit();
    }

    fn scan(
        transaction: &Transaction,
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

    #[tokio::test]
    async fn writes_of_a_call_take_effect_together_or_not_at_all() {
        let storage = Storage::new(10_000);
        written(&storage, &[("a", "1"), ("b", "2")]).await;
        let mut failed = storage.begin().await;
        failed.set("a".into(), "9".into()).expect("room");
        assert!(failed.delete("b".into()));
        assert_eq!(failed.get(b"a"), Some("9".into()));
        drop(failed);
        assert_eq!(scan(&storage.begin().await, "", None, 10, false), "a=1 b=2");
    }

    #[tokio::test]
    async fn a_scan_sees_the_calls_own_writes_in_order() {
        let storage = Storage::new(10_000);
        written(&storage, &[("a", "1"), ("c", "3"), ("e", "5")]).await;
        let mut transaction = storage.begin().await;
        transaction.set("b".into(), "2".into()).expect("room");
        transaction.set("c".into(), "33".into()).expect("room");
        transaction.delete("e".into());
        transaction.set("f".into(), "6".into()).expect("room");
        assert_eq!(scan(&transaction, "", None, 10, false), "a=1 b=2 c=33 f=6");
        assert_eq!(scan(&transaction, "b", Some("f"), 10, true), "c=33 b=2");
        assert_eq!(scan(&transaction, "", None, 2, true), "f=6 c=33");
        assert_eq!(scan(&transaction, "c", Some("c"), 10, false), "");
        assert_eq!(scan(&transaction, "d", Some("b"), 10, false), "");
    }

    #[tokio::test]
    async fn the_quota_counts_what_is_stored_now() {
        let storage = Storage::new(200);
        written(&storage, &[("a", "1"), ("b", "2")]).await;
        let mut transaction = storage.begin().await;
        assert_eq!(transaction.set("c".into(), vec![0; 80]), Err(Full));
        drop(transaction);
        let mut transaction = storage.begin().await;
        transaction.delete("a".into());
        transaction
            .set("c".into(), vec![0; 50])
            .expect("the place of a");
        transaction.commit();
        assert_eq!(
            storage.begin().await.bytes,
            size(b"b", b"2") + size(b"c", &[0; 50])
        );
    }
}
