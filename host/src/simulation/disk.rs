//! A disk in memory that forgets, tears, lies and fills up, by a seed.
//!
//! One for each simulated host; a clone is the same disk. It outlives the crashes of its host: [`SimDisk::crash`] is the machine losing power,
//! [`SimDisk::kill`] the process ending on a machine that runs on. Either ends all open handles: using one is an error.
//!
//! What a crash leaves of unsynced writes: of each write everything, nothing, or any of its 512-byte sectors; a sector written several times is as it
//! was after any of these. The length of a file is any it had since its last sync. Of names made, changed and removed since the last sync of their folder
//! each change is there or not (a rename is never half done), but none without earlier ones that concern the same name. A synced file without
//! a synced name is gone. This is more than journalling file systems let happen.
//!
//! Nothing here waits. What an operation would take is added up in virtual microseconds: [`SimDisk::take_elapsed`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::os::{BlockDisk, BlockFile};
use crate::simulation::random::Random;

mod content;
mod faults;
mod file;
mod names;
#[cfg(test)]
mod tests;

use content::Content;
pub use content::SECTOR_BYTES;
pub use faults::{Faults, Injected};
use file::SimFile;
use names::{FileId, Names};

/// A simulated disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    random: Random,
    faults: Faults,
    injected: Injected,
    capacity: u64,
    names: Names,
    files: BTreeMap<FileId, Content>,
    next_file: FileId,
    /// Counts crashes and kills: handles of an earlier one are dead.
    life: u64,
    operations: u64,
    operations_max: u64,
    elapsed_us: u64,
    trace: u64,
}

/// What an operation costs, in virtual microseconds.
mod cost {
    pub(super) const NAME_US: u64 = 20;
    pub(super) const READ_US: u64 = 20;
    pub(super) const WRITE_US: u64 = 4;
    pub(super) const SYNC_US: u64 = 110;
    pub(super) const FOLDER_SYNC_US: u64 = 250;
    /// Up to this many more, evenly spread.
    pub(super) const JITTER_US: u64 = 60;
    /// Bytes moved in a microsecond.
    pub(super) const BYTES: u64 = 1000;
    /// Of a thousand syncs, this many take up to `STALL_US`.
    pub(super) const STALLS: u32 = 2;
    pub(super) const STALL_US: u64 = 300_000;
}

/// The kinds of operation, as they enter the trace.
#[derive(Clone, Copy)]
enum Operation {
    Open = 1,
    Create,
    Rename,
    Remove,
    List,
    CreateFolder,
    SyncFolder,
    SetLen,
    Allocate,
    Read,
    Write,
    Sync,
    Crash,
    Kill,
}

impl SimDisk {
    /// An empty disk without faults and without an end.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Random::new(seed),
            faults: Faults::default(),
            injected: Injected::default(),
            capacity: u64::MAX,
            names: Names::default(),
            files: BTreeMap::new(),
            next_file: 0,
            life: 0,
            operations: 0,
            operations_max: u64::MAX,
            elapsed_us: 0,
            trace: seed,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("nothing panics while the disk is locked")
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How many bytes it holds, in blocks of 4 KiB; from now on, and never less than what is on it already. `u64::MAX`: no end.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// The bytes that files take.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state().used()
    }

    /// The machine loses power after `operations` more: each later one fails, until [`crash`](Self::crash).
    pub fn crash_after(&self, operations: u64) {
        let mut state = self.state();
        state.operations_max = state.operations.saturating_add(operations);
    }

    /// Whether the machine has lost power, and did not come back yet.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let state = self.state();
        state.operations >= state.operations_max
    }

    /// How many operations it was asked for.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The machine lost power and comes back.
    pub fn crash(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        state.note(Operation::Crash, state.life, 0, 0);
        state.injected.crashes += 1;
        state.life += 1;
        state.operations_max = u64::MAX;
        state.names.crash(&mut state.random);
        let names = &state.names;
        state.files.retain(|id, _| names.is_named(*id));
        for content in state.files.values_mut() {
            content.crash(&mut state.random, &mut state.injected);
        }
        state.maybe_flip();
    }

    /// The process ended and the machine did not: what was written is still there, and still not durable.
    pub fn kill(&self) {
        let mut state = self.state();
        let life = state.life;
        state.note(Operation::Kill, life, 0, 0);
        state.life += 1;
        state.operations_max = u64::MAX;
    }

    /// Changes the bits of `mask` in a byte at rest. Whether there is such a byte.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(id) = state.names.find(path) else {
            return false;
        };
        let Some(content) = state.files.get_mut(&id) else {
            return false;
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        content.flip(offset, mask);
        offset < content.durable_len()
    }

    /// What a reader would see in a file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.names.find(path)?;
        Some(state.files.get(&id)?.visible().to_vec())
    }

    /// What all operations since the last call would have taken.
    #[must_use]
    pub fn take_elapsed(&self) -> Duration {
        Duration::from_micros(std::mem::take(&mut self.state().elapsed_us))
    }

    /// A hash over every operation so far and its arguments: equal for two runs that did the same.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.state().trace
    }

    /// The faults so far.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.state().injected
    }

    /// A handle, for as long as neither crash nor kill happens.
    fn handle(&self, id: FileId, life: u64) -> Arc<dyn BlockFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            id,
            life,
        })
    }
}

fn dead() -> io::Error {
    io::Error::other("the simulated machine has crashed")
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the simulated disk is full")
}

fn failed(what: &str) -> io::Error {
    io::Error::other(format!("simulated {what} error"))
}

fn to_index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl State {
    fn note(&mut self, operation: Operation, file: u64, offset: u64, argument: u64) {
        for value in [operation as u64, file, offset, argument] {
            let mixed = (self.trace ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.trace = mixed ^ (mixed >> 29);
        }
    }

    fn note_path(&mut self, operation: Operation, path: &Path, argument: u64) {
        let hash = crc32c::crc32c(path.as_os_str().as_encoded_bytes());
        self.note(operation, u64::from(hash), 0, argument);
    }

    /// Begins an operation, unless the machine is to crash before it.
    fn begin(&mut self, cost_us: u64) -> io::Result<()> {
        if self.operations >= self.operations_max {
            return Err(dead());
        }
        self.operations += 1;
        self.elapsed_us += cost_us + self.random.below(cost::JITTER_US);
        Ok(())
    }

    fn used(&self) -> u64 {
        self.files.values().map(Content::room).sum()
    }

    fn available(&self) -> u64 {
        match self.capacity {
            u64::MAX => u64::MAX,
            capacity => capacity.saturating_sub(self.used()),
        }
    }

    /// Removes a file that no name leads to, now or after a crash.
    fn forget(&mut self, id: FileId) {
        if !self.names.is_named(id) {
            self.files.remove(&id);
        }
    }

    fn maybe_flip(&mut self) {
        if !self.random.chance(self.faults.bit_flip) {
            return;
        }
        let files = self.names.files().count() as u64;
        let chosen = usize::try_from(self.random.below(files)).unwrap_or(0);
        let Some((_, id)) = self.names.files().nth(chosen) else {
            return;
        };
        let Some(content) = self.files.get_mut(&id) else {
            return;
        };
        let length = content.durable_len() as u64;
        if length > 0 {
            let offset = usize::try_from(self.random.below(length)).unwrap_or(0);
            content.flip(offset, 1 << self.random.below(8));
            self.injected.bit_flips += 1;
        }
    }
}

impl BlockDisk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        let mut state = self.state();
        state.begin(cost::NAME_US)?;
        state.note_path(Operation::Open, path, 0);
        let id = state.names.find(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(id, state.life))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        let mut state = self.state();
        state.begin(cost::NAME_US)?;
        state.note_path(Operation::Create, path, 0);
        if !state
            .names
            .has_folder(path.parent().unwrap_or(Path::new("")))
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.names.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if state.available() == 0 {
            state.injected.full += 1;
            return Err(full());
        }
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, Content::default());
        state.names.create(path, id);
        Ok(self.handle(id, state.life))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin(cost::NAME_US)?;
        state.note_path(Operation::Rename, from, 0);
        state.note_path(Operation::Rename, to, 0);
        assert_eq!(
            from.parent(),
            to.parent(),
            "a file keeps its folder when it is renamed"
        );
        let id = state.names.find(from).ok_or(io::ErrorKind::NotFound)?;
        if let Some(replaced) = state.names.rename(from, to, id) {
            state.forget(replaced);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin(cost::NAME_US)?;
        state.note_path(Operation::Remove, path, 0);
        let id = state.names.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.names.remove(path);
        state.forget(id);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut state = self.state();
        state.begin(cost::NAME_US)?;
        state.note_path(Operation::List, folder, 0);
        Ok(state.names.list(folder))
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin(cost::FOLDER_SYNC_US)?;
        state.note_path(Operation::CreateFolder, folder, 0);
        state.names.create_folder(folder);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin(cost::FOLDER_SYNC_US)?;
        state.note_path(Operation::SyncFolder, folder, 0);
        state.names.sync(folder);
        Ok(())
    }
}
