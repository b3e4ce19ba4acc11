//! C1: what customers feel of a swap of one component, and of a restart of the host, at fixed rates; and what 200 swaps leave in memory.

use crate::cluster::{Cluster, operate};
use crate::cluster_file::Draft;
use crate::process::Memory;
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::statistics::{Samples, Sorted};
use crate::{Outcome, order, paths};
use bookshop_host::os::task;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Checkouts a second, whatever becomes of those before. Each calls the service that is swapped four times: the first are 1,000 requests a second of that service.
const RATES: [u32; 2] = [250, 1_000];
/// Connections that they come on, in turn.
const CONNECTIONS: u32 = 32;
/// What is swapped.
const SERVICE: &str = "fraud-detection";
/// From one swap to the next.
const PAUSE: Duration = Duration::from_secs(2);
/// From one restart to the next: customers that waited for it are done by then.
const RESTART_PAUSE: Duration = Duration::from_secs(6);
/// The same where it matters what is left after many.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// Swaps until memory has what it keeps anyway, and those after that.
const MANY: [usize; 2] = [20, 180];
/// What happens is felt until so long after it.
const AFTER: Duration = Duration::from_millis(300);
/// What stands before the time of a switch in the host's log, in milliseconds.
const SWITCHED: &str = "swapped in ";
/// The first start may compile.
const PATIENCE: Duration = Duration::from_secs(120);

/// One checkout: when it was due, how long after that its answer was there, and whether it was approved.
struct Checkout {
    due: Instant,
    took: Duration,
    is_approved: bool,
}

/// What is done to the host, and the how-manyeth time.
type Act<'a> = &'a dyn Fn(usize) -> Outcome;

/// What is done to the host while customers come.
struct Acts<'a> {
    what: &'a str,
    /// Checkouts a second.
    rate: u32,
    times: usize,
    pause: Duration,
    act: Act<'a>,
}

/// Swaps a component of a host that customers use, then restarts that host in place.
///
/// # Errors
/// The host does not come up, or refuses.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    forget()?;
    let file = Draft::shop()?.one_host().controlled(SERVICE)?.write()?;
    let mut cluster = Cluster::start(&scale.program, &file)?;
    cluster.until_running(PATIENCE)?;
    let host = cluster.hosts.first().ok_or("there is a host")?.clone();
    let components = [paths::guest("fraud-detection-v2")?, paths::guest(SERVICE)?];
    let run = |arguments: &[&str]| operate(&scale.program, host.admin, arguments);
    // Until there is a first value, and both components are compiled.
    for component in &components {
        let component = component.display().to_string();
        cluster.until(PATIENCE, || run(&["swap", SERVICE, &component]))?;
    }
    report.begin(
        "swap",
        "checkouts at their times on one host: a component is swapped, the host restarted in place (C1)",
    );
    let swap = |turn: usize| {
        let component: &PathBuf = &components[turn % 2];
        run(&["swap", SERVICE, &component.display().to_string()])
    };
    let restart = |_| run(&["restart-host", &host.name]);
    let nothing = |_| Ok(());
    for rate in RATES {
        let acts: [(&str, Duration, Act<'_>); 3] = [
            ("nothing happens", PAUSE, &nothing),
            ("swaps of fraud-detection", PAUSE, &swap),
            ("restarts in place", RESTART_PAUSE, &restart),
        ];
        for (what, pause, act) in acts {
            let times = scale.rounds * 5;
            let acts = Acts {
                what,
                rate,
                times,
                pause,
                act,
            };
            customers(host.http, &acts, &cluster, report)?;
        }
    }
    for (what, times) in ["swaps, one after the other", "and more"]
        .into_iter()
        .zip(MANY)
    {
        let acts = Acts {
            what,
            rate: RATES[0],
            times,
            pause: SHORT_PAUSE,
            act: &swap,
        };
        customers(host.http, &acts, &cluster, report)?;
    }
    let switches = switches(&cluster.said()?);
    let (times, switches) = (switches.count(), switches.sorted());
    cluster.stop()?;
    report.begin(
        "swap-switch",
        "from when a host has its turn until calls find the new version: all services are linked with it once more (C1); goal: ≤ 10 ms",
    );
    report.row(
        &Row::new("switches of fraud-detection")
            .count("times", times)
            .number("p50 ms", switches.median(), 2)
            .number("p99 ms", switches.percentile(99.0), 2)
            .number("max ms", switches.max(), 2),
    );
    forget()
}

/// How long each switch took, by what the host says.
fn switches(said: &str) -> Samples {
    let after = |line: &str| {
        let (_, took) = line.split_once(SWITCHED)?;
        took.split_once(' ')?.0.parse::<f64>().ok()
    };
    said.lines().filter_map(after).collect()
}

/// Forgets what the host keeps: the next one has other ports.
fn forget() -> Outcome {
    let folder = paths::data()?.join("alpha");
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn customers(http: SocketAddr, acts: &Acts<'_>, cluster: &Cluster, report: &mut Report) -> Outcome {
    let Acts {
        what,
        rate,
        times,
        pause,
        act,
    } = *acts;
    let is_enough = Arc::new(AtomicBool::new(false));
    let (enough, order) = (Arc::clone(&is_enough), order::checkout()?.to_string());
    let coming = std::thread::spawn(move || come(http, rate, Bytes::from(order), &enough));
    let mut felt = Vec::new();
    let mut durations = Samples::default();
    for turn in 0..times {
        std::thread::sleep(pause);
        let began = Instant::now();
        act(turn)?;
        durations.add(began.elapsed().as_secs_f64() * 1e3);
        felt.push((began, Instant::now() + AFTER));
    }
    std::thread::sleep(pause);
    is_enough.store(true, Ordering::Relaxed);
    let host = cluster
        .host_pids()?
        .into_iter()
        .next()
        .ok_or("the host runs")?;
    let anonymous_mib = Memory::of(host)?.anonymous_mib;
    let checkouts = coming.join().map_err(|_| "the customers panicked")??;
    let is_felt = |checkout: &&Checkout| {
        let due = checkout.due;
        felt.iter()
            .any(|(from, until)| (*from..*until).contains(&due))
    };
    let failed = checkouts.iter().filter(|it| !it.is_approved).count();
    let took = |it: &Checkout| it.took.as_secs_f64() * 1e3;
    let during: Samples = checkouts.iter().filter(is_felt).map(took).collect();
    let other: Samples = checkouts
        .iter()
        .filter(|it| !is_felt(it))
        .map(took)
        .collect();
    let (during, other, durations): (Sorted, Sorted, Sorted) =
        (during.sorted(), other.sorted(), durations.sorted());
    report.row(
        &Row::new(what)
            .count("checkouts/s", rate as usize)
            .count("times", times)
            .count("checkouts", checkouts.len())
            .count("failed", failed)
            .number("command ms", durations.median(), 1)
            .number("p50 ms then", during.median(), 2)
            .number("p99 ms then", during.percentile(99.0), 2)
            .number("max ms then", during.max(), 2)
            .number("p99 ms otherwise", other.percentile(99.0), 2)
            .number("anonymous MiB", anonymous_mib, 1),
    );
    Ok(())
}

/// Sends checkouts at their times until it is enough.
fn come(
    http: SocketAddr,
    rate: u32,
    order: Bytes,
    is_enough: &Arc<AtomicBool>,
) -> Outcome<Vec<Checkout>> {
    let runtime = task::runtime()?;
    let began = Instant::now() + Duration::from_millis(100);
    runtime.block_on(async {
        let customers = (0..CONNECTIONS).map(|place| {
            let is_enough = Arc::clone(is_enough);
            let pace = Pace { began, rate, place };
            task::spawn(customer(http, order.clone(), pace, is_enough))
        });
        let mut all = Vec::new();
        for customer in customers.collect::<Vec<_>>() {
            all.extend(customer.await?);
        }
        Ok(all)
    })
}

/// When the checkouts of one connection are due.
struct Pace {
    began: Instant,
    rate: u32,
    /// That of the connection among all.
    place: u32,
}

/// One connection's checkouts. A connection that ends is made again, as browsers do; what was under way on it is repeated once, and counts from when it was due.
async fn customer(
    http: SocketAddr,
    order: Bytes,
    pace: Pace,
    is_enough: Arc<AtomicBool>,
) -> Vec<Checkout> {
    let mut checkouts = Vec::new();
    let mut connection: Option<Connection> = None;
    let mut number = pace.place;
    while !is_enough.load(Ordering::Relaxed) {
        let due = pace.began + Duration::from_secs(1) / pace.rate * number;
        number += CONNECTIONS;
        tokio::time::sleep_until(due.into()).await;
        let mut is_approved = false;
        for _ in 0..2 {
            match checkout(&mut connection, http, order.clone()).await {
                Ok(approved) => {
                    is_approved = approved;
                    break;
                }
                Err(_lost) => connection = None,
            }
        }
        checkouts.push(Checkout {
            due,
            took: due.elapsed(),
            is_approved,
        });
    }
    checkouts
}

/// A connection, and what drives it.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: task::Task<()>,
}

async fn checkout(
    connection: &mut Option<Connection>,
    http: SocketAddr,
    order: Bytes,
) -> Outcome<bool> {
    let open = match connection {
        Some(open) if !open.sender.is_closed() => open,
        _ => {
            let stream = TcpStream::connect(http).await?;
            stream.set_nodelay(true)?;
            let (sender, driver) = handshake(TokioIo::new(stream)).await?;
            let driver = task::spawn(async move { drop(driver.await) });
            connection.insert(Connection {
                sender,
                _driver: driver,
            })
        }
    };
    open.sender.ready().await?;
    let request = Request::post("/checkout")
        .header(header::HOST, http.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(order))?;
    let response = open.sender.send_request(request).await?;
    let is_approved = response.status().is_success();
    response.into_body().collect().await?;
    Ok(is_approved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_host_says_how_long_switches_took() {
        let said = "alpha | info  orders running\nalpha | info  orders swapped in 1.25 ms, sha256 ab\nswapped in 3.75 ms";
        let switches = switches(said);
        assert_eq!((switches.count(), switches.sorted().max()), (2, 3.75));
    }
}
