//! The whole shop over HTTP on one host: checkouts per second, latency, CPU.

use crate::Outcome;
use crate::cluster::Cluster;
use crate::cluster_file::Draft;
use crate::report::Report;
use crate::scale::Scale;
use crate::shop_client::ShopClient;
use crate::wrk::{self, Load, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// Connections, each with one checkout under way.
pub const CLIENTS: [usize; 3] = [1, 16, 64];
/// Longest wait for the first checkout.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures the shop with fresh and with pooled instances, in turns.
///
/// # Errors
/// The host does not come up, `wrk` is missing, or an order is not approved.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    wrk::check()?;
    Cluster::prepare(&scale.program, &Draft::shop()?.one_host().write()?)?;
    let client = ShopClient::new()?;
    let mut loads: BTreeMap<(usize, &str), Vec<Load>> = BTreeMap::new();
    for _ in 0..scale.rounds {
        for (what, draft) in [
            ("fresh instances", Draft::shop()?),
            ("pooled instances", Draft::shop()?.pooled()),
        ] {
            let file = draft.one_host().write()?;
            let mut cluster = Cluster::start_one(&scale.program, &file)?;
            let http = file.hosts.first().ok_or("the file has no hosts")?.http;
            cluster.until(PATIENCE, || client.checkout(http))?;
            for clients in CLIENTS {
                let load = wrk::measure(
                    cluster.pid(),
                    &format!("http://{http}/checkout"),
                    Request::Checkout,
                    clients,
                    scale,
                )?;
                loads.entry((clients, what)).or_default().push(load);
            }
            // A rejection is a 200 as well, so the load generator would not have noticed.
            client.checkout(http)?;
            cluster.stop()?;
        }
    }
    report.begin(
        "checkout",
        "POST /checkout on one host: five services, an instance of each",
    );
    for ((clients, what), loads) in loads {
        if let Some(row) = wrk::median_row(what, clients, loads) {
            report.row(&row);
        }
    }
    Ok(())
}
