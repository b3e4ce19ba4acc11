//! The hash of a replica's state, so that it can be seen whether replicas agree. Made a slice at a time, of the newest entry while nothing else is to be done, and of entries of which
//! all replicas make one.

use super::Owner;
use crate::state::ViewHash;
use std::time::Duration;

/// A state has to have been the same for so long before it is worth it.
const QUIET: Duration = Duration::from_millis(100);
/// Pairs in one slice: a fraction of a millisecond.
const SLICE_PAIRS: usize = 500;
/// Of the time, at most one part in so many goes into hashes of a large state that changes now and then.
const SHARE: u32 = 10;

/// How far it is.
#[derive(Default)]
pub(super) struct Hashing {
    /// The newest entry that was seen, and when first.
    seen: (u64, Duration),
    /// What is being made, and of which entry.
    making: Option<(u64, ViewHash)>,
    /// The entry of the last one.
    done: Option<u64>,
    /// When the one that is being made was begun, and when the next may be.
    begun: Duration,
    not_before: Duration,
}

impl Owner {
    /// Makes a slice of a hash, if there is one to be made. Whether there is more to do.
    pub(super) fn hash(&mut self, now: Duration) -> bool {
        let (_, _, index) = self.member.group().committed();
        let hashing = &mut self.hashing;
        if hashing.seen.0 != index {
            hashing.seen = (index, now);
        }
        if hashing.making.is_none()
            && now >= hashing.not_before
            && let Some((index, view)) = self.member.take_marked()
        {
            hashing.begun = now;
            hashing.making = Some((index, view.hash(index)));
        }
        let (view, _, index) = self.member.group().committed();
        if hashing.making.is_none()
            && hashing.done != Some(index)
            && now >= hashing.not_before
            && now.saturating_sub(hashing.seen.1) >= QUIET
        {
            hashing.begun = now;
            hashing.making = Some((index, view.hash(index)));
        }
        let Some((index, making)) = &mut hashing.making else {
            return false;
        };
        let advanced = making.advance(SLICE_PAIRS);
        let index = *index;
        if matches!(advanced, Ok(None)) {
            return true;
        }
        hashing.making = None;
        hashing.done = Some(index);
        hashing.not_before = now + now.saturating_sub(hashing.begun) * SHARE;
        // Whoever reads a state that cannot be read hears of it; the host stops at the next checkpoint at the latest.
        if let Ok(Some(hash)) = advanced {
            self.hashed(index, hash);
        }
        false
    }
}
