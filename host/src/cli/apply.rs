//! `bookshop-host apply`: a cluster file takes the place of the one in force, after a look at what that changes.

use crate::admin::registry::{Apply, ControlPart, Done};
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::{build, check};
use crate::config::Config;
use crate::control::components::digests;
use crate::control::difference::{Change, Losses, Side, Sign, difference, refusals, summary};
use crate::control::registry::{Application, Component, Value};
use crate::os::{Os, console, process};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// The host asks the leader, who may have to be elected, several things.
const WITHIN: Duration = Duration::from_secs(30);
/// What the registry keeps of a summary.
const SUMMARY_BYTES_MAX: usize = 2 << 10;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Lose what removed services keep
    #[arg(long)]
    accept_data_loss: bool,
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

/// Compares, asks, applies.
///
/// # Errors
/// The file is wrong or changes what cannot be changed, a component is missing, no host answers, or it refuses.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let config = check::read(&arguments.file, os)?;
    let text = text(&arguments.file, os)?;
    let components = digests(&config, &build::target(&config), os);
    let components = components.map_err(|error| Failure::operation(&error))?;
    let state: ControlPart = arguments.admin.get(os, "/v1/control", WITHIN).await?;
    let base = state.current.as_ref().map_or(0, |value| value.revision);
    let is_same = |value: &Value| value.config == text && value.components == components;
    let changes = match &state.current {
        Some(value) => changes(value, &config, &components, &text, arguments)?,
        None => Vec::new(),
    };
    let mut applied = Applied {
        base,
        changes: &changes,
        revision: None,
    };
    if !arguments.json {
        let lines = lines(
            &changes,
            &config,
            state.current.as_ref(),
            Style::of_stdout(),
        );
        output::line(&lines.join("\n"))?;
    }
    if !arguments.dry_run && !state.current.as_ref().is_some_and(is_same) {
        agree(arguments)?;
        let summary = match &state.current {
            Some(_) => summary(&changes, SUMMARY_BYTES_MAX),
            None => "the first file".into(),
        };
        let apply = Apply {
            application: Application {
                base,
                config: text,
                components: components.clone(),
                by: who(),
                summary,
            },
            accept_data_loss: arguments.accept_data_loss,
        };
        let path = "/v1/control/apply";
        let done: Done = arguments
            .admin
            .post(os, path, &json!(apply), WITHIN)
            .await?;
        applied.revision = Some(done.revision);
    }
    if arguments.json {
        return Ok(output::json(&applied)?);
    }
    match applied.revision {
        Some(revision) => Ok(output::line(&format!("revision {revision} is in force"))?),
        None => Ok(()),
    }
}

fn text(file: &std::path::Path, os: &Os) -> Result<String, Failure> {
    let bytes = os.disk.read(file);
    let bytes = bytes
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is not UTF-8 text", file.display())))
}

/// What becomes another, if all of it can.
fn changes(
    value: &Value,
    config: &Config,
    components: &[Component],
    text: &str,
    arguments: &Arguments,
) -> Result<Vec<Change>, Failure> {
    // Read as if it were in the same place, so that relative paths mean the same.
    let before = Config::parse(&config.path, &value.config).map_err(|error| {
        Failure::failed(format!(
            "this version cannot read the file in force, revision {}; use the version that applied it: {error}",
            value.revision
        ))
    })?;
    let losses = if arguments.accept_data_loss {
        Losses::Accepted
    } else {
        Losses::Refused
    };
    let problems = refusals(&before, config, text, losses);
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(lines.join("\n")));
    }
    let before = Side {
        config: &before,
        components: &value.components,
    };
    Ok(difference(before, Side { config, components }))
}

fn lines(
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

/// The name of the user, for the history.
fn who() -> String {
    /// What the registry keeps of it.
    const BYTES_MAX: usize = 128;
    let named = ["USER", "LOGNAME"].into_iter().find_map(process::variable);
    let name = named.unwrap_or_else(|| "operator".into());
    name[..name.floor_char_boundary(BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
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
