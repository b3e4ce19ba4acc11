//! C1: what customers feel of a swap of one component, and of a restart of the host, at a fixed rate.

use crate::cluster::Cluster;
use crate::cluster_file::Draft;
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
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Checkouts a second, whatever becomes of those before.
const RATE: u32 = 1_000;
/// Connections that they come on, in turn.
const CONNECTIONS: u32 = 32;
/// What is swapped.
const SERVICE: &str = "fraud-detection";
/// From one swap to the next.
const PAUSE: Duration = Duration::from_secs(2);
/// What happens is felt until so long after it.
const AFTER: Duration = Duration::from_millis(300);
/// The first start may compile.
const PATIENCE: Duration = Duration::from_secs(120);

/// One checkout: when it was due, how long after that its answer was there, and whether it was approved.
struct Checkout {
    due: Instant,
    took: Duration,
    is_approved: bool,
}

/// What is done to the host while customers come.
type Act<'a> = &'a dyn Fn(usize) -> Outcome;

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
    let admin = host.admin.to_string();
    let run = |arguments: &[&str]| -> Outcome {
        let mut command = Command::new(&scale.program);
        let output = command.args(arguments).args(["--admin", &admin]).output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{arguments:?}: {said}").into())
    };
    // Until there is a first value, and both components are compiled.
    for component in &components {
        let component = component.display().to_string();
        cluster.until(PATIENCE, || run(&["swap", SERVICE, &component]))?;
    }
    report.begin(
        "swap",
        "1,000 checkouts a second on one host: a component is swapped, the host restarted in place (C1)",
    );
    let times = scale.rounds * 5;
    customers("nothing happens", host.http, times, &|_| Ok(()), report)?;
    let swap = |turn: usize| {
        let component: &PathBuf = &components[turn % 2];
        run(&["swap", SERVICE, &component.display().to_string()])
    };
    customers("swaps of fraud-detection", host.http, times, &swap, report)?;
    let restart = |_| run(&["restart-host", &host.name]);
    customers("restarts in place", host.http, times, &restart, report)?;
    cluster.stop()?;
    forget()
}

/// Forgets what the host keeps: the next one has other ports.
fn forget() -> Outcome {
    let folder = paths::data()?.join("alpha");
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn customers(
    what: &str,
    http: SocketAddr,
    times: usize,
    act: Act<'_>,
    report: &mut Report,
) -> Outcome {
    let is_enough = Arc::new(AtomicBool::new(false));
    let (enough, order) = (Arc::clone(&is_enough), order::checkout()?.to_string());
    let coming = std::thread::spawn(move || come(http, Bytes::from(order), &enough));
    let mut felt = Vec::new();
    let mut acts = Samples::default();
    for turn in 0..times {
        std::thread::sleep(PAUSE);
        let began = Instant::now();
        act(turn)?;
        acts.add(began.elapsed().as_secs_f64() * 1e3);
        felt.push((began, Instant::now() + AFTER));
    }
    std::thread::sleep(PAUSE);
    is_enough.store(true, Ordering::Relaxed);
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
    let (during, other, acts): (Sorted, Sorted, Sorted) =
        (during.sorted(), other.sorted(), acts.sorted());
    report.row(
        &Row::new(what)
            .count("times", times)
            .count("checkouts", checkouts.len())
            .count("failed", failed)
            .number("command ms", acts.median(), 1)
            .number("p50 ms then", during.median(), 2)
            .number("p99 ms then", during.percentile(99.0), 2)
            .number("max ms then", during.max(), 2)
            .number("p99 ms otherwise", other.percentile(99.0), 2),
    );
    Ok(())
}

/// Sends checkouts at their times until it is enough.
fn come(http: SocketAddr, order: Bytes, is_enough: &Arc<AtomicBool>) -> Outcome<Vec<Checkout>> {
    let runtime = task::runtime()?;
    let began = Instant::now() + Duration::from_millis(100);
    runtime.block_on(async {
        let customers = (0..CONNECTIONS).map(|place| {
            let is_enough = Arc::clone(is_enough);
            task::spawn(customer(http, order.clone(), began, place, is_enough))
        });
        let mut all = Vec::new();
        for customer in customers.collect::<Vec<_>>() {
            all.extend(customer.await?);
        }
        Ok(all)
    })
}

/// One connection's checkouts. A connection that ends is made again, as browsers do; what was under way on it is repeated once, and counts from when it was due.
async fn customer(
    http: SocketAddr,
    order: Bytes,
    began: Instant,
    place: u32,
    is_enough: Arc<AtomicBool>,
) -> Vec<Checkout> {
    let mut checkouts = Vec::new();
    let mut connection: Option<Connection> = None;
    let mut number = place;
    while !is_enough.load(Ordering::Relaxed) {
        let due = began + Duration::from_secs(1) / RATE * number;
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
