//! Why the groups of a host cannot be brought back.

use crate::log;
use crate::replica::group::GroupError;
use crate::state;
use std::io;
use std::path::PathBuf;

/// Why the groups cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The state store cannot be opened.
    #[error("the state in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    State {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: state::OpenError,
    },
    /// The state store cannot be worked with.
    #[error("the state in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    Store {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: state::StoreError,
    },
    /// The state store cannot be read.
    #[error("the state cannot be used; `bookshop-host storage check` says more")]
    Read(#[source] state::ReadError),
    /// The file system refuses.
    #[error("cannot look into {}", .folder.display())]
    Look {
        /// Where.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Log and state store are of different hosts or times.
    #[error(
        "the log in {} does not belong to the state beside it: {what}; put back the copy that fits, or, to begin with nothing, remove both", .folder.display()
    )]
    Strange {
        /// Where the log is.
        folder: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The log cannot be opened.
    #[error("the log in {} cannot be used; `bookshop-host storage check` says more", .folder.display())]
    Log {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: log::OpenError,
    },
    /// A group's state cannot be understood.
    #[error("the state of service {service} cannot be used")]
    Group {
        /// The service.
        service: String,
        /// Why.
        #[source]
        source: GroupError,
    },
    /// Who belongs to a group cannot be understood.
    #[error("the members of the group of service {service} cannot be read")]
    Members {
        /// The service.
        service: String,
        /// Why.
        #[source]
        source: Box<crate::replica::member::MemberError>,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}
