//! Which keys a group's state has: the service's own, and those in which the group keeps sessions, timers and messages.
//!
//! | first byte | key | value |
//! |---|---|---|
//! | `d` | the service's key | the service's value |
//! | `m` | | [`Meta`] |
//! | `r` | | [`Roster`](super::roster::Roster) |
//! | `s` | hash of an idempotency key, 16 bytes | a session |
//! | `S` | time in ms (8 bytes, highest first), hash | bytes of the session |
//! | `X` | time in ms, hash | empty: a session whose answer is gone |
//! | `t` | the timer's key | a timer |
//! | `T` | time in ms, the timer's key | empty |
//! | `v` | | digest of the version that migrated the state last |
//! | `o` | index of the entry (8 bytes), ordinal in it (4 bytes) | a message |
//!
//! Numbers in keys have their highest byte first, so that keys are in the order of the numbers.

use super::bytes::{Reader, Unreadable, Writer};
use bytes::{BufMut, Bytes, BytesMut};

/// The key of the digest of the version that migrated the state last.
pub const MIGRATED: &[u8] = b"v";
/// First byte of the service's own keys.
pub const DATA: u8 = b'd';
/// The key of [`Meta`].
pub const META: &[u8] = b"m";
/// The key of the group's members.
pub const ROSTER: &[u8] = b"r";
/// First byte of sessions by key.
pub const SESSION: u8 = b's';
/// First byte of sessions with an answer, by time.
pub const SESSION_ORDER: u8 = b'S';
/// First byte of sessions without an answer, by time.
pub const EXPIRED_ORDER: u8 = b'X';
/// First byte of timers by key.
pub const TIMER: u8 = b't';
/// First byte of timers by time.
pub const TIMER_ORDER: u8 = b'T';
/// First byte of messages.
pub const MESSAGE: u8 = b'o';

/// SHA-256 of an idempotency key, its first half: what sessions are found by.
pub type KeyHash = [u8; 16];

/// A key that begins with a byte.
#[must_use]
pub fn prefixed(prefix: u8, key: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + key.len());
    bytes.put_u8(prefix);
    bytes.put_slice(key);
    bytes.freeze()
}

/// A key that begins with a byte and a number.
#[must_use]
pub fn numbered(prefix: u8, number: u64, key: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(9 + key.len());
    bytes.put_u8(prefix);
    bytes.put_u64(number);
    bytes.put_slice(key);
    bytes.freeze()
}

/// The number in a key that [`numbered`] made, and what follows it.
///
/// # Errors
/// [`Unreadable`]: it is too short.
pub fn split_numbered(key: &Bytes) -> Result<(u64, Bytes), Unreadable> {
    let number = key.get(1..9).ok_or(Unreadable)?;
    let number = number.try_into().map_err(|_| Unreadable)?;
    Ok((u64::from_be_bytes(number), key.slice(9..)))
}

/// The identity of a message: the entry that sent it, and its place among that entry's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Index of the entry.
    pub index: u64,
    /// From 0.
    pub ordinal: u32,
}

impl MessageId {
    /// The key under which the message is kept.
    #[must_use]
    pub fn key(self) -> Bytes {
        numbered(MESSAGE, self.index, &self.ordinal.to_be_bytes())
    }

    /// Reads it from the key.
    ///
    /// # Errors
    /// [`Unreadable`]: it is the key of something else.
    pub fn from_key(key: &Bytes) -> Result<Self, Unreadable> {
        let (index, ordinal) = split_numbered(key)?;
        let ordinal = ordinal.as_ref().try_into().map_err(|_| Unreadable)?;
        Ok(Self {
            index,
            ordinal: u32::from_be_bytes(ordinal),
        })
    }
}

/// What a group knows of its state as a whole. Changes with every entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meta {
    /// The time of the last entry, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// What the service's own keys and values take.
    pub data_bytes: u64,
    /// What sessions with an answer take.
    pub session_bytes: u64,
    /// Sessions without an answer.
    pub expired_sessions: u64,
    /// Timers that are set.
    pub timers: u64,
    /// Messages that are on their way.
    pub messages: u64,
    /// What they take.
    pub message_bytes: u64,
    /// Which version has given the service's own keys and values their form: the mark of the one that migrated them last; 0 if none did.
    pub form: u64,
}

const META_FORMAT: u8 = 1;
/// With a form.
const META_FORMAT_FORMED: u8 = 2;

impl Meta {
    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::with_capacity(32);
        // Hosts that know of no forms read what has none.
        writer.byte(match self.form {
            0 => META_FORMAT,
            _ => META_FORMAT_FORMED,
        });
        for number in [
            self.time_ms,
            self.data_bytes,
            self.session_bytes,
            self.expired_sessions,
            self.timers,
            self.messages,
            self.message_bytes,
        ] {
            writer.number(number);
        }
        if self.form != 0 {
            writer.number(self.form);
        }
        writer.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`Unreadable`]: something else did.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        let format = reader.byte()?;
        if !matches!(format, META_FORMAT | META_FORMAT_FORMED) {
            return Err(Unreadable);
        }
        Ok(Self {
            time_ms: reader.number()?,
            data_bytes: reader.number()?,
            session_bytes: reader.number()?,
            expired_sessions: reader.number()?,
            timers: reader.number()?,
            messages: reader.number()?,
            message_bytes: reader.number()?,
            form: match format {
                META_FORMAT => 0,
                _ => reader.number()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_numbers_are_in_the_order_of_the_numbers() {
        let numbers = [0, 1, 255, 256, 70_000, u64::MAX];
        assert!(
            numbers
                .map(|number| numbered(b'T', number, b"z"))
                .is_sorted()
        );
        assert_eq!(
            split_numbered(&numbered(b'T', 70_000, b"key")),
            Ok((70_000, "key".into()))
        );
    }

    #[test]
    fn a_message_is_found_by_its_key() {
        let id = MessageId {
            index: 9,
            ordinal: 3,
        };
        assert_eq!(MessageId::from_key(&id.key()), Ok(id));
        assert_eq!(MessageId::from_key(&"o1".into()), Err(Unreadable));
    }

    #[test]
    fn meta_is_read_as_it_was_written() {
        let meta = Meta {
            time_ms: 1,
            data_bytes: 200,
            session_bytes: 3,
            expired_sessions: 4,
            timers: 5,
            messages: 6,
            message_bytes: 70_000,
            form: 0,
        };
        for form in [0, 1, u64::MAX] {
            let meta = Meta { form, ..meta };
            assert_eq!(Meta::from_bytes(meta.to_bytes()), Ok(meta));
        }
        assert_eq!(Meta::from_bytes(Bytes::new()), Err(Unreadable));
    }
}
