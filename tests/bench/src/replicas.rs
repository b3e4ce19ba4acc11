//! R1 to R4: commands and queries of services with three replicas on three hosts, beside etcd and NATS JetStream in the same run.

use crate::cluster::Cluster;
use crate::loopback::{Ends, round_trips};
use crate::replicas_host::{self, Hosts};
use crate::replicas_peers::{self as peers, Etcd, JetStream, Peer};
use crate::report::{Report, Row, grouped};
use crate::scale::Scale;
use crate::state_floor::synced_writes;
use crate::state_host::{Services, VALUE_BYTES, Work};
use crate::state_load::{self, Load, Variant};
use crate::statistics::Samples;
use crate::two_hosts::Bytes;
use crate::{Outcome, paths};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// How many clients write and read.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// How many carry orders through the queue.
const QUEUE_CLIENTS: [usize; 2] = [64, 256];
/// Threads that sync beside the one that is measured: those of the other two replicas.
const OTHER_WRITERS: usize = 2;

/// Measures three hosts and their peers in turns.
///
/// # Errors
/// Something is not built, or a call fails.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    Cluster::prepare(&scale.program, &replicas_host::file()?)?;
    let peers = Peers::find(report);
    let variants = variants();
    let mut loads: BTreeMap<Place, Vec<Load>> = BTreeMap::new();
    let mut floor = Floor::default();
    for _ in 0..scale.rounds {
        let file = replicas_host::file()?;
        let hosts = Hosts::start(&scale.program, &file)?;
        floor.round(scale)?;
        for (place, variant) in variants.iter().enumerate() {
            let load = ours(&runtime, &hosts, *variant, scale)?;
            loads.entry((place, 0)).or_default().push(load);
        }
        hosts.stop()?;
        peers.round(&variants, scale, &mut loads)?;
    }
    let goal = floor.rows(report);
    rows(&variants, &peers, loads, goal, report);
    Ok(())
}

/// The place of a variant, and who: this host, or a peer by its number from 1.
type Place = (usize, usize);

fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    let mut add = |work, is_pooled, counts: &[usize]| {
        variants.extend(counts.iter().map(|clients| Variant {
            work,
            is_pooled,
            clients: *clients,
        }));
    };
    add(Work::Set, true, &CLIENTS);
    add(Work::Set, false, &[1, 256]);
    add(Work::Get, true, &CLIENTS);
    add(Work::Get, false, &[256]);
    add(Work::Cycle, true, &QUEUE_CLIENTS);
    add(Work::Cycle, false, &[64]);
    variants
}

/// One run at the host that leads, which is every peer's best case too.
fn ours(runtime: &Runtime, hosts: &Hosts, variant: Variant, scale: &Scale) -> Outcome<Load> {
    let service = match variant.work {
        Work::Cycle => "order-queue",
        Work::Set | Work::SetOnce | Work::Get | Work::Mixed => "database",
    };
    let suffix = if variant.is_pooled { "-pooled" } else { "" };
    let leader = hosts.settled(&format!("{service}{suffix}"))?.leader;
    let (api, pids) = (hosts.addresses()[leader].api, hosts.pids()?);
    runtime.block_on(async {
        if variant.work == Work::Get {
            Services::connect(api, variant.is_pooled)
                .await?
                .fill()
                .await?;
        }
        state_load::run(variant, api, &pids, scale.warm_up / 2, scale.in_process_run).await
    })
}

/// What is measured beside ours.
struct Peers {
    etcd: Option<Etcd>,
    streams: Vec<JetStream>,
}

impl Peers {
    /// Those that are installed; says which are not.
    fn find(report: &Report) -> Self {
        let etcd = Etcd::find();
        let etcd = etcd.map_err(|reason| report.note(&format!("Without etcd: {reason}.")));
        let mut streams = Vec::new();
        for is_synced in [true, false] {
            match JetStream::find(is_synced) {
                Ok(stream) => streams.push(stream),
                Err(reason) => report.note(&format!("Without a JetStream: {reason}.")),
            }
        }
        Self {
            etcd: etcd.ok(),
            streams,
        }
    }

    /// What each is called, in the order of their numbers.
    fn names(&self) -> Vec<&str> {
        let etcd = self.etcd.as_ref().map_or("etcd", |etcd| etcd.name.as_str());
        std::iter::once(etcd)
            .chain(self.streams.iter().map(|stream| stream.name.as_str()))
            .collect()
    }

    fn round(
        &self,
        variants: &[Variant],
        scale: &Scale,
        loads: &mut BTreeMap<Place, Vec<Load>>,
    ) -> Outcome {
        let pooled = || variants.iter().enumerate().filter(|(_, it)| it.is_pooled);
        let mut run = |number, place, peer: &dyn Peer, what, clients| -> Outcome {
            match peers::load(peer, what, clients, scale.in_process_run) {
                Ok(load) => loads.entry((place, number)).or_default().push(load),
                // What is measured is ours; a peer that fails must not end it.
                Err(error) => eprintln!("warning: a peer's {what} with {clients} clients: {error}"),
            }
            Ok(())
        };
        if let Some(etcd) = &self.etcd {
            let members = etcd.start()?;
            peers::load(&members, "put", 256, scale.warm_up)?;
            for (place, variant) in pooled() {
                match variant.work {
                    Work::Set => run(1, place, &members, "put", variant.clients)?,
                    Work::Get => run(1, place, &members, "get", variant.clients)?,
                    Work::SetOnce | Work::Mixed | Work::Cycle => {}
                }
            }
        }
        for (number, stream) in (2..).zip(&self.streams) {
            let servers = stream.start()?;
            for (place, variant) in pooled().filter(|(_, it)| it.work == Work::Cycle) {
                run(number, place, &servers, "cycle", variant.clients)?;
            }
        }
        Ok(())
    }
}

fn rows(
    variants: &[Variant],
    peers: &Peers,
    loads: BTreeMap<Place, Vec<Load>>,
    goal: f64,
    report: &mut Report,
) {
    report.begin(
        "replicas",
        &format!("Three replicas on three hosts, values of {VALUE_BYTES} bytes; goals: one client p50 ≤ F + 2R + 150 µs; 256 clients ≥ 24,000 commands/s with p99 ≤ 40 ms, ≥ 31,000 queries/s; ≥ 6,000 orders/s"),
    );
    let names = peers.names();
    for ((place, who), loads) in loads {
        let Some((load, spread)) = state_load::median(loads) else {
            continue;
        };
        let variant = variants[place];
        let what = match variant.work {
            Work::Cycle => "enqueue, dequeue, ack",
            Work::Get => "get",
            Work::Set | Work::SetOnce | Work::Mixed => "set",
        };
        let what = match who.checked_sub(1) {
            Some(peer) => format!("{what}, {}", names[peer]),
            None if variant.is_pooled => format!("**{what}, pooled**"),
            None => format!("{what}, fresh"),
        };
        let is_single = variant.clients == 1 && variant.work == Work::Set;
        let over = if is_single {
            load.p50_us() - goal
        } else {
            f64::NAN
        };
        let row = Row::new(what).count("clients", variant.clients);
        let row = state_load::cells(row, &load, spread);
        report.row(&row.number("p50 over F + 2R µs", over, 0));
    }
}

/// What the machine allows.
#[derive(Default)]
struct Floor {
    alone: Samples,
    beside: Samples,
    round_trip: Samples,
}

impl Floor {
    fn round(&mut self, scale: &Scale) -> Outcome {
        let count = scale.calls_per_round * scale.paired_rounds / 10;
        let folder = replicas_host::folder()?;
        self.alone.extend(synced_writes(&folder, count, 0)?);
        let beside = synced_writes(&folder, count, OTHER_WRITERS)?;
        self.beside.extend(beside);
        let bytes = Bytes {
            request: VALUE_BYTES,
            answer: 16,
        };
        let trips = round_trips(bytes, count, Ends::Scheduled)?;
        self.round_trip.extend(trips);
        Ok(())
    }

    /// Adds its table, and gives F + 2R.
    fn rows(self, report: &mut Report) -> f64 {
        report.begin("replicas-floor", "Below a replicated command: F and R");
        let mut medians = Vec::new();
        for (what, samples) in [
            ("one write of 4 KiB and its sync, alone", self.alone),
            ("F, the same with three writers", self.beside),
            ("R, a round trip over loopback", self.round_trip),
        ] {
            let (count, samples) = (samples.count(), samples.sorted());
            medians.push(samples.median());
            let row = Row::new(what).count("times", count);
            let row = row.number("p50 µs", samples.median(), 1);
            report.row(&row.number("p99 µs", samples.percentile(99.0), 1));
        }
        let goal = medians[1] + 2.0 * medians[2];
        report.note(&format!("F + 2R is {} µs.", grouped(goal, 0)));
        goal
    }
}

/// Where peers keep their data: on the disk that hosts use.
///
/// # Errors
/// See [`paths::target`].
pub fn peers_folder() -> Outcome<std::path::PathBuf> {
    Ok(paths::data()?.join("peers"))
}
