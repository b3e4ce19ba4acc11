//! Watches the hosts take up what is in force, one after another.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::config::{Config, duration};
use crate::control::registry::{BY_HOST, Outcome, Standing};
use crate::os::clock::sleep;
use crate::os::{Os, console};
use clap::Args;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the hosts are asked.
const POLL: Duration = Duration::from_millis(250);
/// A host that restarts does not answer for a moment; another does.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long commands wait that nobody told how long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether and how long a command waits for the hosts.
#[derive(Debug, Args)]
pub struct Waiting {
    /// How long to wait until all hosts run it
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = duration::parse)]
    wait: Duration,
    /// Do not wait until hosts run it
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            wait: PATIENCE,
            no_wait: false,
        }
    }
}

impl Waiting {
    /// Whether to wait.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.no_wait
    }

    /// How long to wait for the hosts.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.wait
    }

    /// Returns once all hosts of a file run `revision`, or at once if nobody is to wait.
    ///
    /// # Errors
    /// A host cannot run it, or some have not taken it up in time.
    pub async fn wait(
        &self,
        config: &Config,
        revision: u64,
        admin: &Admin,
        os: &Os,
    ) -> Result<(), Failure> {
        if self.no_wait {
            return Ok(());
        }
        wait(config, revision, self.wait, admin, os).await
    }
}

/// How far the hosts of a file are with a revision.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    /// Hosts that run it, or a newer one.
    running: BTreeSet<String>,
    /// Hosts that could, and wait for their turn.
    ready: BTreeSet<String>,
    /// Those that cannot, and why.
    failed: Vec<(String, String)>,
    /// Those that have said nothing yet.
    missing: Vec<String>,
}

/// Returns once all hosts of a file run `revision`, and says on standard error which do.
///
/// # Errors
/// A host cannot run it, or some have not taken it up within `patience`.
async fn wait(
    config: &Config,
    revision: u64,
    patience: Duration,
    admin: &Admin,
    os: &Os,
) -> Result<(), Failure> {
    let until = os.clock.monotonic().saturating_add(patience);
    let (mut said, mut were_ready, mut is_begun) = (BTreeSet::new(), BTreeSet::new(), false);
    loop {
        let state = state(config, admin, os).await;
        if let Some(taken_back) = state.as_ref().and_then(|it| taken_back(it, revision)) {
            return Err(Failure::failed(taken_back));
        }
        let standings = state.map(|state| state.standings);
        let progress = progress(config, revision, &standings.unwrap_or_default());
        if !std::mem::replace(&mut is_begun, true) && !progress.missing.is_empty() {
            let hosts = progress.missing.join(", ");
            console::line(&format!("{hosts} fetch and compile what is new"));
        }
        for host in &progress.ready {
            if were_ready.insert(host.clone()) {
                console::line(&format!(
                    "{host} is ready for revision {revision}, and waits for its turn"
                ));
            }
        }
        for host in &progress.running {
            if said.insert(host.clone()) {
                console::line(&format!("{host} runs revision {revision}"));
            }
        }
        if let Some((host, reason)) = progress.failed.first() {
            let stays = match said.is_empty() {
                true => "the others stay as they are".into(),
                false => format!(
                    "{} took it up before; to go back: bookshop-host apply --revision {}",
                    said.into_iter().collect::<Vec<_>>().join(", "),
                    revision.saturating_sub(1)
                ),
            };
            return Err(Failure::failed(format!(
                "{host} cannot run revision {revision} ({reason}); {stays}"
            )));
        }
        if progress.missing.is_empty() && progress.ready.is_empty() {
            return Ok(());
        }
        if os.clock.monotonic() >= until {
            return Err(Failure::failed(format!(
                "revision {revision} is in force, but {} did not take it up within {} s; `bookshop-host control` shows how far they are",
                (progress.ready.into_iter().chain(progress.missing))
                    .collect::<Vec<_>>()
                    .join(", "),
                patience.as_secs()
            )));
        }
        sleep(os.clock.as_ref(), POLL).await;
    }
}

/// What a host said that put something else in force instead of `revision`.
fn taken_back(state: &ControlPart, revision: u64) -> Option<String> {
    let mut history = state.history.iter();
    let next = history.find(|it| it.revision == revision + 1)?;
    // A canary's next share is no way back.
    let is_back = next.summary.contains(", since on ");
    (next.applied_by.starts_with(BY_HOST) && is_back).then(|| next.summary.clone())
}

/// The cluster's state, as any host knows it; none if nobody answers.
async fn state(config: &Config, admin: &Admin, os: &Os) -> Option<ControlPart> {
    let own = config.hosts.iter().map(|host| Admin::at(host.admin));
    for admin in std::iter::once(admin.clone()).chain(own) {
        let state: Result<ControlPart, Failure> = admin.get(os, "/v1/control", ANSWER_WITHIN).await;
        if let Ok(state) = state {
            return Some(state);
        }
    }
    None
}

fn progress(config: &Config, revision: u64, standings: &[Standing]) -> Progress {
    let mut progress = Progress {
        running: BTreeSet::new(),
        ready: BTreeSet::new(),
        failed: Vec::new(),
        missing: Vec::new(),
    };
    for host in &config.hosts {
        let name = host.name.to_string();
        let standing = standings.iter().find(|standing| standing.host == name);
        match standing.filter(|standing| standing.revision >= revision) {
            Some(Standing {
                outcome: Outcome::Failed(reason),
                revision: failed,
                ..
            }) if *failed == revision => progress.failed.push((name, reason.clone())),
            Some(Standing {
                outcome: Outcome::Ready,
                revision: ready,
                ..
            }) if *ready == revision => {
                progress.ready.insert(name);
            }
            Some(_) => {
                progress.running.insert(name);
            }
            None => progress.missing.push(name),
        }
    }
    progress
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn hosts_run_it_are_ready_cannot_or_have_said_nothing() {
        let hosts = ["a", "b", "c", "d", "f"].map(|name| {
            let ports: [usize; 4] = std::array::from_fn(|port| port + 1 + 4 * usize::from(name.as_bytes()[0]));
            format!("[[host]]\nname = \"{name}\"\nhttp = \"127.0.0.1:{}\"\npeer = \"127.0.0.1:{}\"\napi = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n", ports[0], ports[1], ports[2], ports[3])
        });
        let text = format!("[cluster]\nname = \"shop\"\n{}", hosts.concat());
        let config = Config::parse(Path::new("shop.toml"), &text).expect("a good file");
        let standing = |host: &str, revision, outcome| Standing {
            host: host.into(),
            revision,
            outcome,
            at_ms: 0,
        };
        let standings = [
            standing("a", 3, Outcome::Running),
            standing("b", 2, Outcome::Running),
            standing("c", 3, Outcome::Failed("no such import".into())),
            standing("e", 3, Outcome::Running),
            standing("f", 3, Outcome::Ready),
        ];
        let expected = Progress {
            running: BTreeSet::from(["a".into()]),
            ready: BTreeSet::from(["f".into()]),
            failed: vec![("c".into(), "no such import".into())],
            missing: vec!["b".into(), "d".into()],
        };
        assert_eq!(progress(&config, 3, &standings), expected);
        let old = progress(&config, 2, &standings);
        assert_eq!(old.failed, []);
        assert_eq!(old.missing, ["d"]);
    }
}
