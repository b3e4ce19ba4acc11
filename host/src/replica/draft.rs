//! The writes of an entry while it is being put together, above the state it is made for.

use super::bytes::Unreadable;
use super::entry::Write;
use super::keyspace::Meta;
use crate::state::{ReadError, View};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The state is not what this host wrote. It must not go on.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It holds something that no host wrote.
    #[error("the state holds a record of a group that cannot be understood")]
    Unreadable(#[from] Unreadable),
}

/// The writes of an entry to be.
pub struct Draft<'a> {
    view: &'a View,
    writes: BTreeMap<Bytes, Option<Bytes>>,
    /// What is known of the state as a whole, as the entry leaves it.
    pub meta: Meta,
}

impl<'a> Draft<'a> {
    /// No writes yet, above `view`.
    #[must_use]
    pub fn new(view: &'a View, meta: Meta) -> Self {
        Self {
            view,
            writes: BTreeMap::new(),
            meta,
        }
    }

    /// The value of a key, as the entry leaves it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn get(&self, key: &Bytes) -> Result<Option<Bytes>, DraftError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => Ok(self.view.get(key)?),
        }
    }

    /// Sets a key.
    pub fn set(&mut self, key: Bytes, value: Bytes) {
        self.writes.insert(key, Some(value));
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: Bytes) {
        self.writes.insert(key, None);
    }

    /// Adds writes of other keys.
    pub fn extend(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.writes.extend(writes);
    }

    /// The first pairs whose key begins with `prefix`, of those that the entry found and leaves as they were.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn first(&self, prefix: u8, limit: usize) -> Result<Vec<(Bytes, Bytes)>, DraftError> {
        let mut found = Vec::new();
        for pair in self.view.scan(&[prefix], Some(&[prefix + 1]), false) {
            if found.len() == limit {
                break;
            }
            let (key, value) = pair?;
            if !self.writes.contains_key(&key) {
                found.push((key, value));
            }
        }
        Ok(found)
    }

    /// The writes, in the order of their keys, with what is known of the state as a whole among them.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Write>, Meta) {
        let meta = (
            Bytes::from_static(super::keyspace::META),
            Some(self.meta.to_bytes()),
        );
        self.writes.extend([meta]);
        (self.writes.into_iter().collect(), self.meta)
    }
}
