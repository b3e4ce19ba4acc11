//! The components that this host keeps by digest: what a configuration of the cluster names has to be on its disk before.
//!
//! One file for each, `<sha256>.wasm`, in a folder of the host. A file is written as a whole and never changed; one whose bytes do not
//! have its digest counts as missing, and is removed when it is found. Methods read and write files and block their thread: they are not
//! for threads that serve. Knows nothing of other hosts.

use crate::component::{self, Digest};
use crate::os::Os;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

mod shared;

pub use shared::SharedDepot;

/// Folder of the components, below that of the host.
pub const FOLDER: &str = "components";
/// The largest component. The largest of the shop, a Python program with its interpreter, takes less than a third.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;
/// All components of a host together: those of a large configuration, and of the one before.
pub const TOTAL_BYTES_MAX: u64 = 4 << 30;

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;
const ENDING: &str = ".wasm";

/// Why a component is not kept or not found.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// The name is none.
    #[error("{0:?} is not a sha256 digest, which has 64 digits of 0-9 and a-f")]
    NotADigest(String),
    /// There is no such component here, or its file was damaged.
    #[error("component {0} is not on this host")]
    Missing(Digest),
    /// The component is too large.
    #[error("a component of {bytes} bytes is larger than {COMPONENT_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// There is no room beside the others.
    #[error("{bytes} bytes of components are kept, and may not become more than {TOTAL_BYTES_MAX}")]
    Full {
        /// What is kept.
        bytes: u64,
    },
    /// The disk does not do it.
    #[error("cannot use {}", .path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

/// The components on the disk of one host.
pub struct Depot {
    folder: PathBuf,
    os: Os,
    /// Those that were compared with their digests since this process began, and their sizes. Held while files are written or removed.
    kept: Mutex<BTreeMap<Digest, u64>>,
}

impl Depot {
    /// Opens the depot in the folder of a host: compares what is there with its digests, and removes what is damaged or was not finished.
    ///
    /// # Errors
    /// [`DepotError::Disk`].
    pub fn open(host_folder: &Path, os: Os) -> Result<Self, DepotError> {
        let depot = Self {
            folder: host_folder.join(FOLDER),
            os,
            kept: Mutex::default(),
        };
        let at_folder = |source| disk_error(&depot.folder, source);
        (depot.os.disk.create_folder(&depot.folder)).map_err(at_folder)?;
        let files = depot.os.disk.list(&depot.folder).map_err(at_folder)?;
        for path in files {
            let whole = match digest_of(&path) {
                Some(digest) => depot.verified(&digest)?.map(|bytes| (digest, bytes)),
                // A file that was being written when the host died.
                None => None,
            };
            match whole {
                Some((digest, bytes)) => drop(depot.kept().insert(digest, size(&bytes))),
                None => depot.remove(&path)?,
            }
        }
        Ok(depot)
    }

    /// Keeps a component. When this returns it lasts, whatever becomes of the host; one that is here already is not written again.
    ///
    /// # Errors
    /// [`DepotError::TooLarge`], [`DepotError::Full`], [`DepotError::Disk`]: nothing is kept.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, DepotError> {
        if bytes.len() > COMPONENT_BYTES_MAX {
            return Err(DepotError::TooLarge { bytes: bytes.len() });
        }
        let digest = component::digest(bytes);
        // Held to the end: two that put the same would write the same file.
        let mut kept = self.kept();
        if kept.contains_key(&digest) {
            return Ok(digest);
        }
        let total: u64 = kept.values().sum();
        if total + size(bytes) > TOTAL_BYTES_MAX {
            return Err(DepotError::Full { bytes: total });
        }
        let path = self.file(&digest);
        (self.os.disk.write_atomic(&path, bytes)).map_err(|source| disk_error(&path, source))?;
        kept.insert(digest.clone(), size(bytes));
        Ok(digest)
    }

    /// Whether a component is here, as far as this process has looked.
    #[must_use]
    pub fn has(&self, digest: &str) -> bool {
        self.kept().contains_key(digest)
    }

    /// The file of a component, which was compared with its digest since this process began.
    ///
    /// # Errors
    /// [`DepotError::NotADigest`], [`DepotError::Missing`].
    pub fn path(&self, digest: &str) -> Result<PathBuf, DepotError> {
        if !is_digest(digest) {
            return Err(DepotError::NotADigest(digest.to_owned()));
        }
        if !self.has(digest) {
            return Err(DepotError::Missing(digest.to_owned()));
        }
        Ok(self.file(digest))
    }

    /// The bytes of a component, compared with its digest. A file that was damaged meanwhile is missing from now on, and may be put anew.
    ///
    /// # Errors
    /// [`DepotError::NotADigest`], [`DepotError::Missing`], [`DepotError::Disk`].
    pub fn read(&self, digest: &str) -> Result<Vec<u8>, DepotError> {
        let path = self.path(digest)?;
        if let Some(bytes) = self.verified(digest)? {
            return Ok(bytes);
        }
        let mut kept = self.kept();
        // Looked at again: somebody may have replaced it while nobody held it.
        if let Some(bytes) = self.verified(digest)? {
            return Ok(bytes);
        }
        kept.remove(digest);
        self.remove(&path)?;
        Err(DepotError::Missing(digest.to_owned()))
    }

    /// What is here, and how large it is.
    #[must_use]
    pub fn list(&self) -> Vec<(Digest, u64)> {
        let kept = self.kept();
        kept.iter()
            .map(|(digest, bytes)| (digest.clone(), *bytes))
            .collect()
    }

    /// Removes all components but these, and those that came less than `age_min` ago, by the wall clock; returns how many were removed.
    ///
    /// # Errors
    /// [`DepotError::Disk`]: some may still be here.
    pub fn keep_only(
        &self,
        wanted: &BTreeSet<Digest>,
        age_min: Duration,
    ) -> Result<usize, DepotError> {
        let now = SystemTime::UNIX_EPOCH + self.os.clock.wall();
        // One of the future came before the clock was set back.
        let is_old = |digest: &Digest| {
            let came = self.os.disk.modified(&self.file(digest));
            came.is_ok_and(|came| now.duration_since(came).map_or(true, |age| age >= age_min))
        };
        let mut kept = self.kept();
        let unwanted: Vec<Digest> = kept
            .keys()
            .filter(|digest| !wanted.contains(*digest) && is_old(digest))
            .cloned()
            .collect();
        for digest in &unwanted {
            self.remove(&self.file(digest))?;
            kept.remove(digest);
        }
        Ok(unwanted.len())
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Digest, u64>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, digest: &str) -> PathBuf {
        file(&self.folder, digest)
    }

    /// The bytes of a file, if it is there and they have its digest.
    fn verified(&self, digest: &str) -> Result<Option<Vec<u8>>, DepotError> {
        let path = self.file(digest);
        match self.os.disk.read(&path) {
            Ok(bytes) => Ok((component::digest(&bytes) == digest).then_some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(disk_error(&path, source)),
        }
    }

    fn remove(&self, path: &Path) -> Result<(), DepotError> {
        match self.os.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk_error(path, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whether this is a sha256 digest as this program writes it.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == DIGITS
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where the folder of a host has a component, if it has it.
#[must_use]
pub fn path(host_folder: &Path, digest: &str) -> PathBuf {
    file(&host_folder.join(FOLDER), digest)
}

fn file(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("{digest}{ENDING}"))
}

/// The digest that a file is named after.
fn digest_of(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
    is_digest(name).then(|| name.to_owned())
}

fn size(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

fn disk_error(path: &Path, source: io::Error) -> DepotError {
    DepotError::Disk {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
