//! What waits for the disk: saves that the host has not reported, and the messages that must not leave before.
//!
//! A follower that says it has an entry, or that it votes, must not forget it. Its messages are held here and not by the host: `raft` must know that
//! a save is on the disk before anybody answers to what it made known.

use crate::{Message, MessageKind};
use std::collections::VecDeque;

/// A save under way, with what waits for it.
struct Held {
    token: u64,
    messages: Vec<Message>,
}

/// Saves under way, in order.
#[derive(Default)]
pub struct Outbox {
    held: VecDeque<Held>,
    /// The last save that changed term or vote.
    vote_token: u64,
    /// Up to here everything is on the disk.
    persisted: u64,
}

impl Outbox {
    /// A save begins.
    pub fn save(&mut self, token: u64, changes_vote: bool) {
        let messages = Vec::new();
        self.held.push_back(Held { token, messages });
        if changes_vote {
            self.vote_token = token;
        }
    }

    /// Whether no save is under way.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// The newest save under way; 0 if there is none.
    pub fn newest(&self) -> u64 {
        self.held.back().map_or(0, |held| held.token)
    }

    /// Gives the message back if it may leave at once.
    pub fn pass(&mut self, message: Message, is_leader: bool) -> Option<Message> {
        match self.held.back_mut() {
            Some(held) if self.vote_token > self.persisted => held.messages.push(message),
            Some(held) if !is_leader && promises(&message) => held.messages.push(message),
            Some(_) | None => return Some(message),
        }
        None
    }

    /// Everything up to `token` is on the disk; what may leave now.
    pub fn persisted(&mut self, token: u64) -> Vec<Message> {
        self.persisted = self.persisted.max(token);
        let mut free = Vec::new();
        while let Some(held) = self.held.pop_front_if(|held| held.token <= token) {
            free.extend(held.messages);
        }
        free
    }
}

/// Whether a message of a replica that does not lead says something about its log or its vote. The others need nothing but a term that is kept.
fn promises(message: &Message) -> bool {
    match message.kind {
        MessageKind::HeartbeatResponse
        | MessageKind::PreVoteResponse
        | MessageKind::ReadIndex
        | MessageKind::TransferLeader => false,
        MessageKind::AppendResponse => !message.reject,
        MessageKind::Append
        | MessageKind::Vote
        | MessageKind::VoteResponse
        | MessageKind::PreVote
        | MessageKind::Heartbeat
        | MessageKind::Snapshot
        | MessageKind::TimeoutNow
        | MessageKind::ReadIndexResponse => true,
    }
}
