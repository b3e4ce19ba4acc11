//! S5: from the start of `run` to the first approved checkout, with compiled code already there.

use crate::Outcome;
use crate::cluster::Cluster;
use crate::cluster_file::Draft;
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::shop_client::ShopClient;
use crate::statistics::{Samples, Sorted};
use std::time::Duration;

/// Longest wait for the first checkout.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the shop on three hosts again and again.
///
/// # Errors
/// It does not come up, or does not stop.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let client = ShopClient::new()?;
    let (mut first, mut all, mut stops) =
        (Samples::default(), Samples::default(), Samples::default());
    Cluster::prepare(&scale.program, &Draft::spread()?.write()?)?;
    for _ in 0..scale.starts {
        // New ports each time: those of the last run may still be in TIME_WAIT.
        let file = Draft::spread()?.write()?;
        let mut cluster = Cluster::start(&scale.program, &file)?;
        let hosts = cluster.hosts.clone();
        for (place, host) in hosts.iter().enumerate() {
            cluster.until(PATIENCE, || client.checkout(host.http))?;
            if place == 0 {
                first.add(cluster.started.elapsed().as_secs_f64() * 1e3);
            }
        }
        all.add(cluster.started.elapsed().as_secs_f64() * 1e3);
        let stop = std::time::Instant::now();
        cluster.stop()?;
        stops.add(stop.elapsed().as_secs_f64() * 1e3);
    }
    report.begin(
        "start",
        "Cold start of `run` on three hosts, compiled code present (S5)",
    );
    report.row(&row(
        "first approved checkout, first host",
        scale.starts,
        &first.sorted(),
    ));
    report.row(&row(
        "approved checkouts on all three hosts",
        scale.starts,
        &all.sorted(),
    ));
    report.row(&row(
        "SIGTERM to all processes gone",
        scale.starts,
        &stops.sorted(),
    ));
    Ok(())
}

fn row(what: &str, starts: usize, times: &Sorted) -> Row {
    let row = Row::new(what)
        .count("starts", starts)
        .number("median ms", times.median(), 0);
    row.number("p90 ms", times.percentile(90.0), 0)
        .number("max ms", times.max(), 0)
}
