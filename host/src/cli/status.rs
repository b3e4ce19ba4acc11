//! `bookshop-host status`: the hosts and services of a running cluster.

use crate::admin::groups::{GroupPart, Replica};
use crate::admin::status::CanaryPart;
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::table::{Cell, Table};
use crate::component::short_digest;
use crate::os::Os;
use crate::parent::HostStatus;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// The host asks all others, and does not wait long for them.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
struct Status {
    cluster: String,
    hosts: Vec<HostStatus>,
    services: Vec<Service>,
    links: Vec<Link>,
    #[serde(default)]
    groups: Vec<GroupPart>,
}

/// How one host finds another.
#[derive(Debug, Deserialize)]
struct Link {
    from: String,
    to: String,
    reason: Option<String>,
    since_s: Option<u64>,
    skew_ms: Option<i64>,
}

/// Clocks that differ by more than this are worth mentioning: a certificate's dates or two logs side by side stop making sense.
const SKEW_MS_MAX: u64 = 1_000;

#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    kind: Option<String>,
    state: Option<String>,
    reason: Option<String>,
    version: Option<Version>,
    canary: Option<CanaryPart>,
    hosts: Vec<String>,
    #[serde(default)]
    daemons: Vec<Daemon>,
    calls: u64,
    errors: u64,
    p50_us: Option<u64>,
    p99_us: Option<u64>,
}

/// A daemon on one host.
#[derive(Debug, Deserialize)]
struct Daemon {
    host: String,
    state: String,
    since_s: Option<u64>,
    restarts: u64,
    last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Version {
    digest: String,
    ordinal: u32,
}

/// Prints the status.
///
/// # Errors
/// No host answers.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let answer: Value = arguments.admin.get(os, "/v1/status", WITHIN).await?;
    if arguments.json {
        return Ok(output::json(&answer)?);
    }
    let status: Status = serde_json::from_value(answer).map_err(|error| Failure::failed(format!("the status is not what is expected here ({error}); are host and command of the same version?")))?;
    Ok(output::line(&text(&status, Style::of_stdout()))?)
}

fn text(status: &Status, style: Style) -> String {
    let mut lines = vec![style.bold(&status.cluster), String::new()];
    lines.extend(hosts(&status.hosts).lines(style));
    lines.push(String::new());
    lines.extend(services(&status.services).lines(style));
    if status.services.iter().any(|it| it.canary.is_some()) {
        lines.push(String::new());
        lines.extend(canaries(&status.services).lines(style));
    }
    if status.services.iter().any(|it| !it.daemons.is_empty()) {
        lines.push(String::new());
        lines.extend(daemons(&status.services).lines(style));
    }
    if !status.groups.is_empty() {
        lines.push(String::new());
        lines.extend(groups(&status.groups).lines(style));
    }
    let reasons = status
        .services
        .iter()
        .filter_map(|service| Some((&service.name, service.reason.as_ref()?)));
    for (name, reason) in reasons {
        lines.extend([
            String::new(),
            format!("{} {reason}", style.bad(&format!("{name}:"))),
        ]);
    }
    let notes: Vec<String> = status.links.iter().filter_map(note).collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().map(|note| style.paint(Paint::Warn, note)));
    }
    lines.join("\n")
}

/// What is wrong between two hosts, as far as the first can tell.
fn note(link: &Link) -> Option<String> {
    let Link { from, to, .. } = link;
    if let Some(reason) = &link.reason {
        let since = output::uptime(link.since_s.unwrap_or_default());
        return Some(format!(
            "{from} sends no calls to {to}: it {reason}, {since} ago"
        ));
    }
    let skew_ms = link
        .skew_ms
        .filter(|skew| skew.unsigned_abs() > SKEW_MS_MAX)?;
    let side = if skew_ms > 0 { "ahead of" } else { "behind" };
    let seconds = skew_ms.unsigned_abs() / 1_000;
    Some(format!(
        "the clock of {to} is {} {side} that of {from}",
        output::uptime(seconds)
    ))
}

/// What is not known, or does not apply.
const NOTHING: &str = "-";

fn or_nothing<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> Cell {
    value.map_or_else(
        || Cell::new(Paint::Dim, NOTHING),
        |value| show(value).into(),
    )
}

fn state(state: &str) -> Cell {
    let paint = match state {
        "running" | "finished" => Paint::Good,
        "failed" | "restarting" | "unknown" => Paint::Bad,
        _ => Paint::Warn,
    };
    Cell::new(paint, state)
}

fn hosts(hosts: &[HostStatus]) -> Table {
    let mut table = Table::new(&["HOST", "STATE", ">PID", ">UP"]);
    for host in hosts {
        let pid = or_nothing(host.pid, |pid| pid.to_string());
        table.row([
            host.name.as_str().into(),
            state(&host.state),
            pid,
            or_nothing(host.uptime_s, output::uptime),
        ]);
    }
    table
}

fn services(services: &[Service]) -> Table {
    let mut table = Table::new(&[
        "SERVICE", "KIND", "STATE", "VERSION", "HOSTS", ">CALLS", ">ERRORS", ">P50", ">P99",
    ]);
    for service in services {
        let version = service
            .version
            .as_ref()
            .map(|version| format!("{} {}", version.ordinal, short_digest(&version.digest)));
        let on = (!service.hosts.is_empty()).then(|| service.hosts.join(", "));
        let errors = Cell::new(
            if service.errors > 0 {
                Paint::Warn
            } else {
                Paint::Plain
            },
            service.errors.to_string(),
        );
        table.row([
            service.name.as_str().into(),
            or_nothing(service.kind.as_deref(), ToOwned::to_owned),
            state(service.state.as_deref().unwrap_or("unknown")),
            or_nothing(version, |version| version),
            or_nothing(on, |on| on),
            service.calls.to_string().into(),
            errors,
            or_nothing(service.p50_us, output::microseconds),
            or_nothing(service.p99_us, output::microseconds),
        ]);
    }
    table
}

/// What gets a share of the calls of services, beside what is in force.
fn canaries(services: &[Service]) -> Table {
    let mut table = Table::new(&[
        "CANARY OF",
        "SHA-256",
        ">SHARE",
        ">CALLS",
        ">ERRORS",
        ">CALLS BESIDE",
        ">ERRORS BESIDE",
    ]);
    let errors = |errors: u64| {
        let paint = if errors > 0 {
            Paint::Warn
        } else {
            Paint::Plain
        };
        Cell::new(paint, errors.to_string())
    };
    for service in services {
        let Some(canary) = &service.canary else {
            continue;
        };
        table.row([
            service.name.as_str().into(),
            short_digest(&canary.digest).into(),
            format!("{} %", canary.percent).into(),
            canary.calls.to_string().into(),
            errors(canary.errors),
            canary.stable_calls.to_string().into(),
            errors(canary.stable_errors),
        ]);
    }
    table
}

fn daemons(services: &[Service]) -> Table {
    let mut table = Table::new(&[
        "DAEMON",
        "HOST",
        "STATE",
        ">SINCE",
        ">RESTARTS",
        "LAST FAILURE",
    ]);
    for service in services {
        for daemon in &service.daemons {
            let restarts = if daemon.restarts > 0 {
                Paint::Warn
            } else {
                Paint::Plain
            };
            table.row([
                service.name.as_str().into(),
                daemon.host.as_str().into(),
                state(&daemon.state),
                or_nothing(daemon.since_s, output::uptime),
                Cell::new(restarts, daemon.restarts.to_string()),
                or_nothing(daemon.last_error.as_deref(), ToOwned::to_owned),
            ]);
        }
    }
    table
}

/// What is kept of services, and where. A position is how many changes there were; a replica that lacks some is shown with how many.
fn groups(groups: &[GroupPart]) -> Table {
    let mut table = Table::new(&[
        "STATE OF",
        "LEADER",
        ">TERM",
        ">POSITION",
        "REPLICAS",
        ">STORED",
        ">ANSWERS",
        ">TIMERS",
        ">MESSAGES",
    ]);
    for group in groups {
        let leader = match &group.leader {
            Some(leader) => Cell::new(Paint::Good, leader.as_str()),
            None => Cell::new(Paint::Bad, "none"),
        };
        let newest = group.newest();
        let replicas: Vec<String> = group.replicas.iter().map(|it| place(it, newest)).collect();
        // Of the leader, or of who knows most where there is none.
        let shown = group
            .leader
            .as_deref()
            .and_then(|leader| group.replica(leader))
            .or_else(|| group.replicas.iter().max_by_key(|it| it.applied));
        let of = |number: fn(&Replica) -> Option<u64>| shown.and_then(number);
        table.row([
            group.service.as_str().into(),
            leader,
            group.term.to_string().into(),
            newest.to_string().into(),
            replicas.join(", ").into(),
            or_nothing(of(|it| it.data_bytes), output::size),
            or_nothing(of(|it| it.session_bytes), output::size),
            or_nothing(of(|it| it.timers), |timers| timers.to_string()),
            or_nothing(of(|it| it.messages), |messages| messages.to_string()),
        ]);
    }
    table
}

/// A replica with what it lacks.
fn place(replica: &Replica, newest: u64) -> String {
    let host = &replica.host;
    if replica.diverged.is_some() {
        return format!("{host} diverged");
    }
    match (replica.role.as_str(), replica.applied) {
        ("leader" | "follower", Some(applied)) if applied == newest => host.clone(),
        ("leader" | "follower", Some(applied)) => format!("{host} -{}", newest - applied),
        (role, Some(applied)) if applied < newest => {
            format!("{host} {role} -{}", newest - applied)
        }
        (role, _) => format!("{host} {role}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_status_is_two_tables_and_the_reasons() {
        let answer = json!({
            "cluster": "bookshop",
            "hosts": [
                { "name": "alpha", "state": "running", "pid": 4711, "uptime_s": 7261 },
                { "name": "beta", "state": "stopped", "pid": null, "uptime_s": null },
            ],
            "services": [
                { "name": "frontend", "kind": "http", "state": "running", "reason": null, "version": { "digest": "00112233445566778899", "ordinal": 2 },
                  "hosts": ["alpha", "beta"], "calls": 1234, "errors": 5, "p50_us": 850, "p99_us": 12_345 },
                { "name": "payment", "kind": "service", "state": "failed", "reason": "payment imports a:b/c, which no service exports", "version": null,
                  "hosts": [], "calls": 0, "errors": 0, "p50_us": null, "p99_us": null },
                { "name": "executor", "kind": "daemon", "state": "running", "reason": null, "version": { "digest": "ffee22334455", "ordinal": 1 },
                  "hosts": ["alpha", "beta"], "calls": 0, "errors": 0, "p50_us": null, "p99_us": null, "daemons": [
                    { "host": "alpha", "state": "running", "since_s": 61, "restarts": 0, "last_error": null },
                    { "host": "beta", "state": "waiting", "since_s": 2, "restarts": 7, "last_error": "executor: trapped: unreachable" },
                  ] },
            ],
            "links": [
                { "from": "alpha", "to": "beta", "state": "down", "reason": "is shutting down", "since_s": 12, "round_trip_us": null, "skew_ms": null },
                { "from": "alpha", "to": "gamma", "state": "up", "reason": null, "since_s": null, "round_trip_us": 210, "skew_ms": -7_200_000 },
                { "from": "gamma", "to": "alpha", "state": "up", "reason": null, "since_s": null, "round_trip_us": 210, "skew_ms": 3 },
            ],
            "groups": [
                { "service": "orders", "partition": 0, "leader": "alpha", "term": 3, "replicas": [
                    { "host": "alpha", "role": "leader", "applied": 1234, "state_hash": null, "data_bytes": 70_000, "session_bytes": 0, "timers": 0, "messages": 2 },
                    { "host": "beta", "role": "follower", "applied": 1230, "state_hash": null, "data_bytes": 60_000, "session_bytes": 0, "timers": 0, "messages": 2 },
                    { "host": "gamma", "role": "unreachable", "applied": null, "state_hash": null },
                ] },
                { "service": "database", "partition": 0, "leader": null, "term": 0, "replicas": [{ "host": "beta", "role": "unreachable", "applied": null, "state_hash": null }] },
            ],
        });
        let status: Status = serde_json::from_value(answer).expect("a status");
        expect![[r#"
            bookshop

            HOST   STATE     PID         UP
            alpha  running  4711  2 h 1 min
            beta   stopped     -          -

            SERVICE   KIND     STATE    VERSION         HOSTS        CALLS  ERRORS     P50       P99
            frontend  http     running  2 001122334455  alpha, beta   1234       5  850 us  12.35 ms
            payment   service  failed   -               -                0       0       -         -
            executor  daemon   running  1 ffee22334455  alpha, beta      0       0       -         -

            DAEMON    HOST   STATE        SINCE  RESTARTS  LAST FAILURE
            executor  alpha  running  1 min 1 s         0  -
            executor  beta   waiting        2 s         7  executor: trapped: unreachable

            STATE OF  LEADER  TERM  POSITION  REPLICAS                             STORED  ANSWERS  TIMERS  MESSAGES
            orders    alpha      3      1234  alpha, beta -4, gamma unreachable  68.4 KiB      0 B       0         2
            database  none       0         0  beta unreachable                          -        -       -         -

            payment: payment imports a:b/c, which no service exports

            alpha sends no calls to beta: it is shutting down, 12 s ago
            the clock of gamma is 2 h 0 min behind that of alpha"#]]
        .assert_eq(&text(&status, Style::PLAIN));
    }
}
