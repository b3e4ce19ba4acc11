//! `bookshop-host control`: the cluster file in force, how far the hosts are with it, and what was before.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::table::{Cell, Table};
use crate::control::registry::{Outcome, Value};
use crate::os::Os;
use clap::Args;
use std::time::Duration;

/// The host asks the leader, who may have to be elected, several things.
const WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print everything as JSON, the text of the file too
    #[arg(long)]
    json: bool,
    /// Print only the text of the file that was in force as this revision
    #[arg(long, value_name = "REVISION", conflicts_with = "json")]
    file: Option<u64>,
    #[command(flatten)]
    admin: Admin,
}

/// Shows it.
///
/// # Errors
/// No host answers, or the cluster keeps no state of its own.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    if let Some(revision) = arguments.file {
        let path = format!("/v1/control/revisions/{revision}");
        let value: Value = arguments.admin.get(os, &path, WITHIN).await?;
        return Ok(output::line(value.config.trim_end_matches('\n'))?);
    }
    let state: ControlPart = arguments.admin.get(os, "/v1/control", WITHIN).await?;
    if arguments.json {
        return Ok(output::json(&state)?);
    }
    let now_ms = u64::try_from(os.clock.wall().as_millis()).unwrap_or(u64::MAX);
    Ok(output::line(&text(&state, now_ms, Style::of_stdout()))?)
}

fn text(state: &ControlPart, now_ms: u64, style: Style) -> String {
    let ago = |at_ms: u64| {
        format!(
            "{} ago",
            output::uptime(now_ms.saturating_sub(at_ms) / 1_000)
        )
    };
    let Some(current) = &state.current else {
        return "no file is in force yet".into();
    };
    let mut lines = vec![format!(
        "{}, by {}, {}",
        style.bold(&format!("revision {}", current.revision)),
        current.applied_by,
        ago(current.applied_at_ms)
    )];
    if let Some(turn) = &state.turn {
        let since = ago(turn.since_ms);
        lines.push(format!(
            "{} takes up revision {}, begun {since}",
            turn.host, turn.revision
        ));
    }
    if !state.standings.is_empty() {
        let mut hosts = Table::new(&["HOST", ">REVISION", "STATE", "SINCE"]);
        for standing in &state.standings {
            let is_current = standing.revision == current.revision;
            let outcome = match &standing.outcome {
                Outcome::Running if is_current => Cell::new(Paint::Good, "running"),
                Outcome::Running => Cell::new(Paint::Warn, "running an older one"),
                Outcome::Ready => Cell::new(Paint::Warn, "ready, waits for its turn"),
                Outcome::Failed(reason) => Cell::new(Paint::Bad, format!("failed: {reason}")),
            };
            hosts.row([
                standing.host.as_str().into(),
                standing.revision.to_string().into(),
                outcome,
                ago(standing.at_ms).into(),
            ]);
        }
        lines.push(String::new());
        lines.extend(hosts.lines(style));
    }
    let mut history = Table::new(&[">REVISION", "BY", "WHEN", "FILE", "CHANGES"]);
    for entry in &state.history {
        let mut changes = entry.summary.lines();
        let first = changes.next().unwrap_or("-").to_owned();
        let more = changes.count();
        history.row([
            entry.revision.to_string().into(),
            entry.applied_by.as_str().into(),
            ago(entry.applied_at_ms).into(),
            if entry.has_config { "kept" } else { "-" }.into(),
            match more {
                0 => first,
                more => format!("{first} (and {more} more)"),
            }
            .into(),
        ]);
    }
    lines.push(String::new());
    lines.extend(history.lines(style));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_state_is_two_tables() {
        let state: ControlPart = serde_json::from_value(json!({
            "current": { "revision": 2, "config": "", "components": [], "applied_by": "ann", "applied_at_ms": 60_000 },
            "turn": { "host": "gamma", "revision": 2, "since_ms": 118_000, "until_ms": 238_000 },
            "standings": [
                { "host": "alpha", "revision": 2, "outcome": "running", "at_ms": 90_000 },
                { "host": "beta", "revision": 2, "outcome": { "failed": "no room" }, "at_ms": 100_000 },
                { "host": "gamma", "revision": 1, "outcome": "running", "at_ms": 20_000 },
            ],
            "history": [
                { "revision": 2, "applied_by": "ann", "applied_at_ms": 60_000, "summary": "~ cluster: workers 0 → 2\n- service a", "has_config": true },
                { "revision": 1, "applied_by": "host alpha", "applied_at_ms": 1_000, "summary": "the first file", "has_config": false },
            ],
        }))
        .expect("a state");
        expect![[r"
            revision 2, by ann, 1 min 0 s ago
            gamma takes up revision 2, begun 2 s ago

            HOST   REVISION  STATE                 SINCE
            alpha         2  running               30 s ago
            beta          2  failed: no room       20 s ago
            gamma         1  running an older one  1 min 40 s ago

            REVISION  BY          WHEN            FILE  CHANGES
                   2  ann         1 min 0 s ago   kept  ~ cluster: workers 0 → 2 (and 1 more)
                   1  host alpha  1 min 59 s ago  -     the first file"]]
        .assert_eq(&text(&state, 120_000, Style::PLAIN));
        let none = ControlPart {
            current: None,
            ..state
        };
        assert_eq!(text(&none, 0, Style::PLAIN), "no file is in force yet");
    }
}
