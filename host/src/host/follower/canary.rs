//! Canaries: what gets a share of a service's calls, whether it is worse than what is in force, and when its share grows.
//!
//! Each host compares what it has seen itself, and withdraws a canary at once for itself, and then for all. Shares grow by revisions that hosts apply: whoever
//! is first; so a rollout goes on whoever dies, and whoever is down takes up what is in force when it is back.

use super::{FollowError, Follower, Follows, POLL, watch};
use crate::component::short_digest;
use crate::control::registry::{Application, ApplyError, BY_HOST, Component, Value};
use crate::os::clock::sleep;
use crate::supervisor::chain;
use std::time::Duration;

/// How often canaries are compared: what is bad is to be withdrawn soon.
const LOOK: Duration = Duration::from_millis(100);

impl Follower {
    /// Gives canaries their share again in a process that begins.
    pub(super) async fn restore_canaries(&self) {
        let running = self.taken.taken.running();
        let components = running.map(|running| running.components.clone());
        for component in components.unwrap_or_default() {
            let Some(canary) = &component.canary else {
                continue;
            };
            let pinned = self.spread.pinned(canary.digest.clone());
            let share = Some((pinned, canary.percent));
            if let Err(error) = self.supervisor.canary(&component.service, share).await {
                let line = format!("its canary gets no calls on this host: {}", chain(&error));
                self.log.warn(Some(&component.service), &line);
            }
        }
    }

    /// Waits until the next look at what is in force, and compares canaries meanwhile.
    pub(super) async fn pause(&self, follows: &mut Follows) {
        let clock = self.os.clock.as_ref();
        let until = clock.monotonic().saturating_add(POLL);
        loop {
            let now = clock.monotonic();
            if now >= until {
                return;
            }
            let withdrawn = follows.is_withdrawn.len();
            self.compare_canaries(follows).await;
            if follows.is_withdrawn.len() > withdrawn {
                return;
            }
            sleep(clock, LOOK.min(until - now)).await;
        }
    }

    /// Withdraws canaries that are worse than what is in force beside them.
    async fn compare_canaries(&self, follows: &mut Follows) {
        for slot in self.services.iter() {
            let Some(canary) = slot.canary() else {
                continue;
            };
            let sides = (canary.sides.stable.totals(), canary.sides.canary.totals());
            let worse = watch::worse(sides.0, sides.1, &slot.service.config.swap);
            let Some(reason) = worse else { continue };
            let service = slot.service.name.to_string();
            let line = format!(
                "the canary {} is withdrawn: {reason}",
                short_digest(&canary.version.digest)
            );
            self.log.warn(Some(&service), &line);
            // It can only fail when the host stops.
            let _ = self.supervisor.canary(&service, None).await;
            let digest = canary.version.digest.clone();
            follows.is_withdrawn.insert(digest, reason);
        }
    }

    /// Tells the others of canaries that were withdrawn, and lets shares grow that have held for long enough.
    pub(super) async fn look_after_canaries(
        &self,
        follows: &mut Follows,
    ) -> Result<(), FollowError> {
        let Some(value) = self.taken.taken.running() else {
            return Ok(());
        };
        let now = self.os.clock.monotonic();
        let since = match follows.holds {
            Some((revision, since)) if revision == value.revision => since,
            Some(_) | None => {
                follows.holds = Some((value.revision, now));
                now
            }
        };
        // The same one may be tried again later, and another one in its place is not to blame.
        let canaries = || value.components.iter().filter_map(|it| it.canary.as_ref());
        let is_there = |digest: &String| canaries().any(|it| it.digest == *digest);
        follows.is_withdrawn.retain(|digest, _| is_there(digest));
        for component in &value.components {
            let Some(canary) = &component.canary else {
                continue;
            };
            let (service, short) = (&component.service, short_digest(&canary.digest));
            if let Some(reason) = follows.is_withdrawn.get(&canary.digest) {
                let stable = Component {
                    canary: None,
                    ..component.clone()
                };
                let why = format!(
                    "{service}: the canary {short} is withdrawn, since on {}: {reason}",
                    self.host
                );
                self.apply_change(value, stable, why).await?;
                return Ok(());
            }
            let every = Duration::from_millis(canary.every_ms);
            let Some(next) = component.next().filter(|_| now >= since + every) else {
                continue;
            };
            // Who has the turn is still on its way to this share.
            if self.registry.current_turn().await?.is_some() {
                continue;
            }
            let what = match &next.canary {
                Some(canary) => {
                    format!(
                        "{service}: the canary {short} gets {} % of the calls",
                        canary.percent
                    )
                }
                None => format!("{service}: {short}, which was the canary, gets all calls"),
            };
            self.apply_change(value, next, what).await?;
            return Ok(());
        }
        Ok(())
    }

    /// Puts a value in force that differs in one component. If something else is in force meanwhile, nothing happens: the next look sees it.
    async fn apply_change(
        &self,
        value: &Value,
        component: Component,
        summary: String,
    ) -> Result<(), FollowError> {
        let mut components = value.components.clone();
        for other in &mut components {
            if other.service == component.service {
                *other = component.clone();
            }
        }
        let application = Application {
            base: value.revision,
            config: value.config.clone(),
            components,
            by: format!("{BY_HOST}{}", self.host),
            summary,
        };
        self.propose(&application).await
    }

    /// Applies something for all hosts.
    pub(super) async fn propose(&self, application: &Application) -> Result<(), FollowError> {
        match self.registry.apply(application).await {
            Ok(_) | Err(ApplyError::Superseded(_) | ApplyError::Unchanged(_)) => Ok(()),
            Err(ApplyError::Registry(error)) => Err(error.into()),
            Err(error) => Err(FollowError::Own(error)),
        }
    }
}
