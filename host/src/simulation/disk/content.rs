//! The bytes of one simulated file: as a reader sees them, and as a crash would leave them.

use std::ops::Range;

use super::faults::{Faults, Injected};
use crate::simulation::random::Random;

/// What a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// What a file system hands out room in.
const BLOCK_BYTES: usize = 4096;

/// A write, or a change of length, that is not synced yet.
struct Change {
    range: Range<usize>,
    /// Where its bytes begin in `written`; zeros if nowhere.
    written: Option<usize>,
    length_after: usize,
}

/// One file.
#[derive(Default)]
pub(super) struct Content {
    visible: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
    /// The bytes of all changes, in order. A crash may leave a sector as it was between two of them.
    written: Vec<u8>,
    /// Which blocks have room on the disk.
    blocks: Vec<bool>,
    blocks_taken: u64,
}

impl Content {
    pub(super) fn len(&self) -> usize {
        self.visible.len()
    }

    pub(super) fn visible(&self) -> &[u8] {
        &self.visible
    }

    pub(super) fn room(&self) -> u64 {
        self.blocks_taken * BLOCK_BYTES as u64
    }

    pub(super) fn unsynced_bytes(&self) -> usize {
        self.written.len()
    }

    /// Takes room for a range, as far as `available` bytes allow. The end of what there is room for.
    pub(super) fn take_room(&mut self, range: Range<usize>, available: &mut u64) -> usize {
        if range.is_empty() {
            return range.end;
        }
        let last = (range.end - 1) / BLOCK_BYTES;
        if self.blocks.len() <= last {
            self.blocks.resize(last + 1, false);
        }
        for block in range.start / BLOCK_BYTES..=last {
            if self.blocks[block] {
                continue;
            }
            let Some(left) = available.checked_sub(BLOCK_BYTES as u64) else {
                return (block * BLOCK_BYTES).max(range.start);
            };
            *available = left;
            self.blocks[block] = true;
            self.blocks_taken += 1;
        }
        range.end
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.visible.len() < offset {
            self.set_len(offset);
        }
        let range = offset..offset + bytes.len();
        if self.visible.len() < range.end {
            self.visible.resize(range.end, 0);
        }
        self.visible[range.clone()].copy_from_slice(bytes);
        self.changes.push(Change {
            range,
            written: Some(self.written.len()),
            length_after: self.visible.len(),
        });
        self.written.extend_from_slice(bytes);
    }

    pub(super) fn set_len(&mut self, length: usize) {
        let old = self.visible.len();
        self.visible.resize(length, 0);
        if length < old {
            let kept = length.div_ceil(BLOCK_BYTES);
            let freed = self.blocks.drain(kept.min(self.blocks.len())..);
            self.blocks_taken -= freed.filter(|taken| *taken).count() as u64;
        }
        self.changes.push(Change {
            range: old.min(length)..old.max(length),
            written: None,
            length_after: length,
        });
    }

    /// Makes what was written durable, apart from writes that a fault takes.
    pub(super) fn sync(&mut self, faults: &Faults, random: &mut Random, injected: &mut Injected) {
        self.durable.resize(self.visible.len(), 0);
        for change in &self.changes {
            // The disk gets whole sectors, as they are in memory by now.
            let sectors = change.range.start / SECTOR_BYTES * SECTOR_BYTES
                ..change
                    .range
                    .end
                    .next_multiple_of(SECTOR_BYTES)
                    .min(self.visible.len());
            if sectors.is_empty() {
                continue;
            }
            if change.written.is_some() && random.chance(faults.lost_write) {
                injected.lost_writes += 1;
                continue;
            }
            if change.written.is_some() && random.chance(faults.misdirected_write) {
                injected.misdirected_writes += 1;
                let sector = random.below(self.visible.len().div_ceil(SECTOR_BYTES) as u64);
                let target = usize::try_from(sector).unwrap_or(0) * SECTOR_BYTES;
                let bytes = sectors.len().min(self.visible.len() - target);
                self.durable[target..target + bytes]
                    .copy_from_slice(&self.visible[sectors.start..sectors.start + bytes]);
                continue;
            }
            self.durable[sectors.clone()].copy_from_slice(&self.visible[sectors]);
        }
        self.changes.clear();
        self.written.clear();
    }

    /// Makes some of what was written durable: each change as a whole, not at all, or some of its sectors. What a reader sees stays as it is:
    /// after a failed sync the system takes its copy in memory for clean.
    pub(super) fn sync_partly(&mut self, random: &mut Random, injected: &mut Injected) {
        if self.changes.is_empty() {
            return;
        }
        let longest = self.changes.iter().map(|change| change.length_after).max();
        let longest = longest.unwrap_or(0).max(self.durable.len());
        let mut length = self.visible.len();
        if random.chance(500) {
            let kept = random.below(self.changes.len() as u64 + 1);
            let kept = usize::try_from(kept).unwrap_or(0);
            length = match kept.checked_sub(1) {
                Some(last) => self.changes[last].length_after,
                None => self.durable.len(),
            };
        }
        self.durable.resize(longest, 0);
        // A sector is as it was after the last change of it that survives; the earlier ones are in it.
        let mut survivors = vec![0; longest.div_ceil(SECTOR_BYTES)];
        for (position, change) in self.changes.iter().enumerate() {
            let sectors =
                change.range.start / SECTOR_BYTES..change.range.end.div_ceil(SECTOR_BYTES);
            match random.below(3) {
                0 => {}
                1 => survivors[sectors].fill(position + 1),
                _ => {
                    injected.torn_writes += u64::from(sectors.len() > 1);
                    for survivor in &mut survivors[sectors] {
                        if random.chance(500) {
                            *survivor = position + 1;
                        }
                    }
                }
            }
        }
        for (position, change) in self.changes.iter().enumerate() {
            let mut start = change.range.start;
            while start < change.range.end {
                let sector = start / SECTOR_BYTES;
                let end = ((sector + 1) * SECTOR_BYTES).min(change.range.end);
                if survivors[sector] > position {
                    match change.written {
                        Some(written) => {
                            let from = written + start - change.range.start;
                            self.durable[start..end]
                                .copy_from_slice(&self.written[from..from + end - start]);
                        }
                        None => self.durable[start..end].fill(0),
                    }
                }
                start = end;
            }
        }
        self.durable.resize(length, 0);
        self.changes.clear();
        self.written.clear();
    }

    /// What is in memory is gone.
    pub(super) fn crash(&mut self, random: &mut Random, injected: &mut Injected) {
        self.sync_partly(random, injected);
        self.visible.clone_from(&self.durable);
        let blocks = self.visible.len().div_ceil(BLOCK_BYTES);
        self.blocks.resize(blocks, true);
        self.blocks_taken = self.blocks.iter().filter(|taken| **taken).count() as u64;
    }

    /// Changes bits at rest; a reader sees it unless the byte was written since the last sync.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        if let Some(durable) = self.durable.get_mut(offset) {
            let before = *durable;
            *durable ^= mask;
            if self.visible.get(offset) == Some(&before) {
                self.visible[offset] ^= mask;
            }
        }
    }

    pub(super) fn durable_len(&self) -> usize {
        self.durable.len()
    }
}
