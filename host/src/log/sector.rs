//! The sectors of a segment: each says which segment it was written for, and proves its own bytes.
//!
//! ```text
//! 0   crc       u32  CRC-32C over everything below
//! 4   segment   u32  the number of the segment when this was written
//! 8   position  u32  which sector of the segment it was written as
//! 12  part      u32  0: a batch begins here; n: the nth sector after one that does
//! 16  496 bytes of a batch
//! ```
//! Numbers are little-endian. A disk writes a sector whole or not at all, so each is this segment's own, or older (zeros, or of the segment that
//! had the file before), or it belongs elsewhere, or it is damaged. That tells a write that a crash cut short, which leaves older sectors, from bytes that have changed since.

use super::Mutant;

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// What a sector holds of a batch.
pub(super) const BODY_BYTES: usize = SECTOR_BYTES - HEADER_BYTES;

const HEADER_BYTES: usize = 16;

/// The part number of a sector that holds no part of a batch: the header of a segment.
pub(super) const PART_NONE: u32 = u32::MAX;

/// What a sector is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sector<'a> {
    /// Written for this segment, and for this place.
    Own {
        /// Which sector of its batch.
        part: u32,
        /// Its part of the batch.
        body: &'a [u8],
    },
    /// Written for this segment, but for another place: the disk has put it here.
    Misplaced,
    /// Not written since the file became this segment.
    Older,
    /// Neither: its bytes are not those that were written here.
    Damaged,
}

/// Fills in the header of a sector whose body is in place.
pub(super) fn seal(sector: &mut [u8], segment: u32, position: u32, part: u32) {
    sector[4..8].copy_from_slice(&segment.to_le_bytes());
    sector[8..12].copy_from_slice(&position.to_le_bytes());
    sector[12..16].copy_from_slice(&part.to_le_bytes());
    let crc = crc32c::crc32c(&sector[4..]);
    sector[..4].copy_from_slice(&crc.to_le_bytes());
}

/// Where the body begins in a sector.
pub(super) fn body(sector: &mut [u8]) -> &mut [u8] {
    &mut sector[HEADER_BYTES..]
}

/// Says what the sector at `position` of a segment is.
pub(super) fn classify(
    sector: &[u8],
    segment: u32,
    position: u32,
    mutant: Option<Mutant>,
) -> Sector<'_> {
    let (head, body) = sector.split_at(HEADER_BYTES);
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if number(0) != crc32c::crc32c(&sector[4..]) {
        // A sector of zeros has another CRC than zero, so it always comes here.
        return if sector.iter().all(|byte| *byte == 0) {
            Sector::Older
        } else {
            Sector::Damaged
        };
    }
    let written_for = number(4);
    if written_for == segment || mutant == Some(Mutant::AnyGeneration) {
        if number(8) != position {
            return Sector::Misplaced;
        }
        Sector::Own {
            part: number(12),
            body,
        }
    } else if written_for < segment {
        Sector::Older
    } else {
        Sector::Damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sector of segment 7 at position 3 is after a change.
    #[track_caller]
    fn check(change: impl FnOnce(&mut [u8]), segment: u32, position: u32, expected: &str) {
        let mut sector = vec![5; SECTOR_BYTES];
        seal(&mut sector, 7, 3, 2);
        change(&mut sector);
        let found = match classify(&sector, segment, position, None) {
            Sector::Own { part, body } => format!("part {part}, {} bytes", body.len()),
            Sector::Misplaced => "misplaced".to_owned(),
            Sector::Older => "older".to_owned(),
            Sector::Damaged => "damaged".to_owned(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_sector_is_its_segments_own_or_older_or_out_of_place_or_damaged() {
        check(|_| {}, 7, 3, "part 2, 496 bytes");
        check(|_| {}, 9, 3, "older");
        check(|_| {}, 6, 3, "damaged");
        check(|_| {}, 7, 4, "misplaced");
        check(|_| {}, 9, 4, "older");
        check(|sector| sector.fill(0), 7, 3, "older");
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        for bit in 0..SECTOR_BYTES * 8 {
            check(|sector| sector[bit / 8] ^= 1 << (bit % 8), 7, 3, "damaged");
        }
    }
}
