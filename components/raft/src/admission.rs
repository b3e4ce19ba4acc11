//! Which messages of other replicas are listened to.
//!
//! `raft` believes what it is told, and stops at what cannot be. The host says who sent a message; here is checked what that one may say.

use crate::store::{Log, Store};
use crate::{Entry, Message, MessageKind};
use protobuf::Message as _;
use raft::prelude as pb;
use raft::{CAMPAIGN_TRANSFER, RawNode};

/// Longest context of a message: that of a read has 24 bytes.
const CONTEXT_BYTES_MAX: usize = 64;

/// The message as `raft` may see it; none if it is not listened to.
pub fn admit<L: Log>(raw: &RawNode<Store<L>>, mut message: Message) -> Option<Message> {
    let raft = &raw.raft;
    let is_addressed =
        message.to == raft.id && message.from != raft.id && message.from != raft::INVALID_ID;
    let has_term = (message.term == 0) == (message.kind == MessageKind::ReadIndex);
    if !is_addressed || !has_term || message.context.len() > CONTEXT_BYTES_MAX {
        return None;
    }
    // Snapshots are sent to whom needs one, and never on demand.
    message.request_snapshot = 0;
    let is_allowed = match message.kind {
        MessageKind::Append => {
            message.context.clear();
            follow(message.index, message.term, &message.entries)
        }
        // A leader that believes that we have more than we have: our log was lost, or this is no leader. It must not commit what is not there.
        MessageKind::Heartbeat => message.commit <= raft.raft_log.last_index(),
        MessageKind::HeartbeatResponse => true,
        MessageKind::Snapshot => {
            message.context.clear();
            message
                .snapshot
                .as_ref()
                .is_some_and(|snapshot| snapshot.index > 0)
        }
        MessageKind::Vote => {
            if !is_transfer(raw, &message) {
                message.context.clear();
            }
            is_member(raw, message.from) || !has_lease(raw)
        }
        MessageKind::PreVote => {
            message.context.clear();
            is_member(raw, message.from) || !has_lease(raw)
        }
        MessageKind::AppendResponse | MessageKind::VoteResponse | MessageKind::PreVoteResponse => {
            message.context.clear();
            true
        }
        // It makes this replica campaign without asking first, so only its leader may say it.
        MessageKind::TimeoutNow => message.from == raft.leader_id && message.term == raft.term,
        MessageKind::TransferLeader => is_member(raw, message.from),
        MessageKind::ReadIndex | MessageKind::ReadIndexResponse => {
            let is_question = |entry: &Entry| entry.data.len() <= CONTEXT_BYTES_MAX;
            is_member(raw, message.from)
                && message.entries.len() == 1
                && message.entries.iter().all(is_question)
        }
    };
    is_allowed.then_some(message)
}

/// Whether a replica belongs to the group, or will when everything in this replica's log is committed.
fn is_member<L: Log>(raw: &RawNode<Store<L>>, id: u64) -> bool {
    let joins = |entry: &pb::Entry| change_of(entry).changes.iter().any(|one| one.node_id == id);
    raw.raft.prs().get(id).is_some() || raw.store().changes().any(joins)
}

/// Whether a leader was heard of lately, so that nobody else gets a vote. Without one even strangers are listened to: a replica that was away for
/// long may know none of those that are members now, and they may need its vote.
pub fn has_lease<L: Log>(raw: &RawNode<Store<L>>) -> bool {
    let raft = &raw.raft;
    raft.leader_id != raft::INVALID_ID && raft.election_elapsed < raft.election_timeout()
}

/// What an entry changes. One that no replica wrote would change nothing, on any replica alike.
pub fn change_of(entry: &pb::Entry) -> pb::ConfChangeV2 {
    let mut change = pb::ConfChangeV2::default();
    if change.merge_from_bytes(&entry.data).is_err() {
        change = pb::ConfChangeV2::default();
    }
    change
}

/// Whether this may be the vote request of a replica that its leader handed leadership to. Such a request ends the lease of a leader that is alive:
/// so only a voter may send one, only for the next term, and only with everything that this replica has.
fn is_transfer<L: Log>(raw: &RawNode<Store<L>>, message: &Message) -> bool {
    let raft = &raw.raft;
    message.context == CAMPAIGN_TRANSFER
        && raft.leader_id != raft::INVALID_ID
        && message.term == raft.term + 1
        && raft.prs().conf().voters().contains(message.from)
        && raft.raft_log.is_up_to_date(message.index, message.log_term)
}

/// Whether entries follow each other, and the entry before them.
fn follow(before: u64, term: u64, entries: &[Entry]) -> bool {
    let mut last = (before, 0);
    entries.iter().all(|entry| {
        let follows = entry.index == last.0 + 1 && entry.term >= last.1 && entry.term <= term;
        last = (entry.index, entry.term);
        follows
    })
}
