//! Making a batch durable, and the upkeep of segments.

use std::path::PathBuf;

use super::sector::SECTOR_BYTES;
use super::segment::Segment;
use super::{Log, Mutant, SyncError, append, batch};

pub(super) fn sync(log: &mut Log) -> Result<(), SyncError> {
    if !log.maintained {
        maintain(log)?;
    }
    if log.failed {
        return Err(SyncError::Failed);
    }
    append::note_compaction(log);
    if log.batch.is_empty() {
        return Ok(());
    }
    let result = write(log);
    log.failed = result.is_err();
    result?;
    let needed = log.segments.iter().take(log.segments.len() - 1);
    log.unneeded = needed
        .take_while(|segment| log.is_unneeded(segment, true))
        .count();
    log.marked = false;
    log.maintained = false;
    Ok(())
}

/// Writes the parts of the batch one after another: each is synced before the next is written, as the next one says.
fn write(log: &mut Log) -> Result<(), SyncError> {
    let first = log.segments.len() - log.batch.len();
    // The first part may be for the same segment as everything before, or for one that was just begun.
    let parts = log.batch.drain(..).zip(log.segments.range_mut(first..));
    for (mut part, segment) in parts {
        let sequence = log.next_sequence;
        assert_eq!(part.segment, segment.number, "a part goes to its segment");
        batch::write(
            &mut part.bytes,
            sequence,
            segment.number,
            part.position,
            &mut log.out,
        );
        write_sectors(segment, part.position, &log.out)?;
        if log.mutant != Some(Mutant::SkipSync) {
            let synced = segment.file.sync().map_err(SyncError::io(&segment.path));
            if log.mutant != Some(Mutant::IgnoreFailedSync) {
                synced?;
            }
        }
        segment.used += batch::sectors(part.bytes.len());
        log.next_sequence += 1;
        log.written += log.out.len() as u64;
        log.spare_part = part.bytes;
    }
    Ok(())
}

fn write_sectors(segment: &Segment, position: u32, sectors: &[u8]) -> Result<(), SyncError> {
    let offset = u64::from(position) * SECTOR_BYTES as u64;
    let written = segment.file.write_at(offset, sectors);
    written.map_err(SyncError::io(&segment.path))
}

pub(super) fn maintain(log: &mut Log) -> Result<(), SyncError> {
    if log.failed {
        return Err(SyncError::Failed);
    }
    let written = std::mem::take(&mut log.written);
    let folder = &log.folder;
    let failed = |log_failed: &mut bool, path: PathBuf, source| {
        *log_failed = true;
        SyncError::Io { file: path, source }
    };
    if log.unneeded > 0
        && let Some(segment) = log.segments.pop_front()
    {
        log.unneeded -= 1;
        let path = segment.path.clone();
        log.spares
            .retire(segment)
            .map_err(|source| failed(&mut log.failed, path, source))?;
    }
    // One at a time: removing a large file takes its time.
    log.maintained = log.unneeded == 0;
    log.spares
        .keep_pace(written)
        .map_err(|source| failed(&mut log.failed, folder.clone(), source))
}

pub(super) fn mark(log: &mut Log) -> Result<(), SyncError> {
    if log.failed {
        return Err(SyncError::Failed);
    }
    let segment = log.segments.back();
    let segment = segment.expect("there is always a segment to write to");
    if log.marked || !log.batch.is_empty() || segment.used == segment.sectors {
        return Ok(());
    }
    append::begin_empty(log);
    sync(log)?;
    log.marked = true;
    Ok(())
}
