//! Replicated services: commands and queries a second and how long they take, beside what the machine allows; checkpoints; start; memory.

use crate::bare::Bare;
use crate::cluster::Cluster;
use crate::cluster_file::ClusterFile;
use crate::loopback::{Ends, round_trips};
use crate::pair::microseconds;
use crate::process::Memory;
use crate::report::{Report, Row, grouped};
use crate::scale::Scale;
use crate::state_floor::synced_writes;
use crate::state_host::{self, Checkpoints, Services, VALUE_BYTES, Work};
use crate::state_load::{Variant, cells, median, run};
use crate::statistics::Samples;
use crate::two_hosts::Bytes;
use crate::{Outcome, paths};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmtime::component::Val;

/// How many clients write and read.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// How many carry orders through the queue.
const QUEUE_CLIENTS: [usize; 2] = [1, 64];
/// Clients beside a checkpoint.
const CHECKPOINT_CLIENTS: usize = 64;
/// Bytes of the log that a start reads.
const LOG_BYTES: u64 = 64 << 20;
/// Keys of the database whose memory is read.
const KEYS: u32 = 100_000;
/// Pairs of one call that loads them.
const PAIRS: u32 = 500;
/// Pause before memory is read, so that what starts and ends in the background is over.
const SETTLE: Duration = Duration::from_secs(2);

/// Measures one host on this machine.
///
/// # Errors
/// Something is not built, or a call fails.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    let file = state_host::file(Checkpoints::None)?;
    Cluster::prepare(&scale.program, &file)?;
    commands(&runtime, &file, scale, report)?;
    checkpoints(&runtime, scale, report)?;
    start(&runtime, &file, scale, report)?;
    memory(&runtime, &file, scale, report)?;
    state_host::forget()
}

fn filled(runtime: &Runtime, file: &ClusterFile, scale: &Scale) -> Outcome<Cluster> {
    let cluster = state_host::start(&scale.program, file)?;
    runtime.block_on(async {
        for is_pooled in [false, true] {
            Services::connect(state_host::api(file)?, is_pooled)
                .await?
                .fill()
                .await?;
        }
        Outcome::Ok(cluster)
    })
}

fn commands(runtime: &Runtime, file: &ClusterFile, scale: &Scale, report: &mut Report) -> Outcome {
    let mut variants = Vec::new();
    for (work, counts) in [
        (Work::Set, &CLIENTS[..]),
        (Work::SetOnce, &CLIENTS[..]),
        (Work::Get, &CLIENTS[..]),
        (Work::Mixed, &CLIENTS[2..]),
        (Work::Cycle, &QUEUE_CLIENTS[..]),
    ] {
        for is_pooled in [false, true] {
            variants.extend(counts.iter().map(|clients| Variant {
                work,
                is_pooled,
                clients: *clients,
            }));
        }
    }
    let api = state_host::api(file)?;
    let mut loads: Vec<Vec<_>> = variants.iter().map(|_| Vec::new()).collect();
    let mut floor = Floor::new()?;
    for _ in 0..scale.rounds {
        // Each round begins with a database of the same size.
        let cluster = filled(runtime, file, scale)?;
        let host = cluster.pid();
        floor.round(runtime, scale)?;
        for (variant, loads) in variants.iter().zip(&mut loads) {
            loads.push(runtime.block_on(run(
                *variant,
                api,
                &[host],
                scale.warm_up / 2,
                scale.in_process_run,
            ))?);
        }
        cluster.stop()?;
    }
    let goal = floor.rows(report);
    report.begin(
        "state",
        &format!("Replicated services on one host, values of {VALUE_BYTES} bytes; goals: one client p50 ≤ F + 2R + 150 µs, 256 clients ≥ 24,000 commands/s with p99 ≤ 40 ms and ≥ 31,000 queries/s"),
    );
    for (variant, loads) in variants.iter().zip(loads) {
        let (load, spread) = median(loads).ok_or("there were no rounds")?;
        let is_single = variant.clients == 1 && matches!(variant.work, Work::Set | Work::SetOnce);
        let over = if is_single {
            load.p50_us() - goal
        } else {
            f64::NAN
        };
        report.row(&cells(row(*variant), &load, spread).number("p50 over F + 2R µs", over, 0));
    }
    Ok(())
}

fn row(variant: Variant) -> Row {
    let work = match variant.work {
        Work::Set => "set",
        Work::SetOnce => "set with a key",
        Work::Get => "get",
        Work::Mixed => "get, every tenth set",
        Work::Cycle => "enqueue, dequeue, ack",
    };
    let instances = if variant.is_pooled { "pooled" } else { "fresh" };
    Row::new(format!("{work}, {instances}")).count("clients", variant.clients)
}

/// What commands are compared with.
struct Floor {
    alone: Samples,
    beside: Samples,
    component: Samples,
    round_trip: Samples,
    bare: Bare,
}

impl Floor {
    fn new() -> Outcome<Self> {
        let bare = Bare::load(
            &paths::guest("fixture-neighbour")?,
            "fixture:hostile/neighbour@0.1.0",
            "ping",
        )?;
        Ok(Self {
            alone: Samples::default(),
            beside: Samples::default(),
            component: Samples::default(),
            round_trip: Samples::default(),
            bare,
        })
    }

    fn round(&mut self, runtime: &Runtime, scale: &Scale) -> Outcome {
        let count = scale.calls_per_round * scale.paired_rounds / 10;
        let folder = state_host::folder()?;
        self.alone.extend(synced_writes(&folder, count, 0)?);
        self.beside.extend(synced_writes(&folder, count, 1)?);
        let bytes = Bytes {
            request: VALUE_BYTES,
            answer: 16,
        };
        self.round_trip
            .extend(round_trips(bytes, count, Ends::Scheduled)?);
        for _ in 0..count {
            let started = Instant::now();
            runtime.block_on(self.bare.call_fresh(&[Val::U32(41)]))?;
            self.component.add(microseconds(started.elapsed()));
        }
        Ok(())
    }

    /// Adds its table, and gives F + 2R.
    fn rows(self, report: &mut Report) -> f64 {
        report.begin("state-floor", "Below a command: F, R and W");
        let mut medians = Vec::new();
        for (what, samples) in [
            ("F, one write of 4 KiB and its sync", self.alone),
            ("F, beside another writer", self.beside),
            ("R, a round trip over loopback", self.round_trip),
            (
                "W, one call of a component by the engine alone, fresh",
                self.component,
            ),
        ] {
            let (count, samples) = (samples.count(), samples.sorted());
            medians.push(samples.median());
            report.row(
                &Row::new(what)
                    .count("times", count)
                    .number("p50 µs", samples.median(), 1)
                    .number("p99 µs", samples.percentile(99.0), 1),
            );
        }
        medians[0] + 2.0 * medians[2]
    }
}

/// What commands feel of checkpoints.
fn checkpoints(runtime: &Runtime, scale: &Scale, report: &mut Report) -> Outcome {
    let variant = Variant {
        work: Work::Set,
        is_pooled: true,
        clients: CHECKPOINT_CLIENTS,
    };
    let kinds = [
        ("no checkpoints", Checkpoints::None),
        ("a checkpoint every second", Checkpoints::EverySecond),
    ];
    let mut loads = [Vec::new(), Vec::new()];
    for _ in 0..scale.rounds {
        for ((_, kind), loads) in kinds.iter().zip(&mut loads) {
            let file = state_host::file(*kind)?;
            let cluster = filled(runtime, &file, scale)?;
            let (api, host) = (state_host::api(&file)?, cluster.pid());
            loads.push(runtime.block_on(run(
                variant,
                api,
                &[host],
                scale.warm_up / 2,
                scale.run,
            ))?);
            cluster.stop()?;
        }
    }
    report.begin(
        "state-checkpoint",
        "What commands feel of checkpoints: set, pooled",
    );
    for ((what, _), loads) in kinds.iter().zip(loads) {
        let (load, spread) = median(loads).ok_or("there were no rounds")?;
        report.row(&cells(
            Row::new(*what).count("clients", variant.clients),
            &load,
            spread,
        ));
    }
    Ok(())
}

/// How long a host that was killed takes to serve again.
fn start(runtime: &Runtime, file: &ClusterFile, scale: &Scale, report: &mut Report) -> Outcome {
    let api = state_host::api(file)?;
    let variant = Variant {
        work: Work::Set,
        is_pooled: true,
        clients: CHECKPOINT_CLIENTS,
    };
    let mut times = [Samples::default(), Samples::default()];
    let mut log_bytes = 0;
    for _ in 0..scale.rounds {
        let cluster = filled(runtime, file, scale)?;
        times[0].add(killed_and_started(runtime, cluster, file, scale)?);
        let cluster = filled(runtime, file, scale)?;
        while log_bytes_now()? < LOG_BYTES {
            runtime.block_on(run(
                variant,
                api,
                &[cluster.pid()],
                Duration::ZERO,
                Duration::from_millis(500),
            ))?;
        }
        log_bytes = log_bytes_now()?;
        times[1].add(killed_and_started(runtime, cluster, file, scale)?);
    }
    report.begin(
        "state-start",
        "From the start of a host that was killed to its first answer to a query",
    );
    let [short, long] = times;
    for (what, samples) in [
        ("20,000 entries to replay".to_owned(), short),
        (format!("{} MiB to replay", log_bytes >> 20), long),
    ] {
        let (count, samples) = (samples.count(), samples.sorted());
        report.row(
            &Row::new(what)
                .count("times", count)
                .number("p50 ms", samples.median(), 0)
                .number("max ms", samples.max(), 0),
        );
    }
    Ok(())
}

fn killed_and_started(
    runtime: &Runtime,
    cluster: Cluster,
    file: &ClusterFile,
    scale: &Scale,
) -> Outcome<f64> {
    cluster.kill();
    let mut cluster = Cluster::start_one(&scale.program, file)?;
    let started = cluster.started;
    let api = state_host::api(file)?;
    cluster.until(state_host::PATIENCE, || {
        runtime.block_on(async { Services::connect(api, true).await?.run(Work::Get, 0).await })
    })?;
    let took = started.elapsed();
    cluster.stop()?;
    Ok(took.as_secs_f64() * 1e3)
}

/// Bytes that the host has written to its log, which was filled with zeros before.
fn log_bytes_now() -> Outcome<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(state_host::folder()?.join("log"))? {
        let content = std::fs::read(file?.path())?;
        let used = content
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        bytes += u64::try_from(used)?;
    }
    Ok(bytes)
}

fn memory(runtime: &Runtime, file: &ClusterFile, scale: &Scale, report: &mut Report) -> Outcome {
    let mut cluster = state_host::start(&scale.program, file)?;
    report.begin(
        "state-memory",
        &format!("Memory of a host with a database, values of {VALUE_BYTES} bytes"),
    );
    let row = |what: &str, pid| -> Outcome<Row> {
        std::thread::sleep(SETTLE);
        let memory = Memory::of(pid)?;
        Ok(Row::new(what).number("RSS MiB", memory.rss_mib, 1).number(
            "anonymous MiB",
            memory.anonymous_mib,
            1,
        ))
    };
    report.row(&row("empty", cluster.pid())?);
    runtime.block_on(async {
        let services = Services::connect(state_host::api(file)?, true).await?;
        for first in (0..KEYS).step_by(PAIRS as usize) {
            services.load(first..first + PAIRS).await?;
        }
        Outcome::Ok(())
    })?;
    let keys = grouped(f64::from(KEYS), 0);
    report.row(&row(
        &format!("{keys} keys, none in the state store"),
        cluster.pid(),
    )?);
    cluster.stop()?;
    // A checkpoint soon after the start takes all of them out of memory.
    let often = state_host::file(Checkpoints::EverySecond)?;
    cluster = Cluster::start_one(&scale.program, &often)?;
    cluster.until_running(state_host::PATIENCE)?;
    std::thread::sleep(SETTLE);
    report.row(&row(
        &format!("{keys} keys, all in the state store"),
        cluster.pid(),
    )?);
    cluster.stop()
}
