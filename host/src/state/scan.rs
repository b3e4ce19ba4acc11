//! Reading a view in key order: its three parts merged, the newer hiding the older.

use super::base::{BaseRange, Pair};
use super::holes::Holes;
use super::{Base, Layer, ReadError};
use bytes::Bytes;
use std::cmp::Ordering;
use std::ops::Bound;

/// Hidden keys that are passed before a look is no short one any more.
const SHORT: usize = 8;

/// A view's parts, the newest first.
type Parts<'a> = (&'a Layer, &'a Layer, &'a Base);

/// Pairs of a [`View`](super::View) in order.
pub struct Scan<'a> {
    parts: Parts<'a>,
    holes: &'a Holes,
    /// The far end of the range, from where the scan begins. It is only kept where there are holes.
    far: Option<Box<[u8]>>,
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
        parts: Parts<'a>,
        holes: &'a Holes,
        low: &[u8],
        high: Option<&[u8]>,
        reverse: bool,
    ) -> Self {
        let (recent, frozen, base) = parts;
        // Maps may refuse a range whose end is before its start; here it is an empty one.
        let high = high.map(|high| high.max(low));
        let far = if reverse { Some(low) } else { high };
        Self {
            parts,
            holes,
            far: far.filter(|_| !holes.is_empty()).map(Box::from),
            recent: Layered::new(recent, low, high, reverse),
            frozen: Layered::new(frozen, low, high, reverse),
            base: base.range(low, high),
            base_head: None,
            is_base_ended: false,
            reverse,
            is_ended: false,
        }
    }

    /// Whether nothing is in the range. If that takes more than a short look, or cannot be read, it is not said to be so.
    pub(super) fn finds_nothing(mut self) -> bool {
        for _ in 0..SHORT {
            match self.pass() {
                Ok(Passed::End) => return true,
                Ok(Passed::Hidden(key)) => self.leap(&key),
                Ok(Passed::Pair(..)) | Err(_) => return false,
            }
        }
        false
    }

    #[cfg(test)]
    pub(super) fn passed(mut self) -> usize {
        let mut passed = 0;
        while let Passed::Hidden(key) = self.pass().unwrap() {
            passed += 1;
            self.leap(&key);
        }
        passed
    }

    /// A hidden key was passed: if it is in a hole, the scan goes on at its other side.
    fn leap(&mut self, key: &[u8]) {
        let Some((first, end)) = self.holes.around(key) else {
            return;
        };
        let far = self.far.take();
        *self = if self.reverse {
            let low = far.as_deref().unwrap_or_default();
            Self::new(self.parts, self.holes, low, Some(first), true)
        } else {
            Self::new(self.parts, self.holes, end, far.as_deref(), false)
        };
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

    /// Takes the next key that any part has.
    fn pass(&mut self) -> Result<Passed, ReadError> {
        self.fill()?;
        let Some((_, [in_recent, in_frozen, in_base])) = self.next_key() else {
            return Ok(Passed::End);
        };
        let written = if in_recent {
            self.recent.head
        } else if in_frozen {
            self.frozen.head
        } else {
            None
        };
        let passed = match (written, &self.base_head) {
            (Some((key, Some(value))), _) => Passed::Pair(key.clone(), value.clone()),
            (Some((key, None)), _) => Passed::Hidden(key.clone()),
            (None, Some(pair)) => Passed::Pair(
                Bytes::copy_from_slice(pair.key()),
                Bytes::copy_from_slice(pair.value()?),
            ),
            (None, None) => Passed::End,
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
        Ok(passed)
    }

    fn step(&mut self) -> Result<Option<(Bytes, Bytes)>, ReadError> {
        loop {
            match self.pass()? {
                Passed::Pair(key, value) => return Ok(Some((key, value))),
                Passed::Hidden(key) => self.leap(&key),
                Passed::End => return Ok(None),
            }
        }
    }
}

/// What a scan came by.
enum Passed {
    /// A pair.
    Pair(Bytes, Bytes),
    /// A key that was deleted.
    Hidden(Bytes),
    /// The end of the range.
    End,
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
