//! A cluster whose services are placed on some of its hosts, and what the tests of calls between hosts look at and do to it.

use crate::cluster::{Cluster, kill, shop, until, write_config_with};
use crate::paths;
use bookshop_host::call_error::CallError;
use bookshop_host::client::{CallOptions, ClientError};
use serde_json::Value;
use std::process::Output;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Two threads on each host, so that connections of both are used, and found to be broken; and probes that wait longer than any host of a
/// busy machine is held up.
const KEYS: &str =
    "workers = 2\ndrain-timeout = \"5s\"\nprobe-interval = \"100ms\"\nprobe-timeout = \"2s\"\n";
/// A host that does not answer is left out after this long, on a machine that is busy with other tests.
pub const LEFT_OUT_WITHIN: Duration = Duration::from_secs(8);
/// What takes no time takes no longer than this on a busy machine.
pub const AT_ONCE: Duration = Duration::from_secs(5);
/// Most of the memory that a host may keep after an attack: what its allocator holds back, not what was sent.
pub const GROWTH_BYTES_MAX: u64 = 64 << 20;

/// A service on some of the hosts; `more` has further keys.
pub fn placed(name: &str, guest: &str, hosts: &[&str], more: &str) -> String {
    let wasm = paths::guest(guest);
    let wasm = wasm.display();
    format!("\n[service.{name}]\nwasm = \"{wasm}\"\nhosts = {hosts:?}\n{more}\n")
}

/// The hostile guest, whose calls may take half a minute, on some of the hosts.
pub fn hostile_on(hosts: &[&str]) -> String {
    let patient = r#"limits = { time = "30s" }"#;
    placed("hostile", "fixture-hostile", hosts, patient)
}

/// The shop, with one of its services on some of the hosts only.
pub fn shop_with(service: &str, hosts: &[&str]) -> String {
    let header = format!("[service.{service}]\n");
    let sections = shop();
    assert!(sections.contains(&header), "the shop has no {service}");
    sections.replace(&header, &format!("{header}hosts = {hosts:?}\n"))
}

/// A cluster that allows faults, once all its hosts have found one another.
pub async fn start(hosts: &[&'static str], sections: &str) -> Cluster {
    start_with(hosts, KEYS, sections).await
}

/// The same with other keys of the cluster.
pub async fn start_with(hosts: &[&'static str], keys: &str, sections: &str) -> Cluster {
    let sections = format!("{sections}\n[chaos]\nenabled = true\n");
    let (file, addresses) = write_config_with(hosts, keys, &sections);
    let cluster = Cluster::spawn(&file, addresses, &[]);
    until_connected(&cluster).await;
    cluster
}

/// Waits until every host finds every other.
pub async fn until_connected(cluster: &Cluster) {
    for from in &cluster.hosts {
        for to in cluster.hosts.iter().filter(|to| to.name != from.name) {
            until_link(cluster, from.name, to.name, "up").await;
        }
    }
}

/// How one host finds another, in its own words.
pub async fn link(cluster: &Cluster, from: &str, to: &str) -> Option<Value> {
    let own = cluster.admin(from, "/v1/status?scope=host", None).await?;
    let links = own["links"].as_array()?;
    links.iter().find(|link| link["to"] == to).cloned()
}

/// Waits until one host finds another `up` or `down`; returns what it says.
pub async fn until_link(cluster: &Cluster, from: &str, to: &str, state: &str) -> Value {
    until(&format!("{from} finds {to} {state}"), async || {
        let link = link(cluster, from, to).await?;
        (link["state"] == state).then_some(link)
    })
    .await
}

/// What a host says of a service on it.
pub async fn service_on(cluster: &Cluster, host: &str, service: &str) -> Option<Value> {
    let own = cluster.admin(host, "/v1/status?scope=host", None).await?;
    let services = own["services"].as_array()?;
    services.iter().find(|own| own["name"] == service).cloned()
}

/// Calls of a service that a host has carried out since it was started.
pub async fn calls_on(cluster: &Cluster, host: &str, service: &str) -> u64 {
    let own = service_on(cluster, host, service).await;
    let own = own.expect("the host answers and knows the service");
    own["figures"]["calls"].as_u64().expect("calls are counted")
}

/// Waits until a host has so many calls of a service under way.
pub async fn until_under_way(cluster: &Cluster, host: &str, service: &str, calls: u64) {
    let what = format!("{calls} calls of {service} are under way on {host}");
    until(&what, async || {
        let own = service_on(cluster, host, service).await?;
        (own["running"] == calls && own["waiting"] == 0).then_some(())
    })
    .await;
}

/// Waits until one of the hosts has a call of a service under way; returns its name.
pub async fn until_taken<'a>(cluster: &Cluster, hosts: &[&'a str], service: &str) -> &'a str {
    until(&format!("one of {hosts:?} runs {service}"), async || {
        for host in hosts {
            let own = service_on(cluster, host, service).await?;
            if own["running"] == 1 {
                return Some(*host);
            }
        }
        None
    })
    .await
}

/// The process of a host.
pub async fn pid(cluster: &Cluster, host: &str) -> u32 {
    let own = cluster.admin(host, "/v1/status?scope=host", None).await;
    let pid = own.expect("the host answers")["host"]["pid"].as_u64();
    let pid = pid.expect("a running host has a process");
    u32::try_from(pid).expect("processes have small numbers")
}

/// Bytes of memory that a process has.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes = kibibytes.and_then(|number| number.trim().parse::<u64>().ok());
    kibibytes.expect("a process has memory") << 10
}

/// Calls `SERVICE.FUNCTION` through a host, within a time.
pub async fn call(
    cluster: &Cluster,
    through: &str,
    function: &str,
    arguments: &Value,
    within: Duration,
) -> Result<Value, CallError> {
    let options = CallOptions {
        timeout: Some(within),
        ..CallOptions::default()
    };
    call_with(cluster, through, function, arguments, &options).await
}

/// The same with all options.
pub async fn call_with(
    cluster: &Cluster,
    through: &str,
    function: &str,
    arguments: &Value,
    options: &CallOptions,
) -> Result<Value, CallError> {
    let (service, function) = function.split_once('.').expect("SERVICE.FUNCTION");
    let client = cluster.client(through).await;
    let called = client
        .call_json(service, function, arguments, options)
        .await;
    called.map_err(|error| match error {
        ClientError::Refused(error) => error,
        other => panic!("{through} did not answer a call: {other}"),
    })
}

/// What came, and how long it took.
pub async fn timed<T>(coming: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let came = coming.await;
    (came, started.elapsed())
}

/// The failure is that a service is unavailable, says whether the call may have been executed, and has all these parts.
#[track_caller]
pub fn assert_unavailable(error: &CallError, executed: bool, parts: &[&str]) {
    let CallError::Unavailable { maybe_executed, .. } = error else {
        panic!("{error:?} is not unavailable");
    };
    assert_eq!(*maybe_executed, executed, "{error:?}");
    assert_says(error, parts);
}

/// What is said has all these parts.
#[track_caller]
pub fn assert_says(said: &impl ToString, parts: &[&str]) {
    let said = said.to_string();
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

/// Runs the program with these arguments; returns what it printed. It has to succeed.
pub async fn command(arguments: &[&str]) -> String {
    let output = Command::new(paths::program()).args(arguments).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.await.expect("the program starts");
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{arguments:?}: {status}: {said}");
    String::from_utf8(stdout).expect("text")
}

/// `bookshop-host chaos …`, asked of a host.
pub async fn chaos(cluster: &Cluster, asked: &str, arguments: &[&str]) -> String {
    let admin = cluster.host(asked).admin.to_string();
    let all = [&["chaos"], arguments, &["--admin", &admin]].concat();
    command(&all).await
}

/// `bookshop-host certs …` of the cluster's file.
pub async fn certs(cluster: &Cluster, verb: &str, more: &[&str]) -> String {
    let file = cluster.file.display().to_string();
    command(&[&["certs", verb, &file], more].concat()).await
}

/// Waits until the log of a host has a line with all these parts; returns it.
pub async fn until_log(cluster: &Cluster, host: &str, parts: &[&str]) -> String {
    until(&format!("{host} logs {parts:?}"), async || {
        let log = cluster.admin(host, "/v1/logs?service=host", None).await?;
        let lines = log["lines"].as_array()?;
        let mut messages = lines.iter().filter_map(|line| line["message"].as_str());
        let found = messages.find(|line| parts.iter().all(|part| line.contains(part)));
        found.map(str::to_owned)
    })
    .await
}

/// A process that stands still until this is dropped.
pub struct Paused(u32);

impl Paused {
    /// Stops it where it is.
    pub async fn new(pid: u32) -> Self {
        kill(pid, "STOP").await;
        Self(pid)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // Also when the test fails: a process that stands still does not notice that it should end.
        let arguments = ["-CONT".to_owned(), self.0.to_string()];
        let _ = std::process::Command::new("kill").args(arguments).status();
    }
}
