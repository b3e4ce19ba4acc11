//! State that another version wrote is made its own by the version that leads, before somebody asks it for something.

use crate::call_error::CallError;
use crate::config::Config;
use crate::dispatch::{FunctionName, ServiceId};
use crate::envelope::Envelope;
use crate::groups::GroupHandle;
use crate::groups::handle::Command;
use crate::os::Os;
use crate::os::clock::{sleep, timeout_at};
use crate::services::{Services, Slot};
use crate::telemetry::Log;
use crate::version::Version;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::Val;

/// How often services are looked at: what queries wait at most where nothing reads the state as it is, besides the migration itself. Commands do not wait.
const LOOK: Duration = Duration::from_millis(50);
/// How often at most a replica that cannot go on with the state lets another one lead. Where none can, they must not do nothing else.
const HAND_OVER: Duration = Duration::from_secs(1);
/// Who calls, as the component sees it.
const CALLER: &str = "host";

/// The task's means.
pub struct Migrator {
    /// Bounds its commands.
    pub config: Arc<Config>,
    /// What runs here.
    pub services: Arc<Services>,
    /// Where to report.
    pub log: Log,
    /// The outside.
    pub os: Os,
}

impl Migrator {
    /// Looks at replicated services for as long as the host runs. What fails is tried again with the next look, and with each command.
    pub async fn run(self) {
        let clock = self.os.clock.as_ref();
        let mut hands_over_at: BTreeMap<ServiceId, Duration> = BTreeMap::new();
        loop {
            for slot in self.services.iter() {
                let (Some(version), Some(group)) = (slot.running(), &slot.group) else {
                    continue;
                };
                let Err(stuck) = self.look(slot, &version, group).await else {
                    continue;
                };
                let now = clock.monotonic();
                let at = hands_over_at.entry(slot.service.id).or_default();
                if now >= *at {
                    *at = now.saturating_add(HAND_OVER);
                    let line = format!("{stuck}; another replica is to lead");
                    self.log.warn(Some(&slot.service.name), &line);
                    // Another one's version may go on with it. One that has no other to hand over to waits for its own to be replaced.
                    let _ = group.hand_over().await;
                }
            }
            sleep(clock, LOOK).await;
        }
    }

    /// Why the replica here cannot go on with what it leads, if that is so.
    async fn look(
        &self,
        slot: &Slot,
        version: &Version,
        group: &GroupHandle,
    ) -> Result<(), String> {
        let Some(shown) = group.published().asked() else {
            return Ok(());
        };
        let form = shown.meta.form;
        if form == version.form && slot.former().is_some() {
            slot.set_former(None);
        }
        if !group.serves() {
            return Ok(());
        }
        if slot.writer(form).is_none() {
            return Err("its state is of a version that this host does not have".into());
        }
        match &version.migration {
            Some(name) if form != version.form => self.migrate(slot, Arc::clone(name), group).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn migrate(
        &self,
        slot: &Slot,
        function: Arc<FunctionName>,
        group: &GroupHandle,
    ) -> Result<(), String> {
        let limits = &slot.service.config.limits;
        let clock = self.os.clock.as_ref();
        let deadline = clock.monotonic().saturating_add(limits.time);
        let (reply, replied) = oneshot::channel();
        let entropy = self.os.entropy.as_ref();
        let hops_max = self.config.cluster.hops_max;
        let command = Command {
            function,
            types: None,
            arguments: vec![Val::Option(None)],
            envelope: Envelope::enter(entropy, &CALLER.into(), deadline, hops_max),
            permit: None,
            reply,
        };
        let answered = async {
            group.execute(command).await;
            replied.await
        };
        match timeout_at(clock, deadline, answered).await {
            Ok(Ok(Ok(_))) => {
                let line = "its state is of the version that runs now";
                self.log.info(Some(&slot.service.name), line);
                Ok(())
            }
            Ok(Ok(Err(
                error @ (CallError::Trapped { .. } | CallError::DeadlineExceeded { .. }),
            ))) => Err(format!(
                "what an older version wrote could not be migrated: {error}"
            )),
            // Another host leads now, or this one stops, or its disk is full.
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Ok(()),
        }
    }
}
