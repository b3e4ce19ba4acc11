//! The write-ahead log of a host: the entries of all its groups, in one sequence of files, made durable together.
//!
//! One thread owns it. Entries are appended to a batch in memory; [`Log::sync`] writes the batch and syncs once for all groups. A group's entries have
//! consecutive indexes; appending an index that is there already drops it and what follows (Raft's truncation). Next to its entries a group may have
//! one small state, of which the last counts. What the state store has is compacted: the log keeps segments only as long as some group needs them.
//!
//! # On the disk
//! Segments, `NNNNNNNNNN.log`, numbered from 1 without gaps, of one length, filled with zeros before they are used: overwriting syncs in half the time of
//! appending. A number is never used twice; the file of a segment that no one needs becomes the next segment, under a new number. Everything is
//! written in sectors of 512 bytes (`sector.rs`), each with a checksum, the segment's number and its own place. A batch (`batch.rs`) begins at a sector, so writing one never
//! touches sectors of another, and holds records (`record.rs`). The first batch of a segment begins with the positions and the state of every group, so
//! no segment is needed for what an earlier one said about these, and a missing one is noticed.
//!
//! # After a crash
//! A batch is written only after the one before it was synced, so a later batch proves an earlier one. `walk.rs` has the rules by which the torn end of the log, which
//! nobody was told of, is told from damage, which is [`OpenError::Corrupt`]. When the log is opened, what is left of a torn batch is overwritten with zeros, and
//! the last batch is written and synced again: after a failed sync it may be in the memory of the operating system only. Both before anything new is written.
//!
//! # What is noticed
//! Changed bits, wherever a batch is; in the last batch too, as no crash leaves them. A write that the disk acknowledged and that landed elsewhere in its segment, where it is found. A write that never
//! landed, as soon as anything was written after it. So one window remains: the disk loses the *whole* last batch, and the host stops before the next one or [`Log::mark`].
//! `must_have` closes it for what the state store already has. A bit that changes in one of the two sectors where the next batch may begin is reported too, although
//! nothing is lost; one that changes elsewhere in unused room is not.
//!
//! # Room
//! Behind the segment in use there is always another one, without which no entry is accepted ([`AppendError::Full`]). So a batch under way never runs out of room, and
//! there is always room to note that entries are not needed any more, which frees segments.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::os::BlockDisk;

mod append;
mod batch;
mod check;
mod error;
mod groups;
mod open;
mod read;
mod record;
mod sector;
mod segment;
mod sync;
mod walk;

#[cfg(test)]
mod tests;

pub use check::{Dumped, GroupReport, Report, SegmentReport, check, dump};
pub use error::{AppendError, OpenError, ReadError, SyncError};
use groups::{Group, Groups};
pub use open::{Cut, Recovery};
pub use record::Stored;
use segment::{Segment, Spares};
pub use walk::Problem;

/// The format this program writes, and the newest it reads.
pub const VERSION: u32 = 1;

/// Segments are at least this long, so that the positions of a few groups and an entry fit.
pub const SEGMENT_BYTES_MIN: u64 = 16 << 10;

/// Segments are at most this long: one is read into memory when the log is opened.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// A group's state is at most this long: every segment begins with all of them.
pub const STATE_BYTES_MAX: usize = 64 << 10;

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The length of a segment: a multiple of 512, from [`SEGMENT_BYTES_MIN`] to [`SEGMENT_BYTES_MAX`].
    pub segment_bytes: u64,
    /// What a group's state says of states from elsewhere: through which index its entries may be in the state store without ever having been in the log. 0 if
    /// there is none.
    pub elsewhere: fn(&[u8]) -> u64,
    /// A deliberate mistake, so that simulations can show that they would find it.
    pub mutant: Option<Mutant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 32 << 20,
            elsewhere: |_| 0,
            mutant: None,
        }
    }
}

/// Deliberate mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A batch is acknowledged without being synced.
    SkipSync,
    /// A batch with missing sectors is taken for whole.
    AcceptTornTail,
    /// What was written before the file became this segment is taken for its own.
    AnyGeneration,
    /// Segments are given up before the log says that they are not needed.
    RecycleTooEarly,
    /// What is left of a torn batch stays on the disk.
    KeepTornTail,
    /// If overwriting what is left of a torn batch fails, it is not done again.
    CutOnce,
    /// The last batch is not written again when the log is opened.
    TrustLastBatch,
    /// Segments do not begin with the states of the groups.
    ForgetStates,
    /// After a failed sync the log goes on.
    IgnoreFailedSync,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SkipSync,
        Self::AcceptTornTail,
        Self::AnyGeneration,
        Self::RecycleTooEarly,
        Self::KeepTornTail,
        Self::CutOnce,
        Self::TrustLastBatch,
        Self::ForgetStates,
        Self::IgnoreFailedSync,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SkipSync => "skip-sync",
            Self::AcceptTornTail => "accept-torn-tail",
            Self::AnyGeneration => "any-generation",
            Self::RecycleTooEarly => "recycle-too-early",
            Self::KeepTornTail => "keep-torn-tail",
            Self::CutOnce => "cut-once",
            Self::TrustLastBatch => "trust-last-batch",
            Self::ForgetStates => "forget-states",
            Self::IgnoreFailedSync => "ignore-failed-sync",
        }
    }
}

/// What [`Log::open`] reads, in the order in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// An entry. It takes the place of all entries of the group from its index on. It may be one that was compacted.
    Entry {
        /// Whose.
        group: u32,
        /// Which.
        index: u64,
        /// What was appended.
        payload: &'a [u8],
    },
    /// A group's state. It takes the place of earlier ones.
    State {
        /// Whose.
        group: u32,
        /// What was set.
        bytes: &'a [u8],
    },
}

/// The log of a host.
pub struct Log {
    folder: PathBuf,
    mutant: Option<Mutant>,
    /// Those with batches, oldest first; the last one takes the next batch.
    segments: VecDeque<Segment>,
    spares: Spares,
    groups: Groups,
    /// What was appended since the last sync, for the last segments. One part, or two if it crosses into another segment.
    batch: Vec<Part>,
    /// A part of an earlier batch, for its memory.
    spare_part: Vec<u8>,
    /// The sectors of the part that is being written.
    out: Vec<u8>,
    next_sequence: u64,
    /// What all groups take at the beginning of a segment.
    carried_bytes: usize,
    entry_bytes_max: usize,
    carried_bytes_max: usize,
    /// How many of the oldest segments can be given up.
    unneeded: usize,
    /// Bytes written since the spare segments were looked after.
    written: u64,
    maintained: bool,
    /// Whether anything was written behind the last batch.
    marked: bool,
    failed: bool,
}

/// What goes to one segment in one write.
struct Part {
    segment: u32,
    /// Its first sector.
    position: u32,
    /// The header, to be filled in, and the records.
    bytes: Vec<u8>,
}

impl Log {
    /// Opens the log in `folder`, which is made if there is none, and calls `replay` with what is in it, in order. The caller may rely on what was replayed being
    /// durable once this returns; after an error it must forget it.
    ///
    /// `must_have` are indexes that are known to have been acknowledged, for instance because the state store has them.
    ///
    /// # Errors
    /// - [`OpenError::Corrupt`]: something acknowledged is missing or has changed; nothing was changed on the disk.
    /// - [`OpenError::NewerFormat`]: a newer version of this program has written it; likewise.
    /// - [`OpenError::Full`]: there is no room for the first segment.
    /// - [`OpenError::Io`]: the disk failed.
    pub fn open(
        disk: Arc<dyn BlockDisk>,
        folder: &Path,
        options: &Options,
        must_have: &[(u32, u64)],
        replay: &mut dyn FnMut(Record<'_>),
    ) -> Result<(Self, Recovery), OpenError> {
        open::open(disk, folder, options, must_have, replay)
    }

    /// Appends an entry to the batch. Its index is one more than the group's last; or one of those the group has, which drops that and what follows;
    /// or anything but 0, if the group never had an entry.
    ///
    /// # Errors
    /// Nothing was appended:
    /// - [`AppendError::Full`]: no room on the disk. It works again when there is.
    /// - [`AppendError::BatchFull`]: [`sync`](Self::sync) first.
    /// - [`AppendError::TooLarge`]: longer than [`entry_bytes_max`](Self::entry_bytes_max), or there are too many groups for a segment's beginning.
    /// - [`AppendError::Failed`]: a sync has failed.
    pub fn append(&mut self, group: u32, index: u64, payload: &[u8]) -> Result<(), AppendError> {
        append::entry(self, group, index, payload)
    }

    /// Sets a group's state, as part of the batch. It is kept until it is set again.
    ///
    /// # Errors
    /// As [`append`](Self::append), except that it may use the room that is kept behind the entries. `TooLarge`: longer than [`STATE_BYTES_MAX`], or the states of
    /// all groups are longer than a quarter of a segment.
    pub fn set_state(&mut self, group: u32, bytes: &[u8]) -> Result<(), AppendError> {
        append::state(self, group, bytes)
    }

    /// Makes everything appended durable, with one write and one sync; with two of each if the batch crosses into another segment.
    ///
    /// # Errors
    /// What was appended may be durable or not, and every later call fails. Never try again: give the log up and open it again.
    pub fn sync(&mut self) -> Result<(), SyncError> {
        sync::sync(self)
    }

    /// What can wait until those who waited for a sync have their answer: giving up segments that are not needed, and making the next ones, a piece at a time.
    /// Without this call [`sync`](Self::sync) does it before it writes.
    ///
    /// # Errors
    /// As [`sync`](Self::sync), except that what was synced is durable.
    pub fn maintain(&mut self) -> Result<(), SyncError> {
        sync::maintain(self)
    }

    /// Writes behind the last batch that it was synced, and syncs that, so that its loss would be noticed. For when there is nothing else to write; does nothing if there is a
    /// batch to be synced, if it was done already, or if there is no room.
    ///
    /// # Errors
    /// As [`sync`](Self::sync), except that what was synced is durable.
    pub fn mark(&mut self) -> Result<(), SyncError> {
        sync::mark(self)
    }

    /// The log is not needed for the group's entries up to and including `through`: what they did is durable elsewhere. Takes effect on the disk with the next syncs.
    ///
    /// # Panics
    /// The group has no such entry: a mistake of the host.
    pub fn compact(&mut self, group: u32, through: u64) {
        append::compact(self, group, through);
    }

    /// Drops all entries of a group, as part of the batch; its next index is `through + 1`. For a state that came from elsewhere and has everything up to there, or, with
    /// 0, for one that is given up and begins anew.
    ///
    /// # Errors
    /// As [`set_state`](Self::set_state).
    pub fn restart(&mut self, group: u32, through: u64) -> Result<(), AppendError> {
        append::restart(self, group, through)
    }

    /// The entries from `low` on and below `high`, as many as fit into `bytes_max`, at least one; none if the group has none there. Those of the batch, too.
    ///
    /// # Errors
    /// - [`ReadError::Compacted`]: `low` was compacted.
    /// - [`ReadError::Damaged`]: an entry has changed on the disk.
    /// - [`ReadError::Io`]: the disk failed.
    pub fn read(
        &self,
        group: u32,
        low: u64,
        high: u64,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Bytes)>, ReadError> {
        read::read(self, group, low, high, bytes_max)
    }

    /// The index of the group's last entry, whether compacted or not; none if it never had one.
    #[must_use]
    pub fn last(&self, group: u32) -> Option<u64> {
        let group = self.groups.0.get(&group)?;
        Some(group.last).filter(|last| *last > 0)
    }

    /// The index of the group's first entry that is not compacted; none if there is none.
    #[must_use]
    pub fn first(&self, group: u32) -> Option<u64> {
        let group = self.groups.0.get(&group)?;
        Some(group.first()).filter(|first| *first <= group.last)
    }

    /// The group's state; none if it was never set.
    #[must_use]
    pub fn state(&self, group: u32) -> Option<&[u8]> {
        self.groups.0.get(&group)?.state.as_deref()
    }

    /// What the log would have to read if it were opened now, in bytes: how much there is reason to compact.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        let used = self.segments.iter().map(|segment| u64::from(segment.used));
        used.sum::<u64>() * sector::SECTOR_BYTES as u64
    }

    /// Whether there is something to sync.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.batch.is_empty()
    }

    /// How long an entry may be.
    #[must_use]
    pub fn entry_bytes_max(&self) -> usize {
        self.entry_bytes_max
    }

    /// Whether the oldest segment is needed by nobody, as far as the log says; otherwise as far as was asked for.
    fn is_unneeded(&self, segment: &Segment, logged: bool) -> bool {
        segment.lasts.iter().all(|(id, last)| {
            let group = self.groups.0.get(id);
            let through = |group: &Group| {
                if logged {
                    group.logged
                } else {
                    group.compacted
                }
            };
            group.is_some_and(|group| *last <= through(group))
        })
    }
}
