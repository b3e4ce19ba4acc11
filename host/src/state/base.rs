//! A group's state as of a checkpoint: an immutable snapshot of its table in the store.

use super::error::{Fault, ReadError, guarded};
use super::hash::PairHash;
use super::store::Inner;
use super::value::unseal;
use super::{GroupId, value};
use bytes::Bytes;
use redb::ReadOnlyTable;
use std::ops::Bound;
use std::sync::Arc;

/// A group's table: keys, and values with their checksum before them.
pub(super) type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// What a group had in the store when this was taken, whatever is folded in later. A clone costs one reference count, and any number of threads may read.
///
/// As long as one lives, the pages it sees are not used again, so the file grows by what later folds change: keep none longer than needed.
#[derive(Clone)]
pub struct Base(Option<Arc<Snapshot>>);

struct Snapshot {
    group: GroupId,
    applied: u64,
    table: Table,
    // Declared last: the table is released before the store closes.
    store: Arc<Inner>,
}

impl Base {
    /// A state without keys, as of index 0.
    #[must_use]
    pub fn empty() -> Self {
        Self(None)
    }

    pub(super) fn new(group: GroupId, applied: u64, table: Table, store: Arc<Inner>) -> Self {
        Self(Some(Arc::new(Snapshot {
            group,
            applied,
            table,
            store,
        })))
    }

    /// The index of the last entry that is in it.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.0.as_ref().map_or(0, |snapshot| snapshot.applied)
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// - [`ReadError::Damaged`]: the file does not hold what was written.
    /// - [`ReadError::Failed`]: the disk failed, now or before.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        let Some(snapshot) = &self.0 else {
            return Ok(None);
        };
        let found = guarded(|| {
            let stored = snapshot.table.get(key);
            match stored.map_err(|error| snapshot.store.pages.explain(error))? {
                Some(stored) => {
                    let value = unseal(snapshot.group, key, stored.value())?;
                    Ok(Some(Bytes::copy_from_slice(value)))
                }
                None => Ok(None),
            }
        });
        found.map_err(|fault| fault.reading(&snapshot.store.path))
    }

    /// Everything with keys from `low` to below `high`, or to the end.
    ///
    /// # Errors
    /// Each item as [`get`](Self::get); after an error nothing follows.
    pub fn range(&self, low: &[u8], high: Option<&[u8]>) -> BaseRange<'_> {
        let Some(snapshot) = &self.0 else {
            return BaseRange::ended(None);
        };
        let bounds = (
            Bound::Included(low),
            high.map_or(Bound::Unbounded, Bound::Excluded),
        );
        let range = guarded(|| {
            snapshot
                .table
                .range::<&[u8]>(bounds)
                .map_err(|error| snapshot.store.pages.explain(error))
        });
        match range {
            Ok(range) => BaseRange {
                snapshot: Some(snapshot),
                range: Some(range),
                fault: None,
            },
            Err(fault) => BaseRange {
                snapshot: Some(snapshot),
                range: None,
                fault: Some(fault),
            },
        }
    }

    /// SHA-256 of the applied index and all pairs: replicas that agree have the same.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn hash(&self) -> Result<[u8; 32], ReadError> {
        let mut hash = PairHash::new(self.applied());
        let mut range = self.range(&[], None);
        while let Some(pair) = range.next(false) {
            let pair = pair?;
            hash.pair(pair.key(), pair.value()?);
        }
        Ok(hash.finish())
    }
}

/// Pairs of a [`Base`] in order, from either end.
pub struct BaseRange<'a> {
    snapshot: Option<&'a Arc<Snapshot>>,
    range: Option<redb::Range<'static, &'static [u8], &'static [u8]>>,
    fault: Option<Fault>,
}

/// A pair where it lies; nothing is copied or compared until it is asked for.
pub struct Pair<'a> {
    snapshot: &'a Arc<Snapshot>,
    key: redb::AccessGuard<'static, &'static [u8]>,
    stored: redb::AccessGuard<'static, &'static [u8]>,
}

impl<'a> BaseRange<'a> {
    fn ended(fault: Option<Fault>) -> Self {
        Self {
            snapshot: None,
            range: None,
            fault,
        }
    }

    /// The next pair from the front, or from the back.
    pub fn next(&mut self, from_back: bool) -> Option<Result<Pair<'a>, ReadError>> {
        let snapshot = self.snapshot?;
        let pair = match self.fault.take() {
            Some(fault) => Err(fault),
            None => {
                let range = self.range.as_mut()?;
                let next = guarded(|| {
                    let next = if from_back {
                        range.next_back()
                    } else {
                        range.next()
                    };
                    next.transpose()
                        .map_err(|error| snapshot.store.pages.explain(error))
                });
                match next {
                    Ok(pair) => Ok(pair?),
                    Err(fault) => Err(fault),
                }
            }
        };
        if pair.is_err() {
            self.range = None;
        }
        Some(match pair {
            Ok((key, stored)) => Ok(Pair {
                snapshot,
                key,
                stored,
            }),
            Err(fault) => Err(fault.reading(&snapshot.store.path)),
        })
    }
}

impl Pair<'_> {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.key.value()
    }

    /// Its value, compared with its checksum.
    ///
    /// # Errors
    /// As [`Base::get`].
    pub fn value(&self) -> Result<&[u8], ReadError> {
        value::unseal(self.snapshot.group, self.key.value(), self.stored.value())
            .map_err(|fault| fault.reading(&self.snapshot.store.path))
    }
}
