//! A second component of a service beside the one in force.

use super::{Command, Owner, Supervisor, SupervisorError};
use crate::config::Pinned;
use crate::services::canary::{Canary, Sides};
use std::sync::Arc;

impl Supervisor {
    /// Gives a component a share of a service's calls, in percent, or another share than it has; with none, the one in force gets all calls again.
    /// Where the service does not run, nothing changes.
    ///
    /// # Errors
    /// As for [`Supervisor::swap`]; and a service whose state is replicated and a daemon have no share to give.
    pub async fn canary(
        &self,
        service: &str,
        canary: Option<(Pinned, u32)>,
    ) -> Result<(), SupervisorError> {
        self.send(|reply| Command::Canary(service.to_owned(), canary, reply))
            .await
    }
}

impl Owner {
    pub(super) async fn canary(
        &mut self,
        service: &str,
        canary: Option<(Pinned, u32)>,
    ) -> Result<(), SupervisorError> {
        let services = Arc::clone(&self.options.services);
        let slot = services.find(service);
        let slot = slot.ok_or_else(|| SupervisorError::Unknown(service.to_owned()))?;
        let Some((component, percent)) = canary else {
            slot.set_canary(None);
            return Ok(());
        };
        let refused = |reason: &str| SupervisorError::NotSwapped {
            service: service.to_owned(),
            reason: reason.to_owned(),
        };
        if slot.service.config.replicated.is_some() {
            return Err(refused(
                "its state is replicated, and whoever leads executes all its commands; swap it without a canary",
            ));
        }
        let current = slot.canary();
        if let Some(current) = current.filter(|it| it.version.digest == component.digest) {
            slot.set_canary(Some(Canary {
                version: Arc::clone(&current.version),
                percent,
                sides: Arc::clone(&current.sides),
            }));
            return Ok(());
        }
        let id = slot.service.id;
        let loaded = self.fitting(service, &component).await?;
        // Callers are linked to what is in force.
        let (_, linked) = self.as_if_loaded(id, loaded, |owner| owner.link(id));
        let Some(version) = linked.map_err(|reason| refused(&reason))? else {
            return Ok(());
        };
        if version.run.is_some() {
            return Err(refused(
                "it is a daemon, and would run twice; swap it without a canary",
            ));
        }
        slot.set_canary(Some(Canary {
            version: Arc::new(version),
            percent,
            sides: Arc::new(Sides::default()),
        }));
        Ok(())
    }
}
