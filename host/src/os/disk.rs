//! Files: whole reads, atomic writes, and a lock on a folder.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
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

    /// The same, for a file that only this user may read from its first moment on.
    ///
    /// # Errors
    /// As the operating system says; the old content is still there.
    fn write_private(&self, path: &Path, content: &[u8]) -> io::Result<()>;

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

    /// The same, but waits, and blocks this thread, while another process holds the folder. Only for folders that nobody
    /// holds for longer than it takes to write a few files.
    ///
    /// # Errors
    /// As the operating system says.
    fn lock_waiting(&self, folder: &Path) -> io::Result<FolderLock>;
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
        replace(path, content, Readers::Everybody)
    }

    fn write_private(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        replace(path, content, Readers::ThisUser)
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
        let file = lock_file(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(source)) => Err(source),
        }
    }

    fn lock_waiting(&self, folder: &Path) -> io::Result<FolderLock> {
        let file = lock_file(folder)?;
        file.lock()?;
        Ok(FolderLock { _file: file })
    }
}

fn lock_file(folder: &Path) -> io::Result<fs::File> {
    fs::create_dir_all(folder)?;
    fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOCK_FILE))
}

/// Who may read a file.
enum Readers {
    Everybody,
    ThisUser,
}

fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    let written = (|| {
        let mut options = fs::File::options();
        match readers {
            Readers::Everybody => options.create(true).truncate(true),
            Readers::ThisUser => {
                // What another process with this number left behind may have been readable for more.
                let _ = fs::remove_file(&temporary);
                options.create_new(true).mode(0o600)
            }
        };
        let mut file = options.write(true).open(&temporary)?;
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

    #[test]
    fn who_waits_for_a_folder_gets_it_when_it_is_let_go() {
        let folder = std::env::temp_dir().join(format!("bookshop-wait-{}", std::process::id()));
        let held = RealDisk.lock(&folder).expect("free");
        let waiting = {
            let folder = folder.clone();
            std::thread::spawn(move || RealDisk.lock_waiting(&folder).map(drop))
        };
        drop(held);
        waiting.join().expect("no panic").expect("taken");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_private_file_is_for_its_owner_alone_whatever_was_there_before() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("bookshop-private-{}", std::process::id()));
        let path = folder.join("key.pem");
        RealDisk.write_atomic(&path, b"old").expect("written");
        let left_over = folder.join(format!("key.pem.{}.new", std::process::id()));
        RealDisk
            .write_atomic(&left_over, b"rubbish")
            .expect("written");
        RealDisk.write_private(&path, b"new").expect("written");
        assert_eq!(RealDisk.read(&path).expect("read"), b"new");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!left_over.exists());
        fs::remove_dir_all(folder).expect("removed");
    }
}
