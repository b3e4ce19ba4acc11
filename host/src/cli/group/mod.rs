//! `bookshop-host group`: the replicas of a service, which of them leads, and who belongs to them.

use crate::admin::groups::GroupPart;
use crate::admin::groups::snapshots::Snapshots;
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::table::{Cell, Table};
use crate::component::short_digest;
use crate::config::{HostName, ServiceName};
use crate::os::Os;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) mod recover;

/// The host asks all others, or waits for an election.
const WITHIN: Duration = Duration::from_secs(15);
/// A leader that is to be removed hands over first.
const CHANGE_WITHIN: Duration = Duration::from_secs(30);
/// All replicas after each other write what they have.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(300);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the replicas of a service
    #[command(after_help = "Example:\n  bookshop-host group members database")]
    Members(Members),
    /// Give a host a replica of a service again
    #[command(
        after_help = "The cluster file has to place the service on the host. It gets a new replica, which has a vote once it has caught up.\nHosts that are new in the file, or lost their disk, join by themselves; this is for one that was removed.\n\nExample:\n  bookshop-host group add database gamma"
    )]
    Add(Change),
    /// Take the replica of a host out of the group of a service
    #[command(
        after_help = "What it has stays on its disk, and the host goes on without it. It joins again only after `group add`.\nIf it leads, another replica does first. To change where a service lives for good, change the cluster file as well.\n\nExample:\n  bookshop-host group remove database gamma"
    )]
    Remove(Change),
    /// Have every replica of a service write what it has into its state store, so that the log can be cut
    #[command(
        after_help = "Hosts do so by themselves (`cluster.checkpoint-interval`). The exit code is 1 if a replica could not.\n\nExample:\n  bookshop-host group snapshot database"
    )]
    Snapshot(Snapshot),
    /// Go on with what one host has, when a majority is gone for good: what only the others knew is lost
    #[command(
        after_help = "The last resort. The host must not run: stop it first (`bookshop-host stop-host NAME`). Its replica becomes the only member of a new group with all that it has; after its start the others,\nalso those that come back with their disks, give up what they have and join it. Choose the host that has most: `storage check` shows it. Refused while a majority answers.\n\nExample:\n  bookshop-host group recover database config/cluster.toml --host beta --accept-data-loss"
    )]
    Recover(recover::Arguments),
    /// Let another replica of a service lead
    #[command(
        after_help = "Examples:\n  bookshop-host group transfer database\n  bookshop-host group transfer database --to gamma"
    )]
    Transfer(Transfer),
}

#[derive(Debug, Args)]
pub struct Members {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Transfer {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// The host that is to lead; the replica that is furthest by default
    #[arg(long, value_name = "HOST", value_parser = str::parse::<HostName>)]
    to: Option<HostName>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Change {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// The host
    #[arg(value_name = "HOST", value_parser = str::parse::<HostName>)]
    host: HostName,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Snapshot {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// Print the positions as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// Does what one of the commands says.
///
/// # Errors
/// No host answers, there is no such group, or it refuses.
pub async fn run(command: Command, os: &Os) -> Result<(), Failure> {
    match command {
        Command::Members(Members {
            service,
            json,
            admin,
        }) => {
            let path = format!("/v1/groups/{service}");
            let group: GroupPart = admin.get(os, &path, WITHIN).await?;
            if json {
                return Ok(output::json(&group)?);
            }
            Ok(output::line(&text(&group, Style::of_stdout()))?)
        }
        Command::Add(change) => change.make(os, "add").await,
        Command::Remove(change) => change.make(os, "remove").await,
        Command::Snapshot(Snapshot {
            service,
            json,
            admin,
        }) => {
            let path = format!("/v1/groups/{service}/snapshot");
            let taken: Snapshots = admin.post(os, &path, &json!({}), SNAPSHOT_WITHIN).await?;
            if json {
                output::json(&taken)?;
            } else {
                output::line(&snapshots(&taken, Style::of_stdout()))?;
            }
            let is_whole = taken.replicas.iter().all(|taken| taken.error.is_none());
            if is_whole {
                Ok(())
            } else {
                Err(Failure::reported(false))
            }
        }
        Command::Recover(arguments) => recover::run(&arguments, os).await,
        Command::Transfer(Transfer {
            service,
            to,
            json,
            admin,
        }) => {
            let path = format!("/v1/groups/{service}/transfer");
            let body = json!({ "to": to.map(|to| to.to_string()) });
            say(admin.post(os, &path, &body, WITHIN).await?, json)
        }
    }
}

impl Change {
    async fn make(self, os: &Os, verb: &str) -> Result<(), Failure> {
        let Self {
            service,
            host,
            json,
            admin,
        } = self;
        let path = format!("/v1/groups/{service}/{verb}");
        let body = json!({ "host": host.to_string() });
        say(admin.post(os, &path, &body, CHANGE_WITHIN).await?, json)
    }
}

/// Says what was done.
fn say(done: Value, json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&done)?);
    }
    let message = done["message"].as_str().unwrap_or("done");
    Ok(output::line(message)?)
}

fn text(group: &GroupPart, style: Style) -> String {
    let mut table = Table::new(&[
        "HOST",
        ">ID",
        "MEMBER",
        "ROLE",
        ">APPLIED",
        ">MATCHED",
        ">LAG",
        "ACTIVE",
        "STATE HASH",
    ]);
    let nothing = || Cell::new(Paint::Dim, "-");
    let number = |number: Option<u64>| number.map_or_else(nothing, |it| it.to_string().into());
    for replica in &group.replicas {
        let hash = replica.state_hash.as_deref().map(short_digest);
        let hash = match &replica.diverged {
            Some(_) => Cell::new(Paint::Bad, "diverged"),
            None => hash.map_or_else(nothing, Cell::from),
        };
        let newest = group.newest();
        let behind = replica
            .applied
            .map(|applied| newest.saturating_sub(applied));
        table.row([
            replica.host.as_str().into(),
            number(replica.id),
            replica.member.as_deref().map_or_else(nothing, Cell::from),
            role(&replica.role),
            number(replica.applied),
            number(replica.matched),
            number(replica.lag.or(behind)),
            match replica.active {
                Some(true) => Cell::from("yes"),
                Some(false) => Cell::new(Paint::Bad, "no"),
                None => nothing(),
            },
            hash,
        ]);
    }
    let mut lines = vec![format!(
        "{}, term {}",
        style.bold(&group.service),
        group.term
    )];
    lines.extend(table.lines(style));
    if !group.kept_out.is_empty() {
        lines.push(format!("removed: {}", group.kept_out.join(", ")));
    }
    for replica in &group.replicas {
        if let Some(diverged) = &replica.diverged {
            lines.push(format!("{}: {diverged}", replica.host));
        }
    }
    lines.join("\n")
}

fn snapshots(taken: &Snapshots, style: Style) -> String {
    let mut table = Table::new(&["HOST", ">APPLIED", ">CHECKPOINT", "LOG"]);
    let nothing = || Cell::new(Paint::Dim, "-");
    for replica in &taken.replicas {
        let Some(positions) = &replica.positions else {
            let error = replica.error.as_deref().unwrap_or("no answer");
            table.row([
                replica.host.as_str().into(),
                nothing(),
                nothing(),
                Cell::new(Paint::Bad, error),
            ]);
            continue;
        };
        let log = if positions.log_first > positions.log_last {
            "empty".to_owned()
        } else {
            format!("{} to {}", positions.log_first, positions.log_last)
        };
        table.row([
            replica.host.as_str().into(),
            positions.applied.to_string().into(),
            positions.checkpoint.to_string().into(),
            log.into(),
        ]);
    }
    let mut lines = vec![style.bold(&taken.service)];
    lines.extend(table.lines(style));
    lines.join("\n")
}

/// What a replica does, by how good that is.
fn role(role: &str) -> Cell {
    let paint = match role {
        "leader" => Paint::Good,
        "unreachable" => Paint::Bad,
        "candidate" => Paint::Warn,
        _ => Paint::Plain,
    };
    Cell::new(paint, role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn members_are_a_table() {
        let group: GroupPart = serde_json::from_value(json!({
            "service": "orders", "partition": 0, "leader": "beta", "term": 7, "kept_out": ["delta"], "replicas": [
                { "host": "alpha", "role": "follower", "applied": 1230, "id": 1, "member": "voter", "matched": 1232, "lag": 2, "active": true, "state_hash": "00112233445566778899", "state_hash_at": 1200 },
                { "host": "beta", "role": "leader", "applied": 1234, "id": 2, "member": "voter", "matched": 1234, "lag": 0, "active": true, "state_hash": null, "state_hash_at": null },
                { "host": "gamma", "role": "unreachable", "applied": null, "id": 4, "member": "learner", "matched": 0, "lag": 1234, "active": false, "state_hash": null, "state_hash_at": null },
                { "host": "delta", "role": "removed", "applied": 1000, "diverged": "its state as of entry 900 is not that of a majority", "state_hash": null, "state_hash_at": null },
            ],
        }))
        .expect("a group");
        expect![[r"
            orders, term 7
            HOST   ID  MEMBER   ROLE         APPLIED  MATCHED   LAG  ACTIVE  STATE HASH
            alpha   1  voter    follower        1230     1232     2  yes     001122334455
            beta    2  voter    leader          1234     1234     0  yes     -
            gamma   4  learner  unreachable        -        0  1234  no      -
            delta   -  -        removed         1000        -   234  -       diverged
            removed: delta
            delta: its state as of entry 900 is not that of a majority"]]
        .assert_eq(&text(&group, Style::PLAIN));
    }

    #[test]
    fn snapshots_are_a_table() {
        let taken: Snapshots = serde_json::from_value(json!({
            "service": "orders", "replicas": [
                { "host": "alpha", "positions": { "applied": 1230, "checkpoint": 1230, "log_first": 900, "log_last": 1230 }, "error": null },
                { "host": "beta", "positions": { "applied": 1230, "checkpoint": 1230, "log_first": 1231, "log_last": 1230 }, "error": null },
                { "host": "gamma", "positions": null, "error": "host gamma: no host answers" },
            ],
        }))
        .expect("snapshots");
        expect![[r"
            orders
            HOST   APPLIED  CHECKPOINT  LOG
            alpha     1230        1230  900 to 1230
            beta      1230        1230  empty
            gamma        -           -  host gamma: no host answers"]]
        .assert_eq(&snapshots(&taken, Style::PLAIN));
    }
}
