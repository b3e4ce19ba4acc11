//! Certificates without asking, for development: only where every address of the cluster is on this machine.

use super::CertificateError;
use super::folder::Folder;
use super::identity::Identity;
use super::registrar::{DAYS_DEFAULT, Registrar};
use crate::config::{Config, HostName};
use crate::os::Os;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What [`prepare`] made. Displays as a line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The folder of the certificates.
    pub folder: PathBuf,
    /// Whether it made an authority.
    pub authority: bool,
    /// The hosts it issued certificates to.
    pub hosts: Vec<HostName>,
}

impl Prepared {
    /// Whether everything was there, so that there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.authority && self.hosts.is_empty()
    }
}

impl fmt::Display for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> = self.hosts.iter().map(HostName::as_str).collect();
        let hosts = hosts.join(", ");
        let folder = self.folder.display();
        match (self.authority, self.hosts.is_empty()) {
            (true, true) => write!(f, "made a development authority in {folder}"),
            (true, false) => write!(
                f,
                "made a development authority in {folder}, and certificates for {hosts}"
            ),
            (false, false) => write!(f, "made certificates in {folder} for {hosts}"),
            (false, true) => write!(f, "made no certificates in {folder}"),
        }
    }
}

/// Makes a development authority if the folder has none and every peer and api address of the file is loopback, and a
/// certificate for each host that has none if the authority's key is there. Called by `run` before hosts start; several
/// processes may call it at once.
///
/// A host whose certificate is issued elsewhere and missing here is not this function's business: it fails to start.
///
/// # Errors
/// [`CertificateError::NoAuthority`]: there is none, and hosts can be reached from other machines. Others if files cannot be
/// read or written.
pub fn prepare(config: &Config, os: &Os) -> Result<Prepared, CertificateError> {
    let path = config.cluster.certificates_folder();
    let folder = Folder::new(&path, Arc::clone(&os.disk));
    let mut prepared = Prepared {
        folder: path.clone(),
        authority: false,
        hosts: Vec::new(),
    };
    let has_authority = folder.read(&folder.authority())?.is_some();
    if !has_authority && !is_on_this_machine(config) {
        return Err(CertificateError::NoAuthority {
            folder: path,
            file: config.path.display().to_string(),
        });
    }
    // Without anything to make the folder is left alone: where certificates are issued elsewhere it may be read-only.
    let has_key = folder.read(&folder.authority_key())?.is_some();
    if has_authority && (!has_key || missing(config, &folder)?.is_empty()) {
        return Ok(prepared);
    }
    let registrar = Registrar::create(&path, &config.cluster.name, os)?;
    // Another process may have made everything while this one waited for the folder.
    if folder.read(&folder.authority())?.is_none() {
        registrar.add_authority()?;
        prepared.authority = true;
    }
    if registrar.can_issue()? {
        for host in missing(config, &folder)? {
            let who = Identity::host(&config.cluster.name, &host);
            registrar.issue(&who, DAYS_DEFAULT)?;
            prepared.hosts.push(host);
        }
    }
    Ok(prepared)
}

/// Hosts of the file without a certificate.
fn missing(config: &Config, folder: &Folder) -> Result<Vec<HostName>, CertificateError> {
    let mut missing = Vec::new();
    for host in &config.hosts {
        let who = Identity::host(&config.cluster.name, &host.name);
        Folder::check_name(&who)?;
        if folder.read(&folder.certificate(&who))?.is_none() {
            missing.push(host.name.clone());
        }
    }
    Ok(missing)
}

fn is_on_this_machine(config: &Config) -> bool {
    config
        .hosts
        .iter()
        .all(|host| host.peer.ip().is_loopback() && host.api.ip().is_loopback())
}
