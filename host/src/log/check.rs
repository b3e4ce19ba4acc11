//! Looking at a log without changing it, for the command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::groups::Groups;
use super::record::Stored;
use super::sector::SECTOR_BYTES;
use super::walk::{Problem, Visit, walk};
use super::{Cut, OpenError};
use crate::os::BlockDisk;

/// What is in a log, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// The groups, by number.
    pub groups: Vec<GroupReport>,
    /// The batches.
    pub batches: u64,
    /// What will be cut off when the log is opened: a crash has left it, and nobody was told that it was durable.
    pub torn: Option<Cut>,
    /// What is wrong. With any, the log cannot be opened.
    pub problems: Vec<Problem>,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// What is written of it, in bytes; 0: it is ready to be written.
    pub used_bytes: u64,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupReport {
    /// Which.
    pub group: u32,
    /// Its first entry that is needed; none if there is none.
    pub first: Option<u64>,
    /// Its last index; 0 if it never had an entry.
    pub last: u64,
    /// All its entries in the log, in bytes, needed or not.
    pub bytes: u64,
    /// The length of its state in bytes; none if it has none.
    pub state_bytes: Option<usize>,
}

/// A piece of a log, in the order in which it was written.
#[derive(Debug)]
pub enum Dumped<'a> {
    /// A batch; its records follow.
    Batch {
        /// The file.
        file: &'a Path,
        /// Where in the file, in bytes.
        offset: u64,
        /// Its number.
        sequence: u64,
    },
    /// A record.
    Record(Stored<'a>),
}

/// Reads the whole log in `folder` and says what is in it and what is wrong with it.
///
/// # Errors
/// [`OpenError::NewerFormat`] or [`OpenError::Io`]. Damage is in the report.
pub fn check(disk: &Arc<dyn BlockDisk>, folder: &Path) -> Result<Report, OpenError> {
    let mut report = Report::default();
    let mut groups = Groups::default();
    let mut sizes = std::collections::BTreeMap::new();
    let walked = walk(disk, folder, None, true, &mut |visit| {
        match visit {
            Visit::Batch { .. } => report.batches += 1,
            Visit::Record { record, location } => {
                if let Stored::Entry { group, payload, .. } = record {
                    *sizes.entry(group).or_default() += payload.len() as u64;
                }
                groups.replay(record, location)?;
            }
        }
        Ok(())
    })?;
    report.torn = super::open::cut(&walked);
    report.problems = walked.problems;
    if let Some((group, index)) = groups.missing() {
        report.problems.push(Problem {
            file: folder.to_path_buf(),
            offset: 0,
            what: format!("entry {index} of group {group} is missing at the beginning of the log"),
        });
    }
    for (at, segment) in walked.segments.into_iter().enumerate() {
        report.segments.push(SegmentReport {
            file: segment.path,
            bytes: u64::from(segment.sectors) * SECTOR_BYTES as u64,
            used_bytes: if at < walked.begun {
                u64::from(segment.used) * SECTOR_BYTES as u64
            } else {
                0
            },
        });
    }
    report.groups = groups
        .0
        .iter()
        .map(|(id, group)| GroupReport {
            group: *id,
            first: Some(group.first()).filter(|first| *first <= group.last),
            last: group.last,
            bytes: sizes.get(id).copied().unwrap_or(0),
            state_bytes: group.state.as_ref().map(Vec::len),
        })
        .collect();
    Ok(report)
}

/// Calls `show` with everything that can be read in the log, and says what is wrong with it.
///
/// # Errors
/// As [`check`].
pub fn dump(
    disk: &Arc<dyn BlockDisk>,
    folder: &Path,
    show: &mut dyn FnMut(Dumped<'_>),
) -> Result<Vec<Problem>, OpenError> {
    let walked = walk(disk, folder, None, true, &mut |visit| {
        show(match visit {
            Visit::Batch {
                segment,
                position,
                sequence,
            } => Dumped::Batch {
                file: segment,
                offset: u64::from(position) * SECTOR_BYTES as u64,
                sequence,
            },
            Visit::Record { record, .. } => Dumped::Record(record),
        });
        Ok(())
    })?;
    Ok(walked.problems)
}
