//! What could not run, found without running it.

use super::{Command, Options, Owner, Supervisor, SupervisorError};
use crate::config::Pinned;
use crate::dispatch::ServiceId;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Loads and links every service, also those of other hosts, and runs none; returns those that cannot be, with the reasons.
///
/// # Errors
/// As for [`start`].
pub async fn rehearse(options: Options) -> wasmtime::Result<Vec<(Arc<str>, String)>> {
    let mut owner = Owner::new(options)?;
    let mut failed: BTreeMap<ServiceId, String> = BTreeMap::new();
    for (id, result) in owner.load_all().await {
        failed.extend(result.err().map(|reason| (id, reason)));
    }
    for (id, reason) in owner.misfits() {
        failed.entry(id).or_insert(reason);
    }
    let named = |(id, reason)| (owner.name(id), reason);
    Ok(failed.into_iter().map(named).collect())
}

impl Supervisor {
    /// Whether [`Supervisor::swap`] would do it. Nothing changes.
    ///
    /// # Errors
    /// As for that.
    pub async fn fits(&self, service: &str, component: Pinned) -> Result<(), SupervisorError> {
        self.send(|reply| Command::Fits(service.to_owned(), component, reply))
            .await
    }

    /// Services of this host or others that cannot be linked to what is loaded here now.
    ///
    /// # Errors
    /// [`SupervisorError::Stopping`].
    pub async fn misfits(&self) -> Result<Vec<Arc<str>>, SupervisorError> {
        let (reply, done) = oneshot::channel();
        let sent = self.commands.send(Command::Misfits(reply)).await;
        sent.map_err(|_| SupervisorError::Stopping)?;
        done.await.map_err(|_| SupervisorError::Stopping)
    }
}
