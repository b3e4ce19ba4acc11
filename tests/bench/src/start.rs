//! S5: from the start of `run` to the first approved checkout, with compiled code already there.

use crate::cluster::Cluster;
use crate::cluster_file::Draft;
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::shop_client::ShopClient;
use crate::statistics::{Samples, Sorted};
use crate::{Outcome, paths};
use std::time::Duration;

/// Longest wait for the first checkout.
const PATIENCE: Duration = Duration::from_secs(30);

/// A row's name and heading, and the cluster that it is about.
type Case = (&'static str, &'static str, fn() -> Outcome<Draft>);

/// Starts the shop on three hosts again and again.
///
/// # Errors
/// It does not come up, or does not stop.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let drafts: [Case; 2] = [
        (
            "start",
            "Cold start of `run` on three hosts, compiled code present (S5)",
            Draft::spread,
        ),
        (
            "start-replicated",
            "The same, three replicas of every service that keeps state",
            || Ok(Draft::spread()?.replicated()),
        ),
    ];
    for (name, title, draft) in drafts {
        starts(name, title, draft, scale, report)?;
    }
    Ok(())
}

fn starts(
    name: &'static str,
    title: &str,
    draft: fn() -> Outcome<Draft>,
    scale: &Scale,
    report: &mut Report,
) -> Outcome {
    let client = ShopClient::new()?;
    forget()?;
    let (mut first, mut all, mut stops) =
        (Samples::default(), Samples::default(), Samples::default());
    Cluster::prepare(&scale.program, &draft()?.write()?)?;
    for _ in 0..scale.starts {
        // New ports each time: those of the last run may still be in TIME_WAIT.
        let file = draft()?.write()?;
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
    forget()?;
    report.begin(name, title);
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

/// Forgets what the shop keeps: it may have other replicas the next time.
fn forget() -> Outcome {
    for host in ["alpha", "beta", "gamma"] {
        for part in ["log", "state"] {
            let part = paths::data()?.join(host).join(part);
            if part.exists() {
                std::fs::remove_dir_all(part)?;
            }
        }
    }
    Ok(())
}

fn row(what: &str, starts: usize, times: &Sorted) -> Row {
    let row = Row::new(what)
        .count("starts", starts)
        .number("median ms", times.median(), 0);
    row.number("p90 ms", times.percentile(90.0), 0)
        .number("max ms", times.max(), 0)
}
