//! What goes wrong with the log.

use std::io;
use std::path::PathBuf;

/// A log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something that was acknowledged is missing or has changed. This copy is not to be trusted; nothing was changed in it.
    #[error("the log is damaged: {} at byte {offset}: {what}", .file.display())]
    Corrupt {
        /// Where.
        file: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A newer version of this program has written the log.
    #[error("{} has log format {version}, this program knows up to {}: use a newer one", .file.display(), super::VERSION)]
    NewerFormat {
        /// Where.
        file: PathBuf,
        /// The format found.
        version: u32,
    },
    /// The disk has no room for the first segment.
    #[error("no room for the log in {}: it needs {bytes} bytes", .folder.display())]
    Full {
        /// Where.
        folder: PathBuf,
        /// How much it needs.
        bytes: u64,
    },
    /// The disk failed.
    #[error("cannot use {}", .file.display())]
    Io {
        /// Which file or folder.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// For `map_err`.
    pub(super) fn io(file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        |source| Self::Io { file, source }
    }
}

/// Something was not appended. Nothing of it was.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk has no room. It works again when there is some.
    #[error("no room on the disk for more of the log")]
    Full,
    /// The batch is as long as it may be: sync, then append again.
    #[error("the batch of the log is full until it is synced")]
    BatchFull,
    /// It would fit in no segment.
    #[error("{bytes} bytes are too much for the log, it takes {bytes_max}")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A sync failed before.
    #[error("the log has failed: open it again")]
    Failed,
}

/// What was appended may or may not be durable; the log takes nothing more. Never try again: open the log again.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The disk failed.
    #[error("cannot write {}", .file.display())]
    Io {
        /// Which file or folder.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An earlier sync failed.
    #[error("the log has failed: open it again")]
    Failed,
}

impl SyncError {
    /// For `map_err`.
    pub(super) fn io(file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        |source| Self::Io { file, source }
    }
}

/// Entries could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They were compacted away: the state store has what they did.
    #[error("the log of group {group} begins at {first}")]
    Compacted {
        /// Whose.
        group: u32,
        /// The first index the log may be asked for.
        first: u64,
    },
    /// An entry has changed since it was written.
    #[error("the log is damaged: {} at byte {offset}", .file.display())]
    Damaged {
        /// Where.
        file: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// The disk failed.
    #[error("cannot read {}", .file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
