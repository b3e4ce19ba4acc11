//! Load over HTTP by `wrk`, and what it cost the server and the machine.

use crate::process::{self, Machine};
use crate::report::{Row, grouped};
use crate::scale::Scale;
use crate::{Outcome, paths};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `GET` of the URL.
    Get,
    /// `POST` of the order.
    Checkout,
}

/// One run under load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Answers a second.
    pub rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    errors: f64,
    server_cpu_ms: f64,
    client_cores: f64,
    other_cores: f64,
    steal_percent: f64,
}

/// Fails if `wrk` is not installed.
///
/// # Errors
/// It says how to install it.
pub fn check() -> Outcome {
    let found = Command::new("wrk")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found
        .map(drop)
        .map_err(|error| format!("cannot run wrk ({error}); on Debian: apt-get install wrk").into())
}

/// Warms up, then measures `clients` connections against the server that these processes are.
///
/// # Errors
/// `wrk` fails, or a process of the server is gone.
pub fn measure(
    servers: &[u32],
    url: &str,
    request: Request,
    clients: usize,
    scale: &Scale,
) -> Outcome<Load> {
    run(url, request, clients, scale.warm_up)?;
    let (server_before, client_before, machine_before) = (
        server_cpu(servers)?,
        process::children_cpu()?,
        Machine::now()?,
    );
    let numbers = run(url, request, clients, scale.run)?;
    let machine = Machine::now()?.since(machine_before);
    let server_cpu = (server_cpu(servers)? - server_before).as_secs_f64();
    let client_cpu = (process::children_cpu()? - client_before).as_secs_f64();
    let number = |key: &str| {
        numbers[key]
            .as_f64()
            .ok_or(format!("wrk's report has no {key}"))
    };
    let (seconds, done) = (number("seconds")?, number("done")?);
    let cores = f64::from(u32::try_from(process::cores())?);
    Ok(Load {
        rate: done / seconds,
        p50_ms: number("p50_us")? / 1e3,
        p99_ms: number("p99_us")? / 1e3,
        p999_ms: number("p999_us")? / 1e3,
        errors: number("errors")?,
        server_cpu_ms: server_cpu * 1e3 / done.max(1.0),
        client_cores: client_cpu / seconds,
        other_cores: ((machine.busy - server_cpu - client_cpu) / seconds).max(0.0),
        steal_percent: machine.stolen / seconds / cores * 100.0,
    })
}

/// The run with the median rate, and the spread of all of them.
#[must_use]
pub fn median_row(what: &str, clients: usize, mut loads: Vec<Load>) -> Option<Row> {
    loads.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let (low, high) = (loads.first()?.rate, loads.last()?.rate);
    let errors = loads.iter().map(|load| load.errors).sum();
    let load = loads.swap_remove((loads.len() - 1) / 2);
    let row = Row::new(what)
        .count("clients", clients)
        .number("calls/s", load.rate, 0)
        .text(
            "spread",
            format!("{}–{}", grouped(low, 0), grouped(high, 0)),
        );
    let row = row
        .number("p50 ms", load.p50_ms, 2)
        .number("p99 ms", load.p99_ms, 2)
        .number("p99.9 ms", load.p999_ms, 2);
    let row = row.number("CPU-ms per call", load.server_cpu_ms, 3).number(
        "client cores",
        load.client_cores,
        2,
    );
    Some(
        row.number("other cores", load.other_cores, 2)
            .number("steal %", load.steal_percent, 2)
            .number("errors", errors, 0),
    )
}

fn server_cpu(servers: &[u32]) -> Outcome<Duration> {
    servers.iter().map(|pid| process::cpu(*pid)).sum()
}

fn run(url: &str, request: Request, clients: usize, time: Duration) -> Outcome<Value> {
    let mut command = Command::new("wrk");
    // One thread, because the server needs the machine too.
    command
        .args(["-t1", "--latency", "--timeout", "20s"])
        .arg(format!("-c{clients}"))
        .arg(format!("-d{}s", time.as_secs()));
    command.arg("-s").arg(paths::load("report.lua")).arg(url);
    match request {
        Request::Get => command.env_remove("BODY"),
        Request::Checkout => command.env("BODY", paths::load("checkout.json")),
    };
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run wrk: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let numbers = printed.lines().find_map(|line| line.strip_prefix("JSON "));
    let numbers = numbers.ok_or_else(|| {
        format!(
            "wrk failed: {printed}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    Ok(serde_json::from_str(numbers)?)
}
