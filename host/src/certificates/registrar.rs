//! Makes, replaces and revokes the certificates of a folder, one process at a time.
//!
//! Whoever reads meanwhile finds, at every moment, files that fit together: a file is replaced whole, and while a
//! certificate is being replaced both keys are in the file of its key. A process that dies in between leaves at worst a
//! key that fits nothing, which the next one removes.

use super::CertificateError;
use super::authority::Authority;
use super::certificate::{Facts, date};
use super::folder::Folder;
use super::identity::{Identity, Role};
use super::listing::{self, Entry, State};
use super::pem;
use super::revocation::List;
use crate::config::{ClusterName, HostName};
use crate::os::Os;
use crate::os::disk::FolderLock;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Days that a certificate lives unless asked otherwise.
pub const DAYS_DEFAULT: u32 = 365;
/// Days that a certificate may live: as long as an authority.
pub const DAYS_MAX: u32 = 3650;
/// Authorities that are trusted at once. One is replaced by another; more than two means that nobody retires.
pub const AUTHORITIES_MAX: usize = 4;

/// Issues the certificates of one cluster in one folder, which it holds until it is dropped.
pub struct Registrar {
    folder: Folder,
    cluster: ClusterName,
    os: Os,
    _lock: FolderLock,
}

/// A certificate that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its file.
    pub path: PathBuf,
    /// The day it ends.
    pub ends: String,
}

impl Registrar {
    /// Takes a folder that has an authority; waits while another process holds it.
    ///
    /// # Errors
    /// [`CertificateError::NoAuthority`]: there is none, so nothing was made here yet. [`CertificateError::Write`]: the
    /// folder cannot be taken. Others if a file cannot be read.
    pub fn open(folder: &Path, cluster: &ClusterName, os: &Os) -> Result<Self, CertificateError> {
        let files = Folder::new(folder, Arc::clone(&os.disk));
        if files.read(&files.authority())?.is_none() {
            return Err(no_authority(&files));
        }
        Self::create(folder, cluster, os)
    }

    /// Takes a folder, which is made if it is missing; waits while another process holds it.
    ///
    /// # Errors
    /// [`CertificateError::Write`]: the folder cannot be made or taken.
    pub fn create(folder: &Path, cluster: &ClusterName, os: &Os) -> Result<Self, CertificateError> {
        let lock = os
            .disk
            .lock_waiting(folder)
            .map_err(|source| CertificateError::Write {
                path: folder.to_owned(),
                source,
            })?;
        Ok(Self {
            folder: Folder::new(folder, Arc::clone(&os.disk)),
            cluster: cluster.clone(),
            os: os.clone(),
            _lock: lock,
        })
    }

    /// Makes the first authority, and a certificate for each host.
    ///
    /// # Errors
    /// [`CertificateError::Exists`]: there is an authority, or the certificate of a host. Others if a file cannot be read or written.
    pub fn init(&self, hosts: &[HostName], days: u32) -> Result<(), CertificateError> {
        let hosts: Vec<Identity> = hosts
            .iter()
            .map(|host| Identity::host(&self.cluster, host))
            .collect();
        let is_there = |path: PathBuf, remedy: &str| match self.folder.read(&path)? {
            Some(_) => Err(CertificateError::Exists {
                path,
                remedy: remedy.to_owned(),
            }),
            None => Ok(()),
        };
        is_there(
            self.folder.authority(),
            "run `bookshop-host certs rotate FILE` to replace certificates, with --authority to replace the authority",
        )?;
        for host in &hosts {
            Folder::check_name(host)?;
            is_there(
                self.folder.certificate(host),
                "it belongs to another authority; move it away first",
            )?;
        }
        self.add_authority()?;
        for host in &hosts {
            self.put(host, days)?;
        }
        Ok(())
    }

    /// Makes an authority, which from now on signs, and is trusted beside the older ones. Returns its name.
    ///
    /// # Errors
    /// [`CertificateError::TooManyAuthorities`]. Others if a file cannot be read or written.
    pub fn add_authority(&self) -> Result<String, CertificateError> {
        let older = Authority::read_all(&self.folder)?;
        if older.len() >= AUTHORITIES_MAX {
            return Err(CertificateError::TooManyAuthorities);
        }
        let new = Authority::make(&self.cluster, &self.os)?;
        let name = new.name().to_owned();
        let all: Vec<Authority> = std::iter::once(new).chain(older).collect();
        // The key first: without a certificate it is not looked at, while an authority without a key could not sign.
        self.write_keys(&all)?;
        self.write_authorities(&all)?;
        Ok(name)
    }

    /// Issues a certificate to somebody who has none.
    ///
    /// # Errors
    /// [`CertificateError::Exists`], [`CertificateError::NoAuthority`], [`CertificateError::NoKey`]. Others if a file cannot be read or written.
    pub fn issue(&self, who: &Identity, days: u32) -> Result<Written, CertificateError> {
        Folder::check_name(who)?;
        let path = self.folder.certificate(who);
        if self.folder.read(&path)?.is_some() {
            let option = match who.role {
                Role::Host => "",
                Role::Client => " --client",
            };
            return Err(CertificateError::Exists {
                path,
                remedy: format!(
                    "run `bookshop-host certs rotate FILE {}{option}` to replace it",
                    who.name
                ),
            });
        }
        self.put(who, days)
    }

    /// Replaces the certificate and key of somebody, or issues the first. The old certificate stays valid until it ends or is revoked.
    ///
    /// # Errors
    /// [`CertificateError::NoAuthority`], [`CertificateError::NoKey`]. Others if a file cannot be read or written.
    pub fn renew(&self, who: &Identity, days: u32) -> Result<Written, CertificateError> {
        Folder::check_name(who)?;
        self.put(who, days)
    }

    /// Puts the current certificate of somebody on the list of its authority. False if it was there already.
    ///
    /// # Errors
    /// [`CertificateError::Missing`]: there is no such certificate. [`CertificateError::NoKey`]: its authority cannot sign here.
    /// Others if a file cannot be read or written.
    pub fn revoke(&self, who: &Identity) -> Result<bool, CertificateError> {
        Folder::check_name(who)?;
        let path = self.folder.certificate(who);
        let unusable = |path: &Path, reason: String| CertificateError::Unusable {
            path: path.to_owned(),
            reason,
        };
        let content = self
            .folder
            .read(&path)?
            .ok_or_else(|| CertificateError::missing(who, path.clone()))?;
        let facts = CertificateDer::from_pem_slice(&content)
            .map_err(|error| error.to_string())
            .and_then(|certificate| Facts::read(&certificate))
            .map_err(|error| unusable(&path, format!("holds no certificate ({error})")))?;
        let authorities = self.authorities()?;
        let authority = authorities
            .iter()
            .find(|authority| authority.facts.subject == facts.issuer)
            .ok_or_else(|| {
                let reason = "is of an authority that is not trusted, so nobody takes it anyway";
                unusable(&path, reason.to_owned())
            })?;
        let list_path = self.folder.revoked();
        let lists = match self.folder.read(&list_path)? {
            Some(content) => {
                List::read_all(&content).map_err(|reason| unusable(&list_path, reason))?
            }
            None => Vec::new(),
        };
        let is_own = |list: &&List| list.issuer == facts.issuer;
        let own = lists.iter().find(is_own);
        if own.is_some_and(|list| list.has(&facts.issuer, &facts.serial)) {
            return Ok(false);
        }
        let new = authority.revoke(own, &facts.serial, &self.folder, &self.os)?;
        let others = lists.iter().filter(|list| !is_own(list));
        let blocks = others.map(|list| list.pem.as_str()).chain([new.as_str()]);
        self.folder.write(&list_path, &pem::file(blocks))?;
        Ok(true)
    }

    /// Names of the authorities that [`retire`](Self::retire) would give up, if it may.
    ///
    /// # Errors
    /// [`CertificateError::AuthorityInUse`]: a certificate of the folder that would still be taken is signed by one of them.
    /// [`CertificateError::NothingToRetire`]. Others if a file cannot be read.
    pub fn retirable(&self) -> Result<Vec<String>, CertificateError> {
        let old: Vec<String> = self
            .authorities()?
            .iter()
            .skip(1)
            .map(|authority| authority.name().to_owned())
            .collect();
        if old.is_empty() {
            return Err(CertificateError::NothingToRetire);
        }
        let entries = listing::list(&self.folder.path, &self.cluster, &[], &self.os)?;
        let depends = |entry: &&Entry| {
            matches!(entry.state, State::Good | State::EndsSoon)
                && entry.kind != listing::Kind::Authority
                && entry
                    .authority
                    .as_ref()
                    .is_some_and(|name| old.contains(name))
        };
        let holders: Vec<String> = entries
            .iter()
            .filter(depends)
            .map(|entry| format!("{} {}", entry.kind.name(), entry.name))
            .collect();
        if holders.is_empty() {
            Ok(old)
        } else {
            Err(CertificateError::AuthorityInUse { holders })
        }
    }

    /// Gives up all authorities but the newest, with their keys and their lists. Returns their names.
    ///
    /// # Errors
    /// As [`retirable`](Self::retirable); others if a file cannot be written.
    pub fn retire(&self) -> Result<Vec<String>, CertificateError> {
        let old = self.retirable()?;
        let mut kept = self.authorities()?;
        kept.truncate(1);
        // Trust goes before the lists: the other way round, what was revoked would be taken again for a moment.
        self.write_authorities(&kept)?;
        self.write_keys(&kept)?;
        let list_path = self.folder.revoked();
        if let Some(content) = self.folder.read(&list_path)? {
            let mut lists =
                List::read_all(&content).map_err(|reason| CertificateError::Unusable {
                    path: list_path.clone(),
                    reason,
                })?;
            lists.retain(|list| list.issuer == kept[0].facts.subject);
            if lists.is_empty() {
                self.folder.remove(&list_path)?;
            } else {
                let blocks = lists.iter().map(|list| list.pem.as_str());
                self.folder.write(&list_path, &pem::file(blocks))?;
            }
        }
        Ok(old)
    }

    /// Everybody of a role who has a certificate here.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn holders(&self, role: Role) -> Result<Vec<Identity>, CertificateError> {
        let names = self.folder.names(role)?;
        // A file under a name that nobody can have is not one of ours.
        let names = names.iter().filter_map(|name| name.parse().ok());
        Ok(names
            .map(|name: HostName| Identity::new(&self.cluster, &name, role))
            .collect())
    }

    /// Whether certificates can be issued here.
    pub(super) fn can_issue(&self) -> Result<bool, CertificateError> {
        let authorities = Authority::read_all(&self.folder)?;
        Ok(authorities.first().is_some_and(Authority::has_key))
    }

    fn authorities(&self) -> Result<Vec<Authority>, CertificateError> {
        let authorities = Authority::read_all(&self.folder)?;
        if authorities.is_empty() {
            return Err(no_authority(&self.folder));
        }
        Ok(authorities)
    }

    fn put(&self, who: &Identity, days: u32) -> Result<Written, CertificateError> {
        let authorities = self.authorities()?;
        let issued = authorities[0].issue(who, days, &self.folder, &self.os)?;
        let (path, key_path) = (self.folder.certificate(who), self.folder.key(who));
        let old_keys = self.folder.read(&key_path)?.unwrap_or_default();
        let old_keys = String::from_utf8_lossy(&old_keys);
        let old_keys = pem::blocks(&old_keys, "PRIVATE KEY");
        let new_key = issued.key_pem.as_str();
        let both = std::iter::once(new_key).chain(old_keys);
        self.folder.write_private(&key_path, &pem::file(both))?;
        self.folder.write(&path, &issued.certificate_pem)?;
        self.folder
            .write_private(&key_path, &pem::file([new_key]))?;
        Ok(Written {
            path,
            ends: date(issued.ends),
        })
    }

    fn write_authorities(&self, authorities: &[Authority]) -> Result<(), CertificateError> {
        let blocks = authorities.iter().map(|authority| authority.pem.as_str());
        self.folder
            .write(&self.folder.authority(), &pem::file(blocks))
    }

    fn write_keys(&self, authorities: &[Authority]) -> Result<(), CertificateError> {
        let keys: Vec<String> = authorities.iter().filter_map(Authority::key_pem).collect();
        let text = pem::file(keys.iter().map(String::as_str));
        self.folder
            .write_private(&self.folder.authority_key(), &text)
    }
}

fn no_authority(folder: &Folder) -> CertificateError {
    CertificateError::NoAuthority {
        folder: folder.path.clone(),
        file: "FILE".to_owned(),
    }
}
