//! A key's line in storage: its revisions, and its value or how large that is.
//!
//! Small values are in the line, so one look finds them. Large ones are apart, so that a scan of many keys does not have to carry them.

use crate::bindings::exports::bookshop::shop::database::{AccessError, Entry};
use crate::bounds::{unreadable, unusable};
use keys::bytes::{Reader, Unreadable, Writer};
use keys::{Bytes, Keys};

/// What the keys of lines begin with; the key follows.
const LINE: u8 = b'k';

/// What the keys of large values begin with; the key follows.
const VALUE: u8 = b'v';

/// The form of a line.
const FORM: u64 = 1;

/// Largest value that is in its line, in bytes: then the lines of the longest page are a few megabytes.
const INLINE_BYTES_MAX: usize = 1_024;

/// What the messages of errors call a line.
const WHAT: &str = "the line of a key";

/// What a key has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// When the key got a value and had none before.
    pub created: u64,
    /// When it got this value.
    pub revision: u64,
    /// How many revisions gave it a value since it was created.
    pub version: u64,
    /// The value.
    pub value: Value,
}

/// A value, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The value.
    Here(Bytes),
    /// It is apart, and has so many bytes.
    Apart(u64),
}

impl Value {
    /// How large it is.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Here(value) => value.len() as u64,
            Self::Apart(bytes) => *bytes,
        }
    }

    /// The number that it is: eight bytes, the lowest first. None if it has another length.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Here(value) => value.as_slice().try_into().ok().map(u64::from_le_bytes),
            Self::Apart(_) => None,
        }
    }

    /// The value itself.
    ///
    /// # Errors
    /// [`AccessError::Unusable`]: it is not there, or not as large as its line says.
    pub fn read<K: Keys>(self, key: &str, keys: &K) -> Result<Bytes, AccessError> {
        match self {
            Self::Here(value) => Ok(value),
            Self::Apart(bytes) => keys
                .get(&prefixed(VALUE, key))
                .filter(|value| value.len() as u64 == bytes)
                .ok_or_else(|| unusable("a value")),
        }
    }
}

impl Stored {
    /// What a key has, without a value that is apart.
    ///
    /// # Errors
    /// [`AccessError::Unusable`]: something else is in its place.
    pub fn find<K: Keys>(key: &str, keys: &K) -> Result<Option<Self>, AccessError> {
        let line = keys.get(&prefixed(LINE, key));
        line.map(|line| Self::from_line(&line)).transpose()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`AccessError::Unusable`]: something else wrote it.
    pub fn from_line(line: &[u8]) -> Result<Self, AccessError> {
        Self::read(Reader::new(line)).map_err(unreadable(WHAT))
    }

    fn read(mut reader: Reader) -> Result<Self, Unreadable> {
        if reader.number()? != FORM {
            return Err(Unreadable);
        }
        Ok(Self {
            created: reader.number()?,
            revision: reader.number()?,
            version: reader.number()?,
            value: if reader.flag()? {
                Value::Here(reader.rest().into())
            } else {
                Value::Apart(reader.number()?)
            },
        })
    }

    /// Writes what a key has in place of what it had. A value that was not read has not changed, and stays.
    pub fn write<K: Keys>(&self, key: &str, before: Option<&Self>, keys: &K) {
        let is_inline = match &self.value {
            Value::Here(value) if value.len() > INLINE_BYTES_MAX => {
                keys.set(&prefixed(VALUE, key), value);
                false
            }
            Value::Here(_) => {
                delete_value(key, before, keys);
                true
            }
            Value::Apart(_) => false,
        };
        keys.set(&prefixed(LINE, key), &self.line(is_inline));
    }

    /// Takes away all that a key had.
    pub fn delete<K: Keys>(&self, key: &str, keys: &K) {
        delete_value(key, Some(self), keys);
        keys.delete(&prefixed(LINE, key));
    }

    fn line(&self, is_inline: bool) -> Bytes {
        let mut writer = Writer::with_capacity(32);
        writer.number(FORM);
        writer.number(self.created);
        writer.number(self.revision);
        writer.number(self.version);
        writer.flag(is_inline);
        match &self.value {
            Value::Here(value) if is_inline => writer.rest(value),
            value => writer.number(value.bytes()),
        }
        writer.finish()
    }

    /// The entry of a key.
    ///
    /// # Errors
    /// As [`Value::read`].
    pub fn into_entry<K: Keys>(self, key: String, keys: &K) -> Result<Entry, AccessError> {
        Ok(Entry {
            created_revision: self.created,
            revision: self.revision,
            version: self.version,
            value: self.value.read(&key, keys)?,
            key,
        })
    }
}

fn delete_value<K: Keys>(key: &str, before: Option<&Stored>, keys: &K) {
    if before.is_some_and(|before| matches!(before.value, Value::Apart(_))) {
        keys.delete(&prefixed(VALUE, key));
    }
}

/// Where the line of a key is. The order of lines is that of their keys.
pub fn line_key(key: &str) -> Bytes {
    prefixed(LINE, key)
}

/// Where the lines of all keys end.
pub fn lines_end() -> Bytes {
    vec![LINE + 1]
}

/// The key whose line is there.
///
/// # Errors
/// [`AccessError::Unusable`]: it is no text.
pub fn key_of(line_key: &[u8]) -> Result<String, AccessError> {
    let key = line_key.get(1..).and_then(|key| str::from_utf8(key).ok());
    key.map(str::to_owned).ok_or_else(|| unusable("a key"))
}

fn prefixed(prefix: u8, key: &str) -> Bytes {
    let mut prefixed = Vec::with_capacity(1 + key.len());
    prefixed.push(prefix);
    prefixed.extend_from_slice(key.as_bytes());
    prefixed
}
