//! Writes that found no room on the disk, kept in memory until there is.
//!
//! redb gives up for good after any failed write, and with it every snapshot. So a full disk is not shown to it: from the first write that finds no room, all
//! writes stay here, in order, cut into epochs where redb asked for a sync. The disk meanwhile holds what it held at the last real sync, and when there is room the
//! epochs follow one after another, each synced: at every moment the disk looks as if redb had just got there. What bounds it: [`Store`](super::Store) commits
//! nothing more until it is empty, and gives a transaction up when it begins to fill.

use super::pages::BLOCK_BYTES;
use std::collections::{BTreeMap, VecDeque};
use std::io;

type Block = Box<[u8; BLOCK_BYTES]>;

/// Writes waiting for room. Offsets are those of redb.
#[derive(Debug, Default)]
pub(super) struct Stash {
    epochs: VecDeque<Epoch>,
}

/// What happened between two syncs.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    /// The shortest the file was meanwhile; what lay beyond reads as zeros.
    shortest: Option<u64>,
    /// How long the file is at the end, if its length was set.
    length: Option<u64>,
    blocks: BTreeMap<u64, Block>,
}

impl Stash {
    pub(super) fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Begins to collect.
    pub(super) fn begin(&mut self) {
        if self.epochs.is_empty() {
            self.epochs.push_back(Epoch::default());
        }
    }

    /// Marks where a sync was asked for.
    pub(super) fn barrier(&mut self) {
        if self.epochs.back().is_some_and(|epoch| !epoch.is_empty()) {
            self.epochs.push_back(Epoch::default());
        }
    }

    /// Keeps a whole block.
    pub(super) fn write(&mut self, block: u64, bytes: Block) {
        self.begin();
        let last = self.epochs.back_mut().expect("there is one since begin");
        last.blocks.insert(block, bytes);
    }

    /// Keeps a new length.
    pub(super) fn set_len(&mut self, length: u64) {
        self.begin();
        let last = self.epochs.back_mut().expect("there is one since begin");
        last.shortest = Some(
            last.shortest
                .map_or(length, |shortest| shortest.min(length)),
        );
        last.length = Some(length);
        drop(last.blocks.split_off(&length.div_ceil(BLOCK_BYTES as u64)));
    }

    /// The content of a block, if it is not what the file has.
    pub(super) fn read(&self, block: u64) -> Option<Block> {
        let end = (block + 1) * BLOCK_BYTES as u64;
        self.epochs.iter().rev().find_map(|epoch| {
            let is_cut = || epoch.shortest.is_some_and(|shortest| end > shortest);
            epoch
                .blocks
                .get(&block)
                .cloned()
                .or_else(|| is_cut().then(|| Box::new([0; BLOCK_BYTES])))
        })
    }

    /// The oldest epoch, until [`forget_oldest`](Self::forget_oldest).
    pub(super) fn oldest(&self) -> Option<&Epoch> {
        self.epochs.front()
    }

    /// The oldest epoch is on the disk.
    pub(super) fn forget_oldest(&mut self) {
        self.epochs.pop_front();
    }
}

impl Epoch {
    pub(super) fn is_empty(&self) -> bool {
        self.length.is_none() && self.blocks.is_empty()
    }

    /// Does again what was collected, which is harmless to repeat.
    pub(super) fn replay(
        &self,
        mut set_len: impl FnMut(u64) -> io::Result<()>,
        mut write: impl FnMut(u64, &[u8]) -> io::Result<()>,
        length: u64,
    ) -> io::Result<()> {
        if let Some(shortest) = self.shortest.filter(|shortest| *shortest < length) {
            set_len(shortest)?;
        }
        if let Some(length) = self.length {
            set_len(length)?;
        }
        self.blocks
            .iter()
            .try_for_each(|(block, bytes)| write(block * BLOCK_BYTES as u64, bytes.as_slice()))
    }
}
