//! An index and a term stand for one entry, wherever it is, and for one that comes before it (log matching).

use super::at;
use crate::config::HostName;
use crate::replica::wit::EntryKind;
use crate::state::GroupId;
use bytes::Bytes;
use std::collections::BTreeMap;

/// An entry of some replica's log.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it is for.
    pub kind: EntryKind,
    /// What it says.
    pub data: Bytes,
    /// The term of the entry before it, if anybody had that.
    before: Option<u64>,
}

/// All entries that ever were in a log.
#[derive(Default)]
pub struct Entries(BTreeMap<(GroupId, u64, u64), Known>);

/// An entry's place: its index and its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The term of the entry before it, if the replica has that.
    pub before: Option<u64>,
}

impl Entries {
    /// A replica has an entry in its log.
    ///
    /// # Errors
    /// Another one has another there.
    pub fn has(
        &mut self,
        group: GroupId,
        host: &HostName,
        place: Place,
        kind: EntryKind,
        data: &Bytes,
    ) -> Result<(), String> {
        let Place {
            index,
            term,
            before,
        } = place;
        let known = self.0.entry((group, index, term)).or_insert_with(|| Known {
            kind,
            data: data.clone(),
            before,
        });
        known.before = known.before.or(before);
        if known.kind != kind || known.data != *data {
            return Err(format!(
                "{} has another entry {index} of term {term} than somebody else",
                at(group, host)
            ));
        }
        if before.is_some() && known.before != before {
            return Err(format!(
                "{} has entry {index} of term {term} after one of term {before:?}, where somebody else has it after one of term {:?}",
                at(group, host),
                known.before
            ));
        }
        Ok(())
    }

    /// The entry of an index and a term.
    #[must_use]
    pub fn get(&self, group: GroupId, index: u64, term: u64) -> Option<&Known> {
        self.0.get(&(group, index, term))
    }
}
