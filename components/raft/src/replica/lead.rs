//! What only a leader does: it takes proposals, answers reads, and looks after snapshots on their way.

use super::{Replica, SNAPSHOT_PATIENCE};
use crate::admission::change_of;
use crate::store::Log;
use crate::{Action, ChangeProposal, Proposal};
use raft::prelude as pb;
use raft::{Changer, ProgressState, SnapshotStatus, StateRole};

impl<L: Log> Replica<L> {
    pub(super) fn propose(&mut self, proposal: Proposal) {
        let index = proposal.index;
        if !self.proposals.has_room(proposal.data.len()) {
            self.flush();
        }
        if !self.is_next(proposal.term, index) || !self.proposals.add(proposal) {
            self.actions.push(Action::Refused(index));
        }
    }

    /// Puts the proposals that are together into the log.
    pub(super) fn flush(&mut self) {
        let entries = self.proposals.take();
        let count = entries.len() as u64;
        if count > 0 && !self.put(entries) {
            let first = self.raw.raft.raft_log.last_index() + 1;
            self.proposals.refused(first);
            let refused = (first..first + count).map(Action::Refused);
            self.actions.extend(refused);
        }
    }

    pub(super) fn propose_change(&mut self, proposal: ChangeProposal) {
        let index = proposal.index;
        if !self.is_next(proposal.term, index) {
            return self.actions.push(Action::Refused(index));
        }
        let entry = self.proposals.add_change(proposal);
        let is_in = entry.is_some_and(|entry| self.may_change(&entry) && self.put(vec![entry]));
        if !is_in {
            self.proposals.refused(index);
            self.actions.push(Action::Refused(index));
        }
    }

    /// Whether a proposal fits behind everything else. A leader that hands over, or that does not belong to the group any more, takes none.
    fn is_next(&self, term: u64, index: u64) -> bool {
        let raft = &self.raw.raft;
        raft.state == StateRole::Leader
            && raft.term == term
            && raft.lead_transferee.is_none()
            && index == raft.raft_log.last_index() + self.proposals.waiting() + 1
    }

    /// Whether membership may change like this, now. `raft` would put an empty entry into the log instead.
    fn may_change(&self, entry: &pb::Entry) -> bool {
        let raft = &self.raw.raft;
        // Without an entry of its own term, a leader may not know of a change that others take for committed (Ongaro, raft-dev, 2015-07-10).
        if raft.has_pending_conf() || !raft.commit_to_current_term() {
            return false;
        }
        let change = change_of(entry);
        let mut changer = Changer::new(raft.prs());
        let changed = if change.leave_joint() {
            changer.leave_joint()
        } else if let Some(auto_leave) = change.enter_joint() {
            changer.enter_joint(auto_leave, &change.changes)
        } else {
            changer.simple(&change.changes)
        };
        changed.is_ok()
    }

    fn put(&mut self, entries: Vec<pb::Entry>) -> bool {
        let mut message = pb::Message {
            from: self.raw.raft.id,
            ..Default::default()
        };
        message.set_msg_type(pb::MessageType::MsgPropose);
        message.set_entries(entries.into());
        self.raw.step(message).is_ok()
    }

    /// Asks what is committed, for all reads that wait, and gives up those that waited too long.
    pub(super) fn ask_reads(&mut self) {
        let expired = self.reads.expire(self.time.now_ms());
        self.actions
            .extend(expired.into_iter().map(Action::ReadFailed));
        if self.leads_without_commit() {
            return;
        }
        if self.raw.raft.state == StateRole::Leader {
            for question in self.reads.take_parked() {
                let _ = self.raw.step(question);
            }
        }
        if self.reads.has_waiting() && self.raw.raft.leader_id != raft::INVALID_ID {
            let context = self.reads.ask();
            self.raw.read_index(context);
        }
    }

    /// Whether this leader cannot say yet what is committed: `raft` would forget the question.
    pub(super) fn leads_without_commit(&self) -> bool {
        let raft = &self.raw.raft;
        raft.state == StateRole::Leader && !raft.commit_to_current_term()
    }

    /// Gives up snapshots of which nothing was heard for a long time: `raft` would wait for ever.
    pub(super) fn watch_snapshots(&mut self) {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader {
            return self.snapshots.clear();
        }
        let now_ms = self.time.now_ms();
        let is_sent = |id: u64| {
            let progress = raft.prs().get(id);
            progress.is_some_and(|progress| progress.state == ProgressState::Snapshot)
        };
        self.snapshots.retain(|id, _| is_sent(*id));
        for (id, progress) in raft.prs().iter() {
            if progress.state == ProgressState::Snapshot {
                self.snapshots.entry(*id).or_insert(now_ms);
            }
        }
        let patience_ms = SNAPSHOT_PATIENCE * self.time.election_ms();
        let lost: Vec<u64> = self
            .snapshots
            .extract_if(.., |_, since_ms| now_ms - *since_ms >= patience_ms)
            .map(|(id, _)| id)
            .collect();
        for id in lost {
            self.raw.report_snapshot(id, SnapshotStatus::Failure);
        }
    }
}
