//! Calls per second in one process, saturated: every core runs its own runtime, as the host's serving threads do.

use crate::callees::{Callee, Callees};
use crate::in_process::InProcess;
use crate::pair::microseconds;
use crate::report::{Report, Row, grouped};
use crate::scale::Scale;
use crate::statistics::Samples;
use crate::{Outcome, process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Calls under way on one thread at a time.
const IN_FLIGHT: [usize; 2] = [1, 16];

/// Measures the engine alone, one service, and a whole checkout.
///
/// # Errors
/// Something is not built, or a call fails.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    let host = runtime.block_on(InProcess::start(&scale.program))?;
    let callees = runtime.block_on(Callees::prepare(&host))?;
    let threads = process::cores();
    report.begin(
        "calls",
        &format!("Calls per second in one process, {threads} threads"),
    );
    for (what, callee) in [
        (
            "hand an order over, engine alone, fresh instance",
            &callees.bare_fresh,
        ),
        ("hand an order over, host, fresh instance", &callees.init),
        (
            "hand an order over, engine alone, instance reused",
            &callees.bare_reused,
        ),
        ("hand an order over, host, pooled", &callees.init_pooled),
        (
            "a whole checkout: fourteen calls of five services, fresh instances",
            &callees.checkout,
        ),
        (
            "a whole checkout: fourteen calls of five services, pooled",
            &callees.checkout_pooled,
        ),
    ] {
        for &in_flight in in_flight(callee) {
            run(callee, threads, in_flight, scale.warm_up)?;
            let mut rounds = (0..scale.rounds)
                .map(|_| run(callee, threads, in_flight, scale.in_process_run))
                .collect::<Outcome<Vec<_>>>()?;
            rounds.sort_by_key(|round| round.latencies.count());
            let (low, high) = (rounds[0].rate(), rounds[rounds.len() - 1].rate());
            let median = rounds.swap_remove((rounds.len() - 1) / 2);
            let row = Row::new(what).count("in flight", threads * in_flight);
            let row = row.number("calls/s", median.rate(), 0).text(
                "spread",
                format!("{}–{}", grouped(low, 0), grouped(high, 0)),
            );
            let latencies = median.latencies.sorted();
            let row = row.number("p50 µs", latencies.median(), 1).number(
                "p99 µs",
                latencies.percentile(99.0),
                1,
            );
            report.row(&row.number("p99.9 µs", latencies.percentile(99.9), 1));
        }
    }
    runtime.block_on(host.stop());
    Ok(())
}

fn in_flight(callee: &Callee) -> &'static [usize] {
    if callee.is_bare() {
        &IN_FLIGHT[..1]
    } else {
        &IN_FLIGHT
    }
}

struct Round {
    latencies: Samples,
    seconds: f64,
}

impl Round {
    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.count()).unwrap_or(u32::MAX)) / self.seconds
    }
}

/// Every thread keeps `in_flight` calls under way until `time` is over.
fn run(callee: &Callee, threads: usize, in_flight: usize, time: Duration) -> Outcome<Round> {
    let is_over = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let latencies = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| thread(callee, in_flight, &is_over)))
            .collect();
        std::thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        let mut latencies = Samples::default();
        for worker in workers {
            latencies.extend(worker.join().map_err(|_| "a measuring thread panicked")??);
        }
        Outcome::Ok(latencies)
    })?;
    Ok(Round {
        latencies,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn thread(callee: &Callee, in_flight: usize, is_over: &Arc<AtomicBool>) -> Outcome<Vec<f64>> {
    let runtime = bookshop_host::os::task::runtime()?;
    runtime.block_on(async {
        let lanes: Vec<_> = (0..in_flight)
            .map(|_| {
                let (callee, is_over) = (callee.clone(), Arc::clone(is_over));
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        latencies.push(microseconds(callee.run().await?.0));
                    }
                    Outcome::Ok(latencies)
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for lane in lanes {
            latencies.extend(lane.await??);
        }
        Ok(latencies)
    })
}
