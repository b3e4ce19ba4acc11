//! S4 under load: calls a second with many under way, on the host that is asked, on the other, and by tonic, in turns.

use crate::callees::Callee;
use crate::pair::microseconds;
use crate::report::{Report, Row, grouped};
use crate::scale::Scale;
use crate::statistics::Samples;
use crate::tonic::Tonic;
use crate::two_hosts::{self, Bytes};
use crate::{Outcome, process};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Calls under way.
const IN_FLIGHT: usize = 64;
/// Connections that carry them, so that more than one thread of the host that is asked takes part.
const CONNECTIONS: usize = 4;

/// What is measured: its name, whether the service is on the host that is asked, and whether it is pooled.
const VARIANTS: [(&str, bool, bool); 4] = [
    ("a number, same host, fresh", true, false),
    ("a number, same host, pooled", true, true),
    ("a number, other host, fresh", false, false),
    ("a number, other host, pooled", false, true),
];

/// Adds a row for each variant. `hosts` are the processes of both hosts, `bytes` what a call and its answer take.
///
/// # Errors
/// A call fails.
pub fn measure(
    runtime: &Runtime,
    api: SocketAddr,
    hosts: &[u32],
    bytes: Bytes,
    tonic: Option<&Tonic>,
    scale: &Scale,
    report: &mut Report,
) -> Outcome {
    let mut loads: [Vec<Load>; VARIANTS.len()] = Default::default();
    let mut tonic_loads = Vec::new();
    for _ in 0..scale.rounds {
        for ((_, is_here, is_pooled), loads) in VARIANTS.iter().zip(&mut loads) {
            runtime.block_on(async {
                let mut callees = Vec::new();
                for _ in 0..CONNECTIONS {
                    callees.push(two_hosts::ping(api, *is_here, *is_pooled).await?);
                }
                run(&callees, scale.warm_up).await?;
                loads.push(measured(&callees, hosts, scale.in_process_run).await?);
                Outcome::Ok(())
            })?;
        }
        if let Some(tonic) = tonic {
            let load = tonic.saturated(bytes, IN_FLIGHT, scale.warm_up, scale.in_process_run)?;
            tonic_loads.push(Load {
                rate: load.calls_per_s,
                p50_us: load.p50_us,
                p99_us: load.p99_us,
                server_cpu_ms: load.cpu_ms_per_call,
                // The caller is one of its two processes.
                client_cores: f64::NAN,
            });
        }
    }
    report.begin(
        "remote-load",
        &format!("Calls through the api of a host, {IN_FLIGHT} under way on {CONNECTIONS} connections (S4)"),
    );
    for ((what, _, _), loads) in VARIANTS.iter().zip(loads) {
        report.row(&median_row(what, loads));
    }
    if !tonic_loads.is_empty() {
        report.row(&median_row(
            "tonic, unary, mutual TLS, one connection",
            tonic_loads,
        ));
    }
    Ok(())
}

struct Load {
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    server_cpu_ms: f64,
    client_cores: f64,
}

/// The run with the median rate, and the spread of all of them.
fn median_row(what: &str, mut loads: Vec<Load>) -> Row {
    loads.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let (low, high) = (loads[0].rate, loads[loads.len() - 1].rate);
    let load = loads.swap_remove((loads.len() - 1) / 2);
    let row = Row::new(what).number("calls/s", load.rate, 0).text(
        "spread",
        format!("{}–{}", grouped(low, 0), grouped(high, 0)),
    );
    row.number("p50 µs", load.p50_us, 0)
        .number("p99 µs", load.p99_us, 0)
        .number("CPU-ms per call", load.server_cpu_ms, 3)
        .number("client cores", load.client_cores, 2)
}

async fn measured(callees: &[Callee], hosts: &[u32], time: Duration) -> Outcome<Load> {
    let cpu = || -> Outcome<Duration> { hosts.iter().map(|pid| process::cpu(*pid)).sum() };
    let own_cpu = || process::cpu(std::process::id());
    let (before, own_before) = (cpu()?, own_cpu()?);
    let started = Instant::now();
    let latencies = run(callees, time).await?;
    let seconds = started.elapsed().as_secs_f64();
    let (used, own_used) = (cpu()? - before, own_cpu()? - own_before);
    let calls = f64::from(u32::try_from(latencies.count())?);
    let latencies = latencies.sorted();
    Ok(Load {
        rate: calls / seconds,
        p50_us: latencies.median(),
        p99_us: latencies.percentile(99.0),
        server_cpu_ms: used.as_secs_f64() * 1e3 / calls,
        client_cores: own_used.as_secs_f64() / seconds,
    })
}

/// Keeps [`IN_FLIGHT`] calls under way, as many by each callee, until `time` is over.
async fn run(callees: &[Callee], time: Duration) -> Outcome<Samples> {
    let end = Instant::now() + time;
    let lanes: Vec<_> = callees
        .iter()
        .cycle()
        .take(IN_FLIGHT)
        .cloned()
        .map(|callee| {
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < end {
                    latencies.push(microseconds(callee.run().await?.0));
                }
                Outcome::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Samples::default();
    for lane in lanes {
        latencies.extend(lane.await??);
    }
    Ok(latencies)
}
