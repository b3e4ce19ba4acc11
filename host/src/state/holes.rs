//! Where a view is known to have nothing: stretches of keys that were deleted, one beside the other.
//!
//! Whoever takes the first of many keys, deletes it, and comes again (a queue; sessions that end) would otherwise pass everything that was deleted since the last
//! checkpoint each time. What is known is about the view as a whole, whatever part of it a key is in. All of it may be forgotten at any time.

use bytes::{BufMut, Bytes, BytesMut};
use imbl::OrdMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Stretches that are kept, at most. Few arise where keys go in order; where they do not, they are passed one by one, as without this.
const HOLES_MAX: usize = 4096;

/// Stretches without a pair, from their first key to below their end. No two of them overlap.
#[derive(Clone, Default)]
pub(super) struct Holes(OrdMap<Bytes, Bytes>);

/// The key right behind `key`: nothing is between them.
pub(super) fn successor(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

impl Holes {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last stretch that begins with `key` or before it.
    pub fn before(&self, key: &[u8]) -> Option<(&Bytes, &Bytes)> {
        if self.0.is_empty() {
            return None;
        }
        self.0
            .range::<_, [u8]>((Unbounded, Included(key)))
            .next_back()
    }

    /// The first stretch that begins behind `key`.
    pub fn after(&self, key: &[u8]) -> Option<(&Bytes, &Bytes)> {
        if self.0.is_empty() {
            return None;
        }
        self.0.range::<_, [u8]>((Excluded(key), Unbounded)).next()
    }

    /// The stretch that `key` is in.
    pub fn around(&self, key: &[u8]) -> Option<(&Bytes, &Bytes)> {
        self.before(key).filter(|(_, end)| key < end.as_ref())
    }

    /// There is nothing from `first` to below `end`, nor in the stretches that this meets.
    pub fn dig(&mut self, first: Bytes, end: Bytes) {
        let (mut first, mut end) = (first, end);
        while let Some((low, high)) = self.before(&end)
            && *high >= first
        {
            let (low, high) = (low.clone(), high.clone());
            self.0.remove(&low);
            first = first.min(low);
            end = end.max(high);
        }
        if self.0.len() >= HOLES_MAX {
            self.0.clear();
        }
        self.0.insert(first, end);
    }

    /// There is a pair with `key` now.
    pub fn fill(&mut self, key: &[u8]) {
        let Some((first, end)) = self.around(key) else {
            return;
        };
        let (first, end) = (first.clone(), end.clone());
        self.0.remove(&first);
        if first.as_ref() < key {
            self.0.insert(first, Bytes::copy_from_slice(key));
        }
        let next = successor(key);
        if next < end {
            self.0.insert(next, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: &str, expected: &str) {
        let mut holes = Holes::default();
        for step in steps.split_whitespace() {
            match step.split_once('-') {
                Some((first, end)) => holes.dig(first.to_owned().into(), end.to_owned().into()),
                None => holes.fill(step.as_bytes()),
            }
        }
        let shown: Vec<String> = holes
            .0
            .iter()
            .map(|(first, end)| format!("{}-{}", first.escape_ascii(), end.escape_ascii()))
            .collect();
        assert_eq!(shown.join(" "), expected, "{steps}");
    }

    #[test]
    fn stretches_that_meet_become_one() {
        check("b-d", "b-d");
        check("b-d f-h", "b-d f-h");
        check("b-d d-h", "b-h");
        check("d-h b-d", "b-h");
        check("b-d f-h c-g", "b-h");
        check("b-d f-h j-k a-z", "a-z");
        check("a-z c-d", "a-z");
    }

    #[test]
    fn a_pair_in_a_stretch_parts_it() {
        check("b-h e", r"b-e e\x00-h");
        check("b-h b", r"b\x00-h");
        check("b-h h", "b-h");
        check("b-h a", "b-h");
        check(r"b-h e e", r"b-e e\x00-h");
    }

    #[test]
    fn too_many_are_forgotten() {
        let mut holes = Holes::default();
        for number in 0..=HOLES_MAX as u32 {
            let key = |tail: u8| Bytes::from([&number.to_be_bytes()[..], &[tail]].concat());
            holes.dig(key(1), key(3));
        }
        assert_eq!(holes.0.len(), 1);
        assert!(holes.around(&[0, 0, 0, 1, 2]).is_none());
    }
}
