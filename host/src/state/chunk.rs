//! A state in pieces, to be sent to another host.

use super::{ReadError, View};
use bytes::Bytes;

/// Pairs that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// In the order of their keys; none only if there are no more.
    pub pairs: Vec<(Bytes, Bytes)>,
    /// Whether nothing follows.
    pub is_last: bool,
}

impl Chunk {
    /// The pairs of `view` after a key: as many as fit into `bytes_max` bytes of keys and values, and one at least.
    pub(super) fn read(
        view: &View,
        after: Option<&Bytes>,
        bytes_max: usize,
    ) -> Result<Self, ReadError> {
        let mut pairs: Vec<(Bytes, Bytes)> = Vec::new();
        let mut bytes = 0;
        for pair in view.scan_after(after) {
            let (key, value) = pair?;
            bytes += key.len() + value.len();
            if !pairs.is_empty() && bytes > bytes_max {
                return Ok(Self {
                    pairs,
                    is_last: false,
                });
            }
            pairs.push((key, value));
        }
        Ok(Self {
            pairs,
            is_last: true,
        })
    }
}
