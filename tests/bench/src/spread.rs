//! The shop on three hosts: its services spread over them, in turns with all of them on every host.

use crate::Outcome;
use crate::checkout::CLIENTS;
use crate::cluster::Cluster;
use crate::cluster_file::Draft;
use crate::report::Report;
use crate::scale::Scale;
use crate::shop_client::ShopClient;
use crate::wrk::{self, Load, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for the first checkout.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures checkouts at the first host, with fresh and with pooled instances.
///
/// # Errors
/// A host does not come up, `wrk` is missing, or an order is not approved.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    wrk::check()?;
    for draft in [Draft::shop()?, Draft::spread()?] {
        Cluster::prepare(&scale.program, &draft.write()?)?;
    }
    let client = ShopClient::new()?;
    let mut loads: BTreeMap<(usize, &str), Vec<Load>> = BTreeMap::new();
    for _ in 0..scale.rounds {
        for (what, draft) in [
            ("all services on every host, fresh", Draft::shop()?),
            (
                "all services on every host, pooled",
                Draft::shop()?.pooled(),
            ),
            ("services spread over three hosts, fresh", Draft::spread()?),
            (
                "services spread over three hosts, pooled",
                Draft::spread()?.pooled(),
            ),
        ] {
            let file = draft.write()?;
            let mut cluster = Cluster::start(&scale.program, &file)?;
            // The other hosts belong to what is measured, too.
            cluster.until_running(PATIENCE)?;
            let http = file.hosts.first().ok_or("the file has no hosts")?.http;
            cluster.until(PATIENCE, || client.checkout(http))?;
            let hosts = cluster.host_pids()?;
            for clients in CLIENTS {
                let url = format!("http://{http}/checkout");
                let load = wrk::measure(&hosts, &url, Request::Checkout, clients, scale)?;
                loads.entry((clients, what)).or_default().push(load);
            }
            // A rejection is a 200 as well, so the load generator would not have noticed.
            client.checkout(http)?;
            cluster.stop()?;
        }
    }
    report.begin(
        "spread",
        "POST /checkout at the first of three hosts: all on every host, and spread over them",
    );
    for ((clients, what), loads) in loads {
        if let Some(row) = wrk::median_row(what, clients, loads) {
            report.row(&row);
        }
    }
    Ok(())
}
