//! The files that were applied: the one in force and those before it.

use crate::bindings::exports::bookshop::control::registry::{
    Component, Refusal, RevisionEntry, Value,
};
use crate::{bounds, stored};
use keys::{Direction, Keys, prefix_end};

/// Revisions that are remembered.
const ENTRIES_MAX: u32 = 50;

/// Revisions whose files are kept: with the largest ones 6 MiB.
const VALUES_MAX: u32 = 16;

/// A file that somebody applies.
#[derive(Debug, Clone)]
pub struct Applied {
    pub config: String,
    pub components: Vec<Component>,
    pub by: String,
    pub summary: String,
}

/// The files over the keys that they are kept in.
pub struct Registry<'a, K>(&'a K);

impl<'a, K: Keys> Registry<'a, K> {
    /// What these keys have.
    pub fn new(keys: &'a K) -> Self {
        Self(keys)
    }

    /// The revision in force; 0 if there is none.
    pub fn revision(&self) -> u64 {
        let bytes = self.0.get(stored::CURRENT);
        bytes.map_or(0, |bytes| {
            stored::read("the current revision", &bytes, |reader| reader.number())
        })
    }

    /// What is in force.
    pub fn current(&self) -> Option<Value> {
        self.at(self.revision())
    }

    /// A revision with its file.
    pub fn at(&self, revision: u64) -> Option<Value> {
        let bytes = self.0.get(&stored::numbered(stored::VALUES, revision));
        bytes.map(|bytes| stored::read_value(&bytes))
    }

    /// The newest revisions, the newest first.
    pub fn history(&self, limit: u32) -> Vec<RevisionEntry> {
        let lines = self.newest(stored::ENTRIES, limit.min(ENTRIES_MAX));
        let entry = |(_, line): (_, Vec<u8>)| {
            let mut entry = stored::read_entry(&line);
            // The oldest files go first, so those that are kept are the newest.
            entry.has_config = self.revision() - entry.revision < u64::from(VALUES_MAX);
            entry
        };
        lines.into_iter().map(entry).collect()
    }

    /// Puts a file in force in place of revision `base`.
    pub fn apply(&self, base: u64, mut applied: Applied, now_ms: u64) -> Result<u64, Refusal> {
        bounds::check(&mut applied)?;
        let current = self.revision();
        let is_same = |value: &Value| {
            value.config == applied.config && value.components == applied.components
        };
        if self.current().is_some_and(|value| is_same(&value)) {
            return Err(Refusal::Unchanged(current));
        }
        if base != current {
            return Err(Refusal::Superseded(current));
        }
        let revision = current + 1;
        let entry = RevisionEntry {
            revision,
            applied_by: applied.by.clone(),
            applied_at_ms: now_ms,
            summary: applied.summary,
            has_config: true,
        };
        let value = Value {
            revision,
            config: applied.config,
            components: applied.components,
            applied_by: applied.by,
            applied_at_ms: now_ms,
        };
        let key = |prefix| stored::numbered(prefix, revision);
        self.0.set(&key(stored::ENTRIES), &stored::entry(&entry));
        self.0.set(&key(stored::VALUES), &stored::value(&value));
        self.0.set(stored::CURRENT, &stored::number(revision));
        self.forget(stored::ENTRIES, revision, ENTRIES_MAX);
        self.forget(stored::VALUES, revision, VALUES_MAX);
        Ok(revision)
    }

    /// Forgets what is no longer among the newest.
    fn forget(&self, prefix: &[u8], newest: u64, most: u32) {
        if let Some(oldest) = newest.checked_sub(most.into()) {
            self.0.delete(&stored::numbered(prefix, oldest));
        }
    }

    fn newest(&self, prefix: &[u8], limit: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
        let end = prefix_end(prefix);
        self.0
            .scan(prefix, end.as_deref(), limit, Direction::Backward)
    }
}

#[cfg(test)]
mod tests;
