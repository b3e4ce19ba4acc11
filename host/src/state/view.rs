//! The state of one group as it is now, and any number of earlier ones.

use super::{Base, Chunk, Layer, ReadError, Scan, ViewHash};
use bytes::Bytes;
use std::mem;

/// A group's state: what was applied lately, above what is being folded into the store, above the store.
///
/// A clone is a snapshot: it never changes, and costs three reference counts.
#[derive(Clone)]
pub struct View {
    recent: Layer,
    frozen: Layer,
    base: Base,
}

impl View {
    /// What is in the store.
    #[must_use]
    pub fn new(base: Base) -> Self {
        Self {
            recent: Layer::new(),
            frozen: Layer::new(),
            base,
        }
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// As [`Base::get`], for keys that are not in memory.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        match self.recent.get(key).or_else(|| self.frozen.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.base.get(key),
        }
    }

    /// The pairs with keys from `low` to below `high`, or to the end; with `reverse` from the last one down. Nothing is read before it is asked for.
    ///
    /// # Errors
    /// Each item as [`Base::get`]; after an error nothing follows.
    pub fn scan(&self, low: &[u8], high: Option<&[u8]>, reverse: bool) -> Scan<'_> {
        Scan::new(&self.recent, &self.frozen, &self.base, low, high, reverse)
    }

    /// The pairs with keys after `after`, or all.
    pub(super) fn scan_after(&self, after: Option<&Bytes>) -> Scan<'_> {
        // The key that follows it has one byte more, a zero.
        let low = after.map_or_else(Vec::new, |after| [after, &[0][..]].concat());
        self.scan(&low, None, false)
    }

    /// The pairs with keys after `after`, or the first: about `bytes_max` bytes of them, and one at least.
    ///
    /// # Errors
    /// As [`Base::get`].
    pub fn chunk(&self, after: Option<&Bytes>, bytes_max: usize) -> Result<Chunk, ReadError> {
        Chunk::read(self, after, bytes_max)
    }

    /// Begins a hash over all of it, as of index `applied`. It is what [`Store::hash`](super::Store::hash) says once everything up to that index is folded in.
    #[must_use]
    pub fn hash(&self, applied: u64) -> ViewHash {
        ViewHash::new(self.clone(), applied)
    }

    /// Applies writes, in order: a value, or none to delete.
    pub fn apply(&mut self, writes: impl IntoIterator<Item = (Bytes, Option<Bytes>)>) {
        for (key, value) in writes {
            self.recent.insert(key, value);
        }
    }

    /// Takes a freeze back: what was frozen and could not be folded counts as applied lately again.
    pub fn unfreeze(&mut self) {
        let frozen = mem::take(&mut self.frozen);
        let recent = mem::take(&mut self.recent);
        // Of two writes to one key the later one is in `recent`, and the left side of a union wins.
        self.recent = recent.union(frozen);
    }

    /// The index of the last entry that is in the store, as far as this view knows.
    #[must_use]
    pub fn checkpoint(&self) -> u64 {
        self.base.applied()
    }

    /// What was applied and is not frozen.
    #[must_use]
    pub fn recent(&self) -> &Layer {
        &self.recent
    }

    /// Sets aside what was applied, to be folded into the store, and returns it. Reads are as before.
    ///
    /// # Panics
    /// Something is set aside already: that would be a bug of the caller.
    pub fn freeze(&mut self) -> Layer {
        assert!(
            self.frozen.is_empty(),
            "a layer is frozen while another is being folded"
        );
        self.frozen = mem::take(&mut self.recent);
        self.frozen.clone()
    }

    /// What was set aside is in `base` now. It is returned because freeing it takes a while: drop it on another thread.
    pub fn folded(&mut self, base: Base) -> Layer {
        self.base = base;
        mem::take(&mut self.frozen)
    }
}
