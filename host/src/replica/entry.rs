//! An entry of a group's log: everything that one call changed, as writes of ordered keys.
//!
//! Whoever applies an entry writes bytes and runs nothing: no guest, and no rule of this host's that another version of it might see
//! differently. Sessions, timers and messages are keys like any other (see [`keyspace`](super::keyspace)).

use super::bytes::{Reader, Unreadable, Writer};
use bytes::Bytes;

/// The only format so far. A host reads all formats up to its own.
const FORMAT: u8 = 1;

/// Longest entry, in bytes. A log's records and, later, messages between replicas have room for it.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;

/// A key with its new value; none if it has none any more.
pub type Write = (Bytes, Option<Bytes>);

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A command of a caller.
    Command,
    /// A timer's handler.
    Timer,
    /// The handler of a message's answer, or the end of a message that nobody handles.
    Reply,
}

/// What one call changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was called.
    pub kind: Kind,
    /// The group's time then, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// The first bytes of the SHA-256 of the component that ran; zeros if none did.
    pub version: [u8; 8],
    /// The writes, each key once.
    pub writes: Vec<Write>,
}

/// Why an entry cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The bytes are no entry, although their checksum was right: a bug, or another program's.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A newer host wrote it.
    #[error("it has format {0}, this program reads formats up to {FORMAT}; run the newer program")]
    Newer(u8),
}

impl Entry {
    /// As it is kept in the log.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let bytes: usize = self.writes.iter().map(write_bytes).sum();
        let mut writer = Writer::with_capacity(bytes + 32);
        writer.byte(FORMAT);
        writer.byte(match self.kind {
            Kind::Command => 0,
            Kind::Timer => 1,
            Kind::Reply => 2,
        });
        writer.number(self.time_ms);
        writer.raw(&self.version);
        writer.number(self.writes.len() as u64);
        for (key, value) in &self.writes {
            writer.text(key);
            match value {
                None => writer.number(0),
                Some(value) => {
                    writer.number(value.len() as u64 + 1);
                    writer.raw(value);
                }
            }
        }
        writer.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Keys and values are slices of `bytes`.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, EntryError> {
        let mut reader = Reader::new(bytes);
        let format = reader.byte()?;
        if format > FORMAT {
            return Err(EntryError::Newer(format));
        }
        let kind = match reader.byte()? {
            0 => Kind::Command,
            1 => Kind::Timer,
            2 => Kind::Reply,
            _ => return Err(Unreadable.into()),
        };
        let time_ms = reader.number()?;
        let version = reader.array()?;
        let count = reader.number()?;
        let mut writes = Vec::new();
        for _ in 0..count {
            let key = reader.text()?;
            let value = match reader.number()? {
                0 => None,
                more => {
                    let length = usize::try_from(more - 1).map_err(|_| Unreadable)?;
                    Some(reader.raw(length)?)
                }
            };
            writes.push((key, value));
        }
        if !reader.is_at_end() {
            return Err(Unreadable.into());
        }
        Ok(Self {
            kind,
            time_ms,
            version,
            writes,
        })
    }
}

/// Bytes that a write takes in an entry, at most.
#[must_use]
pub fn write_bytes((key, value): &Write) -> usize {
    /// Most bytes of the two lengths.
    const LENGTHS: usize = 8;
    LENGTHS + key.len() + value.as_ref().map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            kind: Kind::Timer,
            time_ms: 1_700_000_000_000,
            version: [7; 8],
            writes: vec![
                ("da".into(), Some("1".into())),
                ("db".into(), None),
                ("dc".into(), Some(Bytes::new())),
            ],
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        assert_eq!(Entry::from_bytes(entry().to_bytes()), Ok(entry()));
    }

    #[test]
    fn an_entry_that_is_cut_off_anywhere_is_refused() {
        let bytes = entry().to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(
                Entry::from_bytes(bytes.slice(..length)),
                Err(Unreadable.into()),
                "{length}"
            );
        }
    }

    #[test]
    fn an_entry_of_a_newer_host_is_told_apart_from_damage() {
        let mut bytes = entry().to_bytes().to_vec();
        bytes[0] = 9;
        assert_eq!(Entry::from_bytes(bytes.into()), Err(EntryError::Newer(9)));
    }
}
