//! `bookshop-host run`: the command line of the launcher.

use crate::cli::failure::Failure;
use crate::config::duration;
use crate::host::StartError;
use crate::launcher::{self, RunError};
use crate::os::Os;
use crate::os::clock::SkewedClock;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster file
    pub config: PathBuf,
    /// Run only this host, in this process
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Keep everything here instead of where the cluster file says
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// For drills: set this host's wall clock ahead by so much, for example 2h
    #[arg(long, value_name = "TIME", requires = "host", value_parser = duration::parse)]
    pub clock_ahead: Option<Duration>,
    /// For drills: set this host's wall clock behind by so much
    #[arg(long, value_name = "TIME", requires = "host", value_parser = duration::parse)]
    pub clock_behind: Option<Duration>,
    /// Leave a host that dies stopped
    #[arg(long)]
    pub no_restart: bool,
    /// Another `run` started this process and holds the other ends of its pipes
    #[arg(long, hide = true, requires = "host")]
    pub supervised: bool,
}

impl Arguments {
    /// All hosts of a file.
    pub fn all_hosts(config: PathBuf, data: Option<PathBuf>) -> Self {
        Self {
            config,
            host: None,
            data,
            clock_ahead: None,
            clock_behind: None,
            no_restart: false,
            supervised: false,
        }
    }
}

/// Runs until it is told to stop.
///
/// # Errors
/// The configuration is wrong, a component cannot be built, or the host does not start.
pub async fn run(arguments: Arguments, os: &Os) -> Result<(), Failure> {
    let Arguments {
        config,
        host,
        data,
        clock_ahead,
        clock_behind,
        no_restart,
        supervised,
    } = arguments;
    let mut os = os.clone();
    if clock_ahead.is_some() || clock_behind.is_some() {
        let (ahead, behind) = (
            clock_ahead.unwrap_or_default(),
            clock_behind.unwrap_or_default(),
        );
        os.clock = Arc::new(SkewedClock::new(os.clock, ahead, behind));
    }
    let options = launcher::Options {
        config,
        host,
        data,
        restart: !no_restart,
        supervised,
        os,
    };
    launcher::run(options).await.map_err(|error| match error {
        RunError::Config(error) => error.into(),
        RunError::Build(error) => error.into(),
        RunError::Start(error @ StartError::UnknownHost { .. }) => {
            Failure::usage(error.to_string())
        }
        RunError::Certificates(error) => Failure::operation(&error),
        RunError::Start(error) => Failure::operation(&error),
        RunError::Taken(error) => Failure::operation(&error),
        RunError::Failed(reason) => Failure::operation(&RunError::Failed(reason)),
        RunError::Replace(error) => Failure::operation(&RunError::Replace(error)),
        RunError::System(error) => Failure::operation(&RunError::System(error)),
    })
}
