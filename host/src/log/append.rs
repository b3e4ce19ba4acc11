//! What enters a batch, and the room for it.

use super::groups::{Location, POSITIONS_BYTES};
use super::record::{HEADER_BYTES, Stored};
use super::sector::BODY_BYTES;
use super::{AppendError, Log, Mutant, Part, STATE_BYTES_MAX, batch};

/// Who wants room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Refused unless there is another segment behind the one it goes to.
    Entry,
    /// May use that one too.
    Upkeep,
}

pub(super) fn entry(
    log: &mut Log,
    group: u32,
    index: u64,
    payload: &[u8],
) -> Result<(), AppendError> {
    check(log, payload.len(), log.entry_bytes_max)?;
    let known = log.groups.0.get(&group);
    let (last, compacted) = known.map_or((0, 0), |group| (group.last, group.compacted));
    assert!(
        index > compacted && (last == 0 || index <= last + 1),
        "entry {index} does not follow {last} of group {group}, compacted through {compacted}"
    );
    let more = known.map_or(POSITIONS_BYTES, |_| 0);
    check(log, log.carried_bytes + more, log.carried_bytes_max)?;
    reserve(log, HEADER_BYTES + payload.len(), For::Entry)?;
    if index <= last {
        // What the earlier segments have from here on is not needed.
        for segment in &mut log.segments {
            if let Some(last) = segment.lasts.get_mut(&group) {
                *last = index.saturating_sub(1).min(*last);
            }
        }
    }
    let part = log.batch.last_mut().expect("room was reserved in it");
    let start = Stored::Entry {
        group,
        index,
        payload,
    }
    .encode(&mut part.bytes);
    let location = Location {
        segment: part.segment,
        batch: part.position,
        start: to_u32(start),
        bytes: to_u32(payload.len()),
    };
    let known = log.groups.0.entry(group).or_insert_with(|| {
        log.carried_bytes += POSITIONS_BYTES;
        super::Group::default()
    });
    known.push(index, location);
    let segment = log.segments.back_mut();
    let segment = segment.expect("there is always a segment to write to");
    segment.lasts.insert(group, index);
    Ok(())
}

pub(super) fn state(log: &mut Log, group: u32, bytes: &[u8]) -> Result<(), AppendError> {
    check(log, bytes.len(), STATE_BYTES_MAX)?;
    let known = log.groups.0.get(&group);
    let before = known.map_or(0, super::Group::carried_bytes);
    let after = POSITIONS_BYTES + HEADER_BYTES + bytes.len();
    let carried_bytes = log.carried_bytes - before + after;
    check(log, carried_bytes, log.carried_bytes_max)?;
    reserve(log, HEADER_BYTES + bytes.len(), For::Upkeep)?;
    let part = log.batch.last_mut().expect("room was reserved in it");
    Stored::State { group, bytes }.encode(&mut part.bytes);
    log.carried_bytes = carried_bytes;
    log.groups.0.entry(group).or_default().state = Some(bytes.to_vec());
    Ok(())
}

pub(super) fn compact(log: &mut Log, group: u32, through: u64) {
    if through == 0 {
        return;
    }
    let known = log.groups.0.get_mut(&group);
    let known = known.filter(|known| through <= known.last);
    let known = known.unwrap_or_else(|| {
        panic!("group {group} is compacted through {through}, where it has no entry")
    });
    known.compact(through);
    if log.mutant == Some(Mutant::RecycleTooEarly) {
        let older = log.segments.iter().take(log.segments.len() - 1);
        log.unneeded = older
            .take_while(|segment| log.is_unneeded(segment, false))
            .count();
        log.maintained = false;
    }
    note_compaction(log);
}

/// Notes in the log what is not needed, if that frees a segment.
pub(super) fn note_compaction(log: &mut Log) {
    let frees = |log: &Log| {
        log.segments.len() > 1
            && log.segments.front().is_some_and(|oldest| {
                log.is_unneeded(oldest, false) && !log.is_unneeded(oldest, true)
            })
    };
    if log.failed || !frees(log) {
        return;
    }
    // Without room it is tried again at the next sync. If the batch moves to another segment, that begins with what is noted here.
    let bytes = HEADER_BYTES * log.groups.0.len();
    if reserve(log, bytes, For::Upkeep).is_err() || !frees(log) {
        return;
    }
    let part = log.batch.last_mut().expect("room was reserved in it");
    for (id, group) in &mut log.groups.0 {
        if group.logged < group.compacted {
            Stored::Compacted {
                group: *id,
                through: group.compacted,
            }
            .encode(&mut part.bytes);
            group.logged = group.compacted;
        }
    }
}

pub(super) fn restart(log: &mut Log, group: u32, through: u64) -> Result<(), AppendError> {
    let known = log.groups.0.get(&group);
    let more = known.map_or(POSITIONS_BYTES, |_| 0);
    check(log, log.carried_bytes + more, log.carried_bytes_max)?;
    reserve(log, HEADER_BYTES, For::Upkeep)?;
    let part = log.batch.last_mut().expect("room was reserved in it");
    Stored::Restarted { group, through }.encode(&mut part.bytes);
    for segment in &mut log.segments {
        segment.lasts.remove(&group);
    }
    let known = log.groups.0.entry(group).or_insert_with(|| {
        log.carried_bytes += POSITIONS_BYTES;
        super::Group::default()
    });
    known.restart(through);
    Ok(())
}

/// Makes sure that there is a part in the batch with room for a record of this many bytes.
fn reserve(log: &mut Log, bytes: usize, purpose: For) -> Result<(), AppendError> {
    let segment = log
        .segments
        .back()
        .expect("there is always a segment to write to");
    let current = log
        .batch
        .last()
        .filter(|part| part.segment == segment.number);
    let taken = current.map_or(batch::HEADER_BYTES, |part| part.bytes.len());
    let room = (segment.sectors - segment.used) as usize * BODY_BYTES;
    if taken + bytes <= room {
        if purpose == For::Entry && log.spares.ready() == 0 && !will_free(log) && !make(log)? {
            return Err(AppendError::Full);
        }
        if log.batch.is_empty() {
            begin_empty(log);
        }
        return Ok(());
    }
    if log.batch.len() > 1 {
        return Err(AppendError::BatchFull);
    }
    cross(log, purpose)?;
    // The limits for entries, states and positions are such that one fits behind what a segment begins with.
    Ok(())
}

/// Moves on to the next segment.
fn cross(log: &mut Log, purpose: For) -> Result<(), AppendError> {
    if log.spares.ready() == 0 && !make(log)? {
        return Err(AppendError::Full);
    }
    if purpose == For::Entry && log.spares.ready() < 2 && !frees_by_crossing(log) && !make(log)? {
        return Err(AppendError::Full);
    }
    let segment = log.spares.take().expect("one is ready");
    let (number, position) = (segment.number, segment.used);
    log.segments.push_back(segment);
    begin_part(log, number, position);
    if log.mutant == Some(Mutant::ForgetStates) {
        return Ok(());
    }
    let part = log.batch.last_mut().expect("it was just begun");
    log.groups.carry(&mut part.bytes);
    Ok(())
}

/// Makes the batch one without records.
pub(super) fn begin_empty(log: &mut Log) {
    let segment = log.segments.back();
    let segment = segment.expect("there is always a segment to write to");
    let (number, position) = (segment.number, segment.used);
    begin_part(log, number, position);
}

fn begin_part(log: &mut Log, segment: u32, position: u32) {
    let mut bytes = std::mem::take(&mut log.spare_part);
    batch::begin(&mut bytes);
    log.batch.push(Part {
        segment,
        position,
        bytes,
    });
}

/// Whether a segment becomes free with the next sync, so that one need not be ready now.
fn will_free(log: &Log) -> bool {
    let oldest = log.segments.front();
    log.segments.len() > 1 && oldest.is_some_and(|oldest| log.is_unneeded(oldest, true))
}

/// Whether a segment becomes free if the batch moves to another one, since that notes what is not needed.
fn frees_by_crossing(log: &Log) -> bool {
    let oldest = log.segments.front();
    oldest.is_some_and(|oldest| log.is_unneeded(oldest, false))
}

/// Makes a segment. Whether there was room.
fn make(log: &mut Log) -> Result<bool, AppendError> {
    log.spares.make().map_err(|_| {
        log.failed = true;
        AppendError::Failed
    })
}

/// Whether the log takes anything, and this many bytes.
fn check(log: &Log, bytes: usize, bytes_max: usize) -> Result<(), AppendError> {
    if log.failed {
        return Err(AppendError::Failed);
    }
    if bytes > bytes_max {
        return Err(AppendError::TooLarge { bytes, bytes_max });
    }
    Ok(())
}

fn to_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("batches are shorter than segments, and those than 4 GiB")
}
