//! R5 and R6: how long nobody's write is acknowledged when the leader goes, whether one that was acknowledged is lost, and elections that nobody needs.

use crate::cluster::Cluster;
use crate::cluster_file::Addresses;
use crate::replicas_host::{self, Hosts, PATIENCE};
use crate::replicas_peers::{Etcd, Peer, run};
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::statistics::Samples;
use crate::{Outcome, process};
use bookshop_host::client::{CallOptions, Client, RemoteFunction};
use bookshop_host::os::Os;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmtime::component::Val;

/// The service that is written to.
const SERVICE: &str = "database-pooled";
/// Clients that write without pause.
const CLIENTS: usize = 16;
/// A client goes on to the next host after an error, or when it has waited so long: what etcd's client does.
const PATIENCE_OF_CLIENT: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(2);
/// Writes before the failure, and after it.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(3);
/// A run of etcd's client, and when its leader is killed: an election can take more than four seconds.
const ETCD_RUN: Duration = Duration::from_secs(10);
const ETCD_BEFORE: Duration = Duration::from_secs(3);
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
            let gaps = etcd_killed(&etcd, scale.kills)?;
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
    let (acknowledged, failed) = std::thread::scope(|scope| {
        let failing = scope.spawn(|| {
            std::thread::sleep(BEFORE);
            match failure {
                Failure::Killed => crate::child::kill(pids[leader]),
                Failure::CutOff => hosts.cut(&pairs),
            }
        });
        let acknowledged = runtime.block_on(writers.write_for(BEFORE + AFTER));
        (acknowledged, failing.join())
    });
    failed.map_err(|_| "the failing thread panicked")??;
    if failure == Failure::CutOff {
        hosts.heal()?;
    }
    let mut times = acknowledged?;
    times.sort_unstable();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    hosts.settled(SERVICE)?;
    Ok(Trial {
        gap: gap.ok_or("no write was acknowledged")?,
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

/// Clients that write, each to a key of its own, so that it can be seen afterwards whether a write is lost.
#[derive(Clone)]
struct Writers(Arc<Shared>);

struct Shared {
    hosts: Vec<Addresses>,
    first: usize,
    /// One connection to each host, if it is there.
    connections: Vec<tokio::sync::Mutex<Option<(RemoteFunction, RemoteFunction)>>>,
    acknowledged: Mutex<Vec<Instant>>,
    /// The last number that each client was told is written.
    last: Vec<AtomicU64>,
}

impl Writers {
    fn new(hosts: &[Addresses], first: usize) -> Self {
        Self(Arc::new(Shared {
            hosts: hosts.to_vec(),
            first,
            connections: hosts
                .iter()
                .map(|_| tokio::sync::Mutex::default())
                .collect(),
            acknowledged: Mutex::default(),
            last: (0..CLIENTS).map(|_| AtomicU64::new(0)).collect(),
        }))
    }

    /// When writes were acknowledged.
    async fn write_for(&self, time: Duration) -> Outcome<Vec<Instant>> {
        let end = Instant::now() + time;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| tokio::spawn(self.clone().write_until(client, end)))
            .collect();
        for client in clients {
            client.await?;
        }
        let times = self.0.acknowledged.lock();
        Ok(times.unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn write_until(self, client: usize, end: Instant) {
        let shared = &self.0;
        let (mut place, mut number) = (shared.first, 0);
        while Instant::now() < end {
            number += 1;
            let write = self.write(place, client, number);
            match tokio::time::timeout(PATIENCE_OF_CLIENT, write).await {
                Ok(Ok(())) => {
                    shared.last[client].store(number, Ordering::Relaxed);
                    let times = shared.acknowledged.lock();
                    times
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(Instant::now());
                }
                Ok(Err(_)) | Err(_) => {
                    place = (place + 1) % shared.hosts.len();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn write(&self, place: usize, client: usize, number: u64) -> Outcome {
        let (set, _) = self.functions(place).await?;
        let bytes = number.to_be_bytes().into_iter().cycle();
        let value = bytes.take(crate::state_host::VALUE_BYTES).map(Val::U8);
        let arguments = [key(client), Val::List(value.collect())];
        let options = CallOptions {
            timeout: Some(PATIENCE_OF_CLIENT),
            ..CallOptions::default()
        };
        let answer = set.call(&arguments, &options).await;
        match answer {
            Ok(answer) if matches!(answer[..], [Val::Result(Ok(_))]) => Ok(()),
            Ok(answer) => Err(format!("{answer:?}").into()),
            Err(error) => {
                // A host that was started again has to be connected to anew.
                *self.0.connections[place].lock().await = None;
                Err(error.into())
            }
        }
    }

    async fn functions(&self, place: usize) -> Outcome<(RemoteFunction, RemoteFunction)> {
        let mut connection = self.0.connections[place].lock().await;
        if let Some(functions) = &*connection {
            return Ok(functions.clone());
        }
        let client = Client::connect(self.0.hosts[place].api, &Os::real()).await?;
        let set = client.function(SERVICE, "set").await?;
        let get = client.function(SERVICE, "get").await?;
        Ok(connection.insert((set, get)).clone())
    }

    /// How many clients do not find what they were told is written.
    async fn lost(&self) -> Outcome<usize> {
        let mut lost = 0;
        for client in 0..CLIENTS {
            let last = self.0.last[client].load(Ordering::Relaxed);
            if last > 0 && self.read(client).await? < last {
                lost += 1;
            }
        }
        Ok(lost)
    }

    async fn read(&self, client: usize) -> Outcome<u64> {
        let (_, get) = self.functions(self.0.first).await?;
        let options = CallOptions {
            timeout: Some(PATIENCE),
            ..CallOptions::default()
        };
        let answer = get.call(&[key(client)], &options).await?;
        number(&answer).ok_or_else(|| format!("no value: {answer:?}").into())
    }
}

fn key(client: usize) -> Val {
    Val::String(format!("gap-{client}"))
}

/// The number that a value was made of.
fn number(answer: &[Val]) -> Option<u64> {
    let [Val::Result(Ok(Some(found)))] = answer else {
        return None;
    };
    let Val::Option(Some(entry)) = &**found else {
        return None;
    };
    let Val::Record(fields) = &**entry else {
        return None;
    };
    let (_, value) = fields.iter().find(|(name, _)| name == "value")?;
    let Val::List(bytes) = value else {
        return None;
    };
    let mut number = [0; 8];
    for (to, from) in number.iter_mut().zip(bytes) {
        let Val::U8(byte) = from else {
            return None;
        };
        *to = *byte;
    }
    Some(u64::from_be_bytes(number))
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
    let (mut flaps, mut gap) = (0, Duration::ZERO);
    std::thread::scope(|scope| -> Outcome {
        // Load alone leaves the machine idle while it waits for the disk.
        for _ in 0..process::cores() {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let writing = scope.spawn(|| runtime.block_on(writers.write_for(scale.flapping)));
        let end = Instant::now() + scale.flapping;
        let mut flap = || -> Outcome {
            while Instant::now() < end {
                hosts.cut(&[(leader, follower)])?;
                std::thread::sleep(FLAP);
                hosts.heal()?;
                std::thread::sleep(FLAP);
                flaps += 1;
            }
            Ok(())
        };
        let flapped = flap();
        let times = writing.join().map_err(|_| "the writing thread panicked");
        is_over.store(true, Ordering::Relaxed);
        flapped?;
        let mut times = times??;
        times.sort_unstable();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        gap = gaps.max().ok_or("no write was acknowledged")?;
        Ok(())
    })?;
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
