//! R5 and R6: how long nobody's write is acknowledged when the leader goes, whether one that was acknowledged is lost, and elections that nobody needs.

use crate::cluster::Cluster;
use crate::replicas_host::{self, Hosts};
use crate::replicas_peers::{Etcd, Peer, run};
use crate::replicas_writers::{CLIENTS, SERVICE, Writers, longest_gap};
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::statistics::Samples;
use crate::{Outcome, process};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Writes before the failure, and after it.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(3);
/// A run of etcd's client, and when its leader is killed: an election can take more than four seconds.
const ETCD_RUN: Duration = Duration::from_secs(10);
const ETCD_BEFORE: Duration = Duration::from_secs(3);
/// Its leader is killed no more often than this: a trial takes twice as long as one of ours, and its elections differ little from each other.
const ETCD_KILLS_MAX: usize = 20;
/// Between two trials.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the flapping link is down, and up.
const FLAP: Duration = Duration::from_millis(500);

/// What happens to a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Its process is killed.
    Killed,
    /// Nothing that it says gets through, nor anything to it, and no connection ends.
    CutOff,
}

/// R5.
///
/// # Errors
/// The hosts do not come back, or an acknowledged write is lost.
pub fn failover(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    let file = replicas_host::file()?;
    Cluster::prepare(&scale.program, &file)?;
    let mut results = Vec::new();
    let hosts = Hosts::start(&scale.program, &file)?;
    for (what, failure) in [
        ("leader killed", Failure::Killed),
        ("leader cut off, no connection ended", Failure::CutOff),
    ] {
        let mut gaps = Samples::default();
        let mut lost = 0;
        for _ in 0..scale.kills {
            let trial = trial(&runtime, &hosts, failure)?;
            gaps.add(trial.gap.as_secs_f64() * 1e3);
            lost += trial.lost;
            hosts.settled(SERVICE)?;
            std::thread::sleep(SETTLE);
        }
        results.push((what.to_owned(), gaps, lost));
    }
    hosts.stop()?;
    match Etcd::find() {
        Ok(etcd) => {
            let gaps = etcd_killed(&etcd, scale.kills.min(ETCD_KILLS_MAX))?;
            results.push((format!("leader killed, {}", etcd.name), gaps, 0));
        }
        Err(reason) => report.note(&format!("Without etcd: {reason}.")),
    }
    report.begin(
        "replicas-failover",
        "Longest time without an acknowledged write of 16 clients; goals: killed p50 ≤ 50 ms, p99 ≤ 200 ms; cut off ≤ 300 ms; nothing lost",
    );
    for (what, gaps, lost) in results {
        let (count, gaps) = (gaps.count(), gaps.sorted());
        report.row(
            &Row::new(what)
                .count("trials", count)
                .number("p50 ms", gaps.median(), 0)
                .number("p90 ms", gaps.percentile(90.0), 0)
                .number("p99 ms", gaps.percentile(99.0), 0)
                .number("max ms", gaps.max(), 0)
                .count("acknowledged and lost", lost),
        );
    }
    Ok(())
}

struct Trial {
    gap: Duration,
    lost: usize,
}

fn trial(runtime: &Runtime, hosts: &Hosts, failure: Failure) -> Outcome<Trial> {
    let leader = hosts.settled(SERVICE)?.leader;
    let pids = hosts.pids()?;
    let writers = Writers::new(hosts.addresses(), leader);
    let others: Vec<usize> = (0..hosts.addresses().len())
        .filter(|place| *place != leader)
        .collect();
    let pairs: Vec<(usize, usize)> = others.iter().map(|other| (leader, *other)).collect();
    let fail = || {
        std::thread::sleep(BEFORE);
        match failure {
            Failure::Killed => crate::child::kill(pids[leader]),
            Failure::CutOff => hosts.cut(&pairs),
        }
    };
    let (times, ()) = writers.write_while(runtime, BEFORE + AFTER, fail)?;
    if failure == Failure::CutOff {
        hosts.heal()?;
    }
    hosts.settled(SERVICE)?;
    Ok(Trial {
        gap: longest_gap(&times)?,
        lost: runtime.block_on(writers.lost())?,
    })
}

fn etcd_killed(etcd: &Etcd, kills: usize) -> Outcome<Samples> {
    let mut gaps = Samples::default();
    let mut members = etcd.start()?;
    for _ in 0..kills {
        let (client, target) = (members.client().to_path_buf(), members.all()?);
        let writing = std::thread::spawn(move || run(&client, "gap", &target, CLIENTS, ETCD_RUN));
        std::thread::sleep(ETCD_BEFORE);
        let killed = members.kill_leader()?;
        let printed = writing
            .join()
            .map_err(|_| "the client's thread panicked")??;
        gaps.add(printed["gap_ms"].as_f64().ok_or("the client says no gap")?);
        members.restart(killed)?;
        std::thread::sleep(SETTLE);
    }
    Ok(gaps)
}

/// R6.
///
/// # Errors
/// The hosts do not come up.
pub fn elections(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    let file = replicas_host::file()?;
    Cluster::prepare(&scale.program, &file)?;
    let hosts = Hosts::start(&scale.program, &file)?;
    let before = hosts.settled(SERVICE)?;
    let (leader, follower) = (before.leader, (before.leader + 1) % hosts.addresses().len());
    let writers = Writers::new(hosts.addresses(), leader);
    let is_over = AtomicBool::new(false);
    let (times, flaps) = std::thread::scope(|scope| {
        // Load alone leaves the machine idle while it waits for the disk.
        for _ in 0..process::cores() {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let written = writers.write_while(&runtime, scale.flapping, || {
            let (end, mut flaps) = (Instant::now() + scale.flapping, 0);
            while Instant::now() < end {
                hosts.cut(&[(leader, follower)])?;
                std::thread::sleep(FLAP);
                hosts.heal()?;
                std::thread::sleep(FLAP);
                flaps += 1;
            }
            Ok(flaps)
        });
        is_over.store(true, Ordering::Relaxed);
        written
    })?;
    let gap = longest_gap(&times)?;
    hosts.heal()?;
    let after = hosts.settled(SERVICE)?;
    let lost = runtime.block_on(writers.lost())?;
    hosts.stop()?;
    report.begin(
        "replicas-elections",
        "One link of the leader flaps, every core is busy and 16 clients write; goal: no election",
    );
    report.row(
        &Row::new("elections that nobody needed")
            .number("minutes", scale.flapping.as_secs_f64() / 60.0, 1)
            .count("flaps", flaps)
            .count("elections", usize::try_from(after.term - before.term)?)
            .number("longest gap ms", gap.as_secs_f64() * 1e3, 0)
            .count("acknowledged and lost", lost),
    );
    Ok(())
}
