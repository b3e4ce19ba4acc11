//! The one history of a group: what was committed, as the first replica that applied it says, and what must be true of that whatever the service does. All other
//! replicas are compared with it.

use super::workload::Request;
use crate::replica::entry::{Entry, Kind, Write};
use crate::replica::keyspace::{KeyHash, MESSAGE, MessageId, ROSTER, TIMER_ORDER, split_numbered};
use crate::replica::roster::Roster;
use crate::replica::wit::Members;
use crate::state::{GroupId, View};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A call of a client: which client, and the number of the call among all of the simulation.
pub type Caller = (usize, u64);

/// Why an entry was made.
#[derive(Debug, Clone)]
pub enum Cause {
    /// A client's command, and which attempt of the client's it was.
    Client(Caller, u64, Arc<Request>),
    /// A message from another service.
    Message {
        /// The group that sent it, and the message.
        from: (GroupId, MessageId),
        /// What it calls.
        function: String,
        /// A JSON array.
        arguments: String,
    },
    /// A version has come to lead, and migrates what another one wrote.
    Migration,
    /// A timer.
    Timer(String),
    /// The answer of a message.
    Reply {
        /// Which.
        id: MessageId,
        /// What its sender called it.
        tag: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client((client, _), _, request) => {
                write!(f, "client {client} called {}", request.function)
            }
            Self::Message { from, function, .. } => {
                let (group, MessageId { index, ordinal }) = from;
                write!(
                    f,
                    "group {} sent {function} with entry {index}, message {ordinal}",
                    group.0
                )
            }
            Self::Migration => write!(f, "a migration"),
            Self::Timer(key) => write!(f, "timer {key}"),
            Self::Reply { tag, .. } => write!(f, "the answer for {tag}"),
        }
    }
}

/// What is known of an entry beside its bytes, from where it was made.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Why.
    pub cause: Cause,
    /// The idempotency key of its call.
    pub key: Option<KeyHash>,
    /// The result.
    pub result: Value,
}

/// An entry that is committed.
#[derive(Debug)]
pub struct Made {
    /// Its index.
    pub index: u64,
    /// What was called.
    pub kind: Kind,
    /// The group's time.
    pub time_ms: u64,
    /// Where it comes from.
    pub origin: Origin,
}

/// The history of one group.
pub struct History {
    /// The state at `through`.
    state: BTreeMap<Bytes, Bytes>,
    /// The last entry that is committed.
    pub through: u64,
    /// Who the members were before the last change of them.
    pub members_before: Option<Members>,
    /// The terms of all entries, from index 1 on.
    terms: Vec<u64>,
    /// Sums over the pairs of the state after each entry, from index 1 on.
    sums: Vec<u64>,
    /// The last entry that anybody outside was told something of.
    pub acknowledged: u64,
    /// When keys took effect, in the group's time, and with which entry.
    used: BTreeMap<KeyHash, (u64, u64)>,
    /// Messages of others that took effect.
    received: BTreeMap<(GroupId, MessageId), u64>,
    /// The time of the last entry.
    time_ms: u64,
    /// How long a key must be known.
    remembered_ms: u64,
    /// Timers that are set.
    pub timers: BTreeSet<(u64, Bytes)>,
    /// Messages that are on their way.
    pub messages: BTreeSet<MessageId>,
}

/// What a pair adds to the sum of a state.
fn pair_sum(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

impl History {
    /// Of a group that has done nothing yet, and has to know a used key for so many milliseconds.
    #[must_use]
    pub fn new(remembered_ms: u64, roster: &Bytes) -> Self {
        let key = Bytes::from_static(ROSTER);
        Self {
            sums: vec![pair_sum(&key, roster)],
            state: BTreeMap::from([(key, roster.clone())]),
            through: 1,
            members_before: None,
            terms: vec![1],
            acknowledged: 0,
            used: BTreeMap::new(),
            received: BTreeMap::new(),
            time_ms: 0,
            remembered_ms,
            timers: BTreeSet::new(),
            messages: BTreeSet::new(),
        }
    }

    /// The term of a committed entry.
    #[must_use]
    pub fn term(&self, index: u64) -> Option<u64> {
        let position = usize::try_from(index.checked_sub(1)?).ok()?;
        self.terms.get(position).copied()
    }

    /// The entry that a key's call made, if any did.
    #[must_use]
    pub fn entry_of(&self, key: &KeyHash) -> Option<u64> {
        self.used.get(key).map(|(_, index)| *index)
    }

    /// Somebody outside is told something that rests on this entry.
    ///
    /// # Errors
    /// It is not committed, or another one is in its place.
    pub fn acknowledge(&mut self, index: u64, term: Option<u64>) -> Result<(), String> {
        if index > self.through {
            return Err(format!(
                "a caller is told of entry {index}, and only {} are committed",
                self.through
            ));
        }
        if term.is_some() && self.term(index) != term {
            return Err(format!(
                "a caller is told of entry {index} of term {term:?}, in whose place one of term {:?} was committed",
                self.term(index)
            ));
        }
        self.acknowledged = self.acknowledged.max(index);
        Ok(())
    }

    /// The next entry is committed. None if it is not one of the service's.
    ///
    /// # Errors
    /// What must not be so.
    pub fn commit(
        &mut self,
        term: u64,
        data: &Bytes,
        origin: Option<Origin>,
    ) -> Result<Option<Made>, String> {
        self.through += 1;
        let index = self.through;
        self.terms.push(term);
        if data.is_empty() {
            self.sums.extend(self.sums.last().copied());
            return Ok(None);
        }
        let Entry {
            kind,
            time_ms,
            writes,
            ..
        } = Entry::from_bytes(data.clone()).map_err(|error| error.to_string())?;
        let Some(origin) = origin else {
            return Err(format!("entry {index} of term {term} was made by nobody"));
        };
        if time_ms < self.time_ms {
            return Err(format!(
                "the group's time went back from {} to {time_ms} at entry {index}",
                self.time_ms
            ));
        }
        self.time_ms = time_ms;
        self.check(index, time_ms, &origin)?;
        self.apply(&writes)?;
        Ok(Some(Made {
            index,
            kind,
            time_ms,
            origin,
        }))
    }

    /// Who the members are.
    ///
    /// # Errors
    /// The state does not say so.
    pub fn members(&self) -> Result<Members, String> {
        let roster = self.state.get(ROSTER).cloned().unwrap_or_default();
        let roster = Roster::from_bytes(roster).map_err(|error| error.to_string())?;
        Ok(roster.members)
    }

    /// The next entry is committed, a change of the members, who are these now.
    pub fn commit_change(&mut self, term: u64, roster: &Bytes) {
        self.members_before = self.members().ok();
        self.through += 1;
        self.terms.push(term);
        let key = Bytes::from_static(ROSTER);
        let mut sum = self.sums.last().copied().unwrap_or(0);
        sum = sum.wrapping_add(pair_sum(&key, roster));
        if let Some(before) = self.state.insert(key.clone(), roster.clone()) {
            sum = sum.wrapping_sub(pair_sum(&key, &before));
        }
        self.sums.push(sum);
    }

    /// Whether an entry has the one effect that it should have.
    fn check(&mut self, index: u64, time_ms: u64, origin: &Origin) -> Result<(), String> {
        let is_second = |earlier: Option<u64>| {
            earlier.is_some_and(|at_ms| time_ms < at_ms.saturating_add(self.remembered_ms))
        };
        if let Some(key) = origin.key {
            let earlier = self.used.insert(key, (time_ms, index));
            if is_second(earlier.map(|(at_ms, _)| at_ms)) {
                return Err(format!(
                    "entry {index} is the second effect of one idempotency key"
                ));
            }
        }
        match &origin.cause {
            Cause::Timer(key) => {
                let due = made_due(&self.timers, key, time_ms);
                if !due.is_some_and(|due| self.timers.remove(&due)) {
                    return Err(format!(
                        "timer {key:?} went off without being set, at entry {index}"
                    ));
                }
            }
            Cause::Reply { id, .. } => {
                if !self.messages.contains(id) {
                    return Err(format!(
                        "the answer of a message was handled twice, at entry {index}"
                    ));
                }
            }
            Cause::Message { from, .. } => {
                let earlier = self.received.insert(*from, time_ms);
                if is_second(earlier) {
                    return Err(format!(
                        "message {:?} has a second effect, at entry {index}",
                        from.1
                    ));
                }
            }
            Cause::Client(..) | Cause::Migration => {}
        }
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), String> {
        let mut sum = self.sums.last().copied().unwrap_or(0);
        for (key, value) in writes {
            match key.first() {
                Some(&TIMER_ORDER) => {
                    let timer = split_numbered(key).map_err(|error| error.to_string())?;
                    match value {
                        Some(_) => drop(self.timers.insert(timer)),
                        None => drop(self.timers.remove(&timer)),
                    }
                }
                Some(&MESSAGE) => {
                    let id = MessageId::from_key(key).map_err(|error| error.to_string())?;
                    match value {
                        Some(_) => drop(self.messages.insert(id)),
                        None => drop(self.messages.remove(&id)),
                    }
                }
                Some(_) | None => {}
            }
            let before = match value {
                Some(value) => {
                    sum = sum.wrapping_add(pair_sum(key, value));
                    self.state.insert(key.clone(), value.clone())
                }
                None => self.state.remove(key),
            };
            if let Some(before) = before {
                sum = sum.wrapping_sub(pair_sum(key, &before));
            }
        }
        self.sums.push(sum);
        Ok(())
    }

    /// Compares the state that a replica has as of an entry with what it should be.
    ///
    /// # Errors
    /// It is another one.
    pub fn check_state(&self, view: &View, index: u64) -> Result<(), String> {
        if index == 0 {
            // It was added, and has nothing yet.
            return Ok(());
        }
        if index > self.through {
            return Err(format!(
                "a replica is at entry {index}, although only {} are committed",
                self.through
            ));
        }
        if index == self.through {
            return self.compare(view);
        }
        let mut sum = 0_u64;
        for pair in view.scan(&[], None, false) {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            sum = sum.wrapping_add(pair_sum(&key, &value));
        }
        let position = index.checked_sub(1).and_then(|it| usize::try_from(it).ok());
        let expected = position.and_then(|position| self.sums.get(position));
        if expected == Some(&sum) {
            return Ok(());
        }
        Err(format!(
            "the state at entry {index} is not what it was elsewhere"
        ))
    }

    /// Compares a state with the newest one, pair by pair.
    fn compare(&self, view: &View) -> Result<(), String> {
        let index = self.through;
        let mut expected = self.state.iter();
        for pair in view.scan(&[], None, false) {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            match expected.next() {
                Some((other, wanted)) if *other == key && *wanted == value => {}
                other => {
                    return Err(format!(
                        "the state at entry {index} has {key:?} = {value:?} where there was {other:?}"
                    ));
                }
            }
        }
        match expected.next() {
            None => Ok(()),
            Some((key, _)) => Err(format!("the state at entry {index} has lost {key:?}")),
        }
    }
}

/// The setting of a timer that went off at a time: of several with one key there is one at most.
fn made_due(timers: &BTreeSet<(u64, Bytes)>, key: &str, time_ms: u64) -> Option<(u64, Bytes)> {
    timers
        .iter()
        .take_while(|(due_ms, _)| *due_ms <= time_ms)
        .find(|(_, other)| other == key.as_bytes())
        .cloned()
}
