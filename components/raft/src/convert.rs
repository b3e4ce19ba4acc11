//! Between the interface's records and those of `raft`.

use crate::{ChangeKind, Entry, EntryKind, MemberChange, Members, Message, MessageKind, Snapshot};
use raft::prelude as pb;

/// A message for `raft`.
pub fn message_in(message: Message) -> pb::Message {
    let mut into = pb::Message {
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: message.context.into(),
        priority: message.priority,
        ..Default::default()
    };
    into.set_msg_type(kind_in(message.kind));
    let entries: Vec<_> = message.entries.into_iter().map(entry_in).collect();
    into.set_entries(entries.into());
    if let Some(snapshot) = &message.snapshot {
        into.set_snapshot(snapshot_in(snapshot));
    }
    into
}

/// A message of `raft`; none if it is of a kind that stays inside.
pub fn message_out(mut message: pb::Message) -> Option<Message> {
    let kind = kind_out(message.get_msg_type())?;
    let snapshot = message
        .has_snapshot()
        .then(|| snapshot_out(message.get_snapshot()));
    let entries = message.take_entries();
    Some(Message {
        kind,
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        request_snapshot: message.request_snapshot,
        priority: message.priority,
        context: message.context.into(),
        entries: entries.into_iter().map(entry_out).collect(),
        snapshot,
    })
}

fn kind_in(kind: MessageKind) -> pb::MessageType {
    match kind {
        MessageKind::Append => pb::MessageType::MsgAppend,
        MessageKind::AppendResponse => pb::MessageType::MsgAppendResponse,
        MessageKind::Vote => pb::MessageType::MsgRequestVote,
        MessageKind::VoteResponse => pb::MessageType::MsgRequestVoteResponse,
        MessageKind::PreVote => pb::MessageType::MsgRequestPreVote,
        MessageKind::PreVoteResponse => pb::MessageType::MsgRequestPreVoteResponse,
        MessageKind::Heartbeat => pb::MessageType::MsgHeartbeat,
        MessageKind::HeartbeatResponse => pb::MessageType::MsgHeartbeatResponse,
        MessageKind::Snapshot => pb::MessageType::MsgSnapshot,
        MessageKind::TimeoutNow => pb::MessageType::MsgTimeoutNow,
        MessageKind::ReadIndex => pb::MessageType::MsgReadIndex,
        MessageKind::ReadIndexResponse => pb::MessageType::MsgReadIndexResp,
        MessageKind::TransferLeader => pb::MessageType::MsgTransferLeader,
    }
}

/// None for what `raft` only says to itself, and for proposals, which followers do not forward.
fn kind_out(kind: pb::MessageType) -> Option<MessageKind> {
    match kind {
        pb::MessageType::MsgAppend => Some(MessageKind::Append),
        pb::MessageType::MsgAppendResponse => Some(MessageKind::AppendResponse),
        pb::MessageType::MsgRequestVote => Some(MessageKind::Vote),
        pb::MessageType::MsgRequestVoteResponse => Some(MessageKind::VoteResponse),
        pb::MessageType::MsgRequestPreVote => Some(MessageKind::PreVote),
        pb::MessageType::MsgRequestPreVoteResponse => Some(MessageKind::PreVoteResponse),
        pb::MessageType::MsgHeartbeat => Some(MessageKind::Heartbeat),
        pb::MessageType::MsgHeartbeatResponse => Some(MessageKind::HeartbeatResponse),
        pb::MessageType::MsgSnapshot => Some(MessageKind::Snapshot),
        pb::MessageType::MsgTimeoutNow => Some(MessageKind::TimeoutNow),
        pb::MessageType::MsgReadIndex => Some(MessageKind::ReadIndex),
        pb::MessageType::MsgReadIndexResp => Some(MessageKind::ReadIndexResponse),
        pb::MessageType::MsgTransferLeader => Some(MessageKind::TransferLeader),
        pb::MessageType::MsgHup
        | pb::MessageType::MsgBeat
        | pb::MessageType::MsgPropose
        | pb::MessageType::MsgUnreachable
        | pb::MessageType::MsgSnapStatus
        | pb::MessageType::MsgCheckQuorum => None,
    }
}

/// An entry for `raft`.
pub fn entry_in(entry: Entry) -> pb::Entry {
    let mut into = pb::Entry {
        index: entry.index,
        term: entry.term,
        data: entry.data.into(),
        ..Default::default()
    };
    into.set_entry_type(match entry.kind {
        EntryKind::Normal => pb::EntryType::EntryNormal,
        EntryKind::Change => pb::EntryType::EntryConfChangeV2,
    });
    into
}

/// An entry of `raft`.
pub fn entry_out(entry: pb::Entry) -> Entry {
    Entry {
        index: entry.index,
        term: entry.term,
        kind: if is_change(&entry) {
            EntryKind::Change
        } else {
            EntryKind::Normal
        },
        data: entry.data.into(),
    }
}

/// Whether an entry changes the membership.
pub fn is_change(entry: &pb::Entry) -> bool {
    match entry.get_entry_type() {
        pb::EntryType::EntryNormal => false,
        pb::EntryType::EntryConfChange | pb::EntryType::EntryConfChangeV2 => true,
    }
}

/// A snapshot for `raft`.
pub fn snapshot_in(snapshot: &Snapshot) -> pb::Snapshot {
    let mut into = pb::Snapshot::default();
    let metadata = into.mut_metadata();
    metadata.index = snapshot.index;
    metadata.term = snapshot.term;
    metadata.set_conf_state(members_in(&snapshot.members));
    into
}

/// A snapshot of `raft`.
pub fn snapshot_out(snapshot: &pb::Snapshot) -> Snapshot {
    let metadata = snapshot.get_metadata();
    Snapshot {
        index: metadata.index,
        term: metadata.term,
        members: members_out(metadata.get_conf_state()),
    }
}

/// Members for `raft`.
pub fn members_in(members: &Members) -> pb::ConfState {
    let mut into = pb::ConfState::default();
    into.set_voters(members.voters.clone());
    into.set_learners(members.learners.clone());
    into.set_voters_outgoing(members.outgoing.clone());
    into.set_learners_next(members.learners_next.clone());
    into.auto_leave = members.auto_leave;
    into
}

/// Members of `raft`, in order: its own depends on a hash.
pub fn members_out(members: &pb::ConfState) -> Members {
    let sorted = |ids: &[u64]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    Members {
        voters: sorted(members.get_voters()),
        learners: sorted(members.get_learners()),
        outgoing: sorted(members.get_voters_outgoing()),
        learners_next: sorted(members.get_learners_next()),
        auto_leave: members.auto_leave,
    }
}

/// A change of membership for `raft`.
///
/// One change takes effect at once. More need a joint configuration, which `raft` never leaves by itself: that would take a place in the log that
/// the host has given to a proposal of its own.
pub fn change_in(changes: &[MemberChange], context: Vec<u8>) -> pb::ConfChangeV2 {
    let mut into = pb::ConfChangeV2::default();
    if changes.len() > 1 {
        into.set_transition(pb::ConfChangeTransition::Explicit);
    }
    let single = |change: &MemberChange| {
        let mut single = pb::ConfChangeSingle {
            node_id: change.id,
            ..Default::default()
        };
        single.set_change_type(match change.kind {
            ChangeKind::AddVoter => pb::ConfChangeType::AddNode,
            ChangeKind::AddLearner => pb::ConfChangeType::AddLearnerNode,
            ChangeKind::Remove => pb::ConfChangeType::RemoveNode,
        });
        single
    };
    let changes: Vec<_> = changes.iter().map(single).collect();
    into.set_changes(changes.into());
    into.context = context.into();
    into
}
