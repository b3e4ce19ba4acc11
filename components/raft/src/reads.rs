//! Reads that wait for the leader to say what is committed.
//!
//! All reads of a step are one question. A question is asked again after a change of leader, and given up by a leader that steps down, or when there
//! was no answer for an election timeout.

use crate::time::mix;
use raft::prelude as pb;
use std::collections::VecDeque;

/// Reads that wait at once, and questions of followers that wait for the leader's first commit.
const READS_MAX: usize = 16 << 10;
const PARKED_MAX: usize = 1024;

/// A read, and until when it waits.
#[derive(Clone, Copy)]
struct Read {
    id: u64,
    until_ms: u64,
}

/// A question under way.
struct Asked {
    context: Vec<u8>,
    reads: Vec<Read>,
}

/// The reads of one replica.
pub struct Reads {
    replica: u64,
    /// Tells this start of the replica from all others: an answer to a question from before a restart may still be on its way.
    start: u64,
    asked: u64,
    waiting: Vec<Read>,
    questions: VecDeque<Asked>,
    parked: Vec<pb::Message>,
}

impl Reads {
    /// Of a replica started with `seed`.
    pub fn new(replica: u64, seed: u64) -> Self {
        Self {
            replica,
            start: mix(seed),
            asked: 0,
            waiting: Vec::new(),
            questions: VecDeque::new(),
            parked: Vec::new(),
        }
    }

    /// A read waits until `until_ms`. False: too many do already.
    pub fn add(&mut self, id: u64, until_ms: u64) -> bool {
        let has_room = self.all().count() < READS_MAX;
        if has_room {
            self.waiting.push(Read { id, until_ms });
        }
        has_room
    }

    /// Whether there is something to ask.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Makes all waiting reads one question; its context for `raft`.
    pub fn ask(&mut self) -> Vec<u8> {
        self.asked += 1;
        let context = [self.replica, self.start, self.asked]
            .map(u64::to_be_bytes)
            .concat();
        self.questions.push_back(Asked {
            context: context.clone(),
            reads: std::mem::take(&mut self.waiting),
        });
        context
    }

    /// A question was answered; its reads.
    pub fn answered(&mut self, context: &[u8]) -> Vec<u64> {
        let place = self
            .questions
            .iter()
            .position(|asked| asked.context == context);
        let question = place.and_then(|place| self.questions.remove(place));
        let reads = question.map(|asked| asked.reads).unwrap_or_default();
        reads.into_iter().map(|read| read.id).collect()
    }

    /// Another leader: what was asked has to be asked again.
    pub fn ask_again(&mut self) {
        let questions = std::mem::take(&mut self.questions);
        let mut again: Vec<Read> = questions
            .into_iter()
            .flat_map(|asked| asked.reads)
            .collect();
        again.append(&mut self.waiting);
        self.waiting = again;
    }

    /// Gives up all reads, and what followers asked.
    pub fn give_up(&mut self) -> Vec<u64> {
        self.ask_again();
        self.parked.clear();
        self.waiting.drain(..).map(|read| read.id).collect()
    }

    /// Gives up the reads that waited too long.
    pub fn expire(&mut self, now_ms: u64) -> Vec<u64> {
        let mut expired = Vec::new();
        let mut keep = |read: &Read| {
            let is_late = read.until_ms <= now_ms;
            if is_late {
                expired.push(read.id);
            }
            !is_late
        };
        for asked in &mut self.questions {
            asked.reads.retain(&mut keep);
        }
        self.waiting.retain(&mut keep);
        // A question that nobody waits for must still not be taken for a later one; but nobody has to remember it.
        self.questions.retain(|asked| !asked.reads.is_empty());
        expired
    }

    /// When the first read has waited too long.
    pub fn first_until_ms(&self) -> Option<u64> {
        self.all().map(|read| read.until_ms).min()
    }

    /// A follower's question comes before this leader's first commit.
    pub fn park(&mut self, question: pb::Message) {
        if self.parked.len() < PARKED_MAX {
            self.parked.push(question);
        }
    }

    /// What followers asked before this leader's first commit.
    pub fn take_parked(&mut self) -> Vec<pb::Message> {
        std::mem::take(&mut self.parked)
    }

    fn all(&self) -> impl Iterator<Item = &Read> {
        let asked = self.questions.iter().flat_map(|asked| &asked.reads);
        asked.chain(&self.waiting)
    }
}
