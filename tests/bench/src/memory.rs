//! S6: memory of a host that runs the shop, idle and after work, and what one more idle service costs.

use crate::Outcome;
use crate::cluster::Cluster;
use crate::cluster_file::{ClusterFile, Draft};
use crate::process::Memory;
use crate::report::{Report, Row, grouped};
use crate::scale::Scale;
use crate::shop_client::ShopClient;
use crate::statistics::Samples;
use std::time::Duration;

/// Longest wait for all services to run.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before memory is read, so that what starts and ends in the background is over.
const SETTLE: Duration = Duration::from_secs(2);
/// Checkouts under way at once: the second time more, since every call at once keeps a slot of memory.
const CLIENTS: [usize; 2] = [16, 64];

/// Reads the memory of three hosts.
///
/// # Errors
/// They do not come up, or a checkout fails.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let shop = Draft::shop()?.write()?;
    Cluster::prepare(&scale.program, &shop)?;
    let cluster = running(scale, &shop)?;
    let idle = memory(&cluster)?;
    report.begin(
        "memory",
        "Memory of one host running the shop (S6), mean of three hosts",
    );
    report.row(&row("idle", &idle));
    let client = ShopClient::new()?;
    let checkouts = grouped(f64::from(u32::try_from(scale.checkouts)?), 0);
    for clients in CLIENTS {
        for host in &cluster.hosts {
            client.checkouts(host.http, scale.checkouts, clients)?;
        }
        report.row(&row(
            &format!("after {checkouts} checkouts by {clients} clients"),
            &memory(&cluster)?,
        ));
    }
    cluster.stop()?;

    let more = Draft::shop()?
        .with_idle_services(scale.idle_services)?
        .write()?;
    Cluster::prepare(&scale.program, &more)?;
    let cluster = running(scale, &more)?;
    let with_more = memory(&cluster)?;
    cluster.stop()?;
    report.row(&row(
        &format!("idle, {} more services", scale.idle_services),
        &with_more,
    ));
    let count = f64::from(u32::try_from(scale.idle_services)?);
    let one = |column: fn(&Memory) -> f64| (mean(&with_more, column) - mean(&idle, column)) / count;
    report.row(&cells(
        "one more idle service",
        one(|memory| memory.rss_mib),
        one(|memory| memory.pss_mib),
        one(|memory| memory.anonymous_mib),
        2,
    ));
    Ok(())
}

fn running(scale: &Scale, file: &ClusterFile) -> Outcome<Cluster> {
    let mut cluster = Cluster::start(&scale.program, file)?;
    cluster.until_running(PATIENCE)?;
    Ok(cluster)
}

fn memory(cluster: &Cluster) -> Outcome<Vec<Memory>> {
    std::thread::sleep(SETTLE);
    cluster.host_pids()?.into_iter().map(Memory::of).collect()
}

fn mean(hosts: &[Memory], column: fn(&Memory) -> f64) -> f64 {
    hosts.iter().map(column).sum::<f64>()
        / f64::from(u32::try_from(hosts.len()).unwrap_or(u32::MAX))
}

fn row(what: &str, hosts: &[Memory]) -> Row {
    let column = |column| mean(hosts, column);
    let most = hosts
        .iter()
        .map(|memory| memory.rss_mib)
        .collect::<Samples>()
        .sorted()
        .max();
    let row = cells(
        what,
        column(|memory| memory.rss_mib),
        column(|memory| memory.pss_mib),
        column(|memory| memory.anonymous_mib),
        1,
    );
    row.number("largest RSS MiB", most, 1)
}

fn cells(what: &str, rss_mib: f64, pss_mib: f64, anonymous_mib: f64, decimals: usize) -> Row {
    Row::new(what)
        .number("RSS MiB", rss_mib, decimals)
        .number("PSS MiB", pss_mib, decimals)
        .number("anonymous MiB", anonymous_mib, decimals)
}
