//! `bookshop-host swap`, `rollback` and `versions`: one service's component, replaced while the cluster serves.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::apply::{Proposal, WITHIN, taking};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style, short_digest};
use crate::cli::table::{Cell, Table};
use crate::component;
use crate::config::{ServiceName, duration};
use crate::control::difference::Losses;
use crate::control::registry::{Component, Outcome, Value};
use crate::os::Os;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Swap {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// Its new component
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub struct Versions {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
struct How {
    /// How long to wait until all hosts run it
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = duration::parse)]
    wait: Duration,
    /// Do not wait until hosts run it
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Swapped<'a> {
    service: &'a str,
    before: &'a str,
    after: &'a str,
    /// The revision of the cluster's state; none if it ran that already.
    revision: Option<u64>,
}

/// A component that a service had for some revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Version {
    digest: String,
    bytes: u64,
    /// The first revision that had it.
    revision: u64,
    /// Who put it in force.
    by: String,
    at_ms: u64,
    /// Whether it is in force.
    is_current: bool,
    /// Why hosts could not run it.
    failures: Vec<String>,
}

impl Swap {
    /// Puts the component in force for the service, and waits until all hosts run it.
    ///
    /// # Errors
    /// It is none, no host answers, it is refused, or a host cannot run it; then the others keep what they run.
    pub async fn run(self, os: &Os) -> Result<(), Failure> {
        let bytes = os.disk.read(&self.file);
        let bytes = bytes.map_err(|error| {
            Failure::usage(format!("cannot read {}: {error}", self.file.display()))
        })?;
        component::check_header(&self.file, &bytes).map_err(|error| Failure::operation(&error))?;
        let (_, current) = in_force(&self.how.admin, os).await?;
        let component = Component {
            service: self.service.to_string(),
            digest: component::digest(&bytes),
            bytes: bytes.len() as u64,
        };
        replace(&current, component, Some(self.file), &self.how, os).await
    }
}

impl Rollback {
    /// Puts the component that the service had before in force again.
    ///
    /// # Errors
    /// There was none, or as for [`Swap::run`].
    pub async fn run(self, os: &Os) -> Result<(), Failure> {
        let (state, current) = in_force(&self.how.admin, os).await?;
        let versions = versions(&state, self.service.as_str(), &self.how.admin, os).await?;
        let Some(before) = versions.iter().find(|version| !version.is_current) else {
            return Err(Failure::failed(format!(
                "{} had no other component in the revisions that are kept; `bookshop-host versions {0}` lists them",
                self.service
            )));
        };
        let component = Component {
            service: self.service.to_string(),
            digest: before.digest.clone(),
            bytes: before.bytes,
        };
        replace(&current, component, None, &self.how, os).await
    }
}

impl Versions {
    /// Lists the components that the service has and had.
    ///
    /// # Errors
    /// There is no such service, or no host answers.
    pub async fn run(self, os: &Os) -> Result<(), Failure> {
        let (state, current) = in_force(&self.admin, os).await?;
        of(&current, self.service.as_str())?;
        let versions = versions(&state, self.service.as_str(), &self.admin, os).await?;
        if self.json {
            return Ok(output::json(&versions)?);
        }
        let now_ms = u64::try_from(os.clock.wall().as_millis()).unwrap_or(u64::MAX);
        Ok(output::line(&table(&versions, now_ms, Style::of_stdout()))?)
    }
}

/// The state of the cluster, and what is in force.
async fn in_force(admin: &Admin, os: &Os) -> Result<(ControlPart, Value), Failure> {
    let mut state: ControlPart = admin.get(os, "/v1/control", WITHIN).await?;
    match state.current.take() {
        Some(current) => Ok((state, current)),
        None => Err(Failure::failed(
            "the cluster's state has no first value yet; `bookshop-host logs host` says why, if it takes longer than an election",
        )),
    }
}

/// The component of a service.
fn of<'a>(value: &'a Value, service: &str) -> Result<&'a Component, Failure> {
    let found = value.components.iter().find(|it| it.service == service);
    found.ok_or_else(|| {
        let known: Vec<&str> = value
            .components
            .iter()
            .map(|it| it.service.as_str())
            .collect();
        Failure::usage(format!(
            "no service {service} in the cluster file in force; it has {}",
            known.join(", ")
        ))
    })
}

async fn replace(
    current: &Value,
    component: Component,
    file: Option<PathBuf>,
    how: &How,
    os: &Os,
) -> Result<(), Failure> {
    let (service, digest) = (component.service.clone(), component.digest.clone());
    let before = of(current, &service)?.digest.clone();
    let mut swapped = Swapped {
        service: &service,
        before: &before,
        after: &digest,
        revision: None,
    };
    if before == digest {
        if how.json {
            return Ok(output::json(&swapped)?);
        }
        let line = format!(
            "{service} has this component already ({})",
            short_digest(&digest)
        );
        return Ok(output::line(&line)?);
    }
    let proposal = Proposal::with_component(current.clone(), component, file)?;
    let changes = proposal.changes(current, Losses::Refused)?;
    let config = proposal.config.clone();
    proposal.hand_over(&how.admin, os).await?;
    let put = proposal.put_in_force(current.revision, &changes, Losses::Refused, &how.admin, os);
    let revision = put.await?;
    swapped.revision = Some(revision);
    if how.json {
        output::json(&swapped)?;
    } else {
        let (before, after) = (short_digest(&before), short_digest(&digest));
        output::line(&format!(
            "{service}: {before} → {after}, revision {revision} is in force"
        ))?;
    }
    if how.no_wait {
        return Ok(());
    }
    taking::wait(&config, revision, how.wait, &how.admin, os).await
}

/// The components that a service has and had in the revisions that are kept, the newest first.
async fn versions(
    state: &ControlPart,
    service: &str,
    admin: &Admin,
    os: &Os,
) -> Result<Vec<Version>, Failure> {
    let mut versions: Vec<Version> = Vec::new();
    for (place, entry) in state.history.iter().filter(|it| it.has_config).enumerate() {
        let path = format!("/v1/control/revisions/{}", entry.revision);
        let value: Value = admin.get(os, &path, WITHIN).await?;
        let Some(component) = value.components.iter().find(|it| it.service == service) else {
            continue;
        };
        let failures = state.standings.iter().filter_map(|standing| {
            let is_its = standing.revision == entry.revision;
            match &standing.outcome {
                Outcome::Failed(reason) if is_its => Some(format!("{}: {reason}", standing.host)),
                Outcome::Failed(_) | Outcome::Running => None,
            }
        });
        let version = Version {
            digest: component.digest.clone(),
            bytes: component.bytes,
            revision: entry.revision,
            by: entry.applied_by.clone(),
            at_ms: entry.applied_at_ms,
            is_current: place == 0,
            failures: failures.collect(),
        };
        match versions.last_mut() {
            // The older revision is the one in which it came.
            Some(newer) if newer.digest == version.digest => {
                newer.failures.extend(version.failures);
                newer.revision = version.revision;
                newer.by = version.by;
                newer.at_ms = version.at_ms;
            }
            _ => versions.push(version),
        }
    }
    Ok(versions)
}

fn table(versions: &[Version], now_ms: u64, style: Style) -> String {
    let mut table = Table::new(&[">REVISION", "SHA-256", ">SIZE", "BY", "WHEN", "STATE"]);
    for version in versions {
        let state = match (version.failures.as_slice(), version.is_current) {
            ([], true) => Cell::new(Paint::Good, "in force"),
            ([], false) => "before".into(),
            (failures, _) => Cell::new(Paint::Bad, format!("failed on {}", failures.join("; "))),
        };
        let seconds = now_ms.saturating_sub(version.at_ms) / 1_000;
        table.row([
            version.revision.to_string().into(),
            short_digest(&version.digest).into(),
            output::size(version.bytes).into(),
            version.by.as_str().into(),
            format!("{} ago", output::uptime(seconds)).into(),
            state,
        ]);
    }
    table.lines(style).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn versions_are_a_table_with_what_became_of_each() {
        let version = |digest: &str, revision, is_current, failures: &[&str]| Version {
            digest: digest.repeat(32),
            bytes: 2048,
            revision,
            by: "ann".into(),
            at_ms: revision * 1_000,
            is_current,
            failures: failures.iter().map(|it| (*it).to_owned()).collect(),
        };
        let versions = [
            version("ab", 4, true, &[]),
            version("cd", 3, false, &["beta: it exports no function check"]),
            version("ef", 1, false, &[]),
        ];
        expect![[r"
            REVISION  SHA-256          SIZE  BY   WHEN     STATE
                   4  abababababab  2.0 KiB  ann  6 s ago  in force
                   3  cdcdcdcdcdcd  2.0 KiB  ann  7 s ago  failed on beta: it exports no function check
                   1  efefefefefef  2.0 KiB  ann  9 s ago  before"]]
        .assert_eq(&table(&versions, 10_000, Style::PLAIN));
    }
}
