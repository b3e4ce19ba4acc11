//! A component that makes the state of another one its own, tried on a copy of that state.

use super::{Owner, SupervisorError};
use crate::call_error::CallError;
use crate::component::short_digest;
use crate::config::Pinned;
use crate::dispatch::{Answer, Dispatch, Invocation};
use crate::envelope::Envelope;
use crate::os::clock::timeout;
use crate::pool;
use crate::replica::keyspace::MIGRATED;
use crate::replica::work::{Access, Work};
use crate::services::Slot;
use crate::version::{MIGRATION_INTERFACE, Version};
use std::sync::Arc;

/// Who calls, as the component sees it.
const CALLER: &str = "host";

/// Nobody: a command waits for nothing but its own state.
struct Nobody;

impl Dispatch for Nobody {
    fn dispatch(self: Arc<Self>, invocation: Invocation) -> Answer {
        Box::pin(std::future::ready(Err(CallError::Unavailable {
            service: invocation.function.to_string(),
            message: "nobody is called while a migration is tried".into(),
            maybe_executed: false,
        })))
    }
}

impl Owner {
    /// Whether a component could take the place of what `service` runs, its migration included.
    pub(super) async fn fits(
        &mut self,
        service: &str,
        component: &Pinned,
    ) -> Result<(), SupervisorError> {
        let loaded = self.fitting(service, component).await?;
        let services = Arc::clone(&self.options.services);
        let slot = services.find(service);
        let Some(slot) = slot.filter(|slot| slot.group.is_some()) else {
            return Ok(());
        };
        let (id, service) = (slot.service.id, Arc::clone(&slot.service));
        let (_, version) = self.as_if_loaded(id, loaded, |owner| {
            let (loaded, pre) = owner.linked(id)?;
            let functions = loaded.exports(&owner.options.engine);
            let digest = loaded.digest.clone();
            // It is no version that ever ran.
            Ok(Version::new(service, digest, 0, pre, &functions))
        });
        let tried = match version {
            Ok(version) => self.try_migration(slot, version).await,
            Err(reason) => Err(reason),
        };
        tried.map_err(|reason| SupervisorError::NotSwapped {
            service: slot.service.name.to_string(),
            reason,
        })
    }

    /// Whether a version can read the state that this host has of its service: has it migrate a copy, which is thrown away, if it can do that.
    async fn try_migration(&self, slot: &Slot, version: Version) -> Result<(), String> {
        let Some(group) = &slot.group else {
            return Ok(());
        };
        let limits = &slot.service.config.limits;
        let (clock, entropy) = (&self.options.os.clock, &self.options.os.entropy);
        let read = timeout(clock.as_ref(), limits.time, group.read()).await;
        let Ok(Ok(snapshot)) = read else {
            return match &version.migration {
                Some(_) => {
                    Err("its state cannot be read here now, to try its migration on a copy".into())
                }
                None => Ok(()),
            };
        };
        let migrated = snapshot.view.get(MIGRATED).ok().flatten();
        let Some(name) = version.migration.clone() else {
            return match migrated {
                Some(digest) => Err(format!(
                    "the state is in the form of version {}, and this one exports no {} to make it its own",
                    short_digest(&String::from_utf8_lossy(&digest)),
                    MIGRATION_INTERFACE
                )),
                None => Ok(()),
            };
        };
        let (view, meta) = (snapshot.view.clone(), snapshot.meta);
        let work = Work::new(
            view,
            meta,
            meta.time_ms,
            limits.storage_bytes,
            Access::Write,
        );
        let deadline = clock.monotonic().saturating_add(limits.time);
        let envelope = Envelope::enter(
            entropy.as_ref(),
            &CALLER.into(),
            deadline,
            self.options.config.cluster.hops_max,
        );
        let version = Arc::new(version);
        let tried = pool::command(&version, &name, envelope, &[], work, Arc::new(Nobody));
        match timeout(clock.as_ref(), limits.time, tried).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!(
                "its migration fails on a copy of the state: {error}"
            )),
            Err(_) => Err(format!(
                "its migration takes more than {} ms on a copy of the state; raise limits.time",
                limits.time.as_millis()
            )),
        }
    }
}
