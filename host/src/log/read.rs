//! Reading entries back.

use bytes::Bytes;

use super::batch;
use super::groups::Location;
use super::record::{HEADER_BYTES, Stored};
use super::sector::{BODY_BYTES, SECTOR_BYTES, Sector, classify};
use super::segment::Segment;
use super::{Log, ReadError};

pub(super) fn read(
    log: &Log,
    group: u32,
    low: u64,
    high: u64,
    bytes_max: usize,
) -> Result<Vec<(u64, Bytes)>, ReadError> {
    let mut entries = Vec::new();
    let Some(known) = log.groups.0.get(&group) else {
        return Ok(entries);
    };
    let first = known.first();
    if low < first && low < high {
        return Err(ReadError::Compacted { group, first });
    }
    let mut bytes = 0;
    let mut sectors = Vec::new();
    for index in low..high.min(known.last + 1) {
        let location = known.location(index);
        let location = location.expect("everything from the first to the last index is known");
        bytes += location.bytes as usize;
        if bytes > bytes_max && !entries.is_empty() {
            break;
        }
        entries.push((index, entry(log, group, index, location, &mut sectors)?));
    }
    Ok(entries)
}

fn entry(
    log: &Log,
    group: u32,
    index: u64,
    location: Location,
    sectors: &mut Vec<u8>,
) -> Result<Bytes, ReadError> {
    let (start, length) = (location.start as usize, location.bytes as usize);
    let is_there =
        |part: &&super::Part| part.segment == location.segment && part.position == location.batch;
    if let Some(part) = log.batch.iter().find(is_there) {
        return Ok(Bytes::copy_from_slice(&part.bytes[start..start + length]));
    }
    let oldest = log.segments.front().map_or(0, |segment| segment.number);
    let segment = log.segments.get((location.segment - oldest) as usize);
    let segment = segment.expect("a segment is kept as long as an entry in it is needed");
    let record = start - HEADER_BYTES..start + length;
    let bytes = read_part(segment, location.batch, record, sectors)?;
    let expected = Stored::Entry {
        group,
        index,
        payload: &bytes[HEADER_BYTES..],
    };
    if Stored::decode(&bytes) != Some((expected, bytes.len())) {
        return Err(damaged(segment, location.batch));
    }
    Ok(Bytes::from(bytes).slice(HEADER_BYTES..))
}

fn damaged(segment: &Segment, position: u32) -> ReadError {
    ReadError::Damaged {
        file: segment.path.clone(),
        offset: u64::from(position) * SECTOR_BYTES as u64,
    }
}

/// Bytes of a batch that is on the disk.
fn read_part(
    segment: &Segment,
    batch: u32,
    range: std::ops::Range<usize>,
    sectors: &mut Vec<u8>,
) -> Result<Vec<u8>, ReadError> {
    let first = range.start / BODY_BYTES;
    let count = batch::sectors(range.end) as usize - first;
    let first_part = u32::try_from(first).expect("batches are shorter than segments");
    sectors.resize(count * SECTOR_BYTES, 0);
    let offset = u64::from(batch + first_part) * SECTOR_BYTES as u64;
    let read = segment.file.read_at(offset, sectors);
    read.map_err(|source| ReadError::Io {
        file: segment.path.clone(),
        source,
    })?;
    let mut bytes = Vec::with_capacity(count * BODY_BYTES);
    for (sector, part) in sectors.chunks_exact(SECTOR_BYTES).zip(first_part..) {
        match classify(sector, segment.number, batch + part, None) {
            Sector::Own { part: found, body } if found == part => bytes.extend_from_slice(body),
            Sector::Own { .. } | Sector::Misplaced | Sector::Older | Sector::Damaged => {
                return Err(damaged(segment, batch + part));
            }
        }
    }
    let start = range.start - first * BODY_BYTES;
    bytes.truncate(start + range.len());
    bytes.drain(..start);
    Ok(bytes)
}
