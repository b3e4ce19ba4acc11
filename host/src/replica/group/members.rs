//! What a group's members have to do with its entries.

use super::{Cause, Group, Pending};
use bytes::Bytes;

impl Group {
    /// Whether a change of its members is not committed.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| pending.cause == Cause::Members)
    }

    /// Reserves the next index for an entry that is not one of the service's: a change of its members.
    ///
    /// # Panics
    /// It does not lead.
    pub fn reserve(&mut self) -> u64 {
        assert!(self.leads(), "only a leader makes entries");
        let (index, meta) = (self.last_index() + 1, self.speculative_meta());
        self.pending.push_back(Pending {
            index,
            bytes: 0,
            meta,
            writes: Vec::new(),
            cause: Cause::Members,
            answers: Vec::new(),
        });
        index
    }

    /// Sets a key of the group's own, as what an entry without writes stands for.
    pub fn set(&mut self, key: Bytes, value: &Bytes) {
        let write = (key, Some(value.clone()));
        if let Some(speculative) = &mut self.speculative {
            speculative.apply([write.clone()]);
        }
        self.committed.apply([write]);
    }

    /// Whether this replica has the only vote.
    pub fn set_alone(&mut self, is_alone: bool) {
        self.is_alone = is_alone;
    }
}
