//! What `raft` wants done, as actions for the host, in an order that is safe.

use super::{MESSAGE_BYTES_MAX, Replica, standing};
use crate::admission::change_of;
use crate::convert::{entry_out, message_out, snapshot_out};
use crate::store::Log;
use crate::{Action, Changed, HardState, Message, MessageKind, Role, Save, Standing};
use raft::prelude as pb;
use raft::{ReadState, Ready, StateRole};

impl<L: Log> Replica<L> {
    /// Takes everything that is to be done.
    pub(super) fn drain(&mut self) {
        while self.raw.has_ready() {
            self.tell_standing();
            let mut ready = self.raw.ready();
            self.number = ready.number();
            let is_leader = self.raw.raft.state == StateRole::Leader;
            self.save(&ready);
            let mut messages = if is_leader {
                ready.take_messages()
            } else {
                ready.take_persisted_messages()
            };
            let read_states = ready.take_read_states();
            let committed = ready.take_committed_entries();
            self.raw.advance_append_async(ready);
            // In the order of the receivers, since `raft`'s own depends on a hash, and on the size of a pointer.
            messages.sort_by_key(|message| message.to);
            for message in messages.into_iter().filter_map(message_out) {
                self.send(message, is_leader);
            }
            self.answer_reads(read_states);
            if self.outbox.is_idle() {
                self.raw.on_persist_ready(self.number);
            }
            self.commit(&committed);
        }
        self.tell_standing();
    }

    fn tell_standing(&mut self) {
        let standing = standing(&self.raw);
        if standing == self.standing {
            return;
        }
        self.failover.leads(standing.leader);
        self.change_reads(&standing);
        if standing.role != Role::Leader || standing.term != self.standing.term {
            self.proposals.clear();
        }
        self.standing = standing;
        self.actions.push(Action::Standing(standing));
    }

    /// A question to a leader that is none any more gets no answer.
    fn change_reads(&mut self, standing: &Standing) {
        let before = &self.standing;
        if before.role == Role::Leader {
            let given_up = self.reads.give_up();
            self.actions
                .extend(given_up.into_iter().map(Action::ReadFailed));
        } else if before.leader != standing.leader || before.term != standing.term {
            self.reads.ask_again();
        }
    }

    fn save(&mut self, ready: &Ready) {
        let vote = ready.hs().map(|hard| (hard.term, hard.vote));
        let changes_vote = vote.is_some_and(|vote| vote != self.saved);
        let snapshot = ready.snapshot();
        // That more is committed needs no save of its own: it is found out again.
        if !changes_vote && ready.entries().is_empty() && snapshot.is_empty() {
            return;
        }
        let hard = self.raw.raft.hard_state();
        self.saved = (hard.term, hard.vote);
        self.outbox.save(self.number, changes_vote);
        let store = self.raw.mut_store();
        let mut install = None;
        if !snapshot.is_empty() {
            let snapshot = snapshot_out(snapshot);
            store.restart(snapshot.index, snapshot.term);
            self.installing = Some((self.number, snapshot.index));
            self.handed = snapshot.index;
            install = Some(snapshot);
        }
        store.append(ready.entries());
        self.actions.push(Action::Save(Save {
            token: self.number,
            hard: Some(HardState {
                term: hard.term,
                vote: hard.vote,
                commit: hard.commit.min(store.last()),
            }),
            entries: ready.entries().iter().cloned().map(entry_out).collect(),
            install,
        }));
    }

    fn send(&mut self, message: Message, is_leader: bool) {
        for message in split(message) {
            if let Some(message) = self.outbox.pass(message, is_leader) {
                self.actions.push(Action::Send(message));
            }
        }
    }

    fn answer_reads(&mut self, read_states: Vec<ReadState>) {
        for state in read_states {
            let reads = self.reads.answered(&state.request_ctx);
            let ready = |read| Action::ReadReady((read, state.index));
            self.actions.extend(reads.into_iter().map(ready));
        }
    }

    /// Hands out committed entries; a range ends where the membership changes.
    fn commit(&mut self, entries: &[pb::Entry]) {
        let mut first = self.handed + 1;
        let Some(last) = entries.last().map(|entry| entry.index) else {
            return;
        };
        self.proposals.committed(last);
        self.handed = last;
        let changes = entries
            .iter()
            .filter(|entry| crate::convert::is_change(entry));
        for entry in changes {
            self.actions.push(Action::Commit((first, entry.index)));
            first = entry.index + 1;
            self.change_members(entry);
        }
        if first <= last {
            self.actions.push(Action::Commit((first, last)));
        }
    }

    fn change_members(&mut self, entry: &pb::Entry) {
        let change = change_of(entry);
        // One that is not possible is refused by every replica alike, and changes nothing.
        let _ = self.raw.apply_conf_change(&change);
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader && !raft.promotable() {
            // It would go on to lead a group that it does not belong to.
            let term = raft.term;
            raft.become_follower(term, raft::INVALID_ID);
        }
        let members = self.members();
        self.actions.push(Action::Changed(Changed {
            index: entry.index,
            members,
            context: change.context.to_vec(),
        }));
    }
}

/// Splits a message whose entries became too many, since `raft` adds to messages that have not left.
fn split(mut message: Message) -> Vec<Message> {
    let bytes_max = usize::try_from(MESSAGE_BYTES_MAX).unwrap_or(usize::MAX);
    let bytes: usize = message.entries.iter().map(|entry| entry.data.len()).sum();
    if message.kind != MessageKind::Append || bytes <= bytes_max {
        return vec![message];
    }
    let entries = std::mem::take(&mut message.entries);
    let mut parts = vec![message];
    let mut part_bytes = 0;
    for entry in entries {
        let Some(part) = parts.last_mut() else { break };
        if part_bytes > 0 && part_bytes + entry.data.len() > bytes_max {
            let log_term = part.entries.last().map_or(0, |before| before.term);
            let next = Message {
                index: entry.index - 1,
                log_term,
                entries: vec![],
                context: vec![],
                snapshot: None,
                ..*part
            };
            part_bytes = 0;
            parts.push(next);
        }
        part_bytes += entry.data.len();
        if let Some(part) = parts.last_mut() {
            part.entries.push(entry);
        }
    }
    parts
}
