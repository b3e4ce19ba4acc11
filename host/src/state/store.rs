//! The state of all groups as of their last checkpoints, in one file.

use super::error::{Fault, OpenError, ReadError, StoreError, guarded};
use super::open::{Access, Contents, FILE, make_if_missing, open_file};
use super::pages::Pages;
use super::staging::Unused;
use super::value::{SEAL_BYTES, seal, unseal};
use super::{Base, GroupId, Layer, identity};
use crate::os::{BlockDisk, BlockFile};
use redb::{Database, ReadableDatabase, TableDefinition, WriteTransaction};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Groups of one host. Each has a table; far more than a host can serve.
pub(super) const GROUPS_MAX: usize = 4096;
/// A group's name in bytes; names come from the configuration, which allows less.
const NAME_BYTES_MAX: usize = 1024;

/// One row, the count of commits.
pub(super) const COMMITS: TableDefinition<&str, u64> = TableDefinition::new("commits");
/// The row of [`COMMITS`].
pub(super) const COUNT: &str = "count";
/// Each group: its applied index, then its name, sealed like any value.
pub(super) const GROUPS: TableDefinition<u32, &[u8]> = TableDefinition::new("groups");

/// A group of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number in this store.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// The index of the last entry that was folded in; 0 if none was. Where the log of the group begins later than with the next one, something is lost.
    pub applied: u64,
}

/// What of one group is to be written at a checkpoint.
#[derive(Clone)]
pub struct Fold {
    /// The group.
    pub group: GroupId,
    /// The index of the last entry whose writes are in `layer`.
    pub applied: u64,
    /// What was written since the last checkpoint.
    pub layer: Layer,
}

/// The store of a host; a clone is another handle. Closing it, with the last handle and the last [`Base`], writes nothing.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

/// What handles and snapshots share.
pub(super) struct Inner {
    database: Database,
    pub(super) pages: Pages,
    pub(super) path: PathBuf,
    file: Arc<dyn BlockFile>,
    /// The groups as they are durable.
    groups: Mutex<Vec<Group>>,
    writer: Mutex<Writer>,
    pub(super) unused: Mutex<Unused>,
}

pub(super) struct Writer {
    /// Commits in redb.
    pub(super) count: u64,
    /// The groups as of the last commit, while it is not known to be durable.
    unsettled: Option<Vec<Group>>,
}

impl Store {
    /// Opens the store in `folder`, or makes it. Reads every page in use: about a second for each gigabyte. Now and then, where the last commit may not be on the disk, it writes
    /// them again as well.
    ///
    /// # Errors
    /// As [`OpenError`] says.
    pub fn open(disk: &dyn BlockDisk, folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        make_if_missing(disk, folder, &path)?;
        open_file(disk, &path, Access::ReadWrite)
    }

    /// Opens the store in `folder` without ever writing to its file. Only for a host that is not running.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`OpenError::Io`] if there is none.
    pub fn open_to_look(disk: &dyn BlockDisk, folder: &Path) -> Result<Self, OpenError> {
        open_file(disk, &folder.join(FILE), Access::ReadOnly)
    }

    /// All groups, by number, as they are durable.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.0.groups().clone()
    }

    /// The number of the group `name`, which is added durably if there is none.
    ///
    /// # Errors
    /// As [`StoreError`] says; the same call may work later.
    ///
    /// # Panics
    /// The name is longer than 1024 bytes: the configuration allows less.
    pub fn register(&self, name: &str) -> Result<GroupId, StoreError> {
        assert!(
            name.len() <= NAME_BYTES_MAX,
            "the name of a group is too long"
        );
        let fail = |fault: Fault| fault.writing(&self.0.path);
        let mut writer = self.0.writer();
        self.0.settle(&mut writer).map_err(fail)?;
        let mut groups = self.groups();
        if let Some(group) = groups.iter().find(|group| group.name == name) {
            return Ok(group.id);
        }
        if groups.len() >= GROUPS_MAX {
            return Err(StoreError::TooManyGroups {
                path: self.0.path.clone(),
                groups_max: GROUPS_MAX,
            });
        }
        let id = GroupId(groups.last().map_or(0, |last| last.id.0 + 1));
        let group = Group {
            id,
            name: name.to_owned(),
            applied: 0,
        };
        groups.push(group.clone());
        let commit = self.0.commit(&mut writer, groups, |transaction| {
            self.0.write_group(transaction, &group)?;
            let table =
                transaction.open_table(TableDefinition::<&[u8], &[u8]>::new(&table_name(id)));
            table.map(drop).map_err(|error| self.0.pages.explain(error))
        });
        commit.map_err(fail)?;
        Ok(id)
    }

    /// What a group has in the store now. After [`StoreError::Full`] this may already contain what could not be made durable; with the same layer above it, it reads the same.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] and [`ReadError::Failed`].
    ///
    /// # Panics
    /// There is no such group: numbers come from [`register`](Self::register).
    pub fn base(&self, group: GroupId) -> Result<Base, ReadError> {
        self.0.assert_known(group);
        self.0
            .snapshot(group)
            .map_err(|fault| fault.reading(&self.0.path))
    }

    /// Writes what groups have applied since their last checkpoints: all of it durably, or nothing. Blocks for as long as that takes; run it on a thread of its own.
    /// Readers go on beside it.
    ///
    /// # Errors
    /// - [`StoreError::Full`]: there is no room now; the same or a later fold works once there is. Until then, as below.
    /// - [`StoreError::Failed`], [`StoreError::Damaged`]: either all of it is there when the store is opened again, or nothing.
    ///
    /// # Panics
    /// A group is unknown or its applied index goes back: bugs of the caller.
    pub fn fold(&self, folds: &[Fold]) -> Result<(), StoreError> {
        let mut writer = self.0.writer();
        let result = self.0.settle(&mut writer).and_then(|()| {
            if folds.is_empty() {
                return Ok(());
            }
            let mut groups = self.groups();
            let folded: Vec<(&Fold, Group)> = folds
                .iter()
                .map(|fold| (fold, advance(&mut groups, fold.group, fold.applied)))
                .collect();
            self.0.commit(&mut writer, groups, |transaction| {
                folded
                    .iter()
                    .try_for_each(|(fold, group)| self.0.write_fold(transaction, fold, group))
            })
        });
        result.map_err(|fault| fault.writing(&self.0.path))
    }

    /// SHA-256 of the applied index and all pairs of a group: replicas that agree have the same.
    ///
    /// # Errors
    /// As [`base`](Self::base).
    ///
    /// # Panics
    /// As [`base`](Self::base).
    pub fn hash(&self, group: GroupId) -> Result<[u8; 32], ReadError> {
        self.base(group)?.hash()
    }
}

impl Store {
    /// A store of which nothing has been written since it was opened.
    pub(super) fn new(
        database: Database,
        pages: Pages,
        path: &Path,
        file: Arc<dyn BlockFile>,
        contents: Contents,
    ) -> Self {
        Self(Arc::new(Inner {
            database,
            pages,
            path: path.to_owned(),
            file,
            groups: Mutex::new(contents.groups),
            writer: Mutex::new(Writer {
                count: contents.count,
                unsettled: None,
            }),
            unused: Mutex::new(contents.unused),
        }))
    }

    /// Writes what recovering it left to be written, and acknowledges its newest commit unless it is.
    pub(super) fn begin(&self, is_acknowledged: bool) -> Result<(), Fault> {
        let mut writer = self.0.writer();
        if !is_acknowledged {
            writer.unsettled = Some(self.groups());
        }
        self.0.settle(&mut writer)
    }
}

/// A group as it will be when it has applied entries up to `applied`.
pub(super) fn advance(groups: &mut [Group], id: GroupId, applied: u64) -> Group {
    let group = groups
        .iter_mut()
        .find(|group| group.id == id)
        .expect("groups are registered before anything is written for them");
    assert!(
        applied >= group.applied,
        "group {} goes back from {} to {applied}",
        group.name,
        group.applied,
    );
    group.applied = applied;
    group.clone()
}

/// The table of a group's state. Others have names of `staging`.
pub(super) fn table_name(group: GroupId) -> String {
    format!("group {}", group.0)
}

/// Hands a table's definition to `work`.
pub(super) fn table<T>(
    name: &str,
    work: impl FnOnce(TableDefinition<'_, &'static [u8], &'static [u8]>) -> T,
) -> T {
    work(TableDefinition::new(name))
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pages.seal();
    }
}

impl Inner {
    pub(super) fn groups(&self) -> MutexGuard<'_, Vec<Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits what `work` writes and returns once it is durable and so noted; then `groups` is what there is.
    pub(super) fn commit(
        &self,
        writer: &mut Writer,
        groups: Vec<Group>,
        work: impl FnOnce(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let count = writer.count + 1;
        guarded(|| {
            let explain = |error: redb::Error| self.pages.explain(error);
            let transaction = self
                .database
                .begin_write()
                .map_err(|error| explain(error.into()))?;
            work(&transaction)?;
            write_count(&transaction, count).map_err(explain)?;
            transaction.commit().map_err(|error| explain(error.into()))
        })?;
        writer.count = count;
        writer.unsettled = Some(groups);
        self.settle(writer)
    }

    /// Commits something that no row of a group tells of.
    pub(super) fn change(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut writer = self.writer();
        self.settle(&mut writer)?;
        let groups = self.groups().clone();
        self.commit(&mut writer, groups, work)
    }

    /// Sees to it that the last commit is durable and noted as such. After that a file without it is a damaged one.
    pub(super) fn settle(&self, writer: &mut Writer) -> Result<(), Fault> {
        self.pages.settle()?;
        if let Some(groups) = &writer.unsettled {
            identity::write_witness(self.file.as_ref(), writer.count)
                .map_err(|error| self.pages.fail(error))?;
            self.groups().clone_from(groups);
            writer.unsettled = None;
        }
        Ok(())
    }

    pub(super) fn write_group(
        &self,
        transaction: &WriteTransaction,
        group: &Group,
    ) -> Result<(), Fault> {
        let mut value = group.applied.to_le_bytes().to_vec();
        value.extend_from_slice(group.name.as_bytes());
        let mut stored = vec![0; SEAL_BYTES + value.len()];
        seal(group.id, b"", &value, &mut stored);
        let write = || -> Result<(), redb::Error> {
            let mut table = transaction.open_table(GROUPS)?;
            table.insert(group.id.0, stored.as_slice())?;
            Ok(())
        };
        write().map_err(|error| self.pages.explain(error))
    }

    fn write_fold(
        &self,
        transaction: &WriteTransaction,
        fold: &Fold,
        group: &Group,
    ) -> Result<(), Fault> {
        self.write_group(transaction, group)?;
        let name = table_name(fold.group);
        let definition = TableDefinition::<&[u8], &[u8]>::new(&name);
        let explain = |error: redb::Error| self.pages.explain(error);
        let mut table = transaction
            .open_table(definition)
            .map_err(|error| explain(error.into()))?;
        for (key, value) in &fold.layer {
            match value {
                Some(value) => self.insert(&mut table, fold.group, key, value)?,
                None => {
                    let removed = table.remove(key.as_ref());
                    removed.map_err(|error| explain(error.into()))?;
                }
            }
            // It will be given up; nothing more should pile up in memory.
            if self.pages.is_stashing() {
                return Err(Fault::Full);
            }
        }
        Ok(())
    }

    /// Writes a pair, unless there is no room.
    pub(super) fn insert(
        &self,
        table: &mut redb::Table<'_, &'static [u8], &'static [u8]>,
        group: GroupId,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Fault> {
        table
            .insert_reserve(key, SEAL_BYTES + value.len())
            .map(|mut room| seal(group, key, value, room.as_mut()))
            .map_err(|error| self.pages.explain(error))?;
        if self.pages.is_stashing() {
            return Err(Fault::Full);
        }
        Ok(())
    }

    /// What a group has now.
    pub(super) fn snapshot(self: &Arc<Self>, group: GroupId) -> Result<Base, Fault> {
        let (applied, table) = guarded(|| self.base(group))?;
        Ok(Base::new(group, applied, table, self.clone()))
    }

    pub(super) fn assert_known(&self, group: GroupId) {
        let groups = self.groups();
        let known = groups.binary_search_by_key(&group, |known| known.id);
        assert!(known.is_ok(), "group {} was never registered", group.0);
    }

    fn base(&self, group: GroupId) -> Result<(u64, super::base::Table), Fault> {
        let open = || -> Result<_, redb::Error> {
            let transaction = self.database.begin_read()?;
            let stored = transaction.open_table(GROUPS)?.get(group.0)?;
            let table = transaction.open_table(TableDefinition::new(&table_name(group)))?;
            Ok((stored, table))
        };
        let (stored, table) = open().map_err(|error| self.pages.explain(error))?;
        let stored = stored.ok_or_else(|| Fault::Damaged(format!("group {} is gone", group.0)))?;
        let group = read_group(group.0, stored.value())?;
        Ok((group.applied, table))
    }
}

pub(super) fn write_count(transaction: &WriteTransaction, count: u64) -> Result<(), redb::Error> {
    transaction.open_table(COMMITS)?.insert(COUNT, count)?;
    Ok(())
}

pub(super) fn read_group(id: u32, stored: &[u8]) -> Result<Group, Fault> {
    let id = GroupId(id);
    let damaged = || Fault::Damaged(format!("the name of group {} is unreadable", id.0));
    let value = unseal(id, b"", stored)?;
    let (applied, name) = value.split_first_chunk::<8>().ok_or_else(damaged)?;
    Ok(Group {
        id,
        name: str::from_utf8(name).map_err(|_| damaged())?.to_owned(),
        applied: u64::from_le_bytes(*applied),
    })
}
