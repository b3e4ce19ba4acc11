//! What happened, one thing after the other.

use super::Replica;
use crate::admission::{admit, has_lease};
use crate::convert::message_in;
use crate::store::Log;
use crate::{Action, Event, Message, MessageKind};
use raft::{SnapshotStatus, StateRole};

impl<L: Log> Replica<L> {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Propose(proposal) => return self.propose(proposal),
            Event::Read(id) => {
                let until_ms = self.time.now_ms() + self.time.election_ms();
                if !self.reads.add(id, until_ms) {
                    self.actions.push(Action::ReadFailed(id));
                }
                return;
            }
            Event::Message(_)
            | Event::Persisted(_)
            | Event::Change(_)
            | Event::PeerLost(_)
            | Event::PeerFound(_)
            | Event::Applied(_)
            | Event::Compacted(_)
            | Event::SnapshotSent(_)
            | Event::Transfer(_)
            | Event::Campaign => self.flush(),
        }
        match event {
            Event::Message(message) => self.receive(message),
            Event::Persisted(token) => self.persisted(token),
            Event::Change(proposal) => self.propose_change(proposal),
            Event::PeerLost(id) => self.peer_lost(id),
            Event::PeerFound(id) => self.failover.heard(id),
            Event::Applied(index) => self.applied(index),
            Event::Compacted(through) => {
                let applied = self.raw.raft.raft_log.applied;
                self.raw.mut_store().compact(through.min(applied));
            }
            Event::SnapshotSent((id, is_there)) => self.snapshot_sent(id, is_there),
            Event::Transfer(id) => self.transfer(id),
            Event::Campaign => self.campaign(),
            Event::Propose(_) | Event::Read(_) => {}
        }
    }

    fn receive(&mut self, message: Message) {
        self.failover.heard(message.from);
        let Some(message) = admit(&self.raw, message) else {
            return;
        };
        match message.kind {
            // They may end in a campaign, which asks the store for changes in the log.
            MessageKind::TimeoutNow if !self.may_campaign() => return,
            MessageKind::TimeoutNow
            | MessageKind::Vote
            | MessageKind::VoteResponse
            | MessageKind::PreVoteResponse => self.drain(),
            MessageKind::PreVote if has_lease(&self.raw) && message.term > self.raw.raft.term => {
                self.failover.ignore(self.time.now_ms(), message);
                return;
            }
            MessageKind::ReadIndex if self.leads_without_commit() => {
                return self.reads.park(message_in(message));
            }
            MessageKind::PreVote
            | MessageKind::ReadIndex
            | MessageKind::Append
            | MessageKind::AppendResponse
            | MessageKind::Heartbeat
            | MessageKind::HeartbeatResponse
            | MessageKind::Snapshot
            | MessageKind::ReadIndexResponse
            | MessageKind::TransferLeader => {}
        }
        self.compare(&message);
        // What it refuses needs no answer: an answer to nobody's question, mostly.
        let _ = self.raw.step(message_in(message));
        self.failover.leads(self.raw.raft.leader_id);
    }

    /// Somebody asks for a vote: whether to wait for that one, before it is answered.
    fn compare(&mut self, message: &Message) {
        let now_ms = self.time.now_ms();
        let raft = &self.raw.raft;
        match message.kind {
            MessageKind::PreVote if self.is_up_to_date(message) => self.failover.give_way(now_ms),
            MessageKind::PreVote => self.failover.hurry(now_ms),
            MessageKind::Vote
                if raft.state == StateRole::Candidate && message.term == raft.term =>
            {
                // Both voted for themselves. This vote may still be won by those of others, so that even the first waits a little.
                self.failover
                    .campaign_later(now_ms, self.rank() + 1, raft.term);
            }
            _ => {}
        }
    }

    /// Whether one that asks for a vote has everything that this replica has.
    fn is_up_to_date(&self, request: &Message) -> bool {
        let log = &self.raw.raft.raft_log;
        log.is_up_to_date(request.index, request.log_term)
    }

    fn persisted(&mut self, token: u64) {
        let token = token.min(self.outbox.newest());
        if token == 0 {
            return;
        }
        self.raw.on_persist_ready(token);
        for message in self.outbox.persisted(token) {
            self.actions.push(Action::Send(message));
        }
        if self.outbox.is_idle() {
            self.raw.on_persist_ready(self.number);
        }
        if let Some((save, index)) = self.installing
            && save <= token
        {
            self.installing = None;
            self.apply_to(index);
        }
    }

    fn applied(&mut self, index: u64) {
        // A snapshot on its way stands for more than was applied before it.
        if self.installing.is_none() {
            self.apply_to(index.min(self.handed));
        }
    }

    fn apply_to(&mut self, index: u64) {
        if index > self.raw.raft.raft_log.applied {
            self.raw.advance_apply_to(index);
            self.raw.mut_store().applied(index);
        }
    }

    fn peer_lost(&mut self, id: u64) {
        let raft = &self.raw.raft;
        if raft.state == StateRole::Leader {
            return self.raw.report_unreachable(id);
        }
        let is_leader = self.failover.lose(id, raft.leader_id);
        if !is_leader || !self.may_campaign() {
            return;
        }
        let term = self.raw.raft.term;
        if self.raw.raft.leader_id != raft::INVALID_ID {
            // Without a leader it votes for others.
            self.raw.raft.become_follower(term, raft::INVALID_ID);
        }
        let now_ms = self.time.now_ms();
        let ignored = self
            .failover
            .take_ignored(now_ms, self.time.election_ms())
            .filter(|request| request.term > term);
        let mut rank = self.rank();
        if let Some(request) = ignored {
            // Somebody noticed earlier: it has its chance now, if it has one.
            rank = if self.is_up_to_date(&request) {
                rank + 1
            } else {
                0
            };
            let _ = self.raw.step(message_in(request));
        }
        if rank == 0 {
            self.campaign();
        } else {
            self.failover.campaign_later(now_ms, rank, term);
        }
    }

    fn snapshot_sent(&mut self, id: u64, is_there: bool) {
        let status = if is_there {
            SnapshotStatus::Finish
        } else {
            SnapshotStatus::Failure
        };
        self.raw.report_snapshot(id, status);
    }

    fn transfer(&mut self, id: u64) {
        let raft = &self.raw.raft;
        // A follower may only ask for itself: its leader takes the sender for the one that is meant.
        if raft.state == StateRole::Leader || id == raft.id {
            self.raw.transfer_leader(id);
        }
    }
}
