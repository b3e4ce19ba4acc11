//! S4: what a call to another host adds, in turns with the round trip below it and with the same call by tonic.

use crate::cluster::Cluster;
use crate::loopback::{Ends, round_trips};
use crate::pair::Pair;
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::statistics::Samples;
use crate::tonic::Tonic;
use crate::two_hosts::{self, Bytes, TwoHosts};
use crate::{Outcome, remote_load};
use std::time::Duration;

/// Longest wait until both hosts run and know each other.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rounds of ours to one turn of tonic, which starts anew each time and then makes as many calls.
const ROUNDS_PER_TURN: usize = 10;

/// Measures two hosts on this machine, and tonic if the environment variable `TONIC_UNARY` names its program.
///
/// # Errors
/// Something is not built, or a call fails.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let order_arguments = two_hosts::order_arguments()?;
    let file = two_hosts::draft()?.write()?;
    Cluster::prepare(&scale.program, &file)?;
    let mut cluster = Cluster::start(&scale.program, &file)?;
    cluster.until_running(PATIENCE)?;
    let api = file.hosts.first().ok_or("the file has no hosts")?.api;
    let runtime = bookshop_host::os::task::runtime()?;
    let two_hosts = cluster.until(PATIENCE, || {
        runtime.block_on(TwoHosts::connect(api, &order_arguments))
    })?;
    let tonic = Tonic::find();
    one_at_a_time(&runtime, &two_hosts, tonic.as_ref().ok(), scale, report)?;
    let pids = cluster.host_pids()?;
    let bytes = two_hosts.number_bytes;
    remote_load::measure(
        &runtime,
        api,
        &pids,
        bytes,
        tonic.as_ref().ok(),
        scale,
        report,
    )?;
    if let Err(reason) = tonic {
        report.note(&format!("tonic was left out: {reason}"));
    }
    cluster.stop()
}

fn one_at_a_time(
    runtime: &tokio::runtime::Runtime,
    two_hosts: &TwoHosts,
    tonic: Option<&Tonic>,
    scale: &Scale,
    report: &mut Report,
) -> Outcome {
    let sizes = [two_hosts.number_bytes, two_hosts.order_bytes];
    let mut pairs = Vec::new();
    for (what, places, size) in [
        (
            "a number: same host → other host, fresh",
            &two_hosts.number,
            0,
        ),
        (
            "a number: same host → other host, pooled",
            &two_hosts.number_pooled,
            0,
        ),
        (
            "hand an order over: same host → other host, fresh",
            &two_hosts.order,
            1,
        ),
        (
            "hand an order over: same host → other host, pooled",
            &two_hosts.order_pooled,
            1,
        ),
    ] {
        let pair = Pair::prepare(what, &places.here, &places.there);
        pairs.push((runtime.block_on(pair)?, size));
    }
    let mut floors = sizes.map(Floor::new);
    for round in 1..=scale.paired_rounds {
        for (pair, _) in &mut pairs {
            runtime.block_on(pair.round(scale.calls_per_round))?;
        }
        for floor in &mut floors {
            floor.round(scale.calls_per_round)?;
        }
        if let Some(tonic) = tonic
            && round.is_multiple_of(ROUNDS_PER_TURN)
        {
            for floor in &mut floors {
                floor.turn(tonic, ROUNDS_PER_TURN * scale.calls_per_round)?;
            }
        }
    }
    let floors = floors.map(Floor::rows);
    report.begin(
        "remote",
        "Added by one hop to another host over mutual TLS (S4), one call at a time",
    );
    for (pair, size) in pairs {
        let ((row, added), r) = (pair.row(), floors[size].0);
        report.row(
            &row.number("R p50 µs", r, 1)
                .number("added over R µs", added - r, 1),
        );
    }
    report.begin(
        "remote-floor",
        "Below a hop and beside it: R, a round trip of as many bytes over loopback, and tonic",
    );
    for (_, rows) in floors {
        for row in rows {
            report.row(&row);
        }
    }
    Ok(())
}

/// What calls of one size are compared with.
struct Floor {
    bytes: Bytes,
    round_trips: Vec<Samples>,
    tonic: (Samples, Samples),
    tonic_calls: usize,
}

impl Floor {
    fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            round_trips: vec![Samples::default(); Ends::all().len()],
            tonic: Default::default(),
            tonic_calls: 0,
        }
    }

    fn round(&mut self, count: usize) -> Outcome {
        for ((ends, _), samples) in Ends::all().iter().zip(&mut self.round_trips) {
            samples.extend(round_trips(self.bytes, count, *ends)?);
        }
        Ok(())
    }

    fn turn(&mut self, tonic: &Tonic, calls: usize) -> Outcome {
        let numbers = tonic.one_at_a_time(self.bytes, calls)?;
        self.tonic.0.add(numbers.p50_us);
        self.tonic.1.add(numbers.p99_us);
        self.tonic_calls += calls;
        Ok(())
    }

    /// R where the scheduler puts its ends, and a row for everything.
    fn rows(self) -> (f64, Vec<Row>) {
        let row = |what: &str, calls, p50, p99| {
            Row::new(what)
                .count("bytes there", self.bytes.request)
                .count("bytes back", self.bytes.answer)
                .count("calls", calls)
                .number("p50 µs", p50, 1)
                .number("p99 µs", p99, 1)
        };
        let (mut rows, mut r) = (Vec::new(), f64::NAN);
        for ((ends, name), samples) in Ends::all().iter().zip(self.round_trips) {
            let (calls, samples) = (samples.count(), samples.sorted());
            if *ends == Ends::Scheduled {
                r = samples.median();
            }
            rows.push(row(
                &format!("R, {name}"),
                calls,
                samples.median(),
                samples.percentile(99.0),
            ));
        }
        if self.tonic_calls > 0 {
            let (p50, p99) = (
                self.tonic.0.sorted().median(),
                self.tonic.1.sorted().median(),
            );
            rows.push(row("tonic, unary, mutual TLS", self.tonic_calls, p50, p99));
        }
        (r, rows)
    }
}
