//! Watches the hosts take up what is in force, one after another.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::control::registry::{Outcome, Standing};
use crate::os::clock::sleep;
use crate::os::{Os, console};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the hosts are asked.
const POLL: Duration = Duration::from_millis(250);
/// A host that restarts does not answer for a moment; another does.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How far the hosts of a file are with a revision.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    /// Hosts that run it, or a newer one.
    running: BTreeSet<String>,
    /// Those that cannot, and why.
    failed: Vec<(String, String)>,
    /// Those that have said nothing yet.
    missing: Vec<String>,
}

/// Returns once all hosts of a file run `revision`, and says on standard error which do.
///
/// # Errors
/// A host cannot run it, or some have not taken it up within `patience`.
pub async fn wait(
    config: &Config,
    revision: u64,
    patience: Duration,
    admin: &Admin,
    os: &Os,
) -> Result<(), Failure> {
    let until = os.clock.monotonic().saturating_add(patience);
    let mut said = BTreeSet::new();
    loop {
        let standings = standings(config, admin, os).await;
        let progress = progress(config, revision, &standings.unwrap_or_default());
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
        if progress.missing.is_empty() {
            return Ok(());
        }
        if os.clock.monotonic() >= until {
            return Err(Failure::failed(format!(
                "revision {revision} is in force, but {} did not take it up within {} s; `bookshop-host control` shows how far they are",
                progress.missing.join(", "),
                patience.as_secs()
            )));
        }
        sleep(os.clock.as_ref(), POLL).await;
    }
}

/// What hosts reported, as any of them knows it; none if nobody answers.
async fn standings(config: &Config, admin: &Admin, os: &Os) -> Option<Vec<Standing>> {
    let own = config.hosts.iter().map(|host| Admin::at(host.admin));
    for admin in std::iter::once(admin.clone()).chain(own) {
        let state: Result<ControlPart, Failure> = admin.get(os, "/v1/control", ANSWER_WITHIN).await;
        if let Ok(state) = state {
            return Some(state.standings);
        }
    }
    None
}

fn progress(config: &Config, revision: u64, standings: &[Standing]) -> Progress {
    let mut progress = Progress {
        running: BTreeSet::new(),
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
    fn hosts_run_it_cannot_or_have_said_nothing() {
        let hosts = ["a", "b", "c", "d"].map(|name| {
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
        ];
        let expected = Progress {
            running: BTreeSet::from(["a".into()]),
            failed: vec![("c".into(), "no such import".into())],
            missing: vec!["b".into(), "d".into()],
        };
        assert_eq!(progress(&config, 3, &standings), expected);
        let old = progress(&config, 2, &standings);
        assert_eq!(old.failed, []);
        assert_eq!(old.missing, ["d"]);
    }
}
