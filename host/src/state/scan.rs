//! Reading a view in key order: its three parts merged, the newer hiding the older.

use super::base::{BaseRange, Pair};
use super::{Base, Layer, ReadError};
use bytes::Bytes;
use std::cmp::Ordering;
use std::ops::Bound;

/// Pairs of a [`View`](super::View) in order.
pub struct Scan<'a> {
    recent: Layered<'a>,
    frozen: Layered<'a>,
    base: BaseRange<'a>,
    /// The next pair of `base`, once it was asked for.
    base_head: Option<Pair<'a>>,
    is_base_ended: bool,
    reverse: bool,
    is_ended: bool,
}

/// A layer's writes in the range, and the next of them.
struct Layered<'a> {
    range: Option<
        imbl::ordmap::RangedIter<'a, Bytes, Option<Bytes>, imbl::shared_ptr::DefaultSharedPtr>,
    >,
    head: Option<(&'a Bytes, &'a Option<Bytes>)>,
}

impl<'a> Layered<'a> {
    fn new(layer: &'a Layer, low: &[u8], high: Option<&[u8]>, reverse: bool) -> Self {
        let bounds = (
            Bound::Included(low),
            high.map_or(Bound::Unbounded, Bound::Excluded),
        );
        let mut layered = Self {
            range: (!layer.is_empty()).then(|| layer.range::<_, [u8]>(bounds)),
            head: None,
        };
        layered.advance(reverse);
        layered
    }

    fn advance(&mut self, reverse: bool) {
        self.head = self.range.as_mut().and_then(|range| {
            if reverse {
                range.next_back()
            } else {
                range.next()
            }
        });
    }

    fn key(&self) -> Option<&'a [u8]> {
        self.head.map(|(key, _)| key.as_ref())
    }
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        recent: &'a Layer,
        frozen: &'a Layer,
        base: &'a Base,
        low: &[u8],
        high: Option<&[u8]>,
        reverse: bool,
    ) -> Self {
        // Maps may refuse a range whose end is before its start; here it is an empty one.
        let high = high.map(|high| high.max(low));
        Self {
            recent: Layered::new(recent, low, high, reverse),
            frozen: Layered::new(frozen, low, high, reverse),
            base: base.range(low, high),
            base_head: None,
            is_base_ended: false,
            reverse,
            is_ended: false,
        }
    }

    /// Makes sure that the next pair of the base is known.
    fn fill(&mut self) -> Result<(), ReadError> {
        if self.base_head.is_none() && !self.is_base_ended {
            self.base_head = self.base.next(self.reverse).transpose()?;
            self.is_base_ended = self.base_head.is_none();
        }
        Ok(())
    }

    /// The key that comes next in the direction of the scan, and which parts have it.
    fn next_key(&self) -> Option<(&[u8], [bool; 3])> {
        let keys = [
            self.recent.key(),
            self.frozen.key(),
            self.base_head.as_ref().map(Pair::key),
        ];
        let first = keys.iter().flatten().copied().reduce(|first, key| {
            let order = if self.reverse {
                first.cmp(key)
            } else {
                key.cmp(first)
            };
            if order == Ordering::Less { key } else { first }
        })?;
        Some((first, keys.map(|key| key == Some(first))))
    }

    fn step(&mut self) -> Result<Option<(Bytes, Bytes)>, ReadError> {
        loop {
            self.fill()?;
            let Some((_, [in_recent, in_frozen, in_base])) = self.next_key() else {
                return Ok(None);
            };
            let written = if in_recent {
                self.recent.head
            } else if in_frozen {
                self.frozen.head
            } else {
                None
            };
            let pair = match (written, &self.base_head) {
                (Some((key, value)), _) => value.clone().map(|value| (key.clone(), value)),
                (None, Some(pair)) => Some((
                    Bytes::copy_from_slice(pair.key()),
                    Bytes::copy_from_slice(pair.value()?),
                )),
                (None, None) => None,
            };
            if in_recent {
                self.recent.advance(self.reverse);
            }
            if in_frozen {
                self.frozen.advance(self.reverse);
            }
            if in_base {
                self.base_head = None;
            }
            if pair.is_some() {
                return Ok(pair);
            }
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<(Bytes, Bytes), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_ended {
            return None;
        }
        let next = self.step().transpose();
        self.is_ended = !matches!(next, Some(Ok(_)));
        next
    }
}
