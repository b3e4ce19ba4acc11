//! S3: the smallest `wasi:http` service, in turns with `wasmtime serve` running the very same component.

use crate::checkout::CLIENTS;
use crate::child::Owned;
use crate::cluster::Cluster;
use crate::cluster_file::Draft;
use crate::report::Report;
use crate::scale::Scale;
use crate::wrk::{self, Load, Request};
use crate::{Outcome, paths};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest wait for a server to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pool of `wasmtime serve` as our host configures its own.
const KEEP_RESIDENT: [&str; 10] = [
    "-O",
    "pooling-memory-keep-resident=1048576",
    "-O",
    "pooling-table-keep-resident=65536",
    "-O",
    "pooling-async-stack-keep-resident=1048576",
    "-O",
    "pooling-decommit-batch-size=16",
    "-O",
    "pooling-pagemap-scan=y",
];
/// Calls of one instance, as of a pooled service of ours by default.
const REUSE: [&str; 2] = ["--max-instance-reuse-count", "1000"];

/// Measures our host, and the peer if the environment variable `WASMTIME` names its program.
///
/// # Errors
/// A server does not come up, or `wrk` is missing.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    wrk::check()?;
    let peer = peer_program();
    Cluster::prepare(&scale.program, &Draft::hello()?.write()?)?;
    let mut loads: BTreeMap<(usize, &str), Vec<Load>> = BTreeMap::new();
    let mut load = |what, server: u32, address: SocketAddr| -> Outcome {
        for clients in CLIENTS {
            let load = wrk::measure(
                &[server],
                &format!("http://{address}/"),
                Request::Get,
                clients,
                scale,
            )?;
            loads.entry((clients, what)).or_default().push(load);
        }
        Ok(())
    };
    for _ in 0..scale.rounds {
        for (what, draft) in [
            ("host, fresh instance", Draft::hello()?),
            ("host, pooled", Draft::hello()?.pooled()),
        ] {
            let file = draft.write()?;
            let mut cluster = Cluster::start_one(&scale.program, &file)?;
            cluster.until_running(PATIENCE)?;
            load(
                what,
                cluster.pid(),
                file.hosts.first().ok_or("the file has no hosts")?.http,
            )?;
            cluster.stop()?;
        }
        let Ok(program) = &peer else { continue };
        for (what, flags) in [
            ("wasmtime serve, its defaults", [&[][..], &[]]),
            ("wasmtime serve, memory kept", [&KEEP_RESIDENT, &[]]),
            (
                "wasmtime serve, memory kept, instance reused",
                [&KEEP_RESIDENT, &REUSE],
            ),
        ] {
            let (server, address) = start_peer(program, &flags.concat())?;
            load(what, server.pid(), address)?;
        }
    }
    report.begin("hello", "Hello world over HTTP on one host (S3)");
    for ((clients, what), loads) in loads {
        if let Some(row) = wrk::median_row(what, clients, loads) {
            report.row(&row);
        }
    }
    if let Err(reason) = peer {
        report.note(&format!("`wasmtime serve` was left out: {reason}"));
    }
    Ok(())
}

fn peer_program() -> Result<String, String> {
    const HOW: &str = "name the program of wasmtime 48 in the environment variable WASMTIME (cargo install wasmtime-cli --version ^48 --locked)";
    let program = std::env::var("WASMTIME").map_err(|_| HOW.to_owned())?;
    let ran = Command::new(&program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.map_err(|error| format!("cannot run {program} ({error}); {HOW}"))?;
    Ok(program)
}

/// Starts a `wasmtime serve`, which keeps nothing and so is simply killed in the end.
fn start_peer(program: &str, flags: &[&str]) -> Outcome<(Owned, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut command = Command::new(program);
    command
        .args(["serve", "-S", "cli"])
        .args(flags)
        .arg("--addr")
        .arg(address.to_string())
        .arg(paths::guest("fixture-http-hello")?);
    command
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut peer = Owned::spawn(&mut command)?;
    peer.until_listening(address, PATIENCE)?;
    Ok((peer, address))
}
