//! Components on the disks of enough hosts: an entry of the cluster's state never names code that could be lost with one of them.

use crate::component::Digest;
use crate::config::Pinned;
use crate::control::registry::Component;
use crate::depot::{DepotError, SharedDepot};
use crate::os::task::{self, Task};
use crate::transport::components::{Carrier, CarryError};
use std::path::PathBuf;

/// A component is on too few hosts, or on none that can be reached.
#[derive(Debug, thiserror::Error)]
pub enum SpreadError {
    /// Somebody has to hand it to this host first.
    #[error(
        "its bytes are not on this host; apply the file with `bookshop-host apply`, which sends them"
    )]
    NotHere,
    /// Most hosts do not have it, and cannot be given it.
    #[error("its bytes are on {have} of {all} hosts, and have to be on more than half before they may be named; {}", .problems.join("; "))]
    Minority {
        /// Hosts that have it, this one too.
        have: usize,
        /// All hosts.
        all: usize,
        /// Why it is not on the others.
        problems: Vec<String>,
    },
    /// No other host has it, or can be asked.
    #[error("no host has its bytes; {}", .0.join("; "))]
    Nowhere(Vec<String>),
    /// The disk of this host does not do it.
    #[error(transparent)]
    Depot(#[from] DepotError),
}

/// The components of this host, and the ways to those of the others.
#[derive(Clone)]
pub struct Spread {
    depot: SharedDepot,
    carrier: Carrier,
}

impl Spread {
    /// Carries what `depot` has by `carrier`.
    #[must_use]
    pub fn new(depot: SharedDepot, carrier: Carrier) -> Self {
        Self { depot, carrier }
    }

    /// The components of this host.
    #[must_use]
    pub fn depot(&self) -> &SharedDepot {
        &self.depot
    }

    /// A component of this host, to be loaded.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Pinned {
        Pinned {
            path: self.depot.path(&digest),
            digest,
        }
    }

    /// Returns once a component of this host is on the disks of more than half of all hosts.
    ///
    /// # Errors
    /// See [`SpreadError`].
    pub async fn to_majority(&self, digest: &str) -> Result<(), SpreadError> {
        if !self.depot.has(digest).await? {
            return Err(SpreadError::NotHere);
        }
        let others: Vec<usize> = self.carrier.others().collect();
        let all = others.len() + 1;
        let (mut have, mut without, mut problems) = (1, Vec::new(), Vec::new());
        let asked = others.into_iter().map(|host| {
            let (carrier, digest) = (self.carrier.clone(), digest.to_owned());
            (
                host,
                task::spawn(async move { carrier.has(host, &digest).await }),
            )
        });
        for (host, asked) in asked.collect::<Vec<_>>() {
            match done(asked).await {
                Ok(true) => have += 1,
                Ok(false) => without.push(host),
                Err(error) => problems.push(self.said(host, &error)),
            }
        }
        if is_majority(have, all) {
            return Ok(());
        }
        let _room = self.depot.room().await?;
        let bytes = self.depot.read(digest).await?;
        let handed = without.into_iter().map(|host| {
            let (carrier, digest) = (self.carrier.clone(), digest.to_owned());
            let bytes = bytes.clone();
            let handed = async move { carrier.hand(host, &digest, bytes).await };
            (host, task::spawn(handed))
        });
        for (host, handed) in handed.collect::<Vec<_>>() {
            match done(handed).await {
                Ok(()) => have += 1,
                Err(error) => problems.push(self.said(host, &error)),
            }
        }
        if is_majority(have, all) {
            return Ok(());
        }
        Err(SpreadError::Minority {
            have,
            all,
            problems,
        })
    }

    /// Returns once this host has a component: from `file`, if that is the one, or else from another host.
    ///
    /// # Errors
    /// See [`SpreadError`].
    pub async fn obtain(
        &self,
        component: &Component,
        file: Option<PathBuf>,
    ) -> Result<(), SpreadError> {
        let digest = &component.digest;
        if self.depot.has(digest).await? {
            return Ok(());
        }
        if let Some(file) = file
            && self
                .depot
                .put_file(file)
                .await
                .is_ok_and(|put| put == *digest)
        {
            return Ok(());
        }
        let mut problems = Vec::new();
        for host in self.carrier.others() {
            let _room = self.depot.room().await?;
            match self.carrier.fetch(host, digest).await {
                Ok(Some(bytes)) => {
                    if self.depot.put(bytes).await? == *digest {
                        return Ok(());
                    }
                    problems.push(format!("{} sent another", self.carrier.name(host)));
                }
                Ok(None) => problems.push(format!("{} does not have it", self.carrier.name(host))),
                Err(error) => problems.push(self.said(host, &error)),
            }
        }
        Err(SpreadError::Nowhere(problems))
    }

    fn said(&self, host: usize, error: &CarryError) -> String {
        format!("{} {error}", self.carrier.name(host))
    }
}

fn is_majority(have: usize, all: usize) -> bool {
    have * 2 > all
}

async fn done<T>(task: Task<Result<T, CarryError>>) -> Result<T, CarryError> {
    task.await
        .unwrap_or_else(|ended| Err(CarryError::from(ended)))
}
