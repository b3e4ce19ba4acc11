//! Which keys each revision changed, in bounded room: when there is none left, the oldest revisions go.
//!
//! Has no values: they are where their keys are, until they are replaced. Each revision has one line, so what changed together stays together.

use crate::bindings::exports::bookshop::shop::database::AccessError;
use crate::bounds::unreadable;
use crate::totals::Totals;
use keys::bytes::{Reader, Unreadable, Writer};
use keys::{Bytes, Keys};

/// What the keys of lines begin with; the revision follows, its highest byte first.
const LINE: u8 = b'h';

/// The form of a line.
const FORM: u64 = 1;

/// Revisions that one call forgets at most, unless it makes more changes: a smaller `history-max` takes effect over several calls.
const FORGOTTEN_MAX: u64 = 256;

/// What the messages of errors call a line.
const WHAT: &str = "a line of the history";

/// What happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The key.
    pub key: String,
    /// Whether its value was taken away; otherwise it got one.
    pub is_deleted: bool,
}

/// Adds the revision of `totals`, and forgets the oldest while there are more changes than `changes_max`. That revision itself always stays.
///
/// # Errors
/// [`AccessError::Unusable`]: something else is in place of a line. Nothing was written then.
pub fn add<K: Keys>(
    marks: &[Mark],
    totals: &mut Totals,
    changes_max: u64,
    keys: &K,
) -> Result<(), AccessError> {
    totals.changes = totals.changes.saturating_add(marks.len() as u64);
    let forgotten_max = FORGOTTEN_MAX.max(marks.len() as u64);
    let begin = totals.first;
    while totals.changes > changes_max
        && totals.first < totals.revision
        && totals.first - begin < forgotten_max
    {
        let count = count(totals.first, keys)?;
        totals.changes = totals.changes.saturating_sub(count);
        totals.first += 1;
    }
    for revision in begin..totals.first {
        keys.delete(&line_key(revision));
    }
    let mut writer = Writer::with_capacity(8 + marks.len() * 16);
    writer.number(FORM);
    writer.list(marks, |writer, mark| {
        writer.flag(mark.is_deleted);
        writer.text(&mark.key);
    });
    keys.set(&line_key(totals.revision), &writer.finish());
    Ok(())
}

/// What a revision changed among the keys that begin with `prefix`, in the order of the keys.
///
/// # Errors
/// [`AccessError::Unusable`]: something else is in place of its line.
pub fn marks<K: Keys>(revision: u64, prefix: &str, keys: &K) -> Result<Vec<Mark>, AccessError> {
    let line = keys.get(&line_key(revision)).unwrap_or_default();
    read_marks(&line, prefix).map_err(unreadable(WHAT))
}

fn read_marks(line: &[u8], prefix: &str) -> Result<Vec<Mark>, Unreadable> {
    let (mut reader, count) = open(line)?;
    let mut marks = Vec::new();
    for _ in 0..count {
        let is_deleted = reader.flag()?;
        let key = reader.text()?;
        if key.starts_with(prefix) {
            marks.push(Mark {
                key: key.into(),
                is_deleted,
            });
        }
    }
    Ok(marks)
}

/// How many changes a revision has.
fn count<K: Keys>(revision: u64, keys: &K) -> Result<u64, AccessError> {
    let line = keys.get(&line_key(revision)).unwrap_or_default();
    let (_, count) = open(&line).map_err(unreadable(WHAT))?;
    Ok(count)
}

fn open(line: &[u8]) -> Result<(Reader<'_>, u64), Unreadable> {
    let mut reader = Reader::new(line);
    if reader.number()? != FORM {
        return Err(Unreadable);
    }
    let count = reader.number()?;
    Ok((reader, count))
}

fn line_key(revision: u64) -> Bytes {
    let mut key = Vec::with_capacity(9);
    key.push(LINE);
    key.extend_from_slice(&revision.to_be_bytes());
    key
}
