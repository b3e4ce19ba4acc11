//! `bookshop-host run`: the command line of the launcher.

use crate::cli::failure::Failure;
use crate::host::StartError;
use crate::launcher::{self, RunError};
use crate::os::Os;
use clap::Args;
use std::path::PathBuf;

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
    /// Leave a host that dies stopped
    #[arg(long)]
    pub no_restart: bool,
    /// Another `run` started this process and holds the other ends of its pipes
    #[arg(long, hide = true, requires = "host")]
    pub supervised: bool,
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
        no_restart,
        supervised,
    } = arguments;
    let options = launcher::Options {
        config,
        host,
        data,
        restart: !no_restart,
        supervised,
        os: os.clone(),
    };
    launcher::run(options).await.map_err(|error| match error {
        RunError::Config(error) => error.into(),
        RunError::Build(error) => error.into(),
        RunError::Start(error @ StartError::UnknownHost { .. }) => {
            Failure::usage(error.to_string())
        }
        RunError::Start(error) => Failure::operation(&error),
        RunError::System(error) => Failure::operation(&RunError::System(error)),
    })
}
