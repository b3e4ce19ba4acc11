//! Why a host does not start.

use crate::certificates::CertificateError;
use crate::control::code::CodeError;
use crate::control::taken::TakenError;
use crate::groups::RecoveryError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has no such host.
    #[error("no host {name} in the configuration; it has {known}")]
    UnknownHost {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Another process runs this host.
    #[error("the data folder {} is in use by another process; stop that host, or give this one another --data", .path.display())]
    DataInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}", .path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// What is part of this program cannot be put where hosts load it from.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// What it has taken up of the cluster's state cannot be read.
    #[error(transparent)]
    Taken(#[from] TakenError),
    /// A port is taken.
    #[error(
        "host {host} cannot listen on {address} (its {key}): the port is in use; stop the other program, or change {key} in the configuration"
    )]
    PortInUse {
        /// The host.
        host: String,
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// An address cannot be listened on.
    #[error("host {host} cannot listen on {address} (its {key})")]
    Listen {
        /// The host.
        host: String,
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It has no certificate that its peers would accept.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// What its services keep cannot be used.
    #[error(transparent)]
    State(#[from] RecoveryError),
    /// The engine does not run here.
    #[error("cannot start the engine: {0}")]
    Engine(String),
    /// The machine has no threads left.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}
