//! Host-local, bounded, expiring values of a service that keeps no durable state: what `bookshop:platform/scratch` works on.
//!
//! A value changes only by compare-and-set on its revision, so concurrent calls of one service cannot overwrite each other unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Memory that an entry takes besides its key and value, about.
const ENTRY_BYTES: usize = 160;
/// Longest key.
const KEY_BYTES_MAX: usize = 256;
/// Entries removed at most while one is added. More than one, so that expired ones cannot pile up.
const EXPIRED_PER_PUT: usize = 4;

/// Why a value was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScratchError {
    /// The value has another revision than the caller saw; this one, or none if there is no value.
    #[error("the value was changed by another call")]
    Conflict(Option<u64>),
    /// The key or the value is larger than a value may be.
    #[error("the key or the value is too large")]
    TooLarge,
    /// The service has as much as it may.
    #[error("the service has no room left")]
    Full,
}

/// The values of one service on one host.
pub struct Scratch {
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    values: BTreeMap<Arc<str>, Value>,
    expiring: BTreeSet<(Duration, Arc<str>)>,
    bytes: usize,
    last_revision: u64,
}

struct Value {
    bytes: Arc<[u8]>,
    revision: u64,
    expires: Duration,
}

impl Scratch {
    /// No values; keys and values may take `bytes_max` in all.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            inner: Mutex::default(),
        }
    }

    /// The value of `key` at `now`, with its revision.
    #[must_use]
    pub fn get(&self, now: Duration, key: &str) -> Option<(Arc<[u8]>, u64)> {
        let inner = self.lock();
        let value = inner.values.get(key).filter(|value| value.expires > now)?;
        Some((Arc::clone(&value.bytes), value.revision))
    }

    /// Sets `key` if its revision is still `revision` (none: if there is no value), for `ttl`. Returns the new revision.
    ///
    /// # Errors
    /// See [`ScratchError`]; nothing was changed.
    pub fn put_if(
        &self,
        now: Duration,
        key: &str,
        revision: Option<u64>,
        bytes: Vec<u8>,
        ttl: Duration,
    ) -> Result<u64, ScratchError> {
        if key.len() > KEY_BYTES_MAX || key.len() + bytes.len() > self.bytes_max {
            return Err(ScratchError::TooLarge);
        }
        let mut inner = self.lock();
        inner.expire(now, EXPIRED_PER_PUT);
        inner.check(now, key, revision)?;
        let added = ENTRY_BYTES + key.len() + bytes.len();
        let replaced = inner
            .values
            .get(key)
            .map_or(0, |value| ENTRY_BYTES + key.len() + value.bytes.len());
        if inner.bytes + added - replaced > self.bytes_max {
            // Before giving up, everything that has expired goes, however much it is.
            inner.expire(now, usize::MAX);
            if inner.bytes + added > self.bytes_max + replaced {
                return Err(ScratchError::Full);
            }
        }
        inner.remove(key);
        inner.last_revision += 1;
        let (revision, expires, key) = (
            inner.last_revision,
            now.saturating_add(ttl),
            Arc::<str>::from(key),
        );
        inner.bytes += added;
        inner.expiring.insert((expires, Arc::clone(&key)));
        inner.values.insert(
            key,
            Value {
                bytes: bytes.into(),
                revision,
                expires,
            },
        );
        Ok(revision)
    }

    /// Removes `key` if its revision is still `revision`.
    ///
    /// # Errors
    /// [`ScratchError::Conflict`]; nothing was changed.
    pub fn delete_if(&self, now: Duration, key: &str, revision: u64) -> Result<(), ScratchError> {
        let mut inner = self.lock();
        inner.check(now, key, Some(revision))?;
        inner.remove(key);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn check(&self, now: Duration, key: &str, revision: Option<u64>) -> Result<(), ScratchError> {
        let current = self
            .values
            .get(key)
            .filter(|value| value.expires > now)
            .map(|value| value.revision);
        if current == revision {
            Ok(())
        } else {
            Err(ScratchError::Conflict(current))
        }
    }

    fn expire(&mut self, now: Duration, count: usize) {
        for _ in 0..count {
            match self.expiring.first() {
                Some((expires, key)) if *expires <= now => {
                    let key = Arc::clone(key);
                    self.remove(&key);
                }
                Some(_) | None => return,
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, value)) = self.values.remove_entry(key) {
            self.bytes -= ENTRY_BYTES + key.len() + value.bytes.len();
            self.expiring.remove(&(value.expires, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const TTL: Duration = Duration::from_secs(10);

    #[test]
    fn a_value_changes_only_for_those_who_saw_its_latest_revision() {
        let scratch = Scratch::new(10_000);
        let first = scratch
            .put_if(NOW, "order", None, vec![1], TTL)
            .expect("there was none");
        assert_eq!(
            scratch.put_if(NOW, "order", None, vec![2], TTL),
            Err(ScratchError::Conflict(Some(first)))
        );
        let second = scratch
            .put_if(NOW, "order", Some(first), vec![3], TTL)
            .expect("nobody else changed it");
        assert_eq!(scratch.get(NOW, "order"), Some((vec![3].into(), second)));
        assert_eq!(
            scratch.delete_if(NOW, "order", first),
            Err(ScratchError::Conflict(Some(second)))
        );
        assert_eq!(scratch.delete_if(NOW, "order", second), Ok(()));
        assert_eq!(scratch.get(NOW, "order"), None);
        assert_eq!(scratch.lock().bytes, 0);
    }

    #[test]
    fn an_expired_value_is_gone_and_makes_room() {
        let scratch = Scratch::new(400);
        for key in ["a", "b"] {
            scratch
                .put_if(NOW, key, None, vec![0; 30], TTL)
                .expect("room");
        }
        assert_eq!(
            scratch.put_if(NOW, "c", None, vec![0; 30], TTL),
            Err(ScratchError::Full)
        );
        let later = NOW + TTL;
        assert_eq!(scratch.get(later, "a"), None);
        scratch
            .put_if(later, "c", None, vec![0; 30], TTL)
            .expect("the others expired");
        assert_eq!(scratch.lock().values.len(), 1);
    }

    #[test]
    fn what_could_never_fit_is_refused() {
        let scratch = Scratch::new(400);
        assert_eq!(
            scratch.put_if(NOW, "a", None, vec![0; 500], TTL),
            Err(ScratchError::TooLarge)
        );
        assert_eq!(
            scratch.put_if(NOW, &"k".repeat(257), None, vec![], TTL),
            Err(ScratchError::TooLarge)
        );
    }
}
