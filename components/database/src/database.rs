//! The database in a service's storage: each of its functions, on ordered keys.
//!
//! Knows nothing of the host. `bookshop:shop/database` says what each function does and when it fails; every one of them checks its bounds first.

use crate::bindings::exports::bookshop::shop::database::{
    AccessError, Change, ChangePage, ChangesError, Condition, Effect, Entry, Figures, Loaded,
    Operation, Outcome, Page, Pair, Selection, SwapError, TransactionError,
};
use crate::bounds::{self, CALL_BYTES_MAX};
use crate::draft::Draft;
use crate::history::{self, Mark};
use crate::stored::{self, Stored, Value};
use crate::totals::Totals;
use crate::transaction;
use keys::{Bytes, Direction, Keys, prefix_end};

/// Revisions that one call looks through at most for changes of a prefix: a few milliseconds.
const LOOKED_THROUGH_MAX: u64 = 4_096;

/// What an entry or a change of a page counts beside its key and value, in bytes: its numbers.
const ITEM_BYTES: u64 = 48;

/// The database, as it was when the call began.
pub struct Database<'a, K> {
    keys: &'a K,
    totals: Totals,
}

impl<'a, K: Keys> Database<'a, K> {
    /// Opens what there is; nothing is an empty database.
    ///
    /// # Errors
    /// [`AccessError::Unusable`]: something else is in its place.
    pub fn open(keys: &'a K) -> Result<Self, AccessError> {
        let totals = Totals::load(keys)?;
        Ok(Self { keys, totals })
    }

    /// Reads a key.
    pub fn get(&self, key: String) -> Result<Option<Entry>, AccessError> {
        bounds::key(&key)?;
        self.entry(key)
    }

    /// Reads many keys.
    pub fn scan(
        &self,
        selection: &Selection,
        after: Option<&str>,
        limit: u32,
        keys_only: bool,
    ) -> Result<Page, AccessError> {
        let limit = bounds::limit(limit)?;
        let (low, high) = range(selection, after)?;
        let mut page = Page {
            entries: Vec::new(),
            next: None,
            revision: self.totals.revision,
        };
        let mut bytes = 0;
        // One more than asked for, which tells whether there is a next page.
        let lines = self
            .keys
            .scan(&low, Some(&high), limit as u32 + 1, Direction::Forward);
        for (line_key, line) in lines {
            let key = stored::key_of(&line_key)?;
            let mut stored = Stored::from_line(&line)?;
            if keys_only {
                stored.value = Value::Here(Bytes::new());
            }
            bytes = item_bytes(&key, stored.value.bytes()).saturating_add(bytes);
            if page.entries.len() == limit || (bytes > CALL_BYTES_MAX && !page.entries.is_empty()) {
                page.next = page.entries.last().map(|entry| entry.key.clone());
                break;
            }
            page.entries.push(stored.into_entry(key, self.keys)?);
        }
        Ok(page)
    }

    /// How large it is, and how far.
    pub fn status(&self) -> Figures {
        Figures {
            revision: self.totals.revision,
            keys: self.totals.keys,
            bytes: self.totals.bytes,
            first_available: self.totals.first,
        }
    }

    /// What happened after a revision.
    pub fn changes(
        &self,
        after: u64,
        prefix: &str,
        limit: u32,
    ) -> Result<ChangePage, ChangesError> {
        bounds::part_of_key(prefix)?;
        let limit = bounds::limit(limit)?;
        if after.saturating_add(1) < self.totals.first {
            return Err(ChangesError::Compacted(self.totals.first));
        }
        let mut page = ChangePage {
            changes: Vec::new(),
            upto: after,
            revision: self.totals.revision,
        };
        let mut bytes = 0;
        let last = after.saturating_add(LOOKED_THROUGH_MAX);
        while page.upto < self.totals.revision.min(last) {
            let revision = page.upto + 1;
            let marks = history::marks(revision, prefix, self.keys)?;
            let count = page.changes.len() + marks.len();
            if count > limit && !page.changes.is_empty() {
                break;
            }
            let before = page.changes.len();
            for Mark { key, is_deleted } in marks {
                let effect = self.effect(&key, is_deleted, revision)?;
                bytes += change_bytes(&key, &effect);
                page.changes.push(Change {
                    revision,
                    key,
                    effect,
                });
            }
            if bytes > CALL_BYTES_MAX && before > 0 {
                page.changes.truncate(before);
                break;
            }
            page.upto = revision;
        }
        Ok(page)
    }

    /// Gives a key a value.
    pub fn set(self, key: &str, value: Bytes, history_max: u64) -> Result<u64, AccessError> {
        bounds::key(key)?;
        bounds::value(&value)?;
        let mut draft = self.draft();
        draft.set(key, value)?;
        Ok(draft.commit(history_max)?.revision)
    }

    /// Gives a key another value if it has one.
    pub fn update(
        self,
        key: &str,
        value: Bytes,
        history_max: u64,
    ) -> Result<Option<u64>, AccessError> {
        bounds::key(key)?;
        bounds::value(&value)?;
        let mut draft = self.draft();
        if draft.get(key)?.is_none() {
            return Ok(None);
        }
        draft.set(key, value)?;
        Ok(Some(draft.commit(history_max)?.revision))
    }

    /// Takes a key's value away.
    pub fn delete(self, key: &str, history_max: u64) -> Result<Option<u64>, AccessError> {
        bounds::key(key)?;
        let mut draft = self.draft();
        if !draft.delete(key)? {
            return Ok(None);
        }
        Ok(Some(draft.commit(history_max)?.revision))
    }

    /// Gives a key another value, or takes it away, if nobody has changed it.
    pub fn compare_and_swap(
        self,
        key: String,
        expected: Option<u64>,
        value: Option<Bytes>,
        history_max: u64,
    ) -> Result<u64, SwapError> {
        bounds::key(&key)?;
        if let Some(value) = &value {
            bounds::value(value)?;
        }
        let mut draft = self.draft();
        if draft.get(&key)?.map(|stored| stored.revision) != expected {
            return Err(SwapError::Conflict(self.entry(key)?));
        }
        match value {
            Some(value) => draft.set(&key, value)?,
            None => drop(draft.delete(&key)?),
        }
        Ok(draft.commit(history_max)?.revision)
    }

    /// Carries out one of two lists of operations.
    pub fn transaction(
        self,
        conditions: &[Condition],
        then: Vec<Operation>,
        otherwise: Vec<Operation>,
        history_max: u64,
    ) -> Result<Outcome, TransactionError> {
        transaction::check(conditions, &then, &otherwise)?;
        let mut draft = self.draft();
        let mut held = true;
        for condition in conditions {
            held = held && transaction::holds(condition, &mut draft)?;
        }
        let operations = if held { then } else { otherwise };
        let results = operations
            .into_iter()
            .map(|operation| transaction::perform(operation, &mut draft))
            .collect::<Result<_, _>>()?;
        Ok(Outcome {
            held,
            results,
            revision: draft.commit(history_max)?.revision,
        })
    }

    /// Gives values to those keys that have none.
    pub fn load(self, pairs: Vec<Pair>, history_max: u64) -> Result<Loaded, AccessError> {
        bounds::pairs(pairs.len())?;
        for Pair { key, value } in &pairs {
            bounds::key(key)?;
            bounds::value(value)?;
        }
        let mut draft = self.draft();
        let mut added = 0;
        for Pair { key, value } in pairs {
            if draft.get(&key)?.is_none() {
                draft.set(&key, value)?;
                added += 1;
            }
        }
        let revision = draft.commit(history_max)?.revision;
        Ok(Loaded { added, revision })
    }

    fn draft(&self) -> Draft<'a, K> {
        Draft::new(self.totals, self.keys)
    }

    fn entry(&self, key: String) -> Result<Option<Entry>, AccessError> {
        let stored = Stored::find(&key, self.keys)?;
        stored
            .map(|stored| stored.into_entry(key, self.keys))
            .transpose()
    }

    fn effect(&self, key: &str, is_deleted: bool, revision: u64) -> Result<Effect, AccessError> {
        if is_deleted {
            return Ok(Effect::Deleted);
        }
        match Stored::find(key, self.keys)? {
            Some(stored) if stored.revision == revision => {
                stored.value.read(key, self.keys).map(Effect::Set)
            }
            Some(_) | None => Ok(Effect::Overwritten),
        }
    }
}

/// Where the lines of the selected keys begin and end.
fn range(selection: &Selection, after: Option<&str>) -> Result<(Bytes, Bytes), AccessError> {
    let (low, high) = match selection {
        Selection::Prefix(prefix) => {
            bounds::part_of_key(prefix)?;
            let low = stored::line_key(prefix);
            let high = prefix_end(&low);
            (low, high)
        }
        Selection::Range(range) => {
            bounds::part_of_key(&range.low)?;
            bounds::part_of_key(range.high.as_deref().unwrap_or_default())?;
            let high = range.high.as_deref().map(stored::line_key);
            (stored::line_key(&range.low), high)
        }
    };
    let high = high.unwrap_or_else(stored::lines_end);
    let Some(after) = after else {
        return Ok((low, high));
    };
    bounds::part_of_key(after)?;
    let mut beyond = stored::line_key(after);
    beyond.push(0);
    Ok((low.max(beyond), high))
}

fn item_bytes(key: &str, value_bytes: u64) -> u64 {
    value_bytes.saturating_add(ITEM_BYTES + key.len() as u64)
}

fn change_bytes(key: &str, effect: &Effect) -> u64 {
    let value_bytes = match effect {
        Effect::Set(value) => value.len() as u64,
        Effect::Overwritten | Effect::Deleted => 0,
    };
    item_bytes(key, value_bytes)
}

#[cfg(test)]
mod tests;
