//! Files: whole reads, atomic writes, and a lock on a folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files of one host.
pub trait Disk: Send + Sync {
    /// The whole content of a file.
    ///
    /// # Errors
    /// As the operating system says; no content is lost.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Replaces a file by `content` so that a reader, or a restart after a crash, sees the old or the new content and nothing else.
    /// Missing parent folders are made.
    ///
    /// # Errors
    /// As the operating system says; the old content is still there.
    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Makes a folder and its parents; one that exists is fine.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// When the file was last changed.
    ///
    /// # Errors
    /// As the operating system says, `NotFound` for a missing file.
    fn modified(&self, path: &Path) -> io::Result<SystemTime>;

    /// Makes a file look as if it was last changed at `moment`.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_modified(&self, path: &Path, moment: SystemTime) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system says, `NotFound` for a missing file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Files and folders directly below `path`, sorted.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Takes a folder for this process until the lock is dropped or the process ends, however it ends.
    /// The folder is made if it is missing.
    ///
    /// # Errors
    /// `WouldBlock`: another process holds it. Others as the operating system says.
    fn lock(&self, folder: &Path) -> io::Result<FolderLock>;
}

/// Holds a folder; dropping it lets go.
pub struct FolderLock {
    _file: fs::File,
}

/// The file system of the machine.
pub struct RealDisk;

/// Name of the file inside a folder that carries its lock.
const LOCK_FILE: &str = "lock";

impl Disk for RealDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.new", std::process::id()));
        let temporary = folder.join(name);
        let written = (|| {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            // The rename itself is only durable once the folder is.
            fs::File::open(folder)?.sync_all()
        })();
        if written.is_err() {
            // The error that matters is the first one; a left-over temporary file harms nobody.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn modified(&self, path: &Path) -> io::Result<SystemTime> {
        fs::metadata(path)?.modified()
    }

    fn set_modified(&self, path: &Path, moment: SystemTime) -> io::Result<()> {
        fs::File::options()
            .append(true)
            .open(path)?
            .set_modified(moment)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    }

    fn lock(&self, folder: &Path) -> io::Result<FolderLock> {
        fs::create_dir_all(folder)?;
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(source)) => Err(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_folder_is_refused_to_a_second_holder_until_it_is_let_go() {
        let folder = std::env::temp_dir().join(format!("bookshop-lock-{}", std::process::id()));
        let held = RealDisk.lock(&folder).expect("free");
        assert_eq!(
            RealDisk.lock(&folder).err().map(|error| error.kind()),
            Some(io::ErrorKind::WouldBlock)
        );
        drop(held);
        assert!(RealDisk.lock(&folder).is_ok());
        fs::remove_dir_all(folder).expect("removed");
    }
}
