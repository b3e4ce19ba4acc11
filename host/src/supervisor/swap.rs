//! Another component in the place of one that serves.
//!
//! Everything that can fail is done before anything changes: the new component is loaded, and it and every service that calls it are linked
//! as if it were in place. Then calls that come find the new version, and calls under way finish on the old one, whose code goes with the last.

use super::{Owner, SupervisorError};
use crate::component::Loaded;
use crate::config::Pinned;
use crate::dispatch::ServiceId;
use crate::services::{ServiceTypes, State};
use crate::version::Version;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Owner {
    /// Puts `component` in the place of what `service` runs, or would run.
    pub(super) async fn swap(
        &mut self,
        service: &str,
        component: Pinned,
    ) -> Result<(), SupervisorError> {
        let services = Arc::clone(&self.options.services);
        let slot = services.find(service);
        let slot = slot.ok_or_else(|| SupervisorError::Unknown(service.to_owned()))?;
        let id = slot.service.id;
        let loaded = self.fitting(service, &component).await?;
        self.pins.insert(id, component);
        let functions = loaded.exports(&self.options.engine);
        slot.set_types(ServiceTypes::new(&slot.service.name, functions));
        self.loaded.insert(id, loaded);
        let old = slot.running();
        let is_stopped = matches!(&*slot.state(), State::Stopped | State::Stopping);
        // One that an operator has stopped begins with the new component when it is started.
        if !is_stopped {
            let linked = self.link(id);
            let migrates = |version: &Version| version.migration.is_some();
            let is_migrated = matches!(&linked, Ok(Some(version)) if migrates(version));
            // Queries see states in the old form until the new version leads and has migrated them.
            slot.set_former(old.clone().filter(|_| is_migrated && slot.group.is_some()));
            self.settle(id, linked);
        }
        slot.set_canary(None);
        if let Some(old) = old {
            old.idle.clear();
        }
        Ok(())
    }

    /// A component that could take the place of what `service` runs: everything that can be linked now could be linked with it. Nothing has changed.
    pub(super) async fn fitting(
        &mut self,
        service: &str,
        component: &Pinned,
    ) -> Result<Loaded, SupervisorError> {
        let refused = |reason: String| SupervisorError::NotSwapped {
            service: service.to_owned(),
            reason,
        };
        let slot = self.options.services.find(service);
        let slot = slot.ok_or_else(|| SupervisorError::Unknown(service.to_owned()))?;
        let id = slot.service.id;
        let loaded = self.load_pinned(component).await.map_err(refused)?;
        let (loaded, after) = self.as_if_loaded(id, loaded, |owner| owner.misfits());
        // What could not be linked before is no reason; nearly always there is nothing to ask that for.
        let before = match after.is_empty() {
            true => BTreeMap::new(),
            false => self.misfits(),
        };
        let misfit = after.into_iter().find(|(id, _)| !before.contains_key(id));
        match (misfit, loaded) {
            (None, Some(loaded)) => Ok(loaded),
            (Some((_, reason)), _) => Err(refused(reason)),
            (None, None) => Err(refused("it is not loaded".into())),
        }
    }

    /// What comes of something if a service had this code; it is given back.
    pub(super) fn as_if_loaded<T>(
        &mut self,
        id: ServiceId,
        loaded: Loaded,
        act: impl FnOnce(&mut Self) -> T,
    ) -> (Option<Loaded>, T) {
        let before = self.loaded.insert(id, loaded);
        let done = act(self);
        let loaded = match before {
            Some(before) => self.loaded.insert(id, before),
            None => self.loaded.remove(&id),
        };
        (loaded, done)
    }

    pub(super) async fn load_pinned(&self, component: &Pinned) -> Result<Loaded, String> {
        let loaded = self.load_file(&component.path).await?;
        match loaded.digest == component.digest {
            true => Ok(loaded),
            false => Err(format!(
                "{} is damaged; it is fetched again from another host",
                component.path.display()
            )),
        }
    }

    /// Services that cannot be linked to what is loaded now, placed here or not, and why: a host must not change what others could not call.
    pub(super) fn misfits(&self) -> BTreeMap<ServiceId, String> {
        let ids = self.options.services.iter().map(|slot| slot.service.id);
        let exporters = self.exporters();
        ids.filter_map(|id| Some((id, self.linked_to(id, &exporters).err()?)))
            .collect()
    }
}
