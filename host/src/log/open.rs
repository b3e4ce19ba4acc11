//! Opening a log: reading it, cutting off its torn end, and going on from there.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::groups::{Group, Groups};
use super::record::{HEADER_BYTES, Stored};
use super::sector::{BODY_BYTES, SECTOR_BYTES};
use super::segment::{CUTTING, Segment, Spares};
use super::walk::{Visit, Walked, walk};
use super::{Log, Mutant, OpenError, Options, Record, batch};
use super::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::os::BlockDisk;

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments with entries.
    pub segments: usize,
    /// Batches that were read.
    pub batches: u64,
    /// Entries that were read.
    pub entries: u64,
    /// The end that was cut off, if a crash had left one.
    pub cut: Option<Cut>,
}

/// The torn end of a log: nobody was told that it was durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it was.
    pub file: PathBuf,
    /// From which byte on.
    pub offset: u64,
    /// How long it was.
    pub bytes: u64,
}

/// Of a segment, this part at most is what it begins with: positions and states.
const CARRIED_SHARE: usize = 4;

pub(super) fn open(
    disk: Arc<dyn BlockDisk>,
    folder: &Path,
    options: &Options,
    must_have: &[(u32, u64)],
    replay: &mut dyn FnMut(Record<'_>),
) -> Result<(Log, Recovery), OpenError> {
    let segment_bytes = options.segment_bytes;
    assert!(
        (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes)
            && segment_bytes.is_multiple_of(SECTOR_BYTES as u64),
        "{segment_bytes} bytes are no length for a segment"
    );
    let io_error = |source| OpenError::Io {
        file: folder.to_path_buf(),
        source,
    };
    disk.create_folder(folder).map_err(io_error)?;
    let mut groups = Groups::default();
    let mut recovery = Recovery::default();
    let mut walked = walk(&disk, folder, options.mutant, false, &mut |visit| {
        match visit {
            Visit::Batch { .. } => recovery.batches += 1,
            Visit::Record { record, location } => {
                groups.replay(record, location)?;
                match record {
                    Stored::Entry {
                        group,
                        index,
                        payload,
                    } => {
                        recovery.entries += 1;
                        replay(Record::Entry {
                            group,
                            index,
                            payload,
                        });
                    }
                    Stored::State { group, bytes } => replay(Record::State { group, bytes }),
                    Stored::Compacted { .. }
                    | Stored::Restarted { .. }
                    | Stored::Positions { .. } => {}
                }
            }
        }
        Ok(())
    })?;
    complete(&groups, &walked, folder, options, must_have)?;
    recovery.segments = walked.begun;
    recovery.cut = cut(&walked);
    repair(&disk, folder, &walked, options.mutant).map_err(io_error)?;
    let (segments, spares) = ready(&disk, folder, options, &mut walked)?;
    let carried_bytes = groups.0.values().map(Group::carried_bytes).sum();
    let sectors = usize::try_from(segment_bytes).unwrap_or(usize::MAX) / SECTOR_BYTES - 1;
    let carried_bytes_max = sectors * BODY_BYTES / CARRIED_SHARE;
    let log = Log {
        folder: folder.to_path_buf(),
        mutant: options.mutant,
        segments,
        spares,
        groups,
        batch: Vec::new(),
        spare_part: Vec::new(),
        out: Vec::new(),
        next_sequence: walked.next_sequence,
        carried_bytes,
        entry_bytes_max: sectors * BODY_BYTES
            - carried_bytes_max
            - batch::HEADER_BYTES
            - HEADER_BYTES,
        carried_bytes_max,
        unneeded: 0,
        written: 0,
        maintained: true,
        marked: false,
        failed: false,
    };
    Ok((log, recovery))
}

/// Whether everything is there that has to be.
fn complete(
    groups: &Groups,
    walked: &Walked,
    folder: &Path,
    options: &Options,
    must_have: &[(u32, u64)],
) -> Result<(), OpenError> {
    let corrupt = |at: Option<&Segment>, what| OpenError::Corrupt {
        file: at.map_or(folder.to_path_buf(), |segment| segment.path.clone()),
        offset: at.map_or(0, |segment| u64::from(segment.used) * SECTOR_BYTES as u64),
        what,
    };
    if let Some((group, index)) = groups.missing() {
        let what = format!("entry {index} of group {group} is missing at the beginning of the log");
        return Err(corrupt(None, what));
    }
    for (group, index) in must_have {
        let last = groups.0.get(group).map_or(0, |group| {
            let elsewhere = group.state.as_deref().map_or(0, options.elsewhere);
            group.last.max(elsewhere)
        });
        if last < *index {
            let what =
                format!("the log of group {group} ends at {last}, and {index} was acknowledged");
            return Err(corrupt(
                walked.segments.get(walked.begun.wrapping_sub(1)),
                what,
            ));
        }
    }
    Ok(())
}

pub(super) fn cut(walked: &Walked) -> Option<Cut> {
    let (index, sectors) = walked.torn.as_ref()?;
    Some(Cut {
        file: walked.segments[*index].path.clone(),
        offset: u64::from(sectors.start) * SECTOR_BYTES as u64,
        bytes: sectors.len() as u64 * SECTOR_BYTES as u64,
    })
}

/// Makes sure that what was cut off is never taken for a batch, and that the last batch is durable and not only in memory.
///
/// If a sync fails here and only the process starts again, the system shows what was written, and the disk may have what was there before. For the last batch that is the same
/// as after any other failed sync. For what was cut off it is not: there is nothing to be seen any more. So before it is overwritten, a file says so; as long as that
/// is there, everything behind the last batch is overwritten.
fn repair(
    disk: &Arc<dyn BlockDisk>,
    folder: &Path,
    walked: &Walked,
    mutant: Option<Mutant>,
) -> io::Result<()> {
    let cutting = folder.join(CUTTING);
    let is_cutting = walked.leftovers.contains(&cutting);
    let is_torn = walked.torn.is_some() && mutant != Some(Mutant::KeepTornTail);
    if is_torn && !is_cutting && mutant != Some(Mutant::CutOnce) {
        disk.create(&cutting)?;
        disk.sync_folder(folder)?;
    }
    if is_cutting && mutant != Some(Mutant::CutOnce) {
        for segment in &walked.segments[walked.begun.saturating_sub(1)..] {
            erase(segment, &(segment.used..segment.sectors))?;
        }
    } else if let Some((index, sectors)) = &walked.torn
        && is_torn
    {
        erase(&walked.segments[*index], sectors)?;
    }
    if let Some((index, sectors)) = &walked.last_batch
        && mutant != Some(Mutant::TrustLastBatch)
    {
        let file = &walked.segments[*index].file;
        let offset = u64::from(sectors.start) * SECTOR_BYTES as u64;
        let mut batch = vec![0; sectors.len() * SECTOR_BYTES];
        file.read_at(offset, &mut batch)?;
        file.write_at(offset, &batch)?;
        file.sync()?;
    }
    for path in &walked.leftovers {
        disk.remove(path)?;
    }
    if is_torn && !is_cutting && mutant != Some(Mutant::CutOnce) {
        disk.remove(&cutting)?;
    }
    // A name may be in memory only, like a batch.
    disk.sync_folder(folder)
}

/// Zeros are written this many at a time.
const ZEROS_BYTES: usize = 1 << 20;

fn erase(segment: &Segment, sectors: &Range<u32>) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES.min(sectors.len() * SECTOR_BYTES)];
    let end = u64::from(sectors.end) * SECTOR_BYTES as u64;
    let mut offset = u64::from(sectors.start) * SECTOR_BYTES as u64;
    while offset < end {
        let bytes = usize::try_from(end - offset).unwrap_or(zeros.len());
        let bytes = bytes.min(zeros.len());
        segment.file.write_at(offset, &zeros[..bytes])?;
        offset += bytes as u64;
    }
    segment.file.sync()
}

/// The segments with batches, and those that are ready to be written. The first of a new log is made.
fn ready(
    disk: &Arc<dyn BlockDisk>,
    folder: &Path,
    options: &Options,
    walked: &mut Walked,
) -> Result<(VecDeque<Segment>, Spares), OpenError> {
    let io_error = |source| OpenError::Io {
        file: folder.to_path_buf(),
        source,
    };
    let mut segments: VecDeque<Segment> = std::mem::take(&mut walked.segments).into();
    let mut unused = segments.split_off(walked.begun);
    let segment_sectors = options.segment_bytes / SECTOR_BYTES as u64;
    while let Some(segment) = unused.pop_back_if(|segment| {
        // The limits are for segments of the length that is asked for now. From the last one on, so that no gap can be left.
        u64::from(segment.sectors) != segment_sectors
    }) {
        disk.remove(&segment.path).map_err(io_error)?;
        disk.sync_folder(folder).map_err(io_error)?;
    }
    let newest = unused.back().or(segments.back());
    let next_number = newest.map_or(1, |newest| newest.number + 1);
    let mut spares = Spares::new(Arc::clone(disk), folder, options, unused, next_number);
    if segments.is_empty() {
        if spares.ready() == 0 && !spares.make().map_err(io_error)? {
            return Err(OpenError::Full {
                folder: folder.to_path_buf(),
                bytes: options.segment_bytes,
            });
        }
        segments.extend(spares.take());
    }
    if spares.ready() == 0 {
        // Without room, entries are refused; what is there can be read and compacted all the same.
        spares.make().map_err(io_error)?;
    }
    Ok((segments, spares))
}
