//! The replicas' part of a service: what is committed, what is speculated, who waits for what.
//!
//! [`Group::step`] takes what happened and says what to do; it touches nothing outside and awaits nothing. On the replica that leads, commands run one after
//! another, each on what the ones before it left, before that is committed (the *speculative* state). What a command changes becomes an
//! entry; its caller is told once the entry is committed and applied. If an entry does not get into the log, that and all later ones are dropped, and what
//! ran on them runs again; if the replica leads no more, all is dropped, and the callers are told what is known. The others only
//! [apply](Group::apply) entries.
//!
//! Whoever drives it carries out its actions in order, feeds it events, and runs guests. In the simulator that is a loop over virtual time.

use super::draft::DraftError;
use super::entry::{Entry, EntryError, Write};
use super::event::{Action, Answer, CommandId, Delivery, Doubt, Event, Outgoing, Refusal};
use super::keyspace::{self, MESSAGE, META, MessageId, Meta, TIMER_ORDER};
use super::messages;
use super::mutant::Mutant;
use super::published::Snapshot;
use super::schedule::Schedule;
use super::sessions::{Bounds, SessionKey};
use super::time::{GroupTime, Now};
use crate::state::View;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

mod checkpoints;
mod execution;
mod leading;
mod members;

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
    /// Its members change; nothing of the service's.
    Members,
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
    /// What commands see: the committed state and everything that is on its way there. None on a replica that does not lead. Each entry is applied to both, in
    /// place: were they one map in many versions, every write would copy the nodes above it.
    speculative: Option<View>,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    queue: VecDeque<Waiting>,
    running: Option<Running>,
    /// It has the only vote, so nobody can lead in its place without its knowledge.
    is_alone: bool,
    /// The log has no room: what would be executed could not be kept.
    is_full: bool,
    /// Nothing new begins: another replica is to take over, once what is under way is committed.
    is_closing: bool,
    timers: Schedule<(u64, Bytes)>,
    messages: Schedule<MessageId>,
}

impl Group {
    /// A group as it was left: its state as of an entry. Those after that are [applied](Self::apply) as it is learned that they are committed.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub fn recover(options: Options, committed: View, index: u64) -> Result<Self, GroupError> {
        let mut group = Self {
            time: GroupTime::new(0),
            speculative: None,
            committed,
            index,
            meta: Meta::default(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            queue: VecDeque::new(),
            running: None,
            is_alone: true,
            is_full: false,
            is_closing: false,
            timers: Schedule::default(),
            messages: Schedule::default(),
            options,
        };
        group.look_around()?;
        Ok(group)
    }

    /// Takes over a state that came from another replica, as of an entry.
    ///
    /// # Errors
    /// See [`GroupError`].
    ///
    /// # Panics
    /// It leads: leaders have everything.
    pub fn replace(&mut self, committed: View, index: u64) -> Result<(), GroupError> {
        assert!(self.speculative.is_none(), "a leader is given a state");
        self.committed = committed;
        self.index = index;
        self.timers = Schedule::default();
        self.messages = Schedule::default();
        self.look_around()
    }

    /// What is known of the state as a whole, and what is not done in it.
    fn look_around(&mut self) -> Result<(), GroupError> {
        self.meta = match self.committed.get(META).map_err(DraftError::from)? {
            Some(bytes) => Meta::from_bytes(bytes).map_err(DraftError::from)?,
            None => Meta::default(),
        };
        self.find_unfinished()
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
        if !self.leads() || self.is_closing || self.is_full {
            return None;
        }
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

    /// Whether it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.speculative.is_some()
    }

    /// Whether the log has no room. Commands are refused as long as that is so; handlers wait.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// Whether the log has no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether nothing new is to begin, because another replica is to take over. Commands that wait are not answered: they go on, or are refused when this one
    /// leads no more.
    pub fn set_closing(&mut self, is_closing: bool) {
        self.is_closing = is_closing;
    }

    /// Whether it takes commands.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.leads() && !self.is_closing
    }

    /// Whether what runs has to run again, since what it sees was dropped.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.is_stale)
    }

    /// Whether anything runs or is not committed.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.running.is_some() || !self.pending.is_empty()
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
                if let Some(refusal) = self.refusal() {
                    let answer = Answer::Refused(refusal);
                    actions.push(Action::Answer { id, answer });
                } else {
                    self.queue.push_back(Waiting::Command(id, key));
                }
            }
            Event::Ran(outcome) => self.ran(now, outcome, actions)?,
            Event::Leads => self.lead(),
            Event::Follows => self.follow(actions),
            Event::Refused(index) => self.refuse(index, actions),
            Event::Stuck => self.doubt(Doubt::DiskFull, actions),
            Event::Tick => {}
            // What was sent when this replica led before. Whoever leads now sends it again.
            Event::Delivered { .. } if !self.leads() => {}
            Event::Delivered { id, delivery } => match delivery {
                Delivery::Done => self.queue.push_back(Waiting::Reply(id)),
                Delivery::Failed if self.has(Mutant::SendOnce) => self.messages.remove(&id),
                Delivery::Failed => self.messages.failed(&id, now.monotonic),
            },
        }
        if !self.leads() || self.is_closing || self.is_full {
            return Ok(());
        }
        self.fire(now);
        self.deliver(now, actions)?;
        self.run(now, actions)
    }

    /// Why a command cannot be taken, if so.
    fn refusal(&self) -> Option<Refusal> {
        if !self.leads() || self.is_closing {
            return Some(Refusal::NotLeading);
        }
        if self.is_full {
            return Some(Refusal::DiskFull);
        }
        (self.queue.len() >= QUEUE_MAX).then_some(Refusal::Overloaded)
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

    /// The last entry that it has made, or applied.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        self.pending
            .back()
            .map_or(self.index, |pending| pending.index)
    }

    /// Applies the next entry: an empty one if it is not the service's. Answers of this host's callers are added to `actions`, for after the state is published.
    ///
    /// # Errors
    /// See [`GroupError`].
    ///
    /// # Panics
    /// Entries are applied in another order, or one was made here and another is committed in its place: bugs of the host.
    pub fn apply(
        &mut self,
        index: u64,
        data: &Bytes,
        actions: &mut Vec<Action>,
    ) -> Result<(), GroupError> {
        assert_eq!(index, self.index + 1, "entries are applied in their order");
        let mine = self
            .pending
            .front()
            .is_some_and(|pending| pending.index == index);
        let pending = if mine { self.pending.pop_front() } else { None };
        self.index = index;
        if let Some(pending) = pending {
            self.pending_bytes = self.pending_bytes.saturating_sub(pending.bytes);
            self.meta = pending.meta;
            match &pending.cause {
                Cause::Command | Cause::Members => {}
                Cause::Timer(timer) => self.timers.remove(timer),
                Cause::Reply(id) => self.messages.remove(id),
            }
            self.note(&pending.writes)?;
            self.committed.apply(pending.writes);
            let answer = |(id, answer)| Action::Answer { id, answer };
            actions.extend(pending.answers.into_iter().map(answer));
            return Ok(());
        }
        assert!(
            self.pending.is_empty() || self.has(Mutant::KeepDeposed),
            "entry {index} was not made here, and others were"
        );
        if data.is_empty() {
            return Ok(());
        }
        let entry = Entry::from_bytes(data.clone())
            .map_err(|source| GroupError::Entry { index, source })?;
        if let Some((_, Some(meta))) = entry.writes.iter().find(|(key, _)| key == META) {
            self.meta = Meta::from_bytes(meta.clone()).map_err(DraftError::from)?;
        }
        self.note(&entry.writes)?;
        self.committed.apply(entry.writes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
