//! C2: what writers feel when another version of a service with three replicas takes the place of the one that they write to.

use crate::cluster::{Cluster, operate};
use crate::cluster_file::renamed;
use crate::replicas_host::{self, Hosts};
use crate::replicas_writers::{CLIENTS, SERVICE, Writers, longest_gap};
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::statistics::Samples;
use crate::{Outcome, paths};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Writes before an upgrade begins.
const BEFORE: Duration = Duration::from_secs(3);
/// All writes of a trial: before the upgrade, as long as it takes, and after it.
const WRITES: Duration = Duration::from_secs(8);
/// What happens is felt until so long after it.
const AFTER: Duration = Duration::from_millis(300);

/// Upgrades a service to and fro while it is written to.
///
/// # Errors
/// The hosts do not come up, or an upgrade is refused.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    let file = replicas_host::controlled_file(SERVICE)?;
    replicas_host::forget()?;
    Cluster::prepare(&scale.program, &file)?;
    let versions = [other_version()?, paths::guest("database")?];
    let mut hosts = Hosts::start(&scale.program, &file)?;
    let admin = hosts.addresses()[0].admin;
    let swap = |version: &PathBuf| {
        let version = version.display().to_string();
        operate(&scale.program, admin, &["swap", SERVICE, &version])
    };
    // Until there is a first value, and both components are compiled.
    for version in &versions {
        hosts.until(|| swap(version))?;
    }
    let (mut during, mut otherwise) = (Samples::default(), Samples::default());
    let (mut commands, mut lost) = (Samples::default(), 0);
    let trials = scale.rounds * 3;
    for turn in 0..trials {
        let version = &versions[turn % versions.len()];
        let felt = trial(&runtime, &hosts, || swap(version))?;
        during.add(millis(felt.during));
        otherwise.add(millis(felt.otherwise));
        commands.add(millis(felt.command));
        lost += felt.lost;
    }
    hosts.stop()?;
    report.begin(
        "upgrade",
        "Longest time without an acknowledged write of 16 clients while another version of a service with three replicas takes over, and in as long a time before (C2); goal: gap ≤ 20 ms, nothing lost",
    );
    let (during, otherwise) = (during.sorted(), otherwise.sorted());
    report.row(
        &Row::new("upgrades of database under writes")
            .count("clients", CLIENTS)
            .count("trials", trials)
            .number("gap p50 ms", during.median(), 1)
            .number("gap max ms", during.max(), 1)
            .number("otherwise p50 ms", otherwise.median(), 1)
            .number("otherwise max ms", otherwise.max(), 1)
            .number("command ms", commands.sorted().median(), 0)
            .count("acknowledged and lost", lost),
    );
    Ok(())
}

/// The same component, which is another one to the hosts.
fn other_version() -> Outcome<PathBuf> {
    let path = paths::data()?.join("database_next.wasm");
    let component = std::fs::read(paths::guest("database")?)?;
    std::fs::write(&path, renamed(&component, "next")?)?;
    Ok(path)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What writers felt.
struct Felt {
    during: Duration,
    /// In as long a time before.
    otherwise: Duration,
    command: Duration,
    lost: usize,
}

fn trial(runtime: &Runtime, hosts: &Hosts, upgrade: impl Fn() -> Outcome + Sync) -> Outcome<Felt> {
    let leader = hosts.settled(SERVICE)?.leader;
    let writers = Writers::new(hosts.addresses(), leader);
    let act = || {
        std::thread::sleep(BEFORE);
        let began = Instant::now();
        upgrade()?;
        Ok((began, Instant::now()))
    };
    let (times, (began, ended)) = writers.write_while(runtime, WRITES, act)?;
    let (until, took) = (ended + AFTER, ended - began + AFTER);
    if times.last().is_none_or(|last| *last < until) {
        return Err(format!("the upgrade took {took:?}: longer than the writes").into());
    }
    Ok(Felt {
        during: longest_gap(felt(&times, began, until))?,
        otherwise: longest_gap(felt(&times, began - took.min(BEFORE), began))?,
        command: ended - began,
        lost: runtime.block_on(writers.lost())?,
    })
}

/// Of times in order those in an interval, and the ones next to it, so that a gap which reaches into it counts.
fn felt(times: &[Instant], from: Instant, until: Instant) -> &[Instant] {
    let first = times.partition_point(|time| *time < from);
    let end = times.partition_point(|time| *time < until);
    &times[first.saturating_sub(1)..(end + 1).min(times.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_where_it_is_felt() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let times = [at(0), at(1), at(9), at(11), at(30)];
        #[track_caller]
        fn check(found: Outcome<Duration>, expected: Option<u64>) {
            assert_eq!(found.ok(), expected.map(Duration::from_millis));
        }
        check(longest_gap(felt(&times, at(0), at(2))), Some(8));
        check(longest_gap(felt(&times, at(5), at(10))), Some(8));
        check(longest_gap(felt(&times, at(10), at(12))), Some(19));
        check(longest_gap(felt(&times, at(40), at(50))), None);
    }
}
