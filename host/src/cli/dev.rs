//! `bookshop-host dev`: runs a cluster, and swaps what is edited.
//!
//! Looks at the times of the files that components are made from, as `build` does; what is newer than its component is built, and what came out
//! otherwise than before takes its place while the hosts serve. What does not build, or does not fit, is said, and everything runs on as it was.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::apply::{Proposal, WITHIN, Waiting, lines};
use crate::cli::failure::Failure;
use crate::cli::output::Style;
use crate::cli::progress::Console;
use crate::cli::{build, check, run};
use crate::config::Config;
use crate::control::difference::Losses;
use crate::os::clock::sleep;
use crate::os::{Os, console};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at: sooner than anybody who saves one looks at the page.
const LOOK: Duration = Duration::from_millis(200);

/// What follows `dev` on the command line.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster file
    #[arg(default_value = "config/cluster.toml")]
    config: PathBuf,
    /// Keep everything here instead of where the cluster file says
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs until it is told to stop.
///
/// # Errors
/// As of `run`; or the cluster keeps no state of its own, by which components are swapped.
pub async fn run(arguments: Arguments, os: &Os) -> Result<(), Failure> {
    let config = check::read(&arguments.config, os)?;
    if !config.cluster.control {
        return Err(Failure::usage(format!(
            "{}: components are swapped by way of the cluster's own state; write control = true below [cluster]",
            arguments.config.display()
        )));
    }
    let running = run::Arguments::all_hosts(arguments.config.clone(), arguments.data);
    let mut watcher = Watcher::new(&arguments.config, os);
    tokio::select! {
        biased;
        ended = run::run(running, os) => ended,
        never = watcher.watch() => match never {},
    }
}

/// Sees what was edited.
struct Watcher<'a> {
    path: &'a Path,
    os: &'a Os,
    /// When the file, and what each component is made from, was changed, as far as it was acted on.
    seen: Seen,
}

/// Times of changes: of the cluster file, and by service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    file: Option<SystemTime>,
    services: BTreeMap<String, Option<SystemTime>>,
}

/// What nobody waits for.
enum Never {}

impl<'a> Watcher<'a> {
    fn new(path: &'a Path, os: &'a Os) -> Self {
        Self {
            path,
            os,
            seen: Seen::default(),
        }
    }

    async fn watch(&mut self) -> Never {
        // What is stale when the hosts start is built before they do.
        self.seen = self.look().1;
        loop {
            sleep(self.os.clock.as_ref(), LOOK).await;
            let (config, now) = self.look();
            if now == self.seen {
                continue;
            }
            let is_other = |name: &str| now.services.get(name) != self.seen.services.get(name);
            let edited: Vec<String> = config
                .iter()
                .flat_map(Config::own_services)
                .map(|service| service.name.to_string())
                .filter(|name| is_other(name))
                .collect();
            // Noted before cargo runs: what is edited meanwhile is seen with the next look.
            self.seen = now;
            if let Err(failure) = self.act(&edited).await {
                let style = Style::of_stderr();
                for message in failure.messages() {
                    console::line(&format!("{} {message}", style.bad("error:")));
                }
                console::line("everything runs on as it was; watching");
            }
        }
    }

    /// The file, if it makes sense, and when everything was changed.
    fn look(&self) -> (Option<Config>, Seen) {
        let file = self.os.disk.modified(self.path).ok();
        let config = check::read(self.path, self.os).ok();
        let services = config.iter().flat_map(Config::own_services);
        let config_of = config.as_ref();
        let changed = services.filter_map(|service| {
            let changed = build::changed(config_of?, service, self.os);
            Some((service.name.to_string(), changed))
        });
        let seen = Seen {
            file,
            services: changed.collect(),
        };
        (config, seen)
    }

    /// Builds what was edited, and puts in force what came out.
    async fn act(&self, edited: &[String]) -> Result<(), Failure> {
        let config = check::read(self.path, self.os)?;
        let started = self.os.clock.monotonic();
        let (target, progress) = (build::target(&config), Console::default());
        let report = build::build(&config, &target, Some(edited), self.os, &progress).await?;
        if !report.unbuilt.is_empty() {
            return Err(Failure::failed(format!(
                "{} cannot be built",
                report.unbuilt.join(", ")
            )));
        }
        if let Some((service, reason)) = report.failed.first() {
            return Err(Failure::failed(format!("{service}: {reason}")));
        }
        let host = config.hosts.first();
        let host = host.ok_or_else(|| Failure::usage("the cluster file has no host"))?;
        self.put_in_force(Admin::at(host.admin), started).await
    }

    async fn put_in_force(&self, admin: Admin, started: Duration) -> Result<(), Failure> {
        let state: ControlPart = admin.get(self.os, "/v1/control", WITHIN).await?;
        let current = state.current.ok_or_else(|| {
            Failure::failed("the cluster's state has no first value yet; save again in a moment")
        })?;
        let proposal = Proposal::read(self.path, self.os)?;
        if proposal.is(&current) {
            console::line("built; the components are the same as before");
            return Ok(());
        }
        let changes = proposal.changes(&current, Losses::Refused)?;
        let shown = lines(
            &changes,
            &proposal.config,
            Some(&current),
            Style::of_stderr(),
        );
        console::line(&shown.join("\n"));
        proposal.check_fits(&current, &admin, self.os).await?;
        let config = proposal.config.clone();
        let put =
            proposal.put_in_force(current.revision, &changes, Losses::Refused, &admin, self.os);
        let revision = put.await?;
        let waiting = Waiting::default();
        waiting.wait(&config, revision, &admin, self.os).await?;
        let took = self.os.clock.monotonic().saturating_sub(started);
        console::line(&format!(
            "all hosts run what was edited, {:.1} s after it was seen; watching",
            took.as_secs_f64()
        ));
        Ok(())
    }
}
