//! Names of the files in a folder of certificates, and reading and replacing them one at a time.

use super::CertificateError;
use super::identity::{Identity, Role};
use crate::os::Disk;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The authorities that are trusted, the newest first.
const AUTHORITY: &str = "authority.pem";
/// Their keys, where certificates are issued.
const AUTHORITY_KEY: &str = "authority-key.pem";
/// Lists of what was revoked, one for each authority that revoked something.
const REVOKED: &str = "revoked.pem";
/// The folder of the clients' files.
const CLIENTS: &str = "clients";
/// The folder of certificates below the data folder, where each host has a folder of its own name.
const DEFAULT: &str = "certs";
/// The end of a certificate's file.
const CERTIFICATE_ENDING: &str = ".pem";
/// The end of a key's file.
const KEY_ENDING: &str = "-key.pem";

/// A folder of certificates.
#[derive(Clone)]
pub(super) struct Folder {
    pub path: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Folder {
    pub fn new(path: &Path, disk: Arc<dyn Disk>) -> Self {
        Self {
            path: path.to_owned(),
            disk,
        }
    }

    pub fn authority(&self) -> PathBuf {
        self.path.join(AUTHORITY)
    }

    pub fn authority_key(&self) -> PathBuf {
        self.path.join(AUTHORITY_KEY)
    }

    pub fn revoked(&self) -> PathBuf {
        self.path.join(REVOKED)
    }

    /// The certificate of somebody.
    pub fn certificate(&self, who: &Identity) -> PathBuf {
        self.file(who, CERTIFICATE_ENDING)
    }

    /// The key of somebody.
    pub fn key(&self, who: &Identity) -> PathBuf {
        self.file(who, KEY_ENDING)
    }

    fn file(&self, who: &Identity, ending: &str) -> PathBuf {
        let name = format!("{}{ending}", who.name);
        match who.role {
            Role::Host => self.path.join(name),
            Role::Client => self.path.join(CLIENTS).join(name),
        }
    }

    /// Refuses names under which somebody's files would be those of somebody else.
    ///
    /// # Errors
    /// [`CertificateError::ReservedName`].
    pub fn check_name(who: &Identity) -> Result<(), CertificateError> {
        let file = format!("{}{CERTIFICATE_ENDING}", who.name);
        let reason = if file.ends_with(KEY_ENDING) {
            "files that end so hold keys"
        } else if who.role == Role::Host && (file == AUTHORITY || file == REVOKED) {
            "that file is the cluster's own"
        } else if who.role == Role::Host && who.name == DEFAULT {
            "its data folder could be that of the certificates"
        } else {
            return Ok(());
        };
        Err(CertificateError::ReservedName {
            name: who.name.clone(),
            reason,
        })
    }

    /// Names of everybody of a role who has a certificate here, sorted.
    ///
    /// # Errors
    /// The folder cannot be read. One that is missing is empty.
    pub fn names(&self, role: Role) -> Result<Vec<String>, CertificateError> {
        let folder = match role {
            Role::Host => self.path.clone(),
            Role::Client => self.path.join(CLIENTS),
        };
        let files = match self.disk.list(&folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                return Err(CertificateError::Read {
                    path: folder,
                    source,
                });
            }
        };
        let is_own = |file: &str| role == Role::Host && (file == AUTHORITY || file == REVOKED);
        let name = |path: &PathBuf| {
            let file = path.file_name()?.to_str()?;
            let name = file.strip_suffix(CERTIFICATE_ENDING)?;
            (!is_own(file) && !file.ends_with(KEY_ENDING)).then(|| name.to_owned())
        };
        Ok(files.iter().filter_map(name).collect())
    }

    /// The content of a file; none if it is missing.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, CertificateError> {
        match self.disk.read(path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CertificateError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Replaces a file that everybody may read. A reader sees the old or the new content.
    ///
    /// # Errors
    /// As the operating system says; the old content is still there.
    pub fn write(&self, path: &Path, content: &str) -> Result<(), CertificateError> {
        self.disk
            .write_atomic(path, content.as_bytes())
            .map_err(|source| write_error(path, source))
    }

    /// The same for a file that only this user may read.
    ///
    /// # Errors
    /// As the operating system says; the old content is still there.
    pub fn write_private(&self, path: &Path, content: &str) -> Result<(), CertificateError> {
        self.disk
            .write_private(path, content.as_bytes())
            .map_err(|source| write_error(path, source))
    }

    /// Removes a file; one that is missing is fine.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn remove(&self, path: &Path) -> Result<(), CertificateError> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(path, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn write_error(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: Role, name: &str, is_allowed: bool) {
        let who = Identity {
            cluster: "shop".into(),
            name: name.into(),
            role,
        };
        assert_eq!(Folder::check_name(&who).is_ok(), is_allowed, "{who}");
    }

    #[test]
    fn nobody_is_named_like_a_file_of_the_cluster_or_of_another() {
        check(Role::Host, "alpha", true);
        check(Role::Host, "authority", false);
        check(Role::Host, "revoked", false);
        check(Role::Host, "certs", false);
        check(Role::Client, "authority", true);
        check(Role::Host, "alpha-key", false);
        check(Role::Client, "alpha-key", false);
        check(Role::Host, "key", true);
        check(Role::Host, "clients", true);
    }
}
