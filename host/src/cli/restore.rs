//! `bookshop-host restore`: hosts that keep nothing begin with what a backup has.

use crate::cli::backup::Written;
use crate::cli::failure::Failure;
use crate::cli::group::recover::{answering, lock};
use crate::cli::output;
use crate::cli::progress::{Console, Progress};
use crate::cli::storage::{self, Place};
use crate::config::{Config, HostName};
use crate::groups::backup::{Reader, Section, Total};
use crate::groups::offline::{self, Beginner, OfflineError};
use crate::os::Os;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Only this host, which begins alone; the others join it
    #[arg(long, value_name = "NAME", value_parser = str::parse::<HostName>)]
    host: Option<HostName>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Self {
        Self::operation(&error)
    }
}

/// Does it.
///
/// # Errors
/// The backup is none, damaged, or of another cluster; a host runs or keeps something; its disk fails.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let open = || Reader::open(os.blocks.as_ref(), &arguments.backup);
    let reader = open()?;
    let cluster = &reader.header().cluster;
    if cluster != config.cluster.name.as_str() {
        return Err(Failure::usage(format!(
            "{} is of cluster {cluster}, and {} is of {}",
            arguments.backup.display(),
            config.path.display(),
            config.cluster.name
        )));
    }
    let console = Console::default();
    console.say(&format!("reading all of {}", arguments.backup.display()));
    let sections = reader.check()?;
    let services = sections.iter().map(|(section, _)| section.service.as_str());
    let services: Vec<&str> = services.collect();
    let beginners = beginners(arguments, &config, &services)?;
    for service in services {
        let begins = |host: &&HostName| beginners.iter().any(|beginner| beginner.host == **host);
        let others = config
            .hosts
            .iter()
            .map(|host| &host.name)
            .filter(|host| !begins(host));
        let answering = answering(&config, service, others, os).await;
        if !answering.is_empty() {
            // They would give up what they have for what the backup has.
            return Err(Failure::failed(format!(
                "there are replicas of {service} on {}, with what they have themselves; stop all hosts, and move away what they keep, first",
                answering.join(", ")
            )));
        }
    }
    for beginner in &beginners {
        beginner.check(os)?;
    }
    let mut locks = Vec::new();
    for beginner in &beginners {
        let made = os.disk.create_folder(&beginner.folder);
        made.map_err(|error| {
            let folder = beginner.folder.display();
            Failure::failed(format!("cannot make {folder}: {error}"))
        })?;
        locks.push(lock(&beginner.folder, &beginner.host, os)?);
    }
    let mut written = Vec::new();
    let mut tell = |section: &Section, total: &Total| {
        console.say(&format!(
            "{}: {} keys and values as of entry {}",
            section.service, total.pairs, section.index
        ));
        written.push(Written {
            section: section.clone(),
            total: total.clone(),
        });
    };
    offline::restore(open()?, &beginners, os, &mut tell)?;
    let hosts: Vec<&str> = beginners.iter().map(|it| it.host.as_str()).collect();
    if arguments.json {
        let done = json!({ "hosts": hosts, "services": written });
        return Ok(output::json(&done)?);
    }
    Ok(output::line(&format!(
        "what the backup has of {} is on {}; start {}",
        written
            .iter()
            .map(|it| it.section.service.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        hosts.join(", "),
        if hosts.len() == 1 { "it" } else { "them" }
    ))?)
}

/// The hosts that begin, each with the services that it is to have.
fn beginners(
    arguments: &Arguments,
    config: &Config,
    services: &[&str],
) -> Result<Vec<Beginner>, Failure> {
    for name in services {
        let service = config.service(name);
        if service.is_none_or(|service| service.replicated.is_none()) {
            return Err(Failure::usage(format!(
                "the backup has {name}, which is no replicated service of {}",
                config.path.display()
            )));
        }
    }
    let hosts: Vec<&HostName> = match &arguments.host {
        Some(host) => vec![storage::host(config, host)?],
        None => config.hosts.iter().map(|host| &host.name).collect(),
    };
    let mut beginners = Vec::new();
    for host in hosts {
        let is_placed = |name: &&&str| {
            let service = config.service(name);
            service.is_some_and(|service| service.is_placed_on(host))
        };
        let services = services.iter().filter(is_placed);
        let services: Vec<String> = services.map(|name| (*name).to_owned()).collect();
        if !services.is_empty() {
            beginners.push(Beginner {
                host: host.clone(),
                folder: config.cluster.data.join(host.as_str()),
                services,
            });
        }
    }
    if beginners.is_empty() {
        return Err(Failure::usage(
            "no service of the backup is placed on these hosts",
        ));
    }
    Ok(beginners)
}
