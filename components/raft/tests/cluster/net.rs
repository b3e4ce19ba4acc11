//! A network that loses, repeats, delays and reorders, and that can be cut.

use super::super::engine::{Message, MessageKind};
use super::random::Random;
use std::collections::BTreeSet;

/// Messages on their way, and what happens to them.
#[derive(Default)]
pub struct Net {
    /// When each arrives.
    messages: Vec<(u64, Message)>,
    /// Directions in which nothing gets through.
    cut: BTreeSet<(u64, u64)>,
    pub loss_percent: u64,
    pub repeat_percent: u64,
    /// Longest delay, beside the usual millisecond.
    pub delay_ms: u64,
    /// Everything of some kind is lost.
    pub lost_kind: Option<MessageKind>,
    /// Snapshots that got through: from whom, to whom.
    pub sent: Vec<(u64, u64)>,
}

impl Net {
    pub fn cut(&mut self, from: u64, to: u64) {
        self.cut.insert((from, to));
    }

    /// Cuts one off from all.
    pub fn isolate(&mut self, id: u64, others: impl IntoIterator<Item = u64>) {
        for other in others {
            self.cut(id, other);
            self.cut(other, id);
        }
    }

    pub fn heal(&mut self) {
        *self = Self {
            messages: std::mem::take(&mut self.messages),
            ..Self::default()
        };
    }

    /// A host stopped: its connections broke.
    pub fn forget(&mut self, id: u64) {
        self.messages.retain(|(_, message)| message.to != id);
    }

    /// A connection broke: nothing more of what `id` sent arrives.
    pub fn silence(&mut self, id: u64) {
        self.messages.retain(|(_, message)| message.from != id);
    }

    pub fn send(&mut self, message: Message, now_ms: u64, random: &mut Random) {
        let is_cut = self.cut.contains(&(message.from, message.to));
        if is_cut || random.chance(self.loss_percent) || self.lost_kind == Some(message.kind) {
            return;
        }
        let mut delay = || now_ms + 1 + random.below(self.delay_ms + 1);
        let arrives_ms = delay();
        let again_ms = delay();
        if random.chance(self.repeat_percent) {
            self.messages.push((again_ms, message.clone()));
        }
        self.messages.push((arrives_ms, message));
    }

    /// To whom snapshots of `id` got through.
    pub fn take_sent(&mut self, id: u64) -> Vec<u64> {
        let sent = self.sent.extract_if(.., |(from, _)| *from == id);
        sent.map(|(_, to)| to).collect()
    }

    /// What arrives at `id` by now.
    pub fn due(&mut self, id: u64, now_ms: u64) -> Vec<Message> {
        let is_due = |(at_ms, message): &mut (u64, Message)| *at_ms <= now_ms && message.to == id;
        let mut due: Vec<_> = self.messages.extract_if(.., is_due).collect();
        due.sort_by_key(|(at_ms, _)| *at_ms);
        due.into_iter().map(|(_, message)| message).collect()
    }
}
