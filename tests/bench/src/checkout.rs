//! S1: the whole shop over HTTP on one host, in turns with the same checkout as native processes.

use crate::Outcome;
use crate::cluster::Cluster;
use crate::cluster_file::Draft;
use crate::native::{Programs, VARIANTS};
use crate::report::Report;
use crate::scale::Scale;
use crate::shop_client::ShopClient;
use crate::wrk::{self, Load, Request};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Connections, each with one checkout under way.
pub const CLIENTS: [usize; 3] = [1, 16, 64];
/// Longest wait for the first checkout.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures the shop with fresh and with pooled instances, and the peers if the environment variable `NATIVE_CHECKOUT` names the folder
/// of their programs.
///
/// # Errors
/// A server does not come up, `wrk` is missing, or an order is not approved.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    wrk::check()?;
    Cluster::prepare(&scale.program, &Draft::shop()?.one_host().write()?)?;
    let peers = Programs::find();
    let client = ShopClient::new()?;
    let mut loads: BTreeMap<(usize, &str), Vec<Load>> = BTreeMap::new();
    let mut load = |what, servers: &[u32], http: SocketAddr| -> Outcome {
        for clients in CLIENTS {
            let url = format!("http://{http}/checkout");
            let load = wrk::measure(servers, &url, Request::Checkout, clients, scale)?;
            loads.entry((clients, what)).or_default().push(load);
        }
        // A rejection is a 200 as well, so the load generator would not have noticed.
        client.checkout(http)
    };
    for _ in 0..scale.rounds {
        for (what, draft) in [
            ("host, fresh instances", Draft::shop()?),
            ("host, pooled", Draft::shop()?.pooled()),
        ] {
            let file = draft.one_host().write()?;
            let mut cluster = Cluster::start_one(&scale.program, &file)?;
            let http = file.hosts.first().ok_or("the file has no hosts")?.http;
            cluster.until(PATIENCE, || client.checkout(http))?;
            load(what, &[cluster.pid()], http)?;
            cluster.stop()?;
        }
        let Ok(programs) = &peers else { continue };
        for (what, start) in VARIANTS {
            let native = start(programs)?;
            client.checkout(native.http)?;
            load(what, &native.pids(), native.http)?;
        }
    }
    report.begin(
        "checkout",
        "POST /checkout on one host: fifteen calls of six services (S1)",
    );
    for ((clients, what), loads) in loads {
        if let Some(row) = wrk::median_row(what, clients, loads) {
            report.row(&row);
        }
    }
    if let Err(reason) = peers {
        report.note(&format!("The native peers were left out: {reason}"));
    }
    Ok(())
}
