//! The command line: what can be typed, and the way from there to what does it.
//!
//! One file for each command. What goes wrong comes back as a [`Failure`] and is printed here, once, with its causes.
//! Results go to standard output, everything about the way to them to standard error.

use crate::os::{Os, console, task};
use clap::{Parser, Subcommand};
use failure::Failure;
use output::Style;
use std::process::ExitCode;

pub(crate) mod apply;
pub mod build;
mod dev;
pub mod failure;
pub mod wit_sync;

mod admin;
mod api;
mod backup;
mod call;
mod certs;
mod chaos;
pub(crate) mod check;
mod compile;
mod config_keys;
mod control;
mod group;
mod inspect;
mod logs;
mod output;
mod progress;
mod registry;
mod restore;
mod run;
mod status;
mod storage;
mod swap;
mod table;
mod wit;

/// Runs distributed applications made of WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "bookshop-host",
    version,
    arg_required_else_help = true,
    after_help = "Start with:\n  bookshop-host run config/cluster.toml\n\nExit codes: 0 done, 1 it failed, 2 the command or the configuration is wrong, 3 no host answers."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build what is stale, then start every host of the cluster file, each in a process of its own
    #[command(
        after_help = "Examples:\n  bookshop-host run config/cluster.toml\n  bookshop-host run config/cluster.toml --host alpha"
    )]
    Run(run::Arguments),
    /// Run every host, and swap what is edited while they serve
    #[command(
        after_help = "The cluster has to keep its own state: `control = true` below `[cluster]`. What is saved is built, and takes its place on all hosts, whose state is kept; what does not build or fit is said, and everything runs on as it was.\n\nExample:\n  bookshop-host dev config/cluster.toml"
    )]
    Dev(dev::Arguments),
    /// Build and compile the components that are missing or stale
    #[command(
        after_help = "Examples:\n  bookshop-host build\n  bookshop-host build config/cluster.toml fraud-detection"
    )]
    Build(build::Arguments),
    /// Check the cluster file and its components without starting anything
    #[command(
        after_help = "Examples:\n  bookshop-host check\n  bookshop-host check config/cluster.toml --build --json"
    )]
    Check(check::Arguments),
    /// Call a function of a running service
    #[command(
        after_help = "Arguments and results are WAVE text: 42, \"text\", {field: 1}, [1, 2], some(1), ok(1), case(1).\nAn answer err(…) is an answer: the exit code is 0.\n\nExamples:\n  bookshop-host call suggestions.suggest '[{name: \"Book A\", quantity: 1}]'\n  bookshop-host call bookshop:shop/suggestions.suggest '[]' --json --timeout 2s\n  bookshop-host call suggestions.suggest '[]' --cluster config/cluster.toml --host beta --as reports"
    )]
    Call(call::Arguments),
    /// Show what a component is: its interfaces, digest, size, and what it needs
    #[command(
        after_help = "Examples:\n  bookshop-host inspect target/wasm32-wasip2/component/fraud_detection.wasm\n  bookshop-host inspect service.wasm --wit > service.wit"
    )]
    Inspect(inspect::Arguments),
    /// Show the hosts and services of the running cluster
    #[command(
        after_help = "Examples:\n  bookshop-host status\n  bookshop-host status --admin 127.0.0.1:9102 --json"
    )]
    Status(status::Arguments),
    /// Show the log of a running host
    #[command(
        after_help = "Examples:\n  bookshop-host logs --follow\n  bookshop-host logs fraud-detection --lines 20\n  bookshop-host logs host"
    )]
    Logs(logs::Arguments),
    /// Let a service finish its calls and take no more
    #[command(after_help = "Example:\n  bookshop-host stop fraud-detection")]
    Stop(control::Service),
    /// Load a stopped service and let it take calls again
    #[command(after_help = "Example:\n  bookshop-host start fraud-detection")]
    Start(control::Service),
    /// Let a whole host finish its calls and end
    #[command(after_help = "Example:\n  bookshop-host stop-host beta")]
    StopHost(control::Host),
    /// Start a host that was stopped
    #[command(after_help = "Example:\n  bookshop-host start-host beta")]
    StartHost(control::Host),
    /// Let a host finish its calls and begin anew in the same process, without refusing a connection
    #[command(
        after_help = "Connections that come meanwhile wait, and are answered by the new one.\n\nExample:\n  bookshop-host restart-host beta"
    )]
    RestartHost(control::Host),
    /// Compare a cluster file with the one in force, and put it in its place while the cluster runs
    #[command(
        after_help = "The cluster has to keep its own state: `control = true` below `[cluster]`. The hosts take the file up one after another: each fetches the components, restarts in place, and goes back if it cannot run them, which leaves the others as they are.\nWithout a terminal to ask on, --yes is needed.\n\nExamples:\n  bookshop-host apply config/cluster.toml\n  bookshop-host apply --revision 3\n  bookshop-host apply config/cluster.toml --dry-run --json\n  bookshop-host apply config/cluster.toml --yes --admin 127.0.0.1:9102"
    )]
    Apply(apply::Arguments),
    /// Put another component in the place of a service's, on all hosts, while they serve
    #[command(
        after_help = "The cluster has to keep its own state: `control = true` below `[cluster]`. One host after another loads the component, links it and every service that calls it, and lets calls find it; calls under way finish on the old one. If more calls fail than before, or they take longer, all hosts go back to the old one. What its callers cannot call is refused before anything changes.\nWith --canary it gets growing shares of the calls first, on all hosts, whoever dies meanwhile; without 100% at the end it stays at the last one, until `swap` gives it all calls or `rollback` none.\n\nExamples:\n  bookshop-host swap fraud-detection target/wasm32-wasip2/component/fraud_detection_v2.wasm\n  bookshop-host swap fraud-detection v2.wasm --canary 5%,25%,100% --every 30s\n  bookshop-host swap fraud-detection v2.wasm --dry-run\n  bookshop-host swap fraud-detection v2.wasm --grant 'storage = \"volatile\"'\n  bookshop-host swap fraud-detection v2.wasm --json --admin 127.0.0.1:9102"
    )]
    Swap(swap::Swap),
    /// Put the component that a service had before in its place again
    #[command(after_help = "Example:\n  bookshop-host rollback fraud-detection")]
    Rollback(swap::Rollback),
    /// Show the components that a service has and had, and what became of them
    #[command(
        after_help = "Examples:\n  bookshop-host versions fraud-detection\n  bookshop-host versions fraud-detection --json"
    )]
    Versions(swap::Versions),
    /// Show the cluster file in force, those before it, and how far each host is with it
    #[command(
        after_help = "Examples:\n  bookshop-host control\n  bookshop-host control --json\n  bookshop-host control --file 3 > before.toml"
    )]
    Control(registry::Arguments),
    /// Show and change the replicas of a service, and which of them leads
    #[command(subcommand)]
    Group(group::Command),
    /// Write what replicated services keep into one file, while they serve
    #[command(
        after_help = "Each service is written as of one entry, and has everything that was answered before the command began.\nThe file has checksums of all parts and of the whole. Keep it where the hosts are not.\n\nExamples:\n  bookshop-host backup shop.backup\n  bookshop-host backup orders.backup orders --json"
    )]
    Backup(backup::Arguments),
    /// Let hosts that keep nothing begin with what a backup has
    #[command(
        after_help = "The hosts must not run, and must keep nothing: move their `log` and `state` away first. The whole backup is compared with its checksums before anything is written.\nWithout --host all hosts of the file get it, whose folders have to be on this machine; with --host that one begins alone, and the others, started with nothing, join it.\nServices that are not in the backup begin empty.\n\nExamples:\n  bookshop-host restore shop.backup config/cluster.toml\n  bookshop-host restore shop.backup config/cluster.toml --host alpha"
    )]
    Restore(restore::Arguments),
    /// Inject faults into the links between running hosts, and heal them
    #[command(
        subcommand,
        after_help = "The cluster file has to allow it: `[chaos]`, and below it `enabled = true`. A link has at most one drop and one delay;\na later command replaces the one of its kind. A host that starts again has no faults on its links.\n\nExamples:\n  bookshop-host chaos partition alpha beta,gamma --for 10s\n  bookshop-host chaos drop alpha beta 20%\n  bookshop-host chaos show\n  bookshop-host chaos heal"
    )]
    Chaos(chaos::Command),
    /// Make and replace the certificates with which hosts know each other
    #[command(subcommand)]
    Certs(certs::Command),
    /// Look at what hosts that do not run keep on their disks
    #[command(subcommand)]
    Storage(storage::Command),
    /// Work on WIT packages
    #[command(subcommand)]
    Wit(wit::Command),
    /// Explain every key of a cluster file
    #[command(
        after_help = "Examples:\n  bookshop-host config-keys\n  bookshop-host config-keys limits"
    )]
    ConfigKeys(config_keys::Arguments),
    /// Compile one component: what a host runs in a child process
    #[command(name = crate::compile::COMPILE_COMMAND, hide = true)]
    CompileComponent(compile::Arguments),
}

/// The whole program: reads the command line, does what it says, prints what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output with code 0, a mistake to standard error with code 2. A closed one loses the text only.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let done = match task::runtime() {
        Ok(runtime) => runtime.block_on(cli.run(&Os::real())),
        Err(error) => Err(Failure::operation(&error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let style = Style::of_stderr();
            for message in failure.messages() {
                console::line(&format!("{} {message}", style.bad("error:")));
            }
            ExitCode::from(failure.code())
        }
    }
}

impl Cli {
    async fn run(self, os: &Os) -> Result<(), Failure> {
        match self.command {
            Command::Run(arguments) => run::run(arguments, os).await,
            Command::Dev(arguments) => dev::run(arguments, os).await,
            Command::Build(arguments) => build::run(arguments, os).await,
            Command::Check(arguments) => check::run(arguments, os).await,
            Command::Call(arguments) => call::run(arguments, os).await,
            Command::Inspect(arguments) => inspect::run(&arguments, os),
            Command::Status(arguments) => status::run(&arguments, os).await,
            Command::Logs(arguments) => logs::run(&arguments, os).await,
            Command::Stop(service) => service.stop(os).await,
            Command::Start(service) => service.start(os).await,
            Command::StopHost(host) => host.stop(os).await,
            Command::StartHost(host) => host.start(os).await,
            Command::RestartHost(host) => host.restart(os).await,
            Command::Apply(arguments) => apply::run(&arguments, os).await,
            Command::Swap(swap) => swap.run(os).await,
            Command::Rollback(rollback) => rollback.run(os).await,
            Command::Versions(versions) => versions.run(os).await,
            Command::Control(arguments) => registry::run(&arguments, os).await,
            Command::Group(command) => group::run(command, os).await,
            Command::Backup(arguments) => backup::run(&arguments, os).await,
            Command::Restore(arguments) => restore::run(&arguments, os).await,
            Command::Chaos(command) => chaos::run(&command, os).await,
            Command::Certs(command) => certs::run(command, os).await,
            Command::Storage(command) => storage::run(&command, os),
            Command::Wit(command) => wit::run(&command, os),
            Command::ConfigKeys(arguments) => config_keys::run(&arguments),
            Command::CompileComponent(arguments) => compile::run(&arguments, os),
        }
    }
}

#[cfg(test)]
mod tests;
