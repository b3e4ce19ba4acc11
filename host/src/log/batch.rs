//! Batches: what one sync makes durable, as sectors.
//!
//! ```text
//! 0   sequence  u64  counts batches over all segments, from 1
//! 8   synced    u64  every batch up to this one was synced before this one was written
//! 16  bytes     u32  how many follow
//! 20  crc       u32  CRC-32C over the 20 bytes above and all that follow
//! 24  records
//! ```

use super::Mutant;
use super::sector::{BODY_BYTES, SECTOR_BYTES, Sector, body, classify, seal};

/// What precedes the records of a batch.
pub(super) const HEADER_BYTES: usize = 24;

/// An empty batch, for records to be added to.
pub(super) fn begin(batch: &mut Vec<u8>) {
    batch.clear();
    batch.resize(HEADER_BYTES, 0);
}

/// How many sectors a batch of this many bytes takes, its header included.
pub(super) fn sectors(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BODY_BYTES)).expect("batches are smaller than segments")
}

/// Fills in the header of a batch, and writes it into `out` as the sectors of a segment from `position` on.
pub(super) fn write(
    batch: &mut [u8],
    sequence: u64,
    segment: u32,
    position: u32,
    out: &mut Vec<u8>,
) {
    let length = u32::try_from(batch.len() - HEADER_BYTES);
    batch[..8].copy_from_slice(&sequence.to_le_bytes());
    batch[8..16].copy_from_slice(&(sequence - 1).to_le_bytes());
    batch[16..20].copy_from_slice(
        &length
            .expect("batches are smaller than segments")
            .to_le_bytes(),
    );
    let crc = crc(batch);
    batch[20..24].copy_from_slice(&crc.to_le_bytes());
    out.clear();
    out.resize(sectors(batch.len()) as usize * SECTOR_BYTES, 0);
    for (part, (sector, bytes)) in (0..).zip(
        out.chunks_exact_mut(SECTOR_BYTES)
            .zip(batch.chunks(BODY_BYTES)),
    ) {
        body(sector)[..bytes.len()].copy_from_slice(bytes);
        seal(sector, segment, position + part, part);
    }
}

fn crc(batch: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&batch[..20]), &batch[HEADER_BYTES..])
}

/// What the first sector of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequence: u64,
    pub(super) synced: u64,
    bytes: usize,
    crc: u32,
}

impl Header {
    /// The header in the body of a batch's first sector.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let (sequence, rest) = body.split_first_chunk()?;
        let (synced, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_first_chunk()?;
        let (crc, _) = rest.split_first_chunk()?;
        Some(Self {
            sequence: u64::from_le_bytes(*sequence),
            synced: u64::from_le_bytes(*synced),
            bytes: usize::try_from(u32::from_le_bytes(*bytes)).ok()?,
            crc: u32::from_le_bytes(*crc),
        })
    }

    pub(super) fn sectors(&self) -> u32 {
        sectors(HEADER_BYTES + self.bytes)
    }
}

/// What is where a batch may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole batch; its bytes, header included, are in the buffer.
    Batch(Header),
    /// A batch of which some sectors were never written.
    Torn,
    /// No batch was written here.
    Nothing,
    /// Something that was written here has changed: where, and how one sees it.
    Damaged { position: u32, what: &'static str },
}

/// What is wrong with a misplaced sector.
pub(super) const MISPLACED: &str = "a sector that the disk should have written elsewhere";

/// Reads the batch that begins at sector `position` of a segment.
pub(super) fn read(
    sectors: &[u8],
    segment: u32,
    position: u32,
    mutant: Option<Mutant>,
    batch: &mut Vec<u8>,
) -> Found {
    let damaged = |position, what| Found::Damaged { position, what };
    let sector = |position: u32| {
        let start = position as usize * SECTOR_BYTES;
        let bytes = sectors.get(start..start + SECTOR_BYTES)?;
        Some(classify(bytes, segment, position, mutant))
    };
    let header = match sector(position) {
        Some(Sector::Own { part: 0, body }) => Header::decode(body),
        Some(Sector::Own { .. }) => {
            return damaged(position, "the middle of a batch without its beginning");
        }
        Some(Sector::Older) | None => return Found::Nothing,
        Some(Sector::Misplaced) => return damaged(position, MISPLACED),
        Some(Sector::Damaged) => return damaged(position, "a wrong checksum"),
    };
    let Some(header) = header else {
        return damaged(position, "a batch without header");
    };
    batch.clear();
    let mut older = false;
    let mut wrong = None;
    for part in 0..header.sectors() {
        match sector(position + part) {
            Some(Sector::Own { part: found, body }) => {
                if found != part && wrong.is_none() {
                    wrong = Some((position + part, "part of another batch"));
                }
                batch.extend_from_slice(body);
            }
            Some(Sector::Older) => {
                older = true;
                batch.extend_from_slice(&[0; BODY_BYTES]);
            }
            Some(Sector::Misplaced) => {
                wrong.get_or_insert((position + part, MISPLACED));
            }
            Some(Sector::Damaged) => {
                wrong.get_or_insert((position + part, "a wrong checksum"));
            }
            None => return damaged(position, "a batch beyond the end of its segment"),
        }
    }
    if mutant == Some(Mutant::AcceptTornTail) && wrong.is_none() {
        batch.truncate(HEADER_BYTES + header.bytes);
        return Found::Batch(header);
    }
    if older {
        return Found::Torn;
    }
    if let Some((position, what)) = wrong {
        return damaged(position, what);
    }
    batch.truncate(HEADER_BYTES + header.bytes);
    if crc(batch) != header.crc {
        return damaged(position, "a wrong checksum of the whole batch");
    }
    Found::Batch(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// What is read of a batch of three sectors, written at position 1, after a change.
    #[track_caller]
    fn check(change: impl FnOnce(&mut [u8]), expected: &Expect) {
        let mut batch = Vec::new();
        begin(&mut batch);
        batch.resize(HEADER_BYTES + 1200, 3);
        let mut out = Vec::new();
        write(&mut batch, 5, 9, 1, &mut out);
        let mut file = vec![0; SECTOR_BYTES];
        file.extend_from_slice(&out);
        file.resize(8 * SECTOR_BYTES, 0);
        change(&mut file);
        let mut bytes = Vec::new();
        let found = match read(&file, 9, 1, None, &mut bytes) {
            Found::Batch(header) => {
                assert_eq!(bytes, batch);
                format!("batch {} in {} sectors", header.sequence, header.sectors())
            }
            Found::Torn => "torn".to_owned(),
            Found::Nothing => "nothing".to_owned(),
            Found::Damaged { position, what } => format!("sector {position}: {what}"),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn a_torn_batch_is_told_from_a_damaged_one() {
        check(|_| {}, &expect!["batch 5 in 3 sectors"]);
        check(|file| file[2 * 512..3 * 512].fill(0), &expect!["torn"]);
        check(|file| file[512..1024].fill(0), &expect!["nothing"]);
        check(
            |file| file[700] ^= 1,
            &expect!["sector 1: a wrong checksum"],
        );
        check(
            |file| file[1700] ^= 1,
            &expect!["sector 3: a wrong checksum"],
        );
        // Some of it never arrived, so nobody was told that it had.
        let both = |file: &mut [u8]| {
            file[2 * 512..3 * 512].fill(0);
            file[1700] ^= 1;
        };
        check(both, &expect!["torn"]);
    }
}
