//! The replicas' part of a service: what is committed, what is speculated, who waits for what.
//!
//! [`Group::step`] takes what happened and says what to do; it touches nothing outside and awaits nothing. Commands run one after another, each
//! on what the ones before it left, before that is in the log (the *speculative* state). What a command changes becomes an
//! entry; its caller is told once the entry is in the log for good (*committed*). If the log refuses an entry, that and all
//! later ones are dropped, and what ran on them runs again.
//!
//! Whoever drives it carries out its actions in order, feeds it events, and runs guests. In the simulator that is a loop over virtual time.

use super::draft::DraftError;
use super::entry::{Entry, EntryError, Write};
use super::event::{Action, Answer, CommandId, Delivery, Event, Outgoing, Refusal};
use super::keyspace::{self, MESSAGE, META, MessageId, Meta, TIMER_ORDER};
use super::messages;
use super::mutant::Mutant;
use super::published::Snapshot;
use super::schedule::Schedule;
use super::sessions::{Bounds, SessionKey};
use super::time::{GroupTime, Now};
use crate::state::{Layer, View};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

mod execution;

/// Commands that wait for their turn. Admission bounds them too, by the service's own limits; this bounds what a bug there could do.
const QUEUE_MAX: usize = 100_000;
/// Bytes of entries that are made and not committed. More would only wait for the disk, and be undone if it refuses.
const PENDING_BYTES_MAX: usize = 16 << 20;
/// Handlers of timers that wait for their turn among the commands. Enough to keep the group busy, few enough to let commands in between.
const TIMERS_BUSY_MAX: usize = 16;
/// Messages on their way at once.
const MESSAGES_BUSY_MAX: usize = 64;

/// The group must not go on: its host stops, and says why.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// What is kept cannot be read or understood.
    #[error(transparent)]
    State(#[from] DraftError),
    /// An entry of the log cannot be applied.
    #[error("entry {index} of the log cannot be applied")]
    Entry {
        /// Which.
        index: u64,
        /// Why.
        #[source]
        source: EntryError,
    },
}

/// What a group is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The service's name; part of the keys of its messages.
    pub name: String,
    /// How long and in how much room answers are kept.
    pub sessions: Bounds,
    /// A deliberate bug, for the simulator to find.
    pub mutant: Option<Mutant>,
}

/// An entry that is made and not committed.
struct Pending {
    index: u64,
    bytes: usize,
    meta: Meta,
    writes: Vec<Write>,
    cause: Cause,
    /// Who is told when it is committed.
    answers: Vec<(CommandId, Answer)>,
}

/// Why an entry was made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    Command,
    Timer((u64, Bytes)),
    Reply(MessageId),
}

/// Something that waits for its turn.
enum Waiting {
    Command(CommandId, Option<SessionKey>),
    Timer((u64, Bytes)),
    Reply(MessageId),
}

struct Running {
    waiting: Waiting,
    time_ms: u64,
    /// What it sees was dropped since: it has to run again.
    is_stale: bool,
}

/// The group of one service.
pub struct Group {
    options: Options,
    time: GroupTime,
    committed: View,
    index: u64,
    meta: Meta,
    /// What commands see: the committed state and everything that is on its way there. Each entry is applied to both, in place: were they one map in many
    /// versions, every write would copy the nodes above it.
    speculative: View,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    queue: VecDeque<Waiting>,
    running: Option<Running>,
    generation: u64,
    timers: Schedule<(u64, Bytes)>,
    messages: Schedule<MessageId>,
}

impl Group {
    /// A group as it was left: its state at the last checkpoint, and the log's entries after that, in order.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub fn recover(
        options: Options,
        base: View,
        applied: u64,
        entries: impl IntoIterator<Item = (u64, Bytes)>,
    ) -> Result<Self, GroupError> {
        let mut committed = base;
        let mut index = applied;
        for (at, bytes) in entries.into_iter().filter(|(at, _)| *at > applied) {
            let entry = Entry::from_bytes(bytes)
                .map_err(|source| GroupError::Entry { index: at, source })?;
            committed.apply(entry.writes);
            index = at;
        }
        let meta = match committed.get(META).map_err(DraftError::from)? {
            Some(bytes) => Meta::from_bytes(bytes).map_err(DraftError::from)?,
            None => Meta::default(),
        };
        let mut group = Self {
            time: GroupTime::new(if options.mutant == Some(Mutant::TrustClock) {
                0
            } else {
                meta.time_ms
            }),
            speculative: committed.clone(),
            committed,
            index,
            meta,
            pending: VecDeque::new(),
            pending_bytes: 0,
            queue: VecDeque::new(),
            running: None,
            generation: 0,
            timers: Schedule::default(),
            messages: Schedule::default(),
            options,
        };
        group.find_unfinished()?;
        Ok(group)
    }

    /// The committed state: what queries see.
    #[must_use]
    pub fn committed(&self) -> (&View, Meta, u64) {
        (&self.committed, self.meta, self.index)
    }

    /// The committed state, to be published.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            view: self.committed.clone(),
            meta: self.meta,
            index: self.index,
        }
    }

    /// Commands and handlers that wait or run, and entries that are not committed.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.queue.len() + usize::from(self.running.is_some()) + self.pending.len()
    }

    /// Messages and timers that are not done.
    #[must_use]
    pub fn unfinished(&self) -> (usize, usize) {
        (self.messages.len(), self.timers.len())
    }

    /// When [`Event::Tick`] is to come at the latest, by the monotonic clock; none if there is nothing to wait for.
    pub fn next_tick(&mut self, now: Now) -> Option<Duration> {
        let time_ms = self.time.at(now);
        let due = self.timers.first_ready().map(|(due_ms, _)| {
            let left = due_ms.saturating_sub(time_ms);
            now.monotonic.saturating_add(Duration::from_millis(left))
        });
        // While as many are busy as may be, time changes nothing; the end of one of them does.
        let timers = [due, self.timers.next_retry()]
            .into_iter()
            .filter(|_| self.timers.busy() < TIMERS_BUSY_MAX);
        let messages = [self.messages.next_retry()]
            .into_iter()
            .filter(|_| self.messages.busy() < MESSAGES_BUSY_MAX);
        timers.chain(messages).flatten().min()
    }

    /// Takes what came since the last checkpoint out, to be folded into the state store as of the returned index. None if nothing did.
    /// [`folded`](Self::folded) has to follow before this may be called again.
    pub fn freeze(&mut self) -> Option<(u64, Layer)> {
        if self.committed.recent().is_empty() {
            return None;
        }
        if self.has(Mutant::FoldUncommitted)
            && let Some(pending) = self.pending.back()
        {
            let (index, layer) = (pending.index, self.speculative.recent().clone());
            self.committed.freeze();
            self.rebuild();
            return Some((index, layer));
        }
        let layer = self.committed.freeze();
        self.rebuild();
        Some((self.index, layer))
    }

    /// What [`freeze`](Self::freeze) gave is in the state store.
    pub fn folded(&mut self, base: crate::state::Base) {
        drop(self.committed.folded(base.clone()));
        drop(self.speculative.folded(base));
    }

    /// What [`freeze`](Self::freeze) gave could not be folded: it counts as recent again.
    pub fn unfreeze(&mut self) {
        self.committed.unfreeze();
        self.rebuild();
    }

    /// Takes what happened and appends what to do.
    ///
    /// # Errors
    /// See [`GroupError`]; what was to be done is void then.
    pub fn step(
        &mut self,
        now: Now,
        event: Event,
        actions: &mut Vec<Action>,
    ) -> Result<(), GroupError> {
        match event {
            Event::Command { id, key } => {
                if self.queue.len() >= QUEUE_MAX {
                    let answer = Answer::Refused(Refusal::Overloaded);
                    actions.push(Action::Answer { id, answer });
                } else {
                    self.queue.push_back(Waiting::Command(id, key));
                }
            }
            Event::Ran(outcome) => self.ran(now, outcome, actions)?,
            Event::Committed(index) => self.commit(index, actions)?,
            Event::Refused { index, generation } => self.refuse(index, generation, actions),
            Event::Tick => {}
            Event::Delivered { id, delivery } => match delivery {
                Delivery::Done => self.queue.push_back(Waiting::Reply(id)),
                Delivery::Failed if self.has(Mutant::SendOnce) => self.messages.remove(&id),
                Delivery::Failed => self.messages.failed(&id, now.monotonic),
            },
        }
        self.fire(now);
        self.deliver(now, actions)?;
        self.run(now, actions)
    }

    /// Timers and messages that were not done when the state was left.
    fn find_unfinished(&mut self) -> Result<(), GroupError> {
        let mut writes = Vec::new();
        for prefix in [TIMER_ORDER, MESSAGE] {
            let forgotten = match self.options.mutant {
                Some(Mutant::ForgetMessages) => Some(MESSAGE),
                Some(Mutant::ForgetTimers) => Some(TIMER_ORDER),
                Some(_) | None => None,
            };
            if forgotten == Some(prefix) {
                continue;
            }
            for pair in self.committed.scan(&[prefix], Some(&[prefix + 1]), false) {
                let (key, value) = pair.map_err(DraftError::from)?;
                writes.push((key, Some(value)));
            }
        }
        self.note(&writes)
    }

    /// Keeps the schedules in step with what was committed.
    fn note(&mut self, writes: &[Write]) -> Result<(), GroupError> {
        for (key, value) in writes {
            match key.first() {
                Some(&TIMER_ORDER) => {
                    let timer = keyspace::split_numbered(key).map_err(DraftError::from)?;
                    match value {
                        Some(_) => self.timers.add(timer),
                        None => self.timers.remove(&timer),
                    }
                }
                Some(&MESSAGE) => {
                    let id = MessageId::from_key(key).map_err(DraftError::from)?;
                    match value {
                        Some(_) => self.messages.add(id),
                        None => self.messages.remove(&id),
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Queues the handlers of timers that are due.
    fn fire(&mut self, now: Now) {
        let mut time_ms = self.time.at(now);
        if self.has(Mutant::FireEarly) {
            time_ms += 300;
        }
        while self.timers.busy() < TIMERS_BUSY_MAX
            && let Some(timer) = self
                .timers
                .take(now.monotonic, |(due_ms, _)| *due_ms <= time_ms)
        {
            self.queue.push_back(Waiting::Timer(timer));
        }
    }

    /// Sends messages, the oldest first.
    fn deliver(&mut self, now: Now, actions: &mut Vec<Action>) -> Result<(), GroupError> {
        while self.messages.busy() < MESSAGES_BUSY_MAX
            && let Some(id) = self.messages.take(now.monotonic, |_| true)
        {
            let Some(message) = messages::read(&self.committed, id)? else {
                self.messages.remove(&id);
                continue;
            };
            let mut key = messages::key(&self.options.name, id);
            if self.has(Mutant::FreshMessageKey) {
                key[..8].copy_from_slice(&(now.monotonic.as_micros() as u64).to_le_bytes());
            }
            actions.push(Action::Deliver(Outgoing { id, message, key }));
        }
        Ok(())
    }

    /// What is known of the speculative state as a whole.
    fn speculative_meta(&self) -> Meta {
        self.pending
            .back()
            .map_or(self.meta, |pending| pending.meta)
    }

    /// Tells a caller, once everything that its command saw is committed.
    fn answer(&mut self, id: CommandId, answer: Answer, actions: &mut Vec<Action>) {
        let is_hasty = self.has(Mutant::AnswerBeforeCommit);
        match self.pending.back_mut() {
            Some(pending) if !is_hasty => pending.answers.push((id, answer)),
            Some(_) | None => actions.push(Action::Answer { id, answer }),
        }
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.options.mutant == Some(mutant)
    }

    fn last_index(&self) -> u64 {
        self.pending
            .back()
            .map_or(self.index, |pending| pending.index)
    }

    fn commit(&mut self, index: u64, actions: &mut Vec<Action>) -> Result<(), GroupError> {
        let mut answers = Vec::new();
        let before = self.index;
        while let Some(pending) = self.pending.front()
            && pending.index <= index
        {
            let Some(pending) = self.pending.pop_front() else {
                break;
            };
            self.pending_bytes -= pending.bytes;
            self.index = pending.index;
            self.meta = pending.meta;
            match &pending.cause {
                Cause::Command => {}
                Cause::Timer(timer) => self.timers.remove(timer),
                Cause::Reply(id) => self.messages.remove(id),
            }
            self.note(&pending.writes)?;
            self.committed.apply(pending.writes);
            answers.extend(pending.answers);
        }
        if self.index > before && !self.has(Mutant::ForgetPublish) {
            // Queries see it before its callers hear of it.
            actions.push(Action::Publish);
        }
        let answer = |(id, answer)| Action::Answer { id, answer };
        actions.extend(answers.into_iter().map(answer));
        Ok(())
    }

    /// Drops entries that the log did not take.
    fn refuse(&mut self, index: u64, generation: u64, actions: &mut Vec<Action>) {
        if generation != self.generation {
            return;
        }
        self.generation += 1;
        if self.has(Mutant::KeepRefused) {
            return;
        }
        let kept = self
            .pending
            .partition_point(|pending| pending.index < index);
        for pending in self.pending.split_off(kept) {
            self.pending_bytes -= pending.bytes;
            match &pending.cause {
                Cause::Command => {}
                Cause::Timer(timer) => self.timers.release(timer),
                Cause::Reply(id) => self.messages.release(id),
            }
            // Also those that only read: they saw what is not so.
            let answer = Answer::Refused(Refusal::DiskFull);
            for (id, _) in pending.answers {
                let answer = answer.clone();
                actions.push(Action::Answer { id, answer });
            }
        }
        self.rebuild();
        if !self.has(Mutant::KeepStaleRun)
            && let Some(running) = &mut self.running
        {
            running.is_stale = true;
        }
    }

    /// Makes the speculative state anew above the committed one.
    fn rebuild(&mut self) {
        self.speculative = self.committed.clone();
        for pending in &self.pending {
            self.speculative.apply(pending.writes.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests;
