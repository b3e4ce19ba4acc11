//! Handles of simulated files.

use std::io;
use std::ops::Range;
use std::sync::MutexGuard;

use super::content::Content;
use super::names::FileId;
use super::{Operation, SimDisk, State, cost, dead, failed, full, to_index};
use crate::os::BlockFile;

/// A file of a [`SimDisk`], as opened in one life of its host.
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) id: FileId,
    pub(super) life: u64,
}

impl SimFile {
    /// The disk, with a file that is known to be there.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.life != self.life {
            return Err(dead());
        }
        if !state.files.contains_key(&self.id) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state)
    }
}

impl State {
    fn content(&mut self, id: FileId) -> &mut Content {
        let content = self.files.get_mut(&id);
        content.expect("the handle was checked when the disk was locked")
    }

    /// Takes room for a range. The end of what there is room for, which is below its end if the disk is full.
    fn take_room(&mut self, id: FileId, range: Range<usize>) -> usize {
        let mut available = self.available();
        let end = range.end;
        let taken = self.content(id).take_room(range, &mut available);
        self.injected.full += u64::from(taken < end);
        taken
    }
}

impl BlockFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.state()?;
        Ok(state.content(self.id).len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.begin(cost::NAME_US)?;
        state.note(Operation::SetLen, self.id, length, 0);
        state.content(self.id).set_len(to_index(length)?);
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.begin(cost::WRITE_US + length / cost::BYTES)?;
        state.note(Operation::Allocate, self.id, length, 0);
        let length = to_index(length)?;
        let old = state.content(self.id).len();
        let taken = state.take_room(self.id, 0..length);
        if taken > old {
            state.content(self.id).set_len(taken);
        }
        if taken < length { Err(full()) } else { Ok(()) }
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let length = bytes.len() as u64;
        state.begin(cost::READ_US + length / cost::BYTES)?;
        state.note(Operation::Read, self.id, offset, length);
        let rate = state.faults.failed_read;
        if state.random.chance(rate) {
            state.injected.failed_reads += 1;
            return Err(failed("read"));
        }
        let start = to_index(offset)?;
        let content = state.content(self.id).visible();
        let found = start
            .checked_add(bytes.len())
            .and_then(|end| content.get(start..end));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let length = bytes.len() as u64;
        state.begin(cost::WRITE_US + length / cost::BYTES)?;
        let hash = u64::from(crc32c::crc32c(bytes));
        state.note(Operation::Write, self.id, offset, hash << 32 ^ length);
        let start = to_index(offset)?;
        let end = start
            .checked_add(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        let taken = state.take_room(self.id, start..end);
        state
            .content(self.id)
            .write(start, &bytes[..taken.saturating_sub(start)]);
        if taken < end { Err(full()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut guard = self.state()?;
        let state = &mut *guard;
        let content = state.files.get_mut(&self.id);
        let content = content.expect("the handle was checked when the disk was locked");
        let unsynced = content.unsynced_bytes() as u64;
        let mut cost_us = cost::SYNC_US + unsynced / cost::BYTES;
        if state.random.chance(cost::STALLS) {
            cost_us += state.random.below(cost::STALL_US);
        }
        state.begin(cost_us)?;
        state.note(Operation::Sync, self.id, unsynced, 0);
        let content = state.files.get_mut(&self.id);
        let content = content.expect("the handle was checked when the disk was locked");
        if state.random.chance(state.faults.failed_sync) {
            state.injected.failed_syncs += 1;
            content.sync_partly(&mut state.random, &mut state.injected);
            return Err(failed("sync"));
        }
        content.sync(&state.faults, &mut state.random, &mut state.injected);
        state.maybe_flip();
        Ok(())
    }
}
