//! Who is who between hosts: the cluster's authority, the certificates it signs, and TLS configurations made of them.
//!
//! A certificate names a cluster and a host of it, or a client: a program outside. [`Credentials`] is what a running host
//! holds: it presents the host's certificate, verifies those of others, and follows its files while they change. The files
//! are written by [`Registrar`], for `bookshop-host certs`, and by [`prepare`], for development on one machine.
//!
//! Owns no connections. `transport` and `api` speak TLS with the configurations made here; `run` calls [`prepare`].

use std::io;
use std::path::PathBuf;

mod authority;
mod certificate;
mod credentials;
mod explain;
mod files;
mod folder;
mod identity;
mod listing;
mod outside;
mod pem;
mod prepare;
mod registrar;
mod revocation;
mod tls;
mod verify;

#[cfg(test)]
mod tests;

pub use credentials::Credentials;
pub use explain::explain;
pub use identity::{Identity, Role, identity};
pub use listing::{Entry, Kind, State, list};
pub use outside::client_config;
pub use prepare::{Prepared, prepare};
pub use registrar::{AUTHORITIES_MAX, DAYS_DEFAULT, DAYS_MAX, Registrar, Written};
pub use tls::{Purpose, REPLICA, purpose};

/// What is wrong with certificates or their files.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// There is no authority, and nobody may make one without being asked.
    #[error("there is no certificate authority in {}; run `bookshop-host certs init {file}`, or copy the files that were made for this host there", .folder.display())]
    NoAuthority {
        /// The folder of the certificates.
        folder: PathBuf,
        /// The cluster file, as far as it is known.
        file: String,
    },
    /// Somebody has no certificate.
    #[error("{who} has no certificate: {} is missing; run `bookshop-host certs issue FILE {}{option}` where the authority's key is, and copy it here", .path.display(), .who.name)]
    Missing {
        /// Whose certificate.
        who: Identity,
        /// The option of the command that a client needs.
        option: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file is not what it should be, or does not fit the others.
    #[error("{} {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// This host's own certificate ended.
    #[error("the certificate of {who} ended on {date}; run `bookshop-host certs rotate FILE {}`", .who.name)]
    Ended {
        /// Whose certificate.
        who: Identity,
        /// The day it ended.
        date: String,
    },
    /// This host's own certificate was revoked.
    #[error("the certificate of {who} was revoked; run `bookshop-host certs rotate FILE {}` if it may come back", .who.name)]
    Revoked {
        /// Whose certificate.
        who: Identity,
    },
    /// Something is there that a command would have overwritten.
    #[error("{} is there already, and nothing is overwritten; {remedy}", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// What to run instead.
        remedy: String,
    },
    /// The key of an authority is not here, so it cannot sign.
    #[error("the key of {authority} is not in {}; run this where the cluster's certificates are issued", .path.display())]
    NoKey {
        /// The name of the authority.
        authority: String,
        /// The file.
        path: PathBuf,
    },
    /// A name that the files of the folder need for themselves.
    #[error("nobody can have a certificate under the name {name}: {reason}; choose another name")]
    ReservedName {
        /// The name.
        name: String,
        /// What the name is used for.
        reason: &'static str,
    },
    /// Too many authorities are trusted at once.
    #[error(
        "{AUTHORITIES_MAX} authorities are trusted already; run `bookshop-host certs retire FILE` first"
    )]
    TooManyAuthorities,
    /// An authority cannot be given up yet.
    #[error("still signed by an older authority: {}; run `bookshop-host certs rotate FILE` first, with --client for clients", .holders.join(", "))]
    AuthorityInUse {
        /// Whose certificates it signed.
        holders: Vec<String>,
    },
    /// There is only one authority.
    #[error(
        "there is only one authority; nothing can be retired before `bookshop-host certs rotate FILE --authority`"
    )]
    NothingToRetire,
    /// A certificate names nobody.
    #[error("the certificate names neither a host nor a client of a cluster")]
    Unnamed,
    /// The cryptography refuses what this program asks of it.
    #[error("cannot make a certificate: {0}")]
    Make(String),
}

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> Self {
        Self::Make(error.to_string())
    }
}
