//! `bookshop-host group recover`: one replica becomes the only one, when a majority is gone for good.

use crate::admin::client;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::storage::Place;
use crate::config::{Config, HostName, ServiceName};
use crate::groups::offline::{Forced, Survivor};
use crate::os::Os;
use crate::os::disk::FolderLock;
use clap::Args;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another host may take to say whether it is there.
const WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Arguments {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    #[command(flatten)]
    place: Place,
    /// The host whose replica goes on
    #[arg(long, value_name = "NAME", value_parser = str::parse::<HostName>)]
    host: HostName,
    /// Lose what only the others knew
    #[arg(long)]
    accept_data_loss: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// The flag is missing, the host runs, it has nothing, or a majority answers.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let host = crate::cli::storage::host(&config, &arguments.host)?;
    let service = arguments.service.as_str();
    if config.service(service).is_none() {
        return Err(Failure::usage(format!(
            "{} has no service {service}",
            config.path.display()
        )));
    }
    if !arguments.accept_data_loss {
        return Err(Failure::usage(format!(
            "what only other replicas of {service} knew will be lost, answered commands among it; if their disks are gone for good, say --accept-data-loss"
        )));
    }
    let folder = config.cluster.data.join(host.as_str());
    let _lock = lock(&folder, host, os)?;
    let survivor = Survivor::open(&folder, host, service, os);
    let survivor = survivor.map_err(|error| Failure::operation(&error))?;
    let voters = survivor.voters();
    let others = voters.iter().filter(|voter| *voter != host);
    let answering = answering(&config, service, others, os).await;
    let majority = voters.len() / 2 + 1;
    if answering.len() >= majority {
        return Err(Failure::failed(format!(
            "{} of {} replicas of {service} answer ({}), which is a majority: nothing is lost yet; start {host} and let them go on",
            answering.len(),
            voters.len(),
            answering.join(", ")
        )));
    }
    let forced = survivor
        .force()
        .map_err(|error| Failure::operation(&error))?;
    if arguments.json {
        return Ok(output::json(&as_json(service, host, &forced))?);
    }
    Ok(output::line(&text(service, host, &forced))?)
}

/// Locks the folder of a host, so that it cannot start meanwhile.
pub(in crate::cli) fn lock(folder: &Path, host: &HostName, os: &Os) -> Result<FolderLock, Failure> {
    os.disk.lock(folder).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Failure::failed(format!(
            "host {host} runs: its data folder {} is in use; stop it first (`bookshop-host stop-host {host}`)",
            folder.display()
        )),
        io::ErrorKind::NotFound => {
            let folder: PathBuf = folder.to_path_buf();
            Failure::failed(format!("host {host} keeps nothing: there is no {}", folder.display()))
        }
        _ => Failure::failed(format!("cannot lock {}: {error}", folder.display())),
    })
}

/// Those of the hosts whose replicas of a service take part.
pub(in crate::cli) async fn answering(
    config: &Config,
    service: &str,
    hosts: impl Iterator<Item = &HostName>,
    os: &Os,
) -> Vec<String> {
    let mut answering = Vec::new();
    for host in hosts.filter_map(|host| config.host(host.as_str())) {
        let path = "/v1/status?scope=host";
        let asked = client::request(os, host.admin, path, None, WITHIN).await;
        let Ok((_, status)) = asked else { continue };
        let groups = status["groups"].as_array().cloned().unwrap_or_default();
        let takes_part = |group: &Value| {
            group["service"] == service
                && group["role"] != "removed"
                && group["host"] == host.name.as_str()
        };
        if groups.iter().any(takes_part) {
            answering.push(host.name.to_string());
        }
    }
    answering
}

fn as_json(service: &str, host: &HostName, forced: &Forced) -> Value {
    let hosts = forced.hosts.iter().filter(|it| *it != host);
    json!({
        "service": service,
        "host": host.to_string(),
        "was_replica": forced.was,
        "replica": forced.id,
        "last_entry": forced.last,
        "term": forced.term,
        "known_committed": forced.known,
        "others": hosts.map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn text(service: &str, host: &HostName, forced: &Forced) -> String {
    let others: Vec<&str> = forced
        .hosts
        .iter()
        .filter(|it| *it != host)
        .map(HostName::as_str)
        .collect();
    let mut lines = vec![
        format!(
            "{service} goes on with what {host} has: everything up to entry {}, of term {}. Its replica, number {}, is number {} now, and the only one.",
            forced.last, forced.term, forced.was, forced.id
        ),
        format!(
            "Lost is whatever was committed after entry {}: {host} never got it.",
            forced.last
        ),
    ];
    if forced.known < forced.last {
        lines.push(format!(
            "It did not know whether entries {} to {} were committed; they count now, also if a caller was told otherwise or nothing.",
            forced.known + 1,
            forced.last
        ));
    }
    if !others.is_empty() {
        lines.push(format!(
            "Start {host} first, then {}: they give up what they have of {service} and join as new replicas.",
            others.join(" and ")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn it_says_what_may_be_lost() {
        let host = |name: &str| name.parse::<HostName>().expect("a name");
        let forced = Forced {
            was: 2,
            id: 1_000_001,
            known: 118,
            last: 120,
            term: 3,
            hosts: vec![host("alpha"), host("beta"), host("gamma")],
        };
        expect![[r"
            orders goes on with what beta has: everything up to entry 120, of term 3. Its replica, number 2, is number 1000001 now, and the only one.
            Lost is whatever was committed after entry 120: beta never got it.
            It did not know whether entries 119 to 120 were committed; they count now, also if a caller was told otherwise or nothing.
            Start beta first, then alpha and gamma: they give up what they have of orders and join as new replicas."]]
        .assert_eq(&text("orders", &host("beta"), &forced));
    }
}
