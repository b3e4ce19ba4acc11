//! A disk that gets full or slow when it is told to.

use bookshop_host::os::block::RealBlockDisk;
use bookshop_host::os::{BlockDisk, BlockFile};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The machine's disk, on which no file is made and none gets longer while it is full, and which takes its time while it is slow.
#[derive(Clone, Default)]
pub struct FaultyDisk {
    is_full: Arc<AtomicBool>,
    /// How much longer a sync takes.
    delay_ms: Arc<AtomicU64>,
}

struct FaultyFile {
    file: Arc<dyn BlockFile>,
    disk: FaultyDisk,
}

impl FaultyDisk {
    /// There is no room from now on.
    pub fn fill(&self) {
        self.is_full.store(true, Ordering::SeqCst);
    }

    /// There is room again.
    pub fn make_room(&self) {
        self.is_full.store(false, Ordering::SeqCst);
    }

    /// Has each sync take so much longer.
    pub fn slow_down(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).expect("a moment");
        self.delay_ms.store(by, Ordering::SeqCst);
    }

    fn check_room(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn wrap(&self, file: Arc<dyn BlockFile>) -> Arc<dyn BlockFile> {
        Arc::new(FaultyFile {
            file,
            disk: self.clone(),
        })
    }
}

impl BlockDisk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        Ok(self.wrap(RealBlockDisk.open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        self.check_room()?;
        Ok(self.wrap(RealBlockDisk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealBlockDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealBlockDisk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        RealBlockDisk.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        RealBlockDisk.create_folder(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        RealBlockDisk.sync_folder(folder)
    }
}

impl FaultyFile {
    fn grow(&self, length: u64) -> io::Result<()> {
        if length > self.file.len()? {
            self.disk.check_room()?;
        }
        Ok(())
    }
}

impl BlockFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.grow(length)?;
        self.file.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.grow(length)?;
        self.file.allocate(length)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.grow(offset + bytes.len() as u64)?;
        self.file.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let delay = Duration::from_millis(self.disk.delay_ms.load(Ordering::SeqCst));
        std::thread::sleep(delay);
        self.file.sync()
    }
}
