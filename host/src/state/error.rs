//! What can go wrong with the state store.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What is on the disk is not what was written. Opening it again will not help: the host's groups must be restored from their peers.
    #[error("state store {} is damaged: {what}; restore it from a peer or a copy", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A newer version of this program wrote it; nothing was changed.
    #[error("state store {} has format {found}, this program knows up to {known}; use the newer program", .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// There is no room to make the store. One that exists can be opened on a full disk.
    #[error("no room on the disk for state store {}; make room and start again", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The disk does not do what it should.
    #[error("cannot use state store {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// Why a value cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What is on the disk is not what was written. This replica must not answer from it any more.
    #[error("state store {} is damaged: {what}; restore it from a peer or a copy", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The disk failed, now or before. Nothing works until the store is opened again.
    #[error("cannot read state store {}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// Why the store cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full. What was to be written is not acknowledged: after a restart all of it is there, or nothing. The same call works once there is
    /// room; reading goes on.
    #[error("no room on the disk for state store {}", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// There are as many groups as a host can have.
    #[error("state store {} has {groups_max} groups, no more fit", .path.display())]
    TooManyGroups {
        /// The file.
        path: PathBuf,
        /// The limit.
        groups_max: usize,
    },
    /// What is on the disk is not what was written.
    #[error("state store {} is damaged: {what}; restore it from a peer or a copy", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The disk failed, now or before: what was written last may or may not be there. Nothing works until the store is opened again.
    #[error("cannot write state store {}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// What redb or the disk reported, sorted by what has to be done.
#[derive(Debug)]
pub(super) enum Fault {
    Full,
    Damaged(String),
    Failed(io::Error),
}

/// Runs redb's code. It asserts where it meets what it believes impossible; a damaged file must not end the host.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Fault::Damaged(format!(
            "its tree cannot be followed ({})",
            panic_text(panic.as_ref())
        )))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

impl Fault {
    pub(super) fn of_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Failed(error),
        }
    }

    pub(super) fn opening(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Full => OpenError::Full { path },
            Self::Damaged(what) => OpenError::Damaged { path, what },
            Self::Failed(source) => OpenError::Io { path, source },
        }
    }

    pub(super) fn reading(self, path: &Path) -> ReadError {
        let path = path.to_owned();
        match self {
            Self::Full => ReadError::Failed {
                path,
                source: io::ErrorKind::StorageFull.into(),
            },
            Self::Damaged(what) => ReadError::Damaged { path, what },
            Self::Failed(source) => ReadError::Failed { path, source },
        }
    }

    pub(super) fn writing(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Full => StoreError::Full { path },
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::Failed(source) => StoreError::Failed { path, source },
        }
    }
}
