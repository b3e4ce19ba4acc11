//! What a call is about to do, seen as if it were done, and not written before all of it is known to be allowed.
//!
//! A component's writes take effect also when it answers with an error, so nothing is written until nothing can go wrong.

use crate::bindings::exports::bookshop::shop::database::{self as shop, AccessError};
use crate::bounds;
use crate::history::{self, Mark};
use crate::stored::{Stored, Value};
use crate::totals::Totals;
use keys::{Bytes, Keys};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Changes that are not written.
pub struct Draft<'a, K> {
    keys: &'a K,
    totals: Totals,
    /// The revision of the changes.
    revision: u64,
    /// The keys that were looked at, in the order in which the history has them.
    looked_at: BTreeMap<String, LookedAt>,
    /// What the call is going to return, in bytes.
    returned_bytes: u64,
}

/// A key that was looked at.
struct LookedAt {
    before: Option<Stored>,
    now: Option<Stored>,
    is_changed: bool,
}

impl LookedAt {
    /// Whether there is something to write. A key that came and went within the call was never there.
    fn has_effect(&self) -> bool {
        self.is_changed && (self.before.is_some() || self.now.is_some())
    }
}

impl<'a, K: Keys> Draft<'a, K> {
    /// Nothing yet, on top of what there is.
    pub fn new(totals: Totals, keys: &'a K) -> Self {
        Self {
            keys,
            totals,
            revision: totals.revision.saturating_add(1),
            looked_at: BTreeMap::new(),
            returned_bytes: 0,
        }
    }

    /// What a key has now.
    ///
    /// # Errors
    /// [`AccessError::Unusable`].
    pub fn get(&mut self, key: &str) -> Result<Option<&Stored>, AccessError> {
        Ok(self.look_at(key)?.now.as_ref())
    }

    /// The value of a key now.
    ///
    /// # Errors
    /// [`AccessError::Unusable`].
    pub fn value(&mut self, key: &str) -> Result<Option<Bytes>, AccessError> {
        let stored = self.get(key)?.cloned();
        let keys = self.keys;
        stored.map(|it| it.value.read(key, keys)).transpose()
    }

    /// The entry of a key now, which counts as what the call returns.
    ///
    /// # Errors
    /// [`AccessError::OutOfBounds`] if that is too much, [`AccessError::Unusable`].
    pub fn entry(&mut self, key: String) -> Result<Option<shop::Entry>, AccessError> {
        let Some(stored) = self.get(&key)?.cloned() else {
            return Ok(None);
        };
        let cost = bounds::cost(&key, stored.value.bytes());
        self.returned_bytes = self.returned_bytes.saturating_add(cost);
        // Before it is read: all that a transaction may name is more than an instance may hold.
        bounds::call_bytes(self.returned_bytes)?;
        stored.into_entry(key, self.keys).map(Some)
    }

    /// Gives a key a value.
    ///
    /// # Errors
    /// [`AccessError::Unusable`].
    pub fn set(&mut self, key: &str, value: Bytes) -> Result<(), AccessError> {
        let revision = self.revision;
        let looked_at = self.look_at(key)?;
        let value = Value::Here(value);
        looked_at.is_changed = true;
        looked_at.now = Some(match looked_at.now.take() {
            None => Stored {
                created: revision,
                revision,
                version: 1,
                value,
            },
            Some(now) => Stored {
                created: now.created,
                revision,
                version: now
                    .version
                    .saturating_add(u64::from(now.revision != revision)),
                value,
            },
        });
        Ok(())
    }

    /// Takes a key's value away. Returns whether it had one.
    ///
    /// # Errors
    /// [`AccessError::Unusable`].
    pub fn delete(&mut self, key: &str) -> Result<bool, AccessError> {
        let looked_at = self.look_at(key)?;
        let had = looked_at.now.take().is_some();
        looked_at.is_changed |= had;
        Ok(had)
    }

    /// Writes everything, and returns the totals afterwards. Without effects the revision stays.
    ///
    /// # Errors
    /// Nothing was written: [`AccessError::OutOfBounds`] if it is too much, [`AccessError::Unusable`].
    pub fn commit(self, changes_max: u64) -> Result<Totals, AccessError> {
        let mut totals = self.totals;
        let mut marks = Vec::new();
        let mut call_bytes = self.returned_bytes;
        for (key, looked_at) in &self.looked_at {
            if !looked_at.has_effect() {
                continue;
            }
            let bytes = |stored: &Stored| stored.value.bytes().saturating_add(key.len() as u64);
            if let Some(before) = &looked_at.before {
                totals.keys = totals.keys.saturating_sub(1);
                totals.bytes = totals.bytes.saturating_sub(bytes(before));
            }
            if let Some(now) = &looked_at.now {
                totals.keys = totals.keys.saturating_add(1);
                totals.bytes = totals.bytes.saturating_add(bytes(now));
            }
            let written = looked_at.now.as_ref().map_or(0, |now| now.value.bytes());
            call_bytes = call_bytes.saturating_add(bounds::cost(key, written));
            marks.push(Mark {
                key: key.clone(),
                is_deleted: looked_at.now.is_none(),
            });
        }
        bounds::call_bytes(call_bytes)?;
        if marks.is_empty() {
            return Ok(totals);
        }
        totals.revision = self.revision;
        history::add(&marks, &mut totals, changes_max, self.keys)?;
        for (key, looked_at) in &self.looked_at {
            if looked_at.has_effect() {
                looked_at.write(key, self.keys);
            }
        }
        totals.save(self.keys);
        Ok(totals)
    }

    fn look_at(&mut self, key: &str) -> Result<&mut LookedAt, AccessError> {
        match self.looked_at.entry(key.into()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let before = Stored::find(key, self.keys)?;
                Ok(entry.insert(LookedAt {
                    now: before.clone(),
                    before,
                    is_changed: false,
                }))
            }
        }
    }
}

impl LookedAt {
    fn write<K: Keys>(&self, key: &str, keys: &K) {
        match (&self.before, &self.now) {
            (before, Some(now)) => now.write(key, before.as_ref(), keys),
            (Some(before), None) => before.delete(key, keys),
            (None, None) => {}
        }
    }
}
