//! Watches a canary get its shares, one after the other.

use super::How;
use crate::admin::registry::ControlPart;
use crate::admin::status::CanaryPart;
use crate::cli::apply::WITHIN;
use crate::cli::failure::Failure;
use crate::component::short_digest;
use crate::config::Config;
use crate::control::registry::{BY_HOST, Canary};
use crate::os::clock::sleep;
use crate::os::{Os, console};
use serde::Deserialize;
use std::time::Duration;

/// How often the cluster is asked.
const POLL: Duration = Duration::from_millis(500);

/// What `status` says, as far as it is of interest here.
#[derive(Debug, Deserialize)]
struct Status {
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    canary: Option<CanaryPart>,
}

/// Returns once the canary, which `revision` gives its first share, has the last of them on all hosts.
///
/// # Errors
/// It was withdrawn, and why; or hosts do not get further in time.
pub async fn wait(
    config: &Config,
    service: &str,
    canary: &Canary,
    revision: u64,
    how: &How,
    os: &Os,
) -> Result<(), Failure> {
    let (clock, short) = (os.clock.as_ref(), short_digest(&canary.digest));
    let shares = u32::try_from(canary.then.len()).unwrap_or(u32::MAX);
    let takes = Duration::from_millis(canary.every_ms).saturating_mul(shares);
    let until = clock
        .monotonic()
        .saturating_add(takes)
        .saturating_add(how.waiting.patience());
    let last = canary.then.last().copied().unwrap_or(canary.percent);
    let mut told = None;
    loop {
        // A host that restarts does not answer for a moment.
        let state: Result<ControlPart, Failure> = how.admin.get(os, "/v1/control", WITHIN).await;
        if let Ok(state) = state
            && let Some(current) = &state.current
            && current.revision >= revision
        {
            let component = current.components.iter().find(|it| it.service == service);
            let component = component
                .ok_or_else(|| Failure::failed(format!("{service} was removed meanwhile")))?;
            let share = match &component.canary {
                Some(now) if now.digest == canary.digest => now.percent,
                None if component.digest == canary.digest => 100,
                Some(_) | None => return Err(withdrawn(&state, service, revision)),
            };
            if share == last {
                let waited = how.waiting.wait(config, current.revision, &how.admin, os);
                waited.await?;
                return Ok(());
            }
            if let Some(split) = split(service, how, os).await
                && split.calls > 0
                && told != Some((split.percent, split.calls, split.stable_calls))
            {
                console::line(&format!(
                    "{service}: {short} with {} %: {} calls, {} failed; beside it {} calls, {} failed",
                    split.percent,
                    split.calls,
                    split.errors,
                    split.stable_calls,
                    split.stable_errors
                ));
                told = Some((split.percent, split.calls, split.stable_calls));
            }
        }
        if clock.monotonic() >= until {
            return Err(Failure::failed(format!(
                "the canary {short} of {service} does not get further; `bookshop-host control` shows how far hosts are"
            )));
        }
        sleep(clock, POLL).await;
    }
}

/// Why there is no canary any more.
fn withdrawn(state: &ControlPart, service: &str, revision: u64) -> Failure {
    let newer = state.history.iter().filter(|it| it.revision > revision);
    let mut by_hosts = newer.filter(|it| it.applied_by.starts_with(BY_HOST));
    let said = by_hosts.find(|it| it.summary.starts_with(&format!("{service}: ")));
    let reason = said.map_or_else(
        || format!("{service}: somebody put something else in force meanwhile"),
        |entry| entry.summary.clone(),
    );
    Failure::failed(reason)
}

async fn split(service: &str, how: &How, os: &Os) -> Option<CanaryPart> {
    let status: Status = how.admin.get(os, "/v1/status", WITHIN).await.ok()?;
    let mut services = status.services.into_iter();
    services.find(|it| it.name == service)?.canary
}
