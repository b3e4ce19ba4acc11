//! Looking at a store without changing it, for `bookshop-host storage`. Only for a host that is not running.

use super::error::{Fault, OpenError, ReadError};
use super::open::{Access, FILE, open_file};
use super::store::{Group, Store};
use crate::os::BlockDisk;
use std::path::Path;

/// What is wrong with single values is listed up to this many: one damaged page can spoil many.
const PROBLEMS_MAX: usize = 100;

/// What a store contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its groups, by number.
    pub groups: Vec<GroupReport>,
    /// The length of the file in bytes; free pages and room to grow included.
    pub file_bytes: u64,
    /// Values that are not what was written, in words; the first hundred.
    pub problems: Vec<String>,
}

/// What a group has in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupReport {
    /// Which one.
    pub group: Group,
    /// Its keys.
    pub keys: u64,
    /// Its keys and values in bytes.
    pub bytes: u64,
}

/// Reads all of the store in `folder` and compares every checksum. Changes nothing.
///
/// # Errors
/// As [`Store::open`], and [`OpenError::Io`] if there is none.
pub fn check(disk: &dyn BlockDisk, folder: &Path) -> Result<Report, OpenError> {
    let path = folder.join(FILE);
    let file_bytes = disk
        .open(&path)
        .and_then(|file| file.len())
        .map_err(|error| Fault::of_io(error).opening(&path))?;
    let store = open_file(disk, &path, Access::ReadOnly)?;
    let mut report = Report {
        groups: Vec::new(),
        file_bytes,
        problems: Vec::new(),
    };
    for group in store.groups() {
        let counted = count(&store, group, &mut report.problems);
        report.groups.push(counted);
    }
    Ok(report)
}

fn count(store: &Store, group: Group, problems: &mut Vec<String>) -> GroupReport {
    let (mut keys, mut bytes) = (0, 0);
    let mut problem = |error: ReadError| {
        if problems.len() < PROBLEMS_MAX {
            problems.push(error.to_string());
        }
    };
    match store.base(group.id) {
        Ok(base) => {
            let mut range = base.range(&[], None);
            while let Some(pair) = range.next(false) {
                let pair = match pair {
                    Ok(pair) => pair,
                    Err(error) => {
                        problem(error);
                        break;
                    }
                };
                keys += 1;
                bytes += pair.key().len() as u64;
                match pair.value() {
                    Ok(value) => bytes += value.len() as u64,
                    Err(error) => problem(error),
                }
            }
        }
        Err(error) => problem(error),
    }
    GroupReport { group, keys, bytes }
}

/// Takes a group, a key and its value.
pub type Show<'a> = dyn FnMut(&Group, &[u8], &[u8]) + 'a;

/// Shows all pairs of the groups that `wants` to the caller, group by group and in order. Changes nothing.
///
/// # Errors
/// As [`check`]; [`OpenError::Damaged`] also where a value is not what was written.
pub fn dump(
    disk: &dyn BlockDisk,
    folder: &Path,
    wants: &dyn Fn(&Group) -> bool,
    show: &mut Show<'_>,
) -> Result<(), OpenError> {
    let path = folder.join(FILE);
    let store = open_file(disk, &path, Access::ReadOnly)?;
    for group in store.groups().into_iter().filter(wants) {
        let base = store.base(group.id)?;
        let mut range = base.range(&[], None);
        while let Some(pair) = range.next(false) {
            let pair = pair?;
            show(&group, pair.key(), pair.value()?);
        }
    }
    Ok(())
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { path, what } => Self::Damaged { path, what },
            ReadError::Failed { path, source } => Self::Io { path, source },
        }
    }
}
