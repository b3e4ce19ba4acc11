//! `bookshop-host apply`: a cluster file takes the place of the one in force, after a look at what that changes.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::config::Config;
use crate::control::difference::{Change, Losses, Sign};
use crate::control::registry::Value;
use crate::os::{Os, console};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

pub mod edited;
mod proposal;
mod taking;

pub use proposal::Proposal;
pub use taking::Waiting;

/// The host asks the leader, who may have to be elected, several things.
pub const WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster file
    #[arg(value_name = "FILE", required_unless_present = "revision")]
    file: Option<PathBuf>,
    /// Put what was in force as this revision in force again, with the components of then
    #[arg(long, value_name = "N", conflicts_with = "file")]
    revision: Option<u64>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Lose what removed services keep
    #[arg(long)]
    accept_data_loss: bool,
    #[command(flatten)]
    waiting: Waiting,
    /// Print the changes and the revision as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// What was found, and done.
#[derive(Debug, Serialize)]
struct Applied<'a> {
    /// The revision that was compared with; 0 if there was none.
    base: u64,
    changes: &'a [Change],
    /// The revision that is in force now; none if nothing was applied.
    revision: Option<u64>,
}

/// Compares, asks, applies, and waits until the hosts run it.
///
/// # Errors
/// The file is wrong or changes what cannot be changed, a component is missing, no host answers, it refuses, or a host cannot run it.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let admin = &arguments.admin;
    let proposal = match (&arguments.file, arguments.revision) {
        (Some(file), _) => Proposal::read(file, os)?,
        (None, revision) => {
            let revision = revision.unwrap_or_default();
            let path = format!("/v1/control/revisions/{revision}");
            Proposal::again(admin.get(os, &path, WITHIN).await?)?
        }
    };
    let losses = if arguments.accept_data_loss {
        Losses::Accepted
    } else {
        Losses::Refused
    };
    let state: ControlPart = admin.get(os, "/v1/control", WITHIN).await?;
    let current = state.current.as_ref();
    let base = current.map_or(0, |value| value.revision);
    let changes = match current {
        Some(value) => proposal.changes(value, losses)?,
        None => Vec::new(),
    };
    let mut applied = Applied {
        base,
        changes: &changes,
        revision: None,
    };
    let config = proposal.config.clone();
    if !arguments.json {
        let lines = lines(&changes, &config, current, Style::of_stdout());
        output::line(&lines.join("\n"))?;
    }
    if !arguments.dry_run && !current.is_some_and(|value| proposal.is(value)) {
        agree(arguments)?;
        let put = proposal.put_in_force(base, &changes, losses, admin, os);
        applied.revision = Some(put.await?);
    }
    if arguments.json {
        output::json(&applied)?;
    }
    let Some(revision) = applied.revision else {
        return Ok(());
    };
    if !arguments.json {
        output::line(&format!("revision {revision} is in force"))?;
    }
    arguments.waiting.wait(&config, revision, admin, os).await
}

/// The changes as they are shown.
pub fn lines(
    changes: &[Change],
    config: &Config,
    current: Option<&Value>,
    style: Style,
) -> Vec<String> {
    let Some(current) = current else {
        let (hosts, services) = (config.hosts.len(), config.own_services().count());
        let (hosts, services) = (
            output::count(hosts, "host"),
            output::count(services, "service"),
        );
        return vec![format!("the first file: {hosts}, {services}")];
    };
    if changes.is_empty() {
        let revision = current.revision;
        return vec![format!(
            "nothing changes: revision {revision} says the same"
        )];
    }
    let line = |change: &Change| {
        let paint = match change.sign() {
            Sign::Added => Paint::Good,
            Sign::Removed => Paint::Bad,
            Sign::Changed => Paint::Warn,
        };
        style.paint(paint, &change.to_string())
    };
    changes.iter().map(line).collect()
}

/// Whoever runs the command agrees.
fn agree(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.yes {
        return Ok(());
    }
    // Two answers on one standard output could not be told apart.
    if arguments.json || !console::is_answered() {
        return Err(Failure::usage(
            "nobody can be asked here; say --yes to apply this, or --dry-run to look only",
        ));
    }
    match console::confirm("apply this?") {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::failed("nothing was applied")),
        Err(error) => Err(Failure::failed(format!(
            "nothing was applied: cannot read the answer: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::difference::{Side, difference};
    use expect_test::expect;
    use std::path::Path;

    const FILE: &str = "[cluster]\nname = \"shop\"\n[[host]]\nname = \"alpha\"\nhttp = \"127.0.0.1:1\"\npeer = \"127.0.0.1:2\"\napi = \"127.0.0.1:3\"\nadmin = \"127.0.0.1:4\"\n[service.a]\nwasm = \"a.wasm\"\n";

    #[test]
    fn changes_are_shown_as_lines() {
        let config = |text: &str| Config::parse(Path::new("shop.toml"), text).expect("a file");
        let value = Value {
            revision: 3,
            config: FILE.into(),
            components: Vec::new(),
            applied_by: "ann".into(),
            applied_at_ms: 0,
        };
        let (before, after) = (
            config(FILE),
            config(&FILE.replace("service.a", "service.b")),
        );
        let side = |config| Side {
            config,
            components: &[],
        };
        let shown =
            |changes: &[Change], current| lines(changes, &after, current, Style::PLAIN).join("\n");
        let changes = difference(side(&before), side(&after));
        expect![[r"
            - service a
            + service b (on alpha)"]]
        .assert_eq(&shown(&changes, Some(&value)));
        expect!["nothing changes: revision 3 says the same"].assert_eq(&shown(&[], Some(&value)));
        expect!["the first file: 1 host, 1 service"].assert_eq(&shown(&[], None));
    }
}
