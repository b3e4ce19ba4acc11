//! What a batch holds: records, one after another.
//!
//! ```text
//! 0   kind   u8
//! 1   group  u32
//! 5   index  u64   0 for a state
//! 13  bytes  u32   how many follow
//! ```

/// What precedes the bytes of a record.
pub(super) const HEADER_BYTES: usize = 17;

/// A record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// An entry of a group. It takes the place of the group's entries from its index on.
    Entry {
        /// Whose.
        group: u32,
        /// Which.
        index: u64,
        /// What was appended.
        payload: &'a [u8],
    },
    /// A group's state. It takes the place of earlier ones.
    State {
        /// Whose.
        group: u32,
        /// What was set.
        bytes: &'a [u8],
    },
    /// The log is not needed for a group's entries up to an index.
    Compacted {
        /// Whose.
        group: u32,
        /// The last index that is not needed.
        through: u64,
    },
    /// A group's entries are dropped, all of them.
    Restarted {
        /// Whose.
        group: u32,
        /// The next index is one more.
        through: u64,
    },
    /// Where a group stands at the beginning of a segment.
    Positions {
        /// Whose.
        group: u32,
        /// The index of its last entry; 0 if it never had one.
        last: u64,
        /// Its last index that is not needed.
        compacted: u64,
    },
}

impl<'a> Stored<'a> {
    /// Adds the record to a batch. Where its bytes begin.
    pub(super) fn encode(&self, batch: &mut Vec<u8>) -> usize {
        let positions;
        let (kind, group, index, bytes): (u8, u32, u64, &[u8]) = match self {
            Self::Entry {
                group,
                index,
                payload,
            } => (1, *group, *index, payload),
            Self::State { group, bytes } => (2, *group, 0, bytes),
            Self::Compacted { group, through } => (3, *group, *through, &[]),
            Self::Positions {
                group,
                last,
                compacted,
            } => {
                positions = compacted.to_le_bytes();
                (4, *group, *last, &positions)
            }
            Self::Restarted { group, through } => (5, *group, *through, &[]),
        };
        let length = u32::try_from(bytes.len()).expect("records are smaller than segments");
        batch.push(kind);
        batch.extend_from_slice(&group.to_le_bytes());
        batch.extend_from_slice(&index.to_le_bytes());
        batch.extend_from_slice(&length.to_le_bytes());
        let start = batch.len();
        batch.extend_from_slice(bytes);
        start
    }

    /// The record at the beginning of `bytes`, and how many of them it takes. None: this is no record.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (kind, rest) = bytes.split_first()?;
        let (group, rest) = rest.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let (group, index) = (u32::from_le_bytes(*group), u64::from_le_bytes(*index));
        let record = match kind {
            1 if index > 0 => Self::Entry {
                group,
                index,
                payload,
            },
            2 => Self::State {
                group,
                bytes: payload,
            },
            3 => Self::Compacted {
                group,
                through: index,
            },
            4 => Self::Positions {
                group,
                last: index,
                compacted: u64::from_le_bytes(payload.try_into().ok()?),
            },
            5 => Self::Restarted {
                group,
                through: index,
            },
            _ => return None,
        };
        Some((record, HEADER_BYTES + payload.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let records = [
            Stored::Entry {
                group: 3,
                index: 9,
                payload: b"abc",
            },
            Stored::State {
                group: 4,
                bytes: b"",
            },
            Stored::Compacted {
                group: 5,
                through: 7,
            },
            Stored::Positions {
                group: 6,
                last: 8,
                compacted: 2,
            },
            Stored::Restarted {
                group: 7,
                through: 1 << 40,
            },
        ];
        let mut batch = Vec::new();
        for record in records {
            record.encode(&mut batch);
        }
        let mut rest = &batch[..];
        for record in records {
            let (found, bytes) = Stored::decode(rest).unwrap();
            assert_eq!(found, record);
            rest = &rest[bytes..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_no_record() {
        let mut batch = Vec::new();
        Stored::Positions {
            group: 6,
            last: 8,
            compacted: 2,
        }
        .encode(&mut batch);
        for length in 0..batch.len() {
            assert_eq!(Stored::decode(&batch[..length]), None);
        }
        batch[0] = 9;
        assert_eq!(Stored::decode(&batch), None);
    }
}
