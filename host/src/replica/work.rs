//! What one call does to its service's state: reads of a snapshot, and changes that nobody sees until the call is done.
//!
//! Made for each call by whoever runs it, worked on by the guest's imports, and turned into [`Effects`] when the call succeeds.
//! Dropping it undoes everything.

use super::entry::{ENTRY_BYTES_MAX, Write, write_bytes};
use super::keyspace::{DATA, MIGRATED, Meta, TIMER, prefixed};
use crate::state::{ReadError, View};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Longest key of the service's own, in bytes: the state store's bound, less the group's prefix.
pub const KEY_BYTES_MAX: usize = 4_000;
/// Longest key of a timer, in bytes.
pub const TIMER_KEY_BYTES_MAX: usize = 256;
/// Longest payload of a timer, in bytes.
pub const TIMER_PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Timers that a service may have set: as many as fit into about 100 MiB of memory of the host that fires them.
pub const TIMERS_MAX: u64 = 200_000;
/// Longest tag of a message, in bytes.
pub const TAG_BYTES_MAX: usize = 256;
/// Bytes of messages on their way. A service whose callee is gone for long stops here, instead of filling the disk.
pub const MESSAGES_BYTES_MAX: u64 = 64 << 20;
/// Part of an entry that the group needs for itself: the session's keys, and what it throws away for them.
const ENTRY_BYTES_RESERVED: usize = 16 << 10;
/// What a pair takes besides its key and value, about; counts towards `limits.storage`.
const PAIR_BYTES: u64 = 64;

/// Why a change or a read is refused. The call has no effect.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A query wrote.
    #[error(
        "it is configured as a query (replicated.queries) and may only read, but it writes; take it out of the list"
    )]
    ReadOnly,
    /// A key, payload or tag is too long.
    #[error("{what} has {bytes} bytes, {max} are allowed")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The most.
        max: usize,
    },
    /// All changes together are too large for an entry.
    #[error(
        "it changes {bytes} bytes at once, at most {ENTRY_BYTES_MAX} fit into one entry; change less in one call"
    )]
    TooLarge {
        /// Bytes so far.
        bytes: usize,
    },
    /// The service has as much as it may.
    #[error("{0}")]
    Full(String),
    /// What is kept cannot be read. The host stops.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Whether a call may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A command, alone with the state.
    Write,
    /// A query, beside others.
    Read,
}

/// A timer to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When it goes off, in the group's time.
    pub due_ms: u64,
    /// For its handler.
    pub payload: Bytes,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The service that is called.
    pub service: String,
    /// Its interface, by compatible version.
    pub interface: String,
    /// The function.
    pub function: String,
    /// A JSON array of the arguments.
    pub arguments: String,
    /// For the handler of the answer.
    pub tag: String,
}

impl Message {
    /// Bytes it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        32 + self.service.len()
            + self.interface.len()
            + self.function.len()
            + self.arguments.len()
            + self.tag.len()
    }
}

/// What a call changes.
#[derive(Debug, Default)]
pub struct Effects {
    /// Writes of the service's own keys, each once.
    pub writes: Vec<Write>,
    /// What the service's own keys take then.
    pub data_bytes: u64,
    /// Timers set, and cancelled where there is none.
    pub timers: Vec<(String, Option<Alarm>)>,
    /// Messages to be sent, in their order.
    pub messages: Vec<Message>,
    /// The form that the state gets, if the call has migrated it.
    pub form: Option<u64>,
}

impl Effects {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.timers.is_empty() && self.messages.is_empty()
    }
}

/// The work of one call.
pub struct Work {
    view: View,
    meta: Meta,
    access: Access,
    time_ms: u64,
    data_bytes_max: u64,
    writes: BTreeMap<Bytes, Option<Bytes>>,
    timers: BTreeMap<String, Option<Alarm>>,
    messages: Vec<Message>,
    /// The form that the state gets, if it is migrated.
    form: Option<u64>,
    /// Room in the entry that the changes take.
    bytes: usize,
}

impl Work {
    /// Begins on `view`, at `time_ms` of the group, for a service that may store `data_bytes_max`.
    #[must_use]
    pub fn new(view: View, meta: Meta, time_ms: u64, data_bytes_max: u64, access: Access) -> Self {
        Self {
            view,
            meta,
            access,
            time_ms,
            data_bytes_max,
            writes: BTreeMap::new(),
            timers: BTreeMap::new(),
            messages: Vec::new(),
            form: None,
            bytes: 0,
        }
    }

    /// The same before anything was changed.
    #[must_use]
    pub fn begin_anew(&self) -> Self {
        let (view, meta) = (self.view.clone(), self.meta);
        Self::new(view, meta, self.time_ms, self.data_bytes_max, self.access)
    }

    /// Goes on with what another call has changed of the same state.
    ///
    /// # Errors
    /// [`WorkError::TooLarge`].
    pub fn go_on(&mut self, effects: Effects) -> Result<(), WorkError> {
        for (key, value) in effects.writes {
            self.write(key, value)?;
        }
        for (key, alarm) in effects.timers {
            self.change_timer(key, alarm)?;
        }
        for message in effects.messages {
            self.send(message)?;
        }
        Ok(())
    }

    /// The form of the state that the call began with.
    #[must_use]
    pub fn form(&self) -> u64 {
        self.meta.form
    }

    /// The digest of the version that migrated the state last.
    ///
    /// # Errors
    /// [`WorkError::Read`].
    pub fn migrated(&self) -> Result<Option<String>, WorkError> {
        let digest = self.view.get(MIGRATED)?;
        Ok(digest.map(|digest| String::from_utf8_lossy(&digest).into_owned()))
    }

    /// Notes that the version with this digest has migrated the state, which has its form now.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub fn set_migrated(&mut self, digest: &str, form: u64) -> Result<(), WorkError> {
        self.form = Some(form);
        let digest = Bytes::copy_from_slice(digest.as_bytes());
        self.write(Bytes::from_static(MIGRATED), Some(digest))
    }

    /// The group's time: the same throughout the call.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Whether this is a command.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.access == Access::Write
    }

    /// The value of `key`, as this call left it.
    ///
    /// # Errors
    /// [`WorkError::Read`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, WorkError> {
        let key = prefixed(DATA, key);
        if let Some(written) = self.writes.get(&key) {
            return Ok(written.clone());
        }
        Ok(self.view.get(&key)?)
    }

    /// Sets `key`.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub fn set(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), WorkError> {
        check_length("the key", key.len(), KEY_BYTES_MAX)?;
        self.write(prefixed(DATA, key), Some(value.into()))
    }

    /// Deletes `key`; whether there was a value.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, WorkError> {
        self.check_writable()?;
        if self.get(key)?.is_none() {
            return Ok(false);
        }
        self.write(prefixed(DATA, key), None)?;
        Ok(true)
    }

    /// The first `limit` keys from `low` up to, but not including, `high`, with their values; the last ones, downwards, if `reverse`.
    ///
    /// # Errors
    /// [`WorkError::Read`].
    pub fn scan(
        &self,
        low: &[u8],
        high: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Bytes, Bytes)>, WorkError> {
        let low = prefixed(DATA, low);
        let high = high.map_or_else(
            || Bytes::from_static(&[DATA + 1]),
            |high| prefixed(DATA, high),
        );
        if high <= low {
            return Ok(Vec::new());
        }
        let mut kept = self.view.scan(&low, Some(&high), reverse).peekable();
        let range = (Bound::Included(low), Bound::Excluded(high));
        let mut written: Box<dyn Iterator<Item = (&Bytes, &Option<Bytes>)>> = if reverse {
            Box::new(self.writes.range(range).rev())
        } else {
            Box::new(self.writes.range(range))
        };
        let mut next_written = written.next();
        let mut found = Vec::new();
        while found.len() < limit {
            let takes_written = match (kept.peek(), next_written) {
                (Some(Err(_)), _) => false,
                (Some(Ok((old, _))), Some((new, _))) => {
                    if reverse {
                        new >= old
                    } else {
                        new <= old
                    }
                }
                (Some(Ok(_)), None) => false,
                (None, Some(_)) => true,
                (None, None) => break,
            };
            if !takes_written {
                if let Some(pair) = kept.next() {
                    let (key, value) = pair?;
                    found.push((key.slice(1..), value));
                }
                continue;
            }
            if let Some((key, value)) = next_written {
                // What the call wrote takes the place of what was there.
                if matches!(kept.peek(), Some(Ok((old, _))) if old == key) {
                    kept.next();
                }
                if let Some(value) = value {
                    found.push((key.slice(1..), value.clone()));
                }
            }
            next_written = written.next();
        }
        Ok(found)
    }

    /// Sets a timer.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub fn set_timer(
        &mut self,
        key: String,
        after_ms: u64,
        payload: Vec<u8>,
    ) -> Result<(), WorkError> {
        check_length("the timer's key", key.len(), TIMER_KEY_BYTES_MAX)?;
        check_length(
            "the timer's payload",
            payload.len(),
            TIMER_PAYLOAD_BYTES_MAX,
        )?;
        let alarm = Alarm {
            due_ms: self.time_ms.saturating_add(after_ms),
            payload: payload.into(),
        };
        self.change_timer(key, Some(alarm))
    }

    /// Cancels a timer; whether it was set.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub fn cancel_timer(&mut self, key: String) -> Result<bool, WorkError> {
        self.check_writable()?;
        let was_set = match self.timers.get(&key) {
            Some(changed) => changed.is_some(),
            None => self.view.get(&prefixed(TIMER, key.as_bytes()))?.is_some(),
        };
        if was_set {
            self.change_timer(key, None)?;
        }
        Ok(was_set)
    }

    /// Sends a message when the call takes effect.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub fn send(&mut self, message: Message) -> Result<(), WorkError> {
        self.check_writable()?;
        check_length("the reply tag", message.tag.len(), TAG_BYTES_MAX)?;
        self.take_room(message.bytes())?;
        self.messages.push(message);
        Ok(())
    }

    /// What the call changes.
    ///
    /// # Errors
    /// [`WorkError::Full`]: the service would keep more than it may, and more than before. [`WorkError::Read`].
    pub fn finish(self) -> Result<Effects, WorkError> {
        let mut data_bytes = self.meta.data_bytes;
        // What the host notes beside them takes no room of the service.
        let own = self
            .writes
            .iter()
            .filter(|(key, _)| key.first() == Some(&DATA));
        for (key, value) in own {
            let before = self.view.get(key)?;
            data_bytes = data_bytes
                .saturating_add(value.as_ref().map_or(0, |value| pair_bytes(key, value)))
                .saturating_sub(before.map_or(0, |value| pair_bytes(key, &value)));
        }
        // A call that frees room may do so even where a limit was lowered below what is stored.
        if data_bytes > self.data_bytes_max && data_bytes > self.meta.data_bytes {
            let (data, max) = (data_bytes, self.data_bytes_max);
            return Err(WorkError::Full(format!(
                "the service would store {data} bytes, its limit is {max}; raise limits.storage, or delete something"
            )));
        }
        let set = self.timers.values().flatten().count() as u64;
        if set > 0 && self.meta.timers.saturating_add(set) > TIMERS_MAX {
            let timers = self.meta.timers;
            return Err(WorkError::Full(format!(
                "the service has {timers} timers set, it may have {TIMERS_MAX}"
            )));
        }
        let sent: usize = self.messages.iter().map(Message::bytes).sum();
        if sent > 0 && self.meta.message_bytes.saturating_add(sent as u64) > MESSAGES_BYTES_MAX {
            return Err(WorkError::Full(format!(
                "{} messages of the service are on their way, more than {MESSAGES_BYTES_MAX} bytes with these; look at the services they are for",
                self.meta.messages
            )));
        }
        Ok(Effects {
            writes: self.writes.into_iter().collect(),
            data_bytes,
            timers: self.timers.into_iter().collect(),
            messages: self.messages,
            form: self.form,
        })
    }

    fn write(&mut self, key: Bytes, value: Option<Bytes>) -> Result<(), WorkError> {
        self.check_writable()?;
        let write = (key, value);
        let replaced = self
            .writes
            .get(&write.0)
            .map_or(0, |old| write.0.len() + old.as_ref().map_or(0, Bytes::len));
        self.bytes = self.bytes.saturating_sub(replaced);
        self.take_room(write_bytes(&write))?;
        self.writes.insert(write.0, write.1);
        Ok(())
    }

    fn change_timer(&mut self, key: String, alarm: Option<Alarm>) -> Result<(), WorkError> {
        self.check_writable()?;
        // The key is written twice, and what it replaces is taken away twice.
        self.take_room(64 + 4 * key.len() + alarm.as_ref().map_or(0, |alarm| alarm.payload.len()))?;
        self.timers.insert(key, alarm);
        Ok(())
    }

    fn take_room(&mut self, bytes: usize) -> Result<(), WorkError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > ENTRY_BYTES_MAX - ENTRY_BYTES_RESERVED {
            return Err(WorkError::TooLarge { bytes: self.bytes });
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<(), WorkError> {
        if self.may_write() {
            Ok(())
        } else {
            Err(WorkError::ReadOnly)
        }
    }
}

fn check_length(what: &'static str, bytes: usize, max: usize) -> Result<(), WorkError> {
    if bytes <= max {
        Ok(())
    } else {
        Err(WorkError::TooLong { what, bytes, max })
    }
}

/// What a pair counts towards `limits.storage`; the key with its prefix.
#[must_use]
pub fn pair_bytes(key: &Bytes, value: &Bytes) -> u64 {
    PAIR_BYTES + (key.len() + value.len()) as u64
}

#[cfg(test)]
mod tests;
