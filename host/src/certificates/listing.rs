//! What is in a folder of certificates, for `bookshop-host certs show`. Only reads.

use super::CertificateError;
use super::authority::Authority;
use super::certificate::{Facts, date};
use super::credentials::WARN_BEFORE;
use super::folder::Folder;
use super::identity::{Identity, Role};
use super::revocation::List;
use crate::config::{ClusterName, HostName};
use crate::os::Os;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It signs the others.
    Authority,
    /// A host of the cluster.
    Host,
    /// A program outside.
    Client,
}

impl Kind {
    /// One word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Host => Role::Host.name(),
            Self::Client => Role::Client.name(),
        }
    }
}

/// What a certificate is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The hosts of the cluster take it.
    Good,
    /// They take it, and it ends within 30 days.
    EndsSoon,
    /// It ended.
    Ended,
    /// It is on a revocation list.
    Revoked,
    /// Its authority is not trusted.
    Untrusted,
    /// The cluster file has the host, and the folder no certificate for it.
    Missing,
    /// The file holds no certificate, or one of somebody else.
    Unusable,
}

impl State {
    /// A few words for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::EndsSoon => "ends soon",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
            Self::Untrusted => "untrusted",
            Self::Missing => "missing",
            Self::Unusable => "unusable",
        }
    }
}

/// One certificate, or the lack of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Who.
    pub name: String,
    /// What for.
    #[serde(rename = "role")]
    pub kind: Kind,
    /// The last day it can be used, if there is one.
    pub not_after: Option<String>,
    /// Who signed it, as far as that is trusted.
    pub authority: Option<String>,
    /// What it is worth.
    pub state: State,
}

/// The authorities of a folder, the newest first, then the hosts of the file, other hosts, and clients.
///
/// # Errors
/// [`CertificateError::NoAuthority`], or a file cannot be read, or the authorities or lists are unusable.
pub fn list(
    folder: &Path,
    cluster: &ClusterName,
    hosts: &[HostName],
    os: &Os,
) -> Result<Vec<Entry>, CertificateError> {
    let folder = Folder::new(folder, Arc::clone(&os.disk));
    let authorities = Authority::read_all(&folder)?;
    if authorities.is_empty() {
        return Err(CertificateError::NoAuthority {
            folder: folder.path,
            file: "FILE".to_owned(),
        });
    }
    let lists = match folder.read(&folder.revoked())? {
        Some(content) => List::read_all(&content).map_err(|reason| CertificateError::Unusable {
            path: folder.revoked(),
            reason,
        })?,
        None => Vec::new(),
    };
    let known = Known {
        authorities: &authorities,
        lists: &lists,
        now: os.clock.wall(),
    };
    let mut names: Vec<(Role, String)> = hosts
        .iter()
        .map(|host| (Role::Host, host.to_string()))
        .collect();
    for role in [Role::Host, Role::Client] {
        for name in folder.names(role)? {
            let name = (role, name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut entries: Vec<Entry> = authorities
        .iter()
        .map(|authority| known.authority(authority))
        .collect();
    for (role, name) in names {
        let who = Identity {
            cluster: cluster.to_string(),
            name,
            role,
        };
        let content = folder.read(&folder.certificate(&who))?;
        entries.push(known.holder(who, content.as_deref()));
    }
    Ok(entries)
}

/// What certificates are judged by.
struct Known<'a> {
    authorities: &'a [Authority],
    lists: &'a [List],
    now: Duration,
}

impl Known<'_> {
    fn authority(&self, authority: &Authority) -> Entry {
        Entry {
            name: authority.name().to_owned(),
            kind: Kind::Authority,
            not_after: Some(date(authority.facts.ends)),
            authority: None,
            state: self.age(authority.facts.ends),
        }
    }

    fn holder(&self, who: Identity, content: Option<&[u8]>) -> Entry {
        let entry = |state, facts: Option<&Facts>| Entry {
            name: who.name.clone(),
            kind: match who.role {
                Role::Host => Kind::Host,
                Role::Client => Kind::Client,
            },
            not_after: facts.map(|facts| date(facts.ends)),
            authority: facts
                .and_then(|facts| self.issuer(facts))
                .map(|authority| authority.name().to_owned()),
            state,
        };
        let Some(content) = content else {
            return entry(State::Missing, None);
        };
        let facts = CertificateDer::from_pem_slice(content)
            .ok()
            .and_then(|certificate| Facts::read(&certificate).ok());
        let Some(facts) = facts.filter(|facts| facts.identity.as_ref() == Some(&who)) else {
            return entry(State::Unusable, None);
        };
        let is_revoked = |list: &List| list.has(&facts.issuer, &facts.serial);
        let state = if self.issuer(&facts).is_none() {
            State::Untrusted
        } else if self.lists.iter().any(is_revoked) {
            State::Revoked
        } else {
            self.age(facts.ends)
        };
        entry(state, Some(&facts))
    }

    fn age(&self, ends: Duration) -> State {
        if ends < self.now {
            State::Ended
        } else if ends < self.now.saturating_add(WARN_BEFORE) {
            State::EndsSoon
        } else {
            State::Good
        }
    }

    fn issuer(&self, facts: &Facts) -> Option<&Authority> {
        self.authorities
            .iter()
            .find(|authority| authority.facts.subject == facts.issuer)
    }
}
