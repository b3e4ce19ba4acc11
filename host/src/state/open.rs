//! From a file to a store that may be relied on: making one, recovering one, and what a sync that failed left behind.
//!
//! # After a failed sync
//! A sync that fails ends the host. If its machine runs on, the next process reads from the system's memory what was written before that sync, and none of it may be
//! on the disk: the system takes it for clean and never writes it again, and a later sync says nothing. A commit that is built on such pages is lost with the power, and with it the
//! one before, whose pages it has used again.
//!
//! So nothing is built on a commit before it is known to be on the disk. The count of acknowledged commits (`identity`) tells which one is. It is written only when the sync of
//! that commit has succeeded, and may itself be in the system's memory alone: then it is the newer one that is seen, which is still true, since its commit was synced before.
//! What can have failed:
//! - The sync of a commit, or of what waited for room: redb has one commit more than was acknowledged, in memory or on the disk, whole or, after a loss of power, not at all.
//!   If there is one more, every page in use is written again as it was read, and synced. Only then follow redb's header and the count. After a loss of power that is needless, since what is read then is
//!   on the disk, but one cannot tell; it happens when the power went between a commit and its count, and costs as much again as reading did.
//! - The sync of the count: its commit is on the disk, and the next count replaces it.
//! - A sync while a store is being opened. redb writes nothing then but its header, one sector, with the same roots. All that it writes is held in memory until the pages are
//!   safe, since it overwrites the place of the commit before. A process that comes after finds what this one found, or has a header that says the same.
//! - The sync of a new file: it does not have its name yet, and is made again. That of its name: opening syncs the folder.
//!
//! Pages that no commit uses may be as they like. So a process that was killed without a failed sync costs nothing, and what it wrote last goes to the disk with the next sync.

use super::error::{Fault, OpenError, guarded};
use super::identity;
use super::pages::Pages;
use super::staging::Unused;
use super::store::{COMMITS, COUNT, GROUPS, Group, Store, read_group, write_count};
use crate::os::BlockDisk;
use redb::{Database, ReadableDatabase, ReadableTable, TableHandle};
use std::path::Path;

/// The file in the folder of the store.
pub(super) const FILE: &str = "state.redb";
/// The file while it is being made; one that is found was never finished.
const UNFINISHED: &str = "state.redb.new";

/// What redb may keep of the file in memory, for all groups of the host. Half of it also bounds the pages of a fold that were not written yet. The
/// operating system caches the file too; a page that comes from there costs about 2 µs.
const CACHE_BYTES: usize = 16 << 20;

/// The file gets its name when it is complete, so one with that name is complete or damaged.
pub(super) fn make_if_missing(
    disk: &dyn BlockDisk,
    folder: &Path,
    path: &Path,
) -> Result<(), OpenError> {
    let unfinished = folder.join(UNFINISHED);
    let make = || -> Result<(), Fault> {
        disk.create_folder(folder).map_err(Fault::of_io)?;
        let files = disk.list(folder).map_err(Fault::of_io)?;
        if files.contains(&unfinished) {
            disk.remove(&unfinished).map_err(Fault::of_io)?;
        }
        if files.iter().any(|file| file == path) {
            // Whoever made it may have ended before its name was durable.
            return disk.sync_folder(folder).map_err(Fault::of_io);
        }
        let file = disk.create(&unfinished).map_err(Fault::of_io)?;
        identity::write_new(file.as_ref()).map_err(Fault::of_io)?;
        let pages = Pages::new(file.clone()).map_err(Fault::of_io)?;
        guarded(|| fill_new(&pages))?;
        disk.rename(&unfinished, path).map_err(Fault::of_io)?;
        disk.sync_folder(folder).map_err(Fault::of_io)
    };
    make().map_err(|fault| fault.opening(path))
}

/// Makes an empty database, durably.
fn fill_new(pages: &Pages) -> Result<(), Fault> {
    let fill = || -> Result<Database, redb::Error> {
        let database = builder().create_with_backend(pages.clone())?;
        let transaction = database.begin_write()?;
        transaction.open_table(GROUPS)?;
        write_count(&transaction, 0)?;
        transaction.commit()?;
        Ok(database)
    };
    let database = fill().map_err(|error| pages.explain(error))?;
    let settled = pages.settle();
    pages.seal();
    drop(database);
    settled
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Whether what is done to a store reaches its file: opening one makes redb write, and looking at one must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

/// Opens a file that is there.
pub(super) fn open_file(
    disk: &dyn BlockDisk,
    path: &Path,
    access: Access,
) -> Result<Store, OpenError> {
    let opening = |fault: Fault| fault.opening(path);
    let file = disk
        .open(path)
        .map_err(|error| opening(Fault::of_io(error)))?;
    let acknowledged = identity::read(file.as_ref(), path)?;
    let pages = Pages::new(file.clone()).map_err(|error| opening(Fault::of_io(error)))?;
    pages.seal();
    let database = guarded(|| {
        let opened = builder().create_with_backend(pages.clone());
        opened.map_err(|error| pages.explain(error))
    });
    let database = database.map_err(opening)?;
    let contents = guarded(|| read_contents(&database, &pages, acknowledged));
    let contents = contents.map_err(opening)?;
    let is_acknowledged = contents.count == acknowledged;
    if access == Access::ReadWrite {
        if !is_acknowledged {
            pages.write_back().map_err(opening)?;
        }
        pages.unseal();
    }
    let store = Store::new(database, pages, path, file, contents);
    if access == Access::ReadWrite {
        match store.begin(is_acknowledged) {
            // Without room it waits, like anything else.
            Ok(()) | Err(Fault::Full) => {}
            Err(fault) => return Err(opening(fault)),
        }
    }
    Ok(store)
}

/// What is known of a store before anything is read or written.
pub(super) struct Contents {
    /// Its commits.
    pub(super) count: u64,
    pub(super) groups: Vec<Group>,
    pub(super) unused: Unused,
}

/// Looks into a database that redb has recovered.
fn read_contents(database: &Database, pages: &Pages, acknowledged: u64) -> Result<Contents, Fault> {
    let explain = |error: redb::Error| pages.explain(error);
    let open = || -> Result<_, redb::Error> {
        let transaction = database.begin_read()?;
        let names = transaction.list_tables()?;
        let unused = Unused::of(names.map(|table| table.name().to_owned()));
        Ok((
            transaction.open_table(COMMITS)?,
            transaction.open_table(GROUPS)?,
            unused,
        ))
    };
    let (count, groups, unused) = open().map_err(explain)?;
    let count = count
        .get(COUNT)
        .map_err(|error| explain(error.into()))?
        .ok_or_else(|| Fault::Damaged("it has no count of its commits".to_owned()))?
        .value();
    if count < acknowledged {
        return Err(Fault::Damaged(format!(
            "it is as of commit {count}, but commit {acknowledged} was acknowledged"
        )));
    }
    let groups = groups
        .iter()
        .map_err(|error| explain(error.into()))?
        .map(|row| {
            let (id, stored) = row.map_err(|error| explain(error.into()))?;
            read_group(id.value(), stored.value())
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Contents {
        count,
        groups,
        unused,
    })
}
