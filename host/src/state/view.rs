//! The state of one group as it is now, and any number of earlier ones.

use super::holes::{Holes, successor};
use super::{Base, Chunk, Layer, ReadError, Scan, ViewHash};
use bytes::Bytes;
use std::mem;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// A group's state: what was applied lately, above what is being folded into the store, above the store.
///
/// A clone is a snapshot: it never changes, and costs four reference counts.
#[derive(Clone)]
pub struct View {
    recent: Layer,
    frozen: Layer,
    base: Base,
    holes: Holes,
}

impl View {
    /// What is in the store.
    #[must_use]
    pub fn new(base: Base) -> Self {
        Self {
            recent: Layer::new(),
            frozen: Layer::new(),
            base,
            holes: Holes::default(),
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
        let parts = (&self.recent, &self.frozen, &self.base);
        Scan::new(parts, &self.holes, low, high, reverse)
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
            if value.is_some() {
                self.holes.fill(&key);
                self.recent.insert(key, value);
            } else {
                self.recent.insert(key.clone(), None);
                self.deleted(key);
            }
        }
    }

    /// Remembers that there is nothing around a key that was deleted, if keys beside it were deleted too.
    fn deleted(&mut self, key: Bytes) {
        if self.holes.around(&key).is_some() {
            return;
        }
        let next = successor(&key);
        let before = self.gone_before(&key);
        let after = self.gone_after(&next);
        if before.is_some() || after.is_some() {
            self.holes.dig(before.unwrap_or(key), after.unwrap_or(next));
        }
    }

    /// Where what is known to be empty right before `key` begins.
    fn gone_before(&self, key: &[u8]) -> Option<Bytes> {
        let hole = self.holes.before(key);
        let written = self
            .recent
            .range::<_, [u8]>((Unbounded, Excluded(key)))
            .next_back();
        let (first, end) = match (hole, written) {
            (Some((first, end)), Some((written, _))) if written < end => (first, end.clone()),
            (Some((first, end)), None) => (first, end.clone()),
            (_, Some((written, None))) => (written, successor(written)),
            (_, Some((_, Some(_)))) | (None, None) => return None,
        };
        self.is_empty(&end, key).then(|| first.clone())
    }

    /// Where what is known to be empty from `key` on ends.
    fn gone_after(&self, key: &[u8]) -> Option<Bytes> {
        let hole = self.holes.after(key);
        let written = self
            .recent
            .range::<_, [u8]>((Included(key), Unbounded))
            .next();
        let (first, end) = match (hole, written) {
            (Some((first, end)), Some((written, _))) if written >= first => (first, end.clone()),
            (Some((first, end)), None) => (first, end.clone()),
            (_, Some((written, None))) => (written, successor(written)),
            (_, Some((_, Some(_)))) | (None, None) => return None,
        };
        self.is_empty(key, first).then_some(end)
    }

    /// Whether there is nothing from `low` to below `high`, if a short look tells.
    fn is_empty(&self, low: &[u8], high: &[u8]) -> bool {
        low >= high || self.scan(low, Some(high), false).finds_nothing()
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

#[cfg(test)]
impl View {
    /// How many keys without a value a scan passes, one by one, before the first pair from `low` on, or before the last with `reverse`.
    pub(super) fn passed(&self, low: &[u8], reverse: bool) -> usize {
        self.scan(low, None, reverse).passed()
    }
}
