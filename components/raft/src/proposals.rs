//! Proposals on their way into the log: those that follow each other become one message, and what is not committed yet is bounded.

use crate::convert::change_in;
use crate::{ChangeProposal, Proposal};
use protobuf::Message as _;
use raft::prelude as pb;
use std::collections::VecDeque;

/// Longest data of an entry.
pub const DATA_BYTES_MAX: usize = 1 << 20;

/// Longest context of a change, and most changes at once: more than a group has members.
pub const CONTEXT_BYTES_MAX: usize = 64 << 10;
pub const CHANGES_MAX: usize = 64;

/// What may be on its way, not committed yet. `raft` would count as well, but it has to see the data of every committed entry again for that.
const UNCOMMITTED_BYTES_MAX: usize = 64 << 20;

/// Proposals that are put into the log together: what fits into one message to each follower, so that none of them waits for an answer.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What an entry takes beside its data, about.
const ENTRY_BYTES: usize = 32;

/// A leader's proposals.
#[derive(Default)]
pub struct Proposals {
    /// Accepted in this step, but not told to `raft` yet.
    batch: Vec<pb::Entry>,
    batch_bytes: usize,
    /// Index and bytes of entries that are not committed yet.
    uncommitted: VecDeque<(u64, usize)>,
    uncommitted_bytes: usize,
}

impl Proposals {
    /// How many entries wait to be told to `raft`.
    pub fn waiting(&self) -> u64 {
        self.batch.len() as u64
    }

    /// Whether a proposal fits into one message with those that wait.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.batch.is_empty() || self.batch_bytes + ENTRY_BYTES + bytes <= BATCH_BYTES_MAX
    }

    /// Takes a proposal that gets the place `proposal.index`. False: it is too long, or too much is on its way.
    pub fn add(&mut self, proposal: Proposal) -> bool {
        let bytes = proposal.data.len();
        if bytes > DATA_BYTES_MAX || !self.count(proposal.index, bytes) {
            return false;
        }
        self.batch_bytes += ENTRY_BYTES + bytes;
        self.batch.push(pb::Entry {
            data: proposal.data.into(),
            ..Default::default()
        });
        true
    }

    /// Takes a change of membership, which is told to `raft` by itself. None: too much is on its way, or it is too long.
    pub fn add_change(&mut self, proposal: ChangeProposal) -> Option<pb::Entry> {
        if proposal.context.len() > CONTEXT_BYTES_MAX || proposal.changes.len() > CHANGES_MAX {
            return None;
        }
        let change = change_in(&proposal.changes, proposal.context);
        let data = change.write_to_bytes().ok()?;
        if !self.count(proposal.index, data.len()) {
            return None;
        }
        let mut entry = pb::Entry {
            data: data.into(),
            ..Default::default()
        };
        entry.set_entry_type(pb::EntryType::EntryConfChangeV2);
        Some(entry)
    }

    /// What is to be told to `raft`.
    pub fn take(&mut self) -> Vec<pb::Entry> {
        self.batch_bytes = 0;
        std::mem::take(&mut self.batch)
    }

    /// Everything up to `index` is committed.
    pub fn committed(&mut self, index: u64) {
        while let Some((_, bytes)) = self.uncommitted.pop_front_if(|(at, _)| *at <= index) {
            self.uncommitted_bytes -= bytes;
        }
    }

    /// Everything from `index` on did not get into the log.
    pub fn refused(&mut self, index: u64) {
        while let Some((_, bytes)) = self.uncommitted.pop_back_if(|(at, _)| *at >= index) {
            self.uncommitted_bytes -= bytes;
        }
    }

    /// This replica does not lead any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn count(&mut self, index: u64, bytes: usize) -> bool {
        let bytes = ENTRY_BYTES + bytes;
        if self.uncommitted_bytes + bytes > UNCOMMITTED_BYTES_MAX {
            return false;
        }
        self.uncommitted_bytes += bytes;
        self.uncommitted.push_back((index, bytes));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(index: u64, bytes: usize) -> Proposal {
        Proposal {
            term: 1,
            index,
            data: vec![0; bytes],
        }
    }

    #[test]
    fn what_is_not_committed_is_bounded() {
        let mut proposals = Proposals::default();
        let accepted = (1..100)
            .take_while(|index| proposals.add(proposal(*index, DATA_BYTES_MAX)))
            .count();
        assert_eq!(accepted, 63, "64 MiB, and something for each entry");
        proposals.committed(10);
        let accepted = (64..100)
            .take_while(|index| proposals.add(proposal(*index, DATA_BYTES_MAX)))
            .count();
        assert_eq!(accepted, 10);
        proposals.refused(64);
        assert!(proposals.add(proposal(64, DATA_BYTES_MAX)));
    }

    #[test]
    fn too_long_an_entry_is_refused() {
        let mut proposals = Proposals::default();
        assert!(!proposals.add(proposal(1, DATA_BYTES_MAX + 1)));
        assert!(proposals.add(proposal(1, DATA_BYTES_MAX)));
        assert!(!proposals.has_room(0));
        assert_eq!(proposals.take().len(), 1);
        assert!(proposals.has_room(DATA_BYTES_MAX));
    }
}
