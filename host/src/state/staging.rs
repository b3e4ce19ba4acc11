//! A group's state as it arrives from another host: written beside the one in use, and put into its place by one commit.
//!
//! A state is a table, and which one a group has is its name (`store::table_name`). One that is staged or was replaced has another name, which is never used again while the store is open;
//! whoever drops a [`Staging`], installs one or opens a store with such tables notes them as unused, and [`Store::sweep`] frees them step by step. So nothing here ever takes
//! longer than what it was given, and a crash leaves nothing that would not be found.

use super::error::{Fault, StoreError};
use super::store::{Group, Inner, Store, advance, table, table_name};
use super::{Base, GroupId};
use bytes::Bytes;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Keys and values of one transaction in bytes, and one pair more: folds of other groups wait for it.
const BATCH_BYTES: usize = 4 << 20;
/// Pairs that one step of [`Store::sweep`] takes, and how much of values, which are read: some 10 ms.
const SWEEP_PAIRS: usize = 5_000;
const SWEEP_BYTES: usize = 16 << 20;

const STAGED: &str = "staged ";
const REPLACED: &str = "replaced ";

/// The state of a group while it arrives. Dropping it without [`install`](Self::install) gives it up.
pub struct Staging {
    group: GroupId,
    table: String,
    /// The last key that is in it.
    last: Option<Bytes>,
    progress: Progress,
    store: Arc<Inner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has no table yet.
    Empty,
    Staged,
    /// It is the group's state, but that may wait for room on the disk.
    Committed,
}

/// Tables of which no group knows.
#[derive(Debug, Default)]
pub(super) struct Unused {
    /// The number of the next one.
    next: u64,
    tables: Vec<String>,
}

impl Unused {
    /// Those among the tables of a store that was just opened.
    pub(super) fn of(names: impl Iterator<Item = String>) -> Self {
        let tables = names.filter(|name| name.starts_with(STAGED) || name.starts_with(REPLACED));
        let tables: Vec<String> = tables.collect();
        let numbers = tables.iter().filter_map(|name| {
            let (_, number) = name.rsplit_once(' ')?;
            number.parse::<u64>().ok()
        });
        Self {
            next: numbers.max().map_or(0, |last| last.saturating_add(1)),
            tables,
        }
    }

    fn name(&mut self, kind: &str) -> String {
        let number = self.next;
        self.next += 1;
        format!("{kind}{number}")
    }
}

impl Store {
    /// Begins to write a state of a group beside the one it has. Writes nothing yet.
    ///
    /// # Panics
    /// As [`base`](Self::base).
    #[must_use]
    pub fn stage(&self, group: GroupId) -> Staging {
        self.0.assert_known(group);
        Staging {
            group,
            table: self.0.unused().name(STAGED),
            last: None,
            progress: Progress::Empty,
            store: self.0.clone(),
        }
    }

    /// Gives up everything that a group has, durably and at once: it is as one that was just registered. Snapshots of it stay as they are.
    ///
    /// # Errors
    /// As [`Staging::install`]; the same call may follow.
    ///
    /// # Panics
    /// As [`base`](Self::base).
    pub fn forget(&self, group: GroupId) -> Result<(), StoreError> {
        let mut nothing = self.stage(group);
        let forgotten = nothing.take_place(&self.0, forget);
        forgotten.map_err(|fault| fault.writing(&self.0.path))
    }

    /// Frees a bounded part of what was staged in vain, or replaced; room that snapshots still see follows when they are dropped. Whether there is more. Blocks as
    /// [`fold`](Self::fold) does; call it after folds until there is no more.
    ///
    /// # Errors
    /// As [`fold`](Self::fold). It may be called again.
    pub fn sweep(&self) -> Result<bool, StoreError> {
        let swept = self.0.sweep();
        swept.map_err(|fault| fault.writing(&self.0.path))
    }
}

impl Staging {
    /// Adds pairs, in the order of their keys, in one or more durable transactions. Blocks for as long as that takes; folds and readers go on beside it.
    ///
    /// Pairs up to [`resume_after`](Self::resume_after) are skipped: the same call, or any other that goes on from there, may follow an error.
    ///
    /// # Errors
    /// As [`Store::fold`], but part of it may be there: see [`resume_after`](Self::resume_after).
    ///
    /// # Panics
    /// It was installed, and there is something to add.
    pub fn append(&mut self, pairs: &[(Bytes, Bytes)]) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store);
        let is_new = |pair: &&(Bytes, Bytes)| self.last.as_ref().is_none_or(|last| *last < pair.0);
        let new: Vec<&(Bytes, Bytes)> = pairs.iter().filter(is_new).collect();
        let mut left = new.as_slice();
        assert!(
            left.is_empty() || self.progress != Progress::Committed,
            "a state is changed after it was installed"
        );
        while !left.is_empty() {
            let (batch, rest) = left.split_at(batch_pairs(left));
            self.progress = Progress::Staged;
            store
                .change(|transaction| {
                    let mut staged = table(&self.table, |it| transaction.open_table(it))
                        .map_err(|error| store.pages.explain(error))?;
                    for (key, value) in batch {
                        store.insert(&mut staged, self.group, key, value)?;
                    }
                    Ok(())
                })
                .map_err(|fault| fault.writing(&store.path))?;
            self.last = batch.last().map(|(key, _)| key.clone());
            left = rest;
        }
        Ok(())
    }

    /// The last key that is there; a broken transfer goes on behind it. Not kept when the store is closed.
    #[must_use]
    pub fn resume_after(&self) -> Option<Bytes> {
        self.last.clone()
    }

    /// Makes what was appended the state of the group as of `applied`, durably and at once, and returns it. What was folded in before is replaced; snapshots of it stay as they are.
    ///
    /// # Errors
    /// As [`Store::fold`]. After [`StoreError::Full`] nothing may be folded into the group before the same call has succeeded: the new state may be in its place already, where
    /// [`Store::base`] finds it and where a restart may or may not.
    ///
    /// # Panics
    /// The applied index goes back: a bug of the caller.
    pub fn install(&mut self, applied: u64) -> Result<Base, StoreError> {
        let store = Arc::clone(&self.store);
        self.put_in_place(&store, applied)
            .and_then(|()| store.snapshot(self.group))
            .map_err(|fault| fault.writing(&store.path))
    }

    /// Whether it is in the group's place already, also if putting it there found no room in the end. What the store has is not what the replica works
    /// with then, until it is told.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.progress == Progress::Committed
    }

    fn put_in_place(&mut self, store: &Inner, applied: u64) -> Result<(), Fault> {
        self.take_place(store, |groups, group| advance(groups, group, applied))
    }

    fn take_place(
        &mut self,
        store: &Inner,
        change: impl FnOnce(&mut [Group], GroupId) -> Group,
    ) -> Result<(), Fault> {
        let mut writer = store.writer();
        store.settle(&mut writer)?;
        if self.progress == Progress::Committed {
            return Ok(());
        }
        let mut groups = store.groups().clone();
        let group = change(&mut groups, self.group);
        let replaced = store.unused().name(REPLACED);
        let name = table_name(self.group);
        let commits = writer.count;
        // From here on there may be a table.
        self.progress = Progress::Staged;
        let committed = store.commit(&mut writer, groups, |transaction| {
            let rename = || -> Result<(), redb::Error> {
                // An empty state has none yet.
                drop(table(&self.table, |it| transaction.open_table(it))?);
                table(&name, |old| {
                    table(&replaced, |new| transaction.rename_table(old, new))
                })?;
                table(&self.table, |old| {
                    table(&name, |new| transaction.rename_table(old, new))
                })?;
                Ok(())
            };
            rename().map_err(|error| store.pages.explain(error))?;
            store.write_group(transaction, &group)
        });
        if writer.count > commits {
            self.progress = Progress::Committed;
            store.unused().tables.push(replaced);
        }
        committed
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.progress == Progress::Staged {
            let table = std::mem::take(&mut self.table);
            self.store.unused().tables.push(table);
        }
    }
}

impl Inner {
    fn unused(&self) -> MutexGuard<'_, Unused> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sweep(&self) -> Result<bool, Fault> {
        let Some(name) = self.unused().tables.last().cloned() else {
            return Ok(false);
        };
        let mut is_empty = false;
        self.change(|transaction| {
            let take = || -> Result<bool, redb::Error> {
                let mut unused = table(&name, |it| transaction.open_table(it))?;
                let mut bytes = 0;
                for _ in 0..SWEEP_PAIRS {
                    let Some((_, value)) = unused.pop_first()? else {
                        drop(unused);
                        return Ok(table(&name, |it| transaction.delete_table(it))?);
                    };
                    bytes += value.value().len();
                    if bytes > SWEEP_BYTES || self.pages.is_stashing() {
                        break;
                    }
                }
                Ok(false)
            };
            is_empty = take().map_err(|error| self.pages.explain(error))?;
            if self.pages.is_stashing() {
                return Err(Fault::Full);
            }
            Ok(())
        })?;
        let mut unused = self.unused();
        if is_empty {
            unused.tables.retain(|table| *table != name);
        }
        Ok(!unused.tables.is_empty())
    }
}

/// A group as it will be when it has nothing any more.
fn forget(groups: &mut [Group], id: GroupId) -> Group {
    let group = groups.iter_mut().find(|group| group.id == id);
    let group = group.expect("groups are registered before they are forgotten");
    group.applied = 0;
    group.clone()
}

/// How many pairs from the first on go into one transaction: one at least.
fn batch_pairs(pairs: &[&(Bytes, Bytes)]) -> usize {
    let mut bytes = 0;
    let fitting = pairs.iter().take_while(|(key, value)| {
        let fits = bytes < BATCH_BYTES;
        bytes += key.len() + value.len();
        fits
    });
    fitting.count()
}
