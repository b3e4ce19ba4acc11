//! Another component in the place of one that serves.
//!
//! Everything that can fail is done before anything changes: the new component is loaded, and it and every service that calls it are linked
//! as if it were in place. Then calls that come find the new version, and calls under way finish on the old one, whose code goes with the last.

use super::{Owner, SupervisorError};
use crate::component::Loaded;
use crate::config::Pinned;
use crate::dispatch::ServiceId;
use crate::services::{ServiceTypes, State};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Owner {
    /// Puts `component` in the place of what `service` runs, or would run.
    pub(super) async fn swap(
        &mut self,
        service: &str,
        component: Pinned,
    ) -> Result<(), SupervisorError> {
        let refused = |reason: String| SupervisorError::NotSwapped {
            service: service.to_owned(),
            reason,
        };
        let services = Arc::clone(&self.options.services);
        let slot = services.find(service);
        let slot = slot.ok_or_else(|| SupervisorError::Unknown(service.to_owned()))?;
        let id = slot.service.id;
        let loaded = self.load_pinned(&component).await.map_err(refused)?;
        let misfits = self.misfits();
        let before = self.loaded.insert(id, loaded);
        let mut after = self.misfits().into_iter();
        if let Some((_, reason)) = after.find(|(id, _)| !misfits.contains_key(id)) {
            match before {
                Some(before) => self.loaded.insert(id, before),
                None => self.loaded.remove(&id),
            };
            return Err(refused(reason));
        }
        self.pins.insert(id, component);
        if let Some(loaded) = self.loaded.get(&id) {
            let functions = loaded.exports(&self.options.engine);
            slot.set_types(ServiceTypes::new(&slot.service.name, functions));
        }
        let old = slot.running();
        let is_stopped = matches!(&*slot.state(), State::Stopped | State::Stopping);
        // One that an operator has stopped begins with the new component when it is started.
        if !is_stopped {
            let linked = self.link(id);
            self.settle(id, linked);
        }
        if let Some(old) = old {
            old.idle.clear();
        }
        Ok(())
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
        ids.filter_map(|id| Some((id, self.linked(id).err()?)))
            .collect()
    }
}
