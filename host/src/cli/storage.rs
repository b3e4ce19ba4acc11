//! `bookshop-host storage`: what a host keeps on its disk, looked at while the host does not run. Changes nothing.

use crate::cli::check;
use crate::cli::failure::Failure;
use crate::config::{Config, HostName};
use crate::os::Os;
use clap::{Args, Subcommand};
use folder::Folder;
use std::path::PathBuf;

mod audit;
mod dump;
mod folder;
mod readable;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read everything that hosts keep, compare every checksum, and say what is there and what is wrong
    #[command(
        after_help = "The hosts must not run: stop them first (`bookshop-host stop-host NAME`). Nothing is changed.\nThe exit code is 0 if all is well, 1 if something is damaged or missing.\n\nExamples:\n  bookshop-host storage check config/cluster.toml\n  bookshop-host storage check config/cluster.toml --host beta --json"
    )]
    Check(audit::Arguments),
    /// Print what the services of a host keep: keys and values, timers, messages, sessions
    #[command(
        after_help = "The host must not run: stop it first (`bookshop-host stop-host NAME`). Nothing is changed.\nBytes that are text are printed as text, others as 0x and hexadecimal digits.\n\nExamples:\n  bookshop-host storage dump config/cluster.toml --host beta --service order-queue\n  bookshop-host storage dump config/cluster.toml --host beta --entries --limit 20 --json"
    )]
    Dump(dump::Arguments),
}

/// Which folder.
#[derive(Debug, Args)]
pub(in crate::cli) struct Place {
    /// The cluster file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where everything is kept, if not where the cluster file says; as in `run`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    /// The cluster file, read.
    ///
    /// # Errors
    /// It is wrong.
    pub fn config(&self, os: &Os) -> Result<Config, Failure> {
        let mut config = check::read(&self.file, os)?;
        if let Some(data) = &self.data {
            config.keep_in(data);
        }
        Ok(config)
    }
}

/// Does what one of the commands says.
///
/// # Errors
/// The cluster file is wrong, a host runs, its disk cannot be read, or something that it keeps is not what was written.
pub fn run(command: &Command, os: &Os) -> Result<(), Failure> {
    match command {
        Command::Check(arguments) => audit::run(arguments, os),
        Command::Dump(arguments) => dump::run(arguments, os),
    }
}

/// The folder of a host, locked; none if the host keeps nothing.
fn folder(config: &Config, host: &HostName, os: &Os) -> Result<Option<Folder>, Failure> {
    Folder::lock(&config.cluster.data.join(host.as_str()), host, os)
}

/// The host with that name.
pub(in crate::cli) fn host<'a>(
    config: &'a Config,
    name: &HostName,
) -> Result<&'a HostName, Failure> {
    let found = config.host(name.as_str()).map(|host| &host.name);
    found.ok_or_else(|| {
        let known: Vec<&str> = config.hosts.iter().map(|host| host.name.as_str()).collect();
        Failure::usage(format!(
            "{} has no host {name}; it has {}",
            config.path.display(),
            known.join(", ")
        ))
    })
}
