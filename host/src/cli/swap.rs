//! `bookshop-host swap`, `rollback` and `versions`: one service's component, replaced while the cluster serves.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::apply::{WITHIN, Waiting};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Style};
use crate::component;
use crate::config::{ServiceName, duration};
use crate::control::registry::{Canary, Component, Value};
use crate::os::Os;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

mod grant;
mod replace;
mod rollout;
mod versions;

use replace::replace;
use versions::{Version, table, versions};

#[derive(Debug, Args)]
pub struct Swap {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// Its new component
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Give it these shares of the calls, one after the other, and take it back if it is worse than the one in force; 100% ends the trial
    #[arg(long, value_name = "SHARES", value_delimiter = ',', value_parser = percent)]
    canary: Vec<u32>,
    /// How long each share holds
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse, requires = "canary")]
    every: Duration,
    /// Add this line to the service's section, since the component needs more than the one in force; may be repeated
    #[arg(long, value_name = "LINE", conflicts_with = "canary")]
    grant: Vec<String>,
    /// Only say whether it could be swapped
    #[arg(long, conflicts_with = "grant")]
    dry_run: bool,
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
    #[command(flatten)]
    waiting: Waiting,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Swap {
    /// Puts the component in force for the service, and waits until all hosts run it.
    ///
    /// # Errors
    /// It is none, no host answers, it is refused, or a host cannot run it or sees that it is worse; then all keep what they run.
    pub async fn run(self, os: &Os) -> Result<(), Failure> {
        let bytes = os.disk.read(&self.file);
        let bytes = bytes.map_err(|error| {
            Failure::usage(format!("cannot read {}: {error}", self.file.display()))
        })?;
        component::check_header(&self.file, &bytes).map_err(|error| Failure::operation(&error))?;
        let (_, mut current) = in_force(&self.how.admin, os).await?;
        let before = of(&current, self.service.as_str())?.clone();
        let (digest, bytes) = (component::digest(&bytes), bytes.len() as u64);
        let file = Some((digest.clone(), self.file));
        let component = match self.canary.split_first() {
            None => Component {
                digest,
                bytes,
                canary: None,
                ..before
            },
            Some((percent, then)) => Component {
                canary: Some(Canary {
                    digest,
                    bytes,
                    percent: *percent,
                    then: then.to_vec(),
                    every_ms: u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX),
                }),
                ..before
            },
        };
        check_shares(&self.canary)?;
        let base = current.clone();
        for line in &self.grant {
            current.config = grant::add(&current.config, self.service.as_str(), line)?;
        }
        replace(&base, current, component, file, &self.how, self.dry_run, os).await
    }
}

/// `25%`, or `25`.
fn percent(text: &str) -> Result<u32, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let number: Option<u32> = number.parse().ok();
    let number = number.filter(|number| (1..=100).contains(number));
    number.ok_or_else(|| "a share is 1% to 100%".into())
}

fn check_shares(shares: &[u32]) -> Result<(), Failure> {
    if shares.first() == Some(&100) {
        return Err(Failure::usage(
            "all calls from the beginning are no trial; leave --canary out",
        ));
    }
    match shares.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(Failure::usage(format!(
            "shares grow: {}% comes after {}%",
            pair[1], pair[0]
        ))),
        None => Ok(()),
    }
}

impl Rollback {
    /// Puts the component that the service had before in force again.
    ///
    /// # Errors
    /// There was none, or as for [`Swap::run`].
    pub async fn run(self, os: &Os) -> Result<(), Failure> {
        let (state, current) = in_force(&self.how.admin, os).await?;
        let in_force = of(&current, self.service.as_str())?.clone();
        let component = if in_force.canary.is_some() {
            // The one in force is the one before.
            Component {
                canary: None,
                ..in_force
            }
        } else {
            let versions = versions(&state, self.service.as_str(), &self.how.admin, os).await?;
            // What hosts could not run, or took back, is not what anybody wants again.
            let is_good = |it: &&Version| it.was_in_force && it.failures.is_empty();
            let mut others = versions.iter().filter(|it| it.digest != in_force.digest);
            let Some(before) = others.find(is_good) else {
                return Err(Failure::failed(format!(
                    "{} had no other component in the revisions that are kept; `bookshop-host versions {0}` lists them",
                    self.service
                )));
            };
            Component {
                digest: before.digest.clone(),
                bytes: before.bytes,
                ..in_force
            }
        };
        let base = current.clone();
        replace(&base, current, component, None, &self.how, false, os).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shares(text: &str, expected: Result<&[u32], &str>) {
        let read: Result<Vec<u32>, String> = text.split(',').map(percent).collect();
        let checked = read.and_then(|shares| match check_shares(&shares) {
            Ok(()) => Ok(shares),
            Err(failure) => Err(failure.messages().join("; ")),
        });
        match (checked, expected) {
            (Ok(shares), Ok(expected)) => assert_eq!(shares, expected),
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
            (checked, _) => panic!("{checked:?}"),
        }
    }

    #[test]
    fn shares_are_percentages_that_grow() {
        shares("5%,25%,100%", Ok(&[5, 25, 100]));
        shares("5, 50", Ok(&[5, 50]));
        shares("0%", Err("a share is 1% to 100%"));
        shares("101%", Err("a share is 1% to 100%"));
        shares("few", Err("a share is 1% to 100%"));
        shares("25%,5%", Err("shares grow: 5% comes after 25%"));
        shares("100%", Err("leave --canary out"));
    }
}
