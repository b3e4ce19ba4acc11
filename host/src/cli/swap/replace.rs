//! Another component for a service: asked for, put in force, and waited for.

use super::{How, of, rollout};
use crate::cli::apply::Proposal;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::component::{Digest, short_digest};
use crate::control::difference::Losses;
use crate::control::registry::{Component, Value};
use crate::os::Os;
use serde::Serialize;
use std::path::PathBuf;

/// What was done.
#[derive(Debug, Serialize)]
struct Swapped<'a> {
    service: &'a str,
    before: &'a str,
    after: &'a str,
    /// The share of the calls that the new one gets first; none if it gets all.
    percent: Option<u32>,
    /// The revision of the cluster's state; none if nothing was done.
    revision: Option<u64>,
}

/// Puts `component` in force in `value`, which is what `base` says, perhaps with more grants.
///
/// # Errors
/// No host answers, it is refused, or a host cannot run it or sees that it is worse.
pub async fn replace(
    base: &Value,
    value: Value,
    component: Component,
    file: Option<(Digest, PathBuf)>,
    how: &How,
    is_dry_run: bool,
    os: &Os,
) -> Result<(), Failure> {
    let service = component.service.clone();
    let before = of(base, &service)?.clone();
    let newest = component.named().last();
    let digest = newest.map_or_else(|| component.digest.clone(), |newest| newest.digest);
    let is_granted = value.config != base.config;
    let mut swapped = Swapped {
        service: &service,
        before: &before.digest,
        after: &digest,
        percent: component.canary.as_ref().map(|canary| canary.percent),
        revision: None,
    };
    if before == component && !is_granted {
        let line = format!(
            "{service} has this component already ({})",
            short_digest(&digest)
        );
        return said(how, &swapped, &line);
    }
    let (old, new) = (short_digest(&before.digest), short_digest(&digest));
    let proposal = Proposal::with_component(value, component.clone(), file)?;
    let in_file = proposal.config.service(&service);
    let is_replicated = in_file.is_some_and(|it| it.replicated.is_some());
    if component.canary.is_some() && is_replicated {
        return Err(Failure::usage(format!(
            "the state of {service} is replicated, and whoever leads executes all its commands; swap it without --canary"
        )));
    }
    let changes = proposal.changes(base, Losses::Refused)?;
    proposal.check_fits(base, &how.admin, os).await?;
    if is_dry_run {
        let line = format!("{service}: {old} → {new} can be done; nothing was changed");
        return said(how, &swapped, &line);
    }
    let config = proposal.config.clone();
    let put = proposal.put_in_force(base.revision, &changes, Losses::Refused, &how.admin, os);
    let revision = put.await?;
    swapped.revision = Some(revision);
    let line = match (swapped.percent, &before.canary) {
        (Some(percent), _) => format!(
            "{service}: {new} gets {percent} % of the calls, {old} the others, revision {revision} is in force"
        ),
        (None, Some(canary)) if before.digest == digest => format!(
            "{service}: {} gets no calls any more, revision {revision} is in force",
            short_digest(&canary.digest)
        ),
        (None, _) => format!("{service}: {old} → {new}, revision {revision} is in force"),
    };
    said(how, &swapped, &line)?;
    match &component.canary {
        Some(canary) if how.waiting.is_wanted() => {
            rollout::wait(&config, &service, canary, revision, how, os).await
        }
        Some(_) | None => how.waiting.wait(&config, revision, &how.admin, os).await,
    }
}

fn said(how: &How, swapped: &Swapped<'_>, line: &str) -> Result<(), Failure> {
    if how.json {
        return Ok(output::json(swapped)?);
    }
    Ok(output::line(line)?)
}
