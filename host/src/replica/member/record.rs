//! An entry as the host's log keeps it: term and kind before its data.

use crate::replica::bytes::{Reader, Unreadable, Writer};
use crate::replica::window::Entry;
use crate::replica::wit::{self, EntryKind};
use bytes::Bytes;

/// An entry of the log is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} of the log cannot be understood, although its checksum is right")]
pub struct RecordError {
    /// Which.
    pub index: u64,
}

/// An entry with its place in the log.
pub type Record = (u64, Bytes);

/// As it is kept.
#[must_use]
pub fn encode(entry: &wit::Entry) -> Record {
    let mut writer = Writer::with_capacity(entry.data.len() + 12);
    writer.byte(match entry.kind {
        EntryKind::Normal => 0,
        EntryKind::Change => 1,
    });
    writer.number(entry.term);
    writer.raw(&entry.data);
    (entry.index, writer.finish())
}

/// Reads what [`encode`] wrote. The data is a slice of the record.
///
/// # Errors
/// See [`RecordError`].
pub fn decode((index, record): Record) -> Result<Entry, RecordError> {
    let read = || -> Result<Entry, Unreadable> {
        let mut reader = Reader::new(record);
        let kind = match reader.byte()? {
            0 => EntryKind::Normal,
            1 => EntryKind::Change,
            _ => return Err(Unreadable),
        };
        Ok(Entry {
            index,
            term: reader.number()?,
            kind,
            data: reader.rest(),
        })
    };
    read().map_err(|_| RecordError { index })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for kind in [EntryKind::Normal, EntryKind::Change] {
            let entry = wit::Entry {
                index: 7,
                term: 300,
                kind,
                data: vec![1, 2, 3],
            };
            let read = decode(encode(&entry)).unwrap();
            assert_eq!((read.index, read.term, read.kind), (7, 300, kind));
            assert_eq!(read.data, [1, 2, 3].as_slice());
        }
        assert_eq!(
            decode((9, Bytes::from_static(&[7]))).err(),
            Some(RecordError { index: 9 })
        );
    }
}
