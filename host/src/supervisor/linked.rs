//! Services with their imports, as of what is loaded.

use super::{Owner, chain};
use crate::component::Loaded;
use crate::dispatch::ServiceId;
use crate::imports::CallState;
use crate::linker::{Exporter, Exporters};
use crate::version::Version;
use std::sync::Arc;
use wasmtime::component::InstancePre;

impl Owner {
    /// The code of a service with its imports, as of what is loaded now.
    pub(super) fn linked(
        &self,
        id: ServiceId,
    ) -> Result<(&Loaded, InstancePre<CallState>), String> {
        self.linked_to(id, &self.exporters())
    }

    /// The same, where what all services export is known.
    pub(super) fn linked_to(
        &self,
        id: ServiceId,
        exporters: &Exporters,
    ) -> Result<(&Loaded, InstancePre<CallState>), String> {
        let loaded = self.loaded.get(&id).ok_or("it is not loaded")?;
        let pre = self
            .linker
            .link(&self.slot(id).service.config, loaded, exporters)
            .map_err(|error| self.explain(&chain(&error)))?;
        Ok((loaded, pre))
    }

    /// What a service runs from now on; nothing if it is not placed here.
    pub(super) fn link(&mut self, id: ServiceId) -> Result<Option<Version>, String> {
        let exporters = self.exporters();
        self.link_to(id, &exporters)
    }

    /// The same, where what all services export is known.
    pub(super) fn link_to(
        &mut self,
        id: ServiceId,
        exporters: &Exporters,
    ) -> Result<Option<Version>, String> {
        let service = Arc::clone(&self.slot(id).service);
        if !service.config.is_placed_on(&self.options.host) {
            return Ok(None);
        }
        let (loaded, pre) = self.linked_to(id, exporters)?;
        let functions = loaded.exports(&self.options.engine);
        let digest = loaded.digest.clone();
        let ordinal = self.versions.get(&id).copied().unwrap_or(0) + 1;
        self.versions.insert(id, ordinal);
        let version = Version::new(service, digest, ordinal, pre, &functions);
        Ok(Some(version))
    }

    /// What all that is loaded exports.
    pub(super) fn exporters(&self) -> Exporters {
        let exporter = |(id, loaded): (&ServiceId, &Loaded)| {
            (
                *id,
                Exporter {
                    name: self.slot(*id).service.name.to_string(),
                    functions: loaded.exports(&self.options.engine),
                },
            )
        };
        self.loaded.iter().map(exporter).collect()
    }

    /// A missing exporter is often one that could not be loaded itself.
    fn explain(&self, reason: &str) -> String {
        let missing: Vec<&str> = self
            .options
            .services
            .iter()
            .filter(|slot| !self.loaded.contains_key(&slot.service.id))
            .map(|slot| &*slot.service.name)
            .collect();
        if missing.is_empty() {
            reason.to_owned()
        } else {
            format!("{reason} (could not be loaded: {})", missing.join(", "))
        }
    }
}
