//! What a group was seen to do, kept outside of everything that can crash, and what must be true of it whatever the service does.

use super::workload::Request;
use crate::replica::entry::{Entry, Kind, Write};
use crate::replica::keyspace::{KeyHash, MESSAGE, MessageId, TIMER_ORDER, split_numbered};
use crate::state::{GroupId, View};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// A call of a client: which client, and the number of the call among all of the simulation.
pub type Caller = (usize, u64);

/// Why an entry was made.
#[derive(Debug, Clone)]
pub enum Cause {
    /// A client's command.
    Client(Caller, Arc<Request>),
    /// A message from another service.
    Message {
        /// The group that sent it, and the message.
        from: (GroupId, MessageId),
        /// What it calls.
        function: String,
        /// A JSON array.
        arguments: String,
    },
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
            Self::Client((client, _), request) => {
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
            Self::Timer(key) => write!(f, "timer {key}"),
            Self::Reply { tag, .. } => write!(f, "the answer for {tag}"),
        }
    }
}

/// An entry that was made.
#[derive(Debug)]
pub struct Made {
    /// Its index.
    pub index: u64,
    /// What was called.
    pub kind: Kind,
    /// The group's time.
    pub time_ms: u64,
    /// Why.
    pub cause: Cause,
    /// The idempotency key of its call.
    pub key: Option<KeyHash>,
    /// The result.
    pub result: Value,
    writes: Vec<Write>,
}

/// The history of one group.
#[derive(Default)]
pub struct History {
    /// The state at `through`.
    state: BTreeMap<Bytes, Bytes>,
    /// The last entry that is committed for good.
    pub through: u64,
    /// Entries after that, as they were made.
    made: VecDeque<Made>,
    /// The last entry that anybody outside was told something of.
    pub acknowledged: u64,
    /// The entries of keys, committed and not.
    keys: BTreeMap<KeyHash, u64>,
    /// When keys took effect for good, in the group's time.
    used: BTreeMap<KeyHash, u64>,
    /// Messages of others that took effect for good.
    received: BTreeMap<(GroupId, MessageId), u64>,
    /// The time of the last entry that is committed.
    time_ms: u64,
    /// How long a key must be known.
    remembered_ms: u64,
    /// Timers that are set, as far as committed entries say.
    pub timers: BTreeSet<(u64, Bytes)>,
    /// Messages that are on their way, as far as committed entries say.
    pub messages: BTreeSet<MessageId>,
}

impl History {
    /// Of a group that has done nothing yet, and has to know a used key for so many milliseconds.
    #[must_use]
    pub fn new(remembered_ms: u64) -> Self {
        Self {
            remembered_ms,
            ..Self::default()
        }
    }

    /// The last entry that was made.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.made.back().map_or(self.through, |made| made.index)
    }

    /// The entry that a key's call made, if any did.
    #[must_use]
    pub fn entry_of(&self, key: &KeyHash) -> Option<u64> {
        self.keys.get(key).copied()
    }

    /// An entry is on its way into the log. It takes the place of those from its index on.
    ///
    /// # Errors
    /// What must not be so.
    pub fn make(
        &mut self,
        index: u64,
        entry: &Bytes,
        cause: Cause,
        key: Option<KeyHash>,
        result: Value,
    ) -> Result<(), String> {
        self.drop_from(index);
        if index != self.last() + 1 {
            return Err(format!("entry {index} was made after {}", self.last()));
        }
        let Entry {
            kind,
            time_ms,
            writes,
            ..
        } = Entry::from_bytes(entry.clone()).map_err(|error| error.to_string())?;
        if let Some(key) = key {
            self.keys.insert(key, index);
        }
        self.made.push_back(Made {
            index,
            kind,
            time_ms,
            cause,
            key,
            result,
            writes,
        });
        Ok(())
    }

    /// Entries from here on will never be.
    pub fn drop_from(&mut self, index: u64) {
        while self.made.back().is_some_and(|made| made.index >= index)
            && let Some(made) = self.made.pop_back()
        {
            if let Some(key) = made
                .key
                .filter(|key| self.keys.get(key) == Some(&made.index))
            {
                self.keys.remove(&key);
            }
        }
    }

    /// Somebody outside is told something that rests on this entry.
    pub fn acknowledge(&mut self, index: u64) {
        self.acknowledged = self.acknowledged.max(index);
    }

    /// Takes the next entry that is committed, up to `index`.
    ///
    /// # Errors
    /// What must not be so.
    pub fn commit(&mut self, index: u64) -> Result<Option<Made>, String> {
        let Some(made) = self.made.pop_front_if(|made| made.index <= index) else {
            return Ok(None);
        };
        self.through = made.index;
        if made.time_ms < self.time_ms {
            return Err(format!(
                "the group's time went back from {} to {} at entry {}",
                self.time_ms, made.time_ms, made.index
            ));
        }
        self.time_ms = made.time_ms;
        let is_second = |earlier: Option<u64>| {
            earlier.is_some_and(|at_ms| made.time_ms < at_ms.saturating_add(self.remembered_ms))
        };
        if let Some(key) = made.key
            && is_second(self.used.insert(key, made.time_ms))
        {
            return Err(format!(
                "entry {} is the second effect of one idempotency key",
                made.index
            ));
        }
        match &made.cause {
            Cause::Timer(key) => {
                let due = made_due(&self.timers, key, made.time_ms);
                if !due.is_some_and(|due| self.timers.remove(&due)) {
                    return Err(format!(
                        "timer {key:?} went off without being set, at entry {}",
                        made.index
                    ));
                }
            }
            Cause::Reply { id, .. } => {
                if !self.messages.contains(id) {
                    return Err(format!(
                        "the answer of a message was handled twice, at entry {}",
                        made.index
                    ));
                }
            }
            Cause::Message { from, .. } => {
                if is_second(self.received.insert(*from, made.time_ms)) {
                    return Err(format!(
                        "message {:?} has a second effect, at entry {}",
                        from.1, made.index
                    ));
                }
            }
            Cause::Client(..) => {}
        }
        self.apply(&made.writes)?;
        Ok(Some(made))
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), String> {
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
        }
        write(&mut self.state, writes);
        Ok(())
    }

    /// Compares what a group was recovered to with what it was seen to do.
    ///
    /// # Errors
    /// What must not be so.
    pub fn check_recovered(&self, view: &View, index: u64) -> Result<(), String> {
        if index < self.acknowledged || index < self.through {
            return Err(format!(
                "recovered up to entry {index}, although entry {} was acknowledged",
                self.acknowledged.max(self.through)
            ));
        }
        if index > self.last() {
            return Err(format!(
                "recovered up to entry {index}, although only {} were ever made",
                self.last()
            ));
        }
        let mut expected = self.state.clone();
        for made in self.made.iter().take_while(|made| made.index <= index) {
            write(&mut expected, &made.writes);
        }
        let mut expected = expected.iter();
        for pair in view.scan(&[], None, false) {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            match expected.next() {
                Some((other, wanted)) if *other == key && *wanted == value => {}
                other => {
                    return Err(format!(
                        "the state recovered at entry {index} has {key:?} = {value:?} where there was {other:?}"
                    ));
                }
            }
        }
        match expected.next() {
            None => Ok(()),
            Some((key, _)) => Err(format!(
                "the state recovered at entry {index} has lost {key:?}"
            )),
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

fn write(state: &mut BTreeMap<Bytes, Bytes>, writes: &[Write]) {
    for (key, value) in writes {
        match value {
            Some(value) => drop(state.insert(key.clone(), value.clone())),
            None => drop(state.remove(key)),
        }
    }
}
