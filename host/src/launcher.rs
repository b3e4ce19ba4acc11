//! `bookshop-host run`: every host of the file as a child process, or one of them in this process.

use crate::certificates::{self, CertificateError};
use crate::cli::{build, check};
use crate::config::{Config, ConfigError};
use crate::control::taken::{self, TakenError};
use crate::host::{self, Ending, Host, Restart, StartError};
use crate::os::listeners::Listeners;
use crate::os::signal::StopSignals;
use crate::os::{Os, console, process};
use crate::parent::Parent;
use crate::supervisor::chain;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

mod cluster;
mod keeper;

/// What `run` was asked for.
pub struct Options {
    /// The cluster file.
    pub config: PathBuf,
    /// Only this host, in this process.
    pub host: Option<String>,
    /// Overrides `cluster.data`.
    pub data: Option<PathBuf>,
    /// Whether a host that dies is started again.
    pub restart: bool,
    /// Whether another `run` started this process and holds the other ends of its standard input and output.
    pub supervised: bool,
    /// The outside.
    pub os: Os,
}

/// Why `run` ended without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A component cannot be built.
    #[error(transparent)]
    Build(#[from] build::BuildError),
    /// Hosts cannot know each other.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// The host does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What the host has taken up of the cluster's state cannot be changed.
    #[error(transparent)]
    Taken(#[from] TakenError),
    /// The host stopped by itself, because what it keeps was not safe any more. What it had promised is kept.
    #[error("the host stopped: {0}")]
    Failed(String),
    /// The operating system refuses signals, pipes or this program's own path.
    #[error("cannot prepare to run")]
    System(#[from] io::Error),
    /// The host has drained, but its process cannot become a new one.
    #[error("cannot restart in place")]
    Replace(#[source] io::Error),
}

/// Runs until Ctrl-C or SIGTERM, then drains. A second Ctrl-C ends everything at once.
///
/// # Errors
/// See [`RunError`].
pub async fn run(options: Options) -> Result<(), RunError> {
    let mut config = check::read(&options.config, &options.os)?;
    if let Some(data) = &options.data {
        config.keep_in(data);
    }
    let config = Arc::new(config);
    if !options.supervised {
        build::prepare(&config, &options.os).await?;
        let prepared = certificates::prepare(&config, &options.os)?;
        if !prepared.is_empty() {
            console::line(&prepared.to_string());
        }
    }
    match &options.host {
        Some(name) => one(&options, Arc::clone(&config), name).await,
        None => cluster::run(&options, config).await,
    }
}

async fn one(options: &Options, config: Arc<Config>, name: &str) -> Result<(), RunError> {
    let mut signals = StopSignals::install()?;
    let (parent, parent_gone) = if options.supervised {
        let (input, output) = process::parent_pipes()?;
        let (parent, gone) = Parent::connect(input, output);
        (parent, Some(gone))
    } else {
        (Parent::none(), None)
    };
    let program = process::current_program()?;
    let launcher = parent.clone();
    let started = host::start(host::Options {
        config: Arc::clone(&config),
        name: name.to_owned(),
        program,
        parent,
        restart: Restart::in_place(),
        os: options.os.clone(),
    })
    .await;
    let host = match started {
        Ok(host) => host,
        Err(error) => return give_up_trial(&config, name, error, &options.os),
    };
    options.os.network.close_inherited();
    launcher.ready().await;
    let gone = async {
        match parent_gone {
            // However the reading task ended, there is no parent any more.
            Some(gone) => drop(gone.await),
            None => pending().await,
        }
    };
    tokio::pin!(gone);
    let told_to_stop = async {
        tokio::select! {
            biased;
            () = signals.next() => {}
            () = &mut gone => {}
        }
    };
    match host.ending(told_to_stop).await {
        Ending::Failed(reason) => {
            host.log.error(
                None,
                &format!(
                    "stopped at once, so that nothing is promised that may not be kept: {reason}"
                ),
            );
            Err(RunError::Failed(reason))
        }
        Ending::Stopped => {
            drain(host, &mut signals).await;
            Ok(())
        }
        Ending::RestartInPlace => {
            launcher.restarting().await;
            restart_in_place(host, &mut signals, gone).await
        }
    }
}

/// A host that does not start because of what it tries begins anew with what it ran before.
fn give_up_trial(config: &Config, name: &str, error: StartError, os: &Os) -> Result<(), RunError> {
    let is_ours = !matches!(
        error,
        StartError::UnknownHost { .. } | StartError::DataInUse { .. } | StartError::Data { .. }
    );
    let folder = config.cluster.data.join(name);
    let reason = chain(&error);
    if !config.cluster.control || !is_ours || !taken::give_up_trial(&folder, &reason, os)? {
        return Err(error.into());
    }
    console::line(&format!(
        "{name} does not start with the new cluster file, and goes back to what it ran before: {reason}"
    ));
    process::replace(&Listeners::default())
        .map(|never| match never {})
        .map_err(RunError::Replace)
}

/// Drains the host and makes this process a new image of its program, unless it is told to stop before that.
async fn restart_in_place(
    host: Host,
    signals: &mut StopSignals,
    gone: impl Future<Output = ()>,
) -> Result<(), RunError> {
    host.log.info(None, "draining, to restart in place");
    let draining = host.stop_listening_on();
    tokio::pin!(draining);
    let listeners = tokio::select! {
        biased;
        () = signals.next() => None,
        () = gone => None,
        listeners = &mut draining => Some(listeners),
    };
    if let Some(listeners) = listeners {
        return process::replace(&listeners)
            .map(|never| match never {})
            .map_err(RunError::Replace);
    }
    tokio::select! {
        biased;
        _closed = draining => {}
        () = signals.next() => {}
    }
    Ok(())
}

async fn drain(host: Host, signals: &mut StopSignals) {
    host.log
        .info(None, "draining; a second Ctrl-C ends it at once");
    tokio::select! {
        biased;
        _cut_off = host.stop() => {}
        () = signals.next() => {}
    }
}
