//! Hosts that begin anew in the same process, while clients go on.

use crate::between_cluster::command;
use crate::cluster::{Cluster, PATIENCE, is_alive, shop, until};
use crate::hostile_host::report;
use crate::paths;
use crate::processes::good_order;
use crate::replicas_cluster::{HOSTS, Trio};
use crate::replicas_load::Load;
use crate::test_host::TestHost;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Clients that each open a connection for each request.
const CLIENTS: usize = 4;

/// Clients of one host's HTTP, none of which asks for anything twice.
pub struct Visitors {
    answers: Arc<AtomicU64>,
    is_enough: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Visitors {
    pub fn start(address: SocketAddr) -> Self {
        let (answers, is_enough) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (answers, is_enough) = (Arc::clone(&answers), Arc::clone(&is_enough));
            clients.spawn(async move {
                while !is_enough.load(Ordering::SeqCst) {
                    // Half of them buy something, which lasts; the others only look.
                    let said = match number % 2 {
                        0 => visit(address, "GET", "").await,
                        _ => visit(address, "POST", &good_order().to_string()).await,
                    };
                    let said = said.unwrap_or_else(|error| panic!("a request was lost: {error}"));
                    assert!(said.starts_with("HTTP/1.1 200 "), "{said:?}");
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self {
            answers,
            is_enough,
            clients,
        }
    }

    /// Waits for so many more answers; fails at once if a request failed.
    pub async fn until_answers(&mut self, more: u64) {
        let enough = self.answers.load(Ordering::SeqCst) + more;
        until("visitors are answered", async || {
            if let Some(ended) = self.clients.try_join_next() {
                ended.expect("no request fails");
            }
            (self.answers.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
    }

    pub async fn end(mut self) -> u64 {
        self.is_enough.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no request fails");
        }
        self.answers.load(Ordering::SeqCst)
    }
}

/// One request over a connection of its own; the whole answer.
pub async fn visit(address: SocketAddr, method: &str, body: &str) -> std::io::Result<String> {
    let path = if body.is_empty() { "/" } else { "/checkout" };
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn uptime(host: &Value) -> Option<u64> {
    host["uptime_s"].as_u64()
}

/// Restarts a host of `cluster` in place, asked of another or of itself, and waits until it serves again.
async fn restart(cluster: &Cluster, host: &str, asked: &str) {
    // Uptimes are in seconds: the new one has to be the smaller one.
    let before = until("it has been up for a while", async || {
        let status = cluster.status_of(host).await?;
        (uptime(&status)? >= 2).then_some(status)
    })
    .await;
    let admin = cluster.host(asked).admin.to_string();
    let said = command(&["restart-host", host, "--admin", &admin]).await;
    let expected = format!("host {host} is draining and begins anew in the same process\n");
    assert_eq!(said, expected);
    let after = until("it has begun anew", async || {
        let status = cluster.status_of(host).await?;
        let is_new = status["state"] == "running" && uptime(&status)? < uptime(&before)?;
        is_new.then_some(status)
    })
    .await;
    assert_eq!(after["pid"], before["pid"]);
}

#[tokio::test]
async fn a_restart_in_place_refuses_no_connection() {
    let cluster = Cluster::start(&["alpha"], &shop(), &[]).await;
    let mut visitors = Visitors::start(cluster.host("alpha").http);
    for _ in 0..3 {
        visitors.until_answers(100).await;
        restart(&cluster, "alpha", "alpha").await;
    }
    visitors.until_answers(100).await;
    let answers = visitors.end().await;
    report(&format!(
        "three restarts in place: {answers} requests, all answered"
    ));
    let ended = cluster.terminate().await;
    let said = ended.lines.join("\n");
    assert!(ended.status.success(), "{said}");
    assert!(!said.contains("ended by itself"), "{said}");
    assert!(
        !said.contains("cut off") && !said.contains("killed"),
        "{said}"
    );
}

#[tokio::test]
async fn a_host_that_restarted_in_place_still_ends_with_its_parent() {
    let mut cluster = Cluster::start(&["alpha", "beta"], &shop(), &[]).await;
    // Through another host, which passes it on.
    restart(&cluster, "beta", "alpha").await;
    let mut children = Vec::new();
    for name in ["alpha", "beta"] {
        let status = cluster.status_of(name).await.expect("it answers");
        children.push(status["pid"].as_u64().expect("it runs"));
    }
    let unknown = cluster
        .admin("alpha", "/v1/hosts/omega/restart", Some(&json!({})))
        .await
        .expect("alpha answers");
    assert_eq!(
        unknown["error"]["message"],
        "no host omega; there are alpha, beta"
    );
    cluster.process.kill().await.expect("it can be killed");
    until("no child is left", async || {
        let is_gone = |pid: &u64| u32::try_from(*pid).is_ok_and(|pid| !is_alive(pid));
        children.iter().all(is_gone).then_some(())
    })
    .await;
}

/// How often a host of these has begun, by its log.
fn beginnings(trio: &Trio, host: &str) -> usize {
    trio.log(host).matches(" serves http://").count()
}

#[tokio::test]
async fn three_hosts_restart_in_place_one_after_another_under_writes() {
    let trio = Trio::start().await;
    let mut load = Load::start(&trio);
    for host in HOSTS {
        load.until_answers(100).await;
        let (pid, before) = (trio.pid(host), beginnings(&trio, host));
        let admin = trio.address(host).admin.to_string();
        command(&["restart-host", host, "--admin", &admin]).await;
        until("it has begun anew", async || {
            (beginnings(&trio, host) > before).then_some(())
        })
        .await;
        trio.until_settled().await;
        assert_eq!(trio.pid(host), pid);
        assert!(is_alive(pid));
    }
    load.until_answers(50).await;
    let failures = load.failures();
    let slowest = load.slowest();
    let said = load.compare(&trio).await;
    report(&format!(
        "a rolling restart in place: {said}; slowest write {} ms; {failures:?}",
        slowest.as_millis()
    ));
    // A connection that was open is told to go, and a call that its client makes at that moment finds it closed. Nobody is turned away.
    let refused: Vec<_> = failures
        .iter()
        .filter(|(code, _)| code.as_str() != "lost")
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    // Each ends well by SIGTERM.
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_host_inside_another_program_refuses_to_restart_in_place() {
    let name = paths::unique("host");
    let host = TestHost::try_start(&name, "").await;
    let host = host.expect("the host starts");
    let path = format!("/v1/hosts/{name}/restart");
    let failure = host
        .admin(&path, Some(&json!({})))
        .await
        .expect_err("it cannot");
    assert_eq!(failure.code, "refused");
    assert!(
        failure.message.contains("inside another program"),
        "{}",
        failure.message
    );
    assert!(host.admin("/v1/status", None).await.is_ok());
}
