//! The cluster as processes: kills, restarts, drains, ports and folders, as an operator meets them.

use crate::cluster::{Cluster, KEEPER, is_alive, kill, shop, until, write_config};
use bookshop_host::client::CallOptions;
use serde_json::{Value, json};
use std::time::Instant;

/// An order that every rule lets through.
pub fn good_order() -> Value {
    json!({
        "user": { "name": "John Doe", "contact": "john.doe@example.com" },
        "creditCard": { "number": "4111 1111 1111 1111", "expirationDate": "12/2035", "cvv": "123" },
        "items": [{ "name": "Book A", "quantity": 1 }],
        "shippingMethod": "Express",
        "termsAccepted": true,
    })
}

fn pid(host: &Value) -> u32 {
    host["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok())
        .expect("a running host has a pid")
}

#[tokio::test]
async fn a_killed_host_comes_back_and_the_others_serve_meanwhile() {
    let cluster = Cluster::start(&["alpha", "beta", "gamma"], &shop(), &[]).await;
    for victim in ["beta", KEEPER, "gamma"] {
        let old = pid(&cluster.status_of(victim).await.expect("it answers"));
        kill(old, "KILL").await;
        for other in cluster.hosts.iter().filter(|host| host.name != victim) {
            let (status, answer) = cluster
                .checkout(other.name, &good_order())
                .await
                .expect("the others serve");
            // Decisions are recorded on one host; while that is gone, the others say what they miss.
            if victim == KEEPER && status == 503 {
                let message = answer["error"]["message"].as_str();
                assert!(
                    message.is_some_and(|text| text.contains("orders")),
                    "{answer}"
                );
                continue;
            }
            assert_eq!(
                (status, &answer["status"]),
                (200, &json!("Order Approved")),
                "{answer}"
            );
        }
        until("the host has a new process", async || {
            cluster
                .status_of(victim)
                .await
                .filter(|host| host["state"] == "running" && host["pid"] != old)
        })
        .await;
        let (status, _) = cluster
            .checkout(victim, &good_order())
            .await
            .expect("it is back");
        assert_eq!(status, 200);
    }
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}

#[tokio::test]
async fn no_restart_leaves_a_killed_host_dead() {
    let cluster = Cluster::start(&["alpha", "beta"], &shop(), &["--no-restart"]).await;
    let beta = pid(&cluster.status_of("beta").await.expect("it answers"));
    kill(beta, "KILL").await;
    cluster.until_state("beta", "stopped").await;
    assert!(cluster.checkout("alpha", &good_order()).await.is_some());
    assert!(cluster.checkout("beta", &good_order()).await.is_none());
    cluster.terminate().await;
}

#[tokio::test]
async fn hosts_end_when_the_process_that_started_them_is_killed() {
    let mut cluster = Cluster::start(&["alpha", "beta"], &shop(), &[]).await;
    let mut children = Vec::new();
    for name in ["alpha", "beta"] {
        children.push(pid(&cluster.status_of(name).await.expect("it answers")));
    }
    cluster.process.kill().await.expect("it can be killed");
    until("no child is left", async || {
        children.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_host_is_stopped_and_started_again_through_any_other() {
    let cluster = Cluster::start(&["alpha", "beta"], &shop(), &[]).await;
    let post = async |path: &str| {
        cluster
            .admin("alpha", path, Some(&json!({})))
            .await
            .expect("alpha answers")
    };
    assert_eq!(
        post("/v1/hosts/beta/stop").await,
        json!({ "message": "host beta is stopped" })
    );
    cluster.until_state("beta", "stopped").await;
    assert!(cluster.checkout("beta", &good_order()).await.is_none());
    post("/v1/hosts/beta/start").await;
    cluster.until_state("beta", "running").await;
    assert!(cluster.checkout("beta", &good_order()).await.is_some());
    let unknown = post("/v1/hosts/omega/stop").await;
    assert_eq!(
        unknown["error"]["message"],
        "no host omega; there are alpha, beta"
    );
    cluster.terminate().await;
}

#[tokio::test]
async fn a_drain_lets_calls_under_way_finish() {
    let sections = shop()
        + &format!(
            "\n[service.hostile]\nwasm = \"{}\"\n",
            crate::paths::guest("fixture-hostile").display()
        );
    let cluster = Cluster::start(&["alpha"], &sections, &[]).await;
    let client = cluster.client("alpha").await;
    let nap = tokio::spawn(async move {
        let options = CallOptions::default();
        client
            .call_json("hostile", "nap", &json!([700]), &options)
            .await
    });
    until("the nap has begun", async || {
        let running = cluster
            .admin("alpha", "/v1/status?scope=host", None)
            .await?;
        let services = running["services"].as_array()?;
        services
            .iter()
            .find(|service| service["name"] == "hostile" && service["running"] == 1)
            .map(|_| ())
    })
    .await;
    let started = Instant::now();
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
    assert!(
        !ended.lines.iter().any(|line| line.contains("cut off")),
        "{}",
        ended.lines.join("\n")
    );
    println!("drained in {} ms", started.elapsed().as_millis());
    nap.await
        .expect("the caller ends")
        .expect("the call is answered");
}

#[tokio::test]
async fn a_second_run_of_the_same_file_says_what_is_in_use_and_harms_nobody() {
    let (file, addresses) = write_config(&["alpha"], &shop());
    let first = Cluster::spawn(&file, addresses.clone(), &[]);
    first.until_state("alpha", "running").await;
    let second = Cluster::spawn(&file, addresses, &["--host", "alpha"]);
    let ended = second.ended().await;
    assert!(!ended.status.success());
    let said = ended.lines.join("\n");
    assert!(
        said.contains("is in use by another process") && said.contains("--data"),
        "{said}"
    );
    assert!(first.checkout("alpha", &good_order()).await.is_some());
    first.terminate().await;
}

#[tokio::test]
async fn a_second_start_compiles_nothing() {
    let (file, addresses) = write_config(&["alpha", "beta", "gamma"], &shop());
    let first = Cluster::spawn(&file, addresses.clone(), &[]);
    for host in &addresses {
        first.until_state(host.name, "running").await;
    }
    first.terminate().await;
    let started = Instant::now();
    let second = Cluster::spawn(&file, addresses, &[]);
    until("a checkout is answered", async || {
        second.checkout("alpha", &good_order()).await
    })
    .await;
    let took = started.elapsed();
    println!("second start to first checkout: {} ms", took.as_millis());
    let said = second.terminate().await.lines.join("\n");
    assert!(!said.contains("compiled "), "{said}");
}
