//! The first block of the file: that it is ours, which format it has, and how many commits were acknowledged.
//!
//! The count is the witness against a lost write: redb keeps the previous commit and falls back to it when the newest is not whole, which is right for a
//! commit that never finished, and wrong for one that was acknowledged. It is written after each commit and before the commit is acknowledged.

use super::error::{Fault, OpenError};
use crate::os::BlockFile;
use std::path::Path;

/// What redb's own file begins at.
pub(super) const IDENTITY_BYTES: u64 = 4096;
/// The newest format this program reads and the one it writes.
pub(super) const FORMAT: u32 = 1;

const MAGIC: [u8; 16] = *b"bookshop-state\r\n";
/// Disks write sectors of this size whole or not at all.
const SECTOR_BYTES: usize = 512;
const HEAD_BYTES: usize = 24;
const WITNESS_BYTES: usize = 12;

/// Writes the block into a new file.
pub(super) fn write_new(file: &dyn BlockFile) -> std::io::Result<()> {
    let mut block = vec![0; IDENTITY_BYTES as usize];
    block[..16].copy_from_slice(&MAGIC);
    block[16..20].copy_from_slice(&FORMAT.to_le_bytes());
    let checksum = crc32c::crc32c(&block[..20]);
    block[20..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    for slot in 0..2 {
        let at = witness_offset(slot) as usize;
        block[at..at + WITNESS_BYTES].copy_from_slice(&witness(0));
    }
    file.write_at(0, &block)
}

/// Checks the block and returns how many commits were acknowledged.
pub(super) fn read(file: &dyn BlockFile, path: &Path) -> Result<u64, OpenError> {
    let damaged = |what: &str| Fault::Damaged(what.to_owned()).opening(path);
    let length = file
        .len()
        .map_err(|error| Fault::of_io(error).opening(path))?;
    // An empty rest would be taken for a new database.
    if length <= IDENTITY_BYTES {
        return Err(damaged("the file is too short"));
    }
    let mut block = vec![0; IDENTITY_BYTES as usize];
    file.read_at(0, &mut block)
        .map_err(|error| Fault::of_io(error).opening(path))?;
    if block[..16] != MAGIC {
        return Err(damaged("it does not begin like a state store"));
    }
    let number =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    if number(20) != crc32c::crc32c(&block[..20]) {
        return Err(damaged("the checksum of its first block is wrong"));
    }
    if number(16) != FORMAT {
        return Err(OpenError::NewerFormat {
            path: path.to_owned(),
            found: number(16),
            known: FORMAT,
        });
    }
    let acknowledged = (0..2).filter_map(|slot| {
        let at = witness_offset(slot) as usize;
        let stored = &block[at..at + WITNESS_BYTES];
        let count = u64::from_le_bytes(stored[..8].try_into().ok()?);
        (witness(count) == stored).then_some(count)
    });
    acknowledged
        .max()
        .ok_or_else(|| damaged("both counts of its commits are unreadable"))
}

/// Durably notes that `count` commits were acknowledged. The two places take turns, so a crash spoils the older count only.
pub(super) fn write_witness(file: &dyn BlockFile, count: u64) -> std::io::Result<()> {
    file.write_at(witness_offset(count % 2), &witness(count))?;
    file.sync()
}

fn witness_offset(slot: u64) -> u64 {
    SECTOR_BYTES as u64 * (1 + slot)
}

fn witness(count: u64) -> [u8; WITNESS_BYTES] {
    let mut bytes = [0; WITNESS_BYTES];
    bytes[..8].copy_from_slice(&count.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..8]);
    bytes[8..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
