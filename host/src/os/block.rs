//! Files that are written in place and synced: what the log and the state store are made of.
//!
//! Unlike [`Disk`](super::Disk), whose files are replaced as a whole, these promise nothing until they are synced: what was written since the last
//! [`BlockFile::sync`] may be there after a crash, or not, or in part.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder's files, written in place.
pub trait BlockDisk: Send + Sync {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`: there is none. Others as the operating system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>>;

    /// Makes an empty file and opens it. The file itself is durable only once [`sync_folder`](Self::sync_folder) returned.
    ///
    /// # Errors
    /// `AlreadyExists`: there is one. `StorageFull`. Others as the operating system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>>;

    /// Gives a file another name, in the same folder, replacing what had it. Durable only once [`sync_folder`](Self::sync_folder) returned.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable only once [`sync_folder`](Self::sync_folder) returned.
    ///
    /// # Errors
    /// `NotFound`: there is none. Others as the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The files directly below `folder`, sorted; none if there is no such folder.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes a folder and its parents, durably; one that exists is fine.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes names made, changed and removed in `folder` durable.
    ///
    /// # Errors
    /// As the operating system says. What is durable is then unknown.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is written in place. Its handle may be used by several threads.
pub trait BlockFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|length| length == 0)
    }

    /// Makes it longer, by zeros, or shorter. Room for a longer one is taken when it is written.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Takes room on the disk for the first `length` bytes, so that writing them later cannot fail for want of it. The file becomes at
    /// least as long; new bytes are zeros.
    ///
    /// # Errors
    /// `StorageFull`: the disk has no room; nothing was lost. Others as the operating system says.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Reads bytes that are all there.
    ///
    /// # Errors
    /// `UnexpectedEof`: the file is shorter. Others as the operating system says.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes bytes, making the file longer if need be.
    ///
    /// # Errors
    /// `StorageFull`: the disk has no room; part may have been written. Others as the operating system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything written so far, and the length, is on the disk.
    ///
    /// # Errors
    /// As the operating system says. What was written since the last sync may be lost, even if a later sync succeeds: never try again.
    fn sync(&self) -> io::Result<()>;
}

/// The file system of the machine.
pub struct RealBlockDisk;

/// Zeros are written this many at a time.
const ZEROS_BYTES: usize = 1 << 20;

impl BlockDisk for RealBlockDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        let file = fs::File::options().read(true).write(true).open(path)?;
        Ok(Arc::new(RealBlockFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        // What services keep is for the user who runs them.
        let mut options = fs::File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        Ok(Arc::new(RealBlockFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            self.create_folder(parent)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.sync_folder(folder.parent().unwrap_or(Path::new(".")))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        fs::File::open(folder)?.sync_all()
    }
}

struct RealBlockFile(fs::File);

impl BlockFile for RealBlockFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    /// Written as zeros, not merely reserved: syncing a first write to reserved room takes twice as long, since the file system
    /// has to note that it now has content.
    fn allocate(&self, length: u64) -> io::Result<()> {
        let zeros = vec![0; ZEROS_BYTES];
        let mut offset = self.len()?;
        while offset < length {
            let bytes = usize::try_from(length - offset)
                .unwrap_or(ZEROS_BYTES)
                .min(ZEROS_BYTES);
            self.0.write_all_at(&zeros[..bytes], offset)?;
            offset += bytes as u64;
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
