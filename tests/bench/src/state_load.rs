//! Clients of a host with replicated services, each with one piece of work under way, and what that takes.

use crate::pair::microseconds;
use crate::report::{Row, grouped};
use crate::state_host::{Services, Work};
use crate::statistics::{Samples, Sorted};
use crate::{Outcome, process};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Connections at most, so that more than one thread of the host takes part.
const CONNECTIONS: usize = 4;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// What each client does.
    pub work: Work,
    /// Whether instances are used again.
    pub is_pooled: bool,
    /// How many clients there are.
    pub clients: usize,
}

/// A measured run.
pub struct Load {
    rate: f64,
    latencies: Latencies,
    cpu_ms: f64,
    syncs: f64,
    client_cores: f64,
}

/// Of the pieces of work of a run, in microseconds.
enum Latencies {
    /// Each of them.
    All(Sorted),
    /// What somebody else counted.
    Known { p50: f64, p99: f64, max: f64 },
}

impl Latencies {
    /// In the order of the columns: 50, 99, 99.9 and 100 per cent. Not a number where it is not known.
    fn percentiles(&self) -> [f64; 4] {
        match self {
            Self::All(sorted) => {
                [50.0, 99.0, 99.9, 100.0].map(|percent| sorted.percentile(percent))
            }
            Self::Known { p50, p99, max } => [*p50, *p99, f64::NAN, *max],
        }
    }
}

/// Runs a variant for `warm_up`, and then for `time`, which counts. Calls belong to the runtime that this is called on.
///
/// # Errors
/// A call fails.
pub async fn run(
    variant: Variant,
    api: SocketAddr,
    hosts: &[u32],
    warm_up: Duration,
    time: Duration,
) -> Outcome<Load> {
    /// Goes on from run to run: a number that was used would be a known order, or a known key.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS.min(variant.clients) {
        connections.push(Arc::new(Services::connect(api, variant.is_pooled).await?));
    }
    let run = async |time| -> Outcome<Samples> {
        let end = Instant::now() + time;
        let clients: Vec<_> = connections
            .iter()
            .cycle()
            .take(variant.clients)
            .map(Arc::clone)
            .map(|services| {
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while Instant::now() < end {
                        let number = NEXT.fetch_add(1, Ordering::Relaxed);
                        let started = Instant::now();
                        services.run(variant.work, number).await?;
                        latencies.push(microseconds(started.elapsed()));
                    }
                    Outcome::Ok(latencies)
                })
            })
            .collect();
        let mut latencies = Samples::default();
        for client in clients {
            latencies.extend(client.await??);
        }
        Ok(latencies)
    };
    run(warm_up).await?;
    let before = (
        cpu(hosts)?,
        process::cpu(std::process::id())?,
        process::flushes()?,
    );
    let started = Instant::now();
    let latencies = run(time).await?;
    let seconds = started.elapsed().as_secs_f64();
    let count = f64::from(u32::try_from(latencies.count())?);
    Ok(Load {
        rate: count / seconds,
        latencies: Latencies::All(latencies.sorted()),
        cpu_ms: (cpu(hosts)? - before.0).as_secs_f64() * 1e3 / count,
        syncs: (process::flushes()? - before.2) / count,
        client_cores: (process::cpu(std::process::id())? - before.1).as_secs_f64() / seconds,
    })
}

/// CPU time that all of them have used.
fn cpu(hosts: &[u32]) -> Outcome<Duration> {
    hosts.iter().map(|host| process::cpu(*host)).sum()
}

impl Load {
    /// What a load client says, which knows three percentiles: the 50th, the 99th and the 100th, in microseconds.
    #[must_use]
    pub fn reported(
        rate: f64,
        [p50, p99, max]: [f64; 3],
        cpu_ms: f64,
        syncs: f64,
        client_cores: f64,
    ) -> Self {
        Self {
            rate,
            latencies: Latencies::Known { p50, p99, max },
            cpu_ms,
            syncs,
            client_cores,
        }
    }

    /// Half of the work took no longer, in microseconds.
    #[must_use]
    pub fn p50_us(&self) -> f64 {
        self.latencies.percentiles()[0]
    }
}

/// The run with the median rate, and the spread of all of them.
#[must_use]
pub fn median(mut loads: Vec<Load>) -> Option<(Load, String)> {
    loads.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let (low, high) = (loads.first()?.rate, loads.last()?.rate);
    let middle = (loads.len() - 1) / 2;
    let spread = format!("{}–{}", grouped(low, 0), grouped(high, 0));
    Some((loads.swap_remove(middle), spread))
}

/// The cells of a run.
#[must_use]
pub fn cells(row: Row, load: &Load, spread: String) -> Row {
    let [p50, p99, p999, max] = load.latencies.percentiles();
    row.number("per s", load.rate, 0)
        .text("spread", spread)
        .number("p50 µs", p50, 0)
        .number("p99 µs", p99, 0)
        .number("p99.9 µs", p999, 0)
        .number("max µs", max, 0)
        .number("CPU-ms each", load.cpu_ms, 3)
        .number("syncs each", load.syncs, 2)
        .number("client cores", load.client_cores, 2)
}
