//! Hosts with a replicated queue, and the commands with which an operator looks after it.

use crate::cluster::until;
use crate::durable_hosts::{Hosts, with_key};
use crate::paths;
use serde_json::{Value, json};
use std::process::Output;
use tokio::process::Command;

pub const HOSTS: [&str; 3] = ["alpha", "beta", "gamma"];
pub const QUEUE: &str = "order-queue";

/// The section of the queue on these hosts.
pub fn queue(hosts: &[&str]) -> String {
    let queries = ["depth", "oldest-age", "in-flight", "dead", "peek", "find"];
    let queries = queries.map(|name| format!("bookshop:shop/order-queue.{name}"));
    let wasm = paths::guest(QUEUE);
    let (wasm, replicas) = (wasm.display(), hosts.len());
    format!(
        "\n[service.{QUEUE}]\nwasm = \"{wasm}\"\nhosts = {hosts:?}\nreplicated = {{ replicas = {replicas}, queries = {queries:?} }}\n"
    )
}

/// Three hosts with the queue on all of them, once it has a leader.
pub async fn three() -> Hosts {
    let hosts = Hosts::start(&HOSTS, &queue(&HOSTS)).await;
    leader(&hosts, &HOSTS).await;
    hosts
}

/// Runs the program; its code, and what it printed.
pub async fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(paths::program())
        .args(arguments)
        .output()
        .await;
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code().expect("it ends"), text(stdout), text(stderr))
}

/// Runs it with `--json` and the admin address of a host, and expects it to succeed.
pub async fn operate(hosts: &Hosts, at: &str, arguments: &[&str]) -> Value {
    let admin = hosts.address(at).admin.to_string();
    let all = [arguments, &["--json", "--admin", &admin]].concat();
    let (code, stdout, stderr) = run(&all).await;
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

/// The group as `group members` at a host shows it.
pub async fn members(hosts: &Hosts, at: &str) -> Option<Value> {
    let admin = hosts.address(at).admin.to_string();
    let (code, stdout, _) = run(&["group", "members", QUEUE, "--json", "--admin", &admin]).await;
    (code == 0).then(|| serde_json::from_str(&stdout).expect("JSON"))
}

/// The host that leads, once one does.
pub async fn leader(hosts: &Hosts, asked: &[&str]) -> String {
    until("the queue has a leader", async || {
        for host in asked {
            let status = hosts.status(host).await?;
            let groups = status["groups"].as_array()?;
            let leads = |it: &&Value| it["service"] == QUEUE && it["role"] == "leader";
            if groups.iter().any(|it| leads(&it)) {
                return Some((*host).to_owned());
            }
        }
        None
    })
    .await
}

/// Waits until the voters are those on these hosts, and nobody listens or leaves.
pub async fn until_voters(hosts: &Hosts, at: &str, voters: &[&str]) -> Value {
    until(&format!("{voters:?} vote"), async || {
        let group = members(hosts, at).await?;
        let replicas = group["replicas"].as_array()?;
        let is_member = |it: &&Value| it["member"].is_string();
        let mut found: Vec<&str> = replicas
            .iter()
            .filter(is_member)
            .map(|it| it["host"].as_str().unwrap_or(""))
            .collect();
        found.sort_unstable();
        let are_voters = replicas
            .iter()
            .filter(is_member)
            .all(|it| it["member"] == "voter");
        (found == voters && are_voters).then(|| group.clone())
    })
    .await
}

/// The replica of a host in what `members` said.
pub fn replica<'a>(group: &'a Value, host: &str) -> &'a Value {
    let replicas = group["replicas"].as_array().expect("replicas");
    let found = replicas.iter().find(|replica| replica["host"] == host);
    found.expect("the host has one")
}

/// Offers the queue an order, which it accepts.
pub async fn enqueue(hosts: &Hosts, at: &str, id: &str) {
    let order = json!({ "order-id": id, "items": [], "shipping-method": "express" });
    let arguments = json!([order, id]);
    until("the queue takes an order", async || {
        let enqueued = hosts
            .call_with(at, "order-queue.enqueue", &arguments, &with_key(id))
            .await;
        enqueued.is_ok_and(|it| it["ok"].is_number()).then_some(())
    })
    .await;
}

/// How many orders it has.
pub async fn depth(hosts: &Hosts, at: &str) -> u64 {
    until("the queue says how deep it is", async || {
        let depth = hosts.call(at, "order-queue.depth", &json!([])).await.ok()?;
        depth["ok"]["total"].as_u64()
    })
    .await
}

/// Waits until all these hosts have the same state as of the same entry; its hash.
pub async fn until_equal(hosts: &Hosts, of: &[&str]) -> String {
    until("replicas have the same state", async || {
        let mut found: Vec<(Value, Value)> = Vec::new();
        for host in of {
            let status = hosts.status(host).await?;
            let groups = status["groups"].as_array()?;
            let group = groups.iter().find(|it| it["service"] == QUEUE)?;
            let (at, hash) = (&group["state_hash"][0], &group["state_hash"][1]);
            if *at != group["position"] {
                return None;
            }
            found.push((at.clone(), hash.clone()));
        }
        let is_equal = found.windows(2).all(|pair| pair[0] == pair[1]);
        is_equal.then(|| found[0].1.as_str().unwrap_or("").to_owned())
    })
    .await
}

/// Writes the file with the queue on other hosts.
pub fn place(hosts: &Hosts, on: &[&str]) {
    let text = std::fs::read_to_string(&hosts.file).expect("it was written");
    let services = text.find("\n[service.").expect("it has services");
    let changed = text[..services].to_owned() + &queue(on);
    std::fs::write(&hosts.file, changed).expect("it can be written");
}
