//! What replicas compare: SHA-256 of the applied index and all pairs of a state, in the order of their keys.

use super::{ReadError, View};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A hash that is fed pair by pair.
pub(super) struct PairHash(Sha256);

impl PairHash {
    pub(super) fn new(applied: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(applied.to_le_bytes());
        Self(hash)
    }

    pub(super) fn pair(&mut self, key: &[u8], value: &[u8]) {
        for bytes in [key, value] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The hash of a [`View`], made in slices, so that whoever makes it can do other things in between. It has the view: pages of the store that it sees are not used again before
/// it is dropped.
pub struct ViewHash {
    view: View,
    after: Option<Bytes>,
    hash: PairHash,
    done: Option<[u8; 32]>,
}

impl ViewHash {
    pub(super) fn new(view: View, applied: u64) -> Self {
        Self {
            view,
            after: None,
            hash: PairHash::new(applied),
            done: None,
        }
    }

    /// Takes up to `pairs_max` pairs more, at least one. The hash once all are in it, and from then on.
    ///
    /// # Errors
    /// As [`Base::get`](super::Base::get); the same call may follow.
    pub fn advance(&mut self, pairs_max: usize) -> Result<Option<[u8; 32]>, ReadError> {
        if self.done.is_some() {
            return Ok(self.done);
        }
        let mut taken = 0;
        let mut last = None;
        for pair in self.view.scan_after(self.after.as_ref()) {
            // What was taken before an error stays taken.
            let (key, value) = match pair {
                Ok(pair) => pair,
                Err(error) => {
                    self.after = last.or(self.after.take());
                    return Err(error);
                }
            };
            self.hash.pair(&key, &value);
            last = Some(key);
            taken += 1;
            if taken >= pairs_max {
                self.after = last;
                return Ok(None);
            }
        }
        let hash = std::mem::replace(&mut self.hash, PairHash::new(0));
        self.done = Some(hash.finish());
        Ok(self.done)
    }
}
