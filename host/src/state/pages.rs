//! The file as redb sees it: pages behind our first block, each read compared with the checksum of what was written or first read.
//!
//! Owns the checksums, what waits for room (`stash`) and the first failure. Called by redb only, and by `store` to learn whether everything arrived.

use super::error::Fault;
use super::identity::IDENTITY_BYTES;
use super::stash::Stash;
use crate::os::BlockFile;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// What has one checksum: redb's smallest page.
pub(super) const BLOCK_BYTES: usize = 4096;
const BLOCK: u64 = BLOCK_BYTES as u64;

/// Where redb's header has its flags, and two of them (redb's `docs/design.md`, file format 3).
const FLAGS_OFFSET: usize = 9;
const RECOVERY_REQUIRED: u8 = 2;
const TWO_PHASE_COMMIT: u8 = 4;

/// So many are written back at a time, 1 MiB.
const WRITE_BACK_BLOCKS: usize = 256;

/// A file of pages; a clone is another handle.
#[derive(Clone)]
pub(super) struct Pages(Arc<Shared>);

struct Shared {
    file: Arc<dyn BlockFile>,
    /// The length redb knows.
    length: AtomicU64,
    /// The checksum of each block, 0 where nothing is known of it.
    checksums: RwLock<Vec<u32>>,
    stash: Mutex<Stash>,
    /// Whether redb has not written its header yet: until then it is shown one that asks for recovery.
    is_opening: AtomicBool,
    /// Whether nothing reaches the file any more.
    is_sealed: AtomicBool,
    /// Whether `stash` has something, so that readers need not ask it.
    is_stashing: AtomicBool,
    /// redb answers every call after a failure with "previous error"; this is the error.
    failure: OnceLock<(io::ErrorKind, String)>,
}

impl Pages {
    pub(super) fn new(file: Arc<dyn BlockFile>) -> io::Result<Self> {
        let length = file.len()?.saturating_sub(IDENTITY_BYTES);
        Ok(Self(Arc::new(Shared {
            file,
            length: AtomicU64::new(length),
            checksums: RwLock::new(vec![0; blocks(length)]),
            is_opening: AtomicBool::new(true),
            is_sealed: AtomicBool::new(false),
            is_stashing: AtomicBool::new(false),
            stash: Mutex::default(),
            failure: OnceLock::new(),
        })))
    }

    /// From now on nothing reaches the file, and redb does not notice. While redb opens a file, since it writes before anybody could look at what it found; and before redb
    /// closes one, since what it writes then is of no use (every open recovers), and it would not say if that failed.
    pub(super) fn seal(&self) {
        self.0.stash().begin();
        self.0.is_sealed.store(true, Ordering::Release);
        self.0.is_stashing.store(true, Ordering::Release);
    }

    /// Lets what is held and what comes reach the file, the former with the next [`settle`](Self::settle).
    pub(super) fn unseal(&self) {
        self.0.is_sealed.store(false, Ordering::Release);
    }

    /// Writes every page that was read back to the file as it was, and returns once all of that is on the disk. Pages that are held stay held: while redb opens a file it
    /// writes its header only.
    ///
    /// # Errors
    /// As the disk says; also if what was read before is not there any more.
    pub(super) fn write_back(&self) -> Result<(), Fault> {
        let written = self.0.write_back();
        written.map_err(|error| Fault::of_io(self.0.fail(error)))
    }

    /// Whether writes wait for room.
    pub(super) fn is_stashing(&self) -> bool {
        self.0.is_stashing.load(Ordering::Acquire)
    }

    /// Tries to get everything onto the disk that waits for room, if anything does.
    ///
    /// # Errors
    /// `Full`: there is no room yet. Others as the disk says; then it has failed for good.
    pub(super) fn settle(&self) -> Result<(), Fault> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        if !self.is_stashing() {
            return Ok(());
        }
        match self.0.settle() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::Full),
            Err(error) => Err(Fault::of_io(self.0.fail(error))),
        }
    }

    /// The first failure of the disk, if there was one.
    pub(super) fn failure(&self) -> Option<Fault> {
        self.0
            .failure
            .get()
            .map(|(kind, text)| Fault::of_io(io::Error::new(*kind, text.clone())))
    }

    /// Notes a failure after which nothing may be written.
    pub(super) fn fail(&self, error: io::Error) -> Fault {
        Fault::of_io(self.0.fail(error))
    }

    /// Sorts what redb reported.
    pub(super) fn explain(&self, error: impl Into<redb::Error>) -> Fault {
        match error.into() {
            redb::Error::Corrupted(what) => Fault::Damaged(what),
            redb::Error::Io(error) => Fault::of_io(error),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => self
                .failure()
                .unwrap_or_else(|| Fault::Failed(io::Error::other("the store is closed"))),
            error @ (redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableIsNotMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::UpgradeRequired(_)) => Fault::Damaged(error.to_string()),
            error => Fault::Failed(io::Error::other(error)),
        }
    }
}

impl Shared {
    fn fail(&self, error: io::Error) -> io::Error {
        // Only the first one counts; the others follow from it.
        let _ = self.failure.set((error.kind(), error.to_string()));
        error
    }

    fn stash(&self) -> MutexGuard<'_, Stash> {
        self.stash.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everything is on the disk now.
    fn settle(&self) -> io::Result<bool> {
        let mut stash = self.stash();
        if self.is_sealed.load(Ordering::Acquire) {
            return Ok(false);
        }
        while let Some(epoch) = stash.oldest() {
            if epoch.is_empty() {
                stash.forget_oldest();
                continue;
            }
            let length = self.file.len()?.saturating_sub(IDENTITY_BYTES);
            let written = epoch.replay(
                |length| self.file.set_len(IDENTITY_BYTES + length),
                |offset, bytes| self.file.write_at(IDENTITY_BYTES + offset, bytes),
                length,
            );
            match written {
                Err(error) if is_full(&error) => return Ok(false),
                other => other?,
            }
            self.file.sync()?;
            stash.forget_oldest();
        }
        self.is_stashing.store(false, Ordering::Release);
        Ok(true)
    }

    fn write_back(&self) -> io::Result<()> {
        let mut bytes = vec![0; WRITE_BACK_BLOCKS * BLOCK_BYTES];
        let mut first = 0;
        loop {
            let run = self.known_run(first);
            if run.is_empty() {
                return self.file.sync();
            }
            let offset = run.start as u64 * BLOCK;
            let bytes = &mut bytes[..run.len() * BLOCK_BYTES];
            self.file.read_at(IDENTITY_BYTES + offset, bytes)?;
            // The system may have let go of its copy meanwhile. That is not damage: whoever opens the file again finds what is on the disk.
            self.compare(offset, bytes)
                .map_err(|error| io::Error::other(error.to_string()))?;
            self.file.write_at(IDENTITY_BYTES + offset, bytes)?;
            first = run.end;
        }
    }

    /// The next blocks from `first` on that lie together, of which the content is known and in the file.
    fn known_run(&self, first: usize) -> Range<usize> {
        let checksums = self
            .checksums
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let stash = self.stash();
        let is_known =
            |block: &usize| checksums[*block] != 0 && stash.read(*block as u64).is_none();
        let end = checksums.len();
        let start = (first..end).find(is_known).unwrap_or(end);
        let length = (start..end).take(WRITE_BACK_BLOCKS).take_while(is_known);
        start..start + length.count()
    }

    /// Reads without comparing.
    fn read_raw(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset + out.len() as u64;
        if end > self.length.load(Ordering::Acquire) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("a page at {offset} would lie behind the end of the file"),
            ));
        }
        if !self.is_stashing.load(Ordering::Acquire) {
            return self.file.read_at(IDENTITY_BYTES + offset, out);
        }
        let stash = self.stash();
        let mut at = offset;
        for part in split_at_blocks(offset, out) {
            let bytes = part.len();
            let within = (at % BLOCK) as usize;
            match stash.read(at / BLOCK) {
                Some(block) => part.copy_from_slice(&block[within..within + bytes]),
                None => self.file.read_at(IDENTITY_BYTES + at, part)?,
            }
            at += bytes as u64;
        }
        Ok(())
    }

    /// Makes redb recover the file even if it was closed, as a new one is. Of a closed file it would load what was free without looking at checksums, and a damaged list of
    /// that kind makes it panic or take any amount of memory. Recovery follows the checksums from the root before it uses anything.
    fn ask_for_recovery(&self, header: &mut [u8]) {
        if let Some(flags) = header.get_mut(FLAGS_OFFSET) {
            *flags = (*flags | RECOVERY_REQUIRED) & !TWO_PHASE_COMMIT;
        }
    }

    /// Compares whole blocks with what is known of them, or learns it.
    fn compare(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let first = (offset / BLOCK) as usize;
        let mut is_new = false;
        {
            let checksums = self
                .checksums
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            for (block, content) in (first..).zip(bytes.chunks_exact(BLOCK_BYTES)) {
                match checksums.get(block).copied().unwrap_or(0) {
                    0 => is_new = true,
                    known if known == checksum(content) => {}
                    _ => {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            format!(
                                "the page at {} is not what was written there",
                                IDENTITY_BYTES + block as u64 * BLOCK
                            ),
                        ));
                    }
                }
            }
        }
        if is_new {
            self.learn(offset, bytes);
        }
        Ok(())
    }

    /// From now on these bytes are expected there. Of a block that is only part of them nothing is known any more: that is redb's header, which has its own checksums.
    fn learn(&self, offset: u64, bytes: &[u8]) {
        let mut checksums = self
            .checksums
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let first = (offset / BLOCK) as usize;
        for (block, content) in (first..).zip(bytes.chunks(BLOCK_BYTES)) {
            if let Some(known) = checksums.get_mut(block) {
                *known = if content.len() == BLOCK_BYTES {
                    checksum(content)
                } else {
                    0
                };
            }
        }
    }

    /// Writes to the file, or to the stash from the moment the file has no room.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut stash = self.stash();
        if stash.is_empty() {
            match self.file.write_at(IDENTITY_BYTES + offset, bytes) {
                Err(error) if is_full(&error) => {}
                other => return other,
            }
        }
        let mut at = offset;
        for part in bytes.chunks(BLOCK_BYTES) {
            let block = at / BLOCK;
            let mut content = match stash.read(block) {
                Some(content) => content,
                None => Box::new([0; BLOCK_BYTES]),
            };
            // Only redb's header is shorter than a block, and what follows it there is unused zeros.
            let within = (at % BLOCK) as usize;
            content[within..within + part.len()].copy_from_slice(part);
            stash.write(block, content);
            at += part.len() as u64;
        }
        self.is_stashing.store(true, Ordering::Release);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut stash = self.stash();
        if stash.is_empty() {
            match self.file.set_len(IDENTITY_BYTES + length) {
                Err(error) if is_full(&error) => {}
                other => return other,
            }
        }
        stash.set_len(length);
        self.is_stashing.store(true, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        {
            let mut stash = self.stash();
            if stash.is_empty() {
                // Not under the lock: readers may be waiting for it.
                drop(stash);
                return self.file.sync();
            }
            stash.barrier();
        }
        self.settle().map(|_| ())
    }
}

impl redb::StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.length.load(Ordering::Acquire))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let read = self.0.read_raw(offset, out);
        read.and_then(|()| self.0.compare(offset, out))
            .map_err(|error| self.0.fail(error))?;
        if offset == 0 && self.0.is_opening.load(Ordering::Acquire) {
            self.0.ask_for_recovery(out);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length).map_err(|error| self.0.fail(error))?;
        self.0.length.store(length, Ordering::Release);
        let mut checksums = self
            .0
            .checksums
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        checksums.resize(blocks(length), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync().map_err(|error| self.0.fail(error))
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0
            .write(offset, bytes)
            .map_err(|error| self.0.fail(error))?;
        self.0.learn(offset, bytes);
        if offset == 0 {
            self.0.is_opening.store(false, Ordering::Release);
        }
        Ok(())
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Pages({} bytes)",
            self.0.length.load(Ordering::Relaxed)
        )
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Never 0, which means that nothing is known.
fn checksum(block: &[u8]) -> u32 {
    crc32c::crc32c(block).max(1)
}

/// Blocks of a file of `length` bytes.
fn blocks(length: u64) -> usize {
    usize::try_from(length.div_ceil(BLOCK)).unwrap_or(usize::MAX)
}

/// The parts of `out`, which begins at `offset`, that lie in one block each.
fn split_at_blocks(offset: u64, out: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    let to_border = (BLOCK - offset % BLOCK) as usize;
    let (first, rest) = out.split_at_mut(to_border.min(out.len()));
    std::iter::once(first).chain(rest.chunks_mut(BLOCK_BYTES))
}
