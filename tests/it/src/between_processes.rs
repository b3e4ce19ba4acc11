//! Processes that die, stand still and move: what a caller on another host is told, and how the cluster finds back.

use crate::between_cluster::{
    AT_ONCE, LEFT_OUT_WITHIN, Paused, assert_says, assert_unavailable, call, call_with, calls_on,
    command, hostile_on, link, pid, shop_with, start, timed, until_link, until_log, until_taken,
};
use crate::cluster::{Cluster, free_ports, kill, until};
use crate::processes::good_order;
use bookshop_host::client::CallOptions;
use serde_json::json;
use std::time::Duration;

const HOSTS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The hosts of the service that is called.
const CALLED: [&str; 2] = ["beta", "gamma"];
/// Longer than any test waits for the end of a call that should end before.
const LONG: Duration = Duration::from_secs(25);

fn other(victim: &str) -> &'static str {
    if victim == "beta" { "gamma" } else { "beta" }
}

/// Calls through alpha until a host has carried one out that was called after this began.
async fn until_used(cluster: &Cluster, host: &str) {
    let before = calls_on(cluster, host, "hostile").await;
    until(&format!("{host} is called again"), async || {
        let answer = call(cluster, "alpha", "hostile.echo", &json!([[1]]), AT_ONCE).await;
        assert_eq!(answer, Ok(json!([1])));
        (calls_on(cluster, host, "hostile").await > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_call_to_a_host_that_is_killed_ends_at_once_and_says_what_is_known() {
    let cluster = start(&HOSTS, &hostile_on(&CALLED)).await;
    let nap = json!([LONG.as_millis()]);
    let killed = async {
        let victim = until_taken(&cluster, &CALLED, "hostile").await;
        kill(pid(&cluster, victim).await, "KILL").await;
        victim
    };
    let called = timed(call(&cluster, "alpha", "hostile.nap", &nap, LONG));
    let ((answer, took), victim) = tokio::join!(called, killed);
    let error = answer.expect_err("its host was killed");
    assert_unavailable(&error, true, &["hostile", victim, "may have been executed"]);
    assert!(took < LONG / 2, "told after {took:?}");

    until_link(&cluster, "alpha", victim, "up").await;
    until_used(&cluster, victim).await;
    cluster.terminate().await;
}

#[tokio::test]
async fn a_call_with_a_key_is_carried_out_by_another_host_when_its_own_is_killed() {
    let cluster = start(&HOSTS, &hostile_on(&CALLED)).await;
    let options = CallOptions {
        timeout: Some(LONG),
        idempotency_key: Some("once".into()),
        ..CallOptions::default()
    };
    let killed = async {
        let victim = until_taken(&cluster, &CALLED, "hostile").await;
        kill(pid(&cluster, victim).await, "KILL").await;
        victim
    };
    let nap = json!([2_000]);
    let called = call_with(&cluster, "alpha", "hostile.nap", &nap, &options);
    let (answer, victim) = tokio::join!(called, killed);
    assert_eq!(answer, Ok(json!(null)));
    assert_eq!(calls_on(&cluster, other(victim), "hostile").await, 1);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_stands_still_loses_its_calls_to_another_until_it_goes_on() {
    let cluster = start(&HOSTS, &hostile_on(&CALLED)).await;
    let paused = async {
        let victim = until_taken(&cluster, &CALLED, "hostile").await;
        (victim, Paused::new(pid(&cluster, victim).await).await)
    };
    let nap = json!([LONG.as_millis()]);
    let called = timed(call(&cluster, "alpha", "hostile.nap", &nap, LONG));
    let ((answer, took), (victim, paused)) = tokio::join!(called, paused);
    let error = answer.expect_err("its host stands still");
    assert_unavailable(&error, true, &["hostile", victim]);
    assert!(took < LEFT_OUT_WITHIN, "told after {took:?}");

    let why = until_link(&cluster, "alpha", victim, "down").await;
    assert_says(&why["reason"], &["did not answer within"]);
    let before = calls_on(&cluster, other(victim), "hostile").await;
    for _ in 0..10 {
        let called = call(&cluster, "alpha", "hostile.echo", &json!([[1]]), AT_ONCE).await;
        assert_eq!(called, Ok(json!([1])));
    }
    assert_eq!(
        calls_on(&cluster, other(victim), "hostile").await,
        before + 10
    );

    drop(paused);
    until_link(&cluster, "alpha", victim, "up").await;
    until_used(&cluster, victim).await;
    cluster.terminate().await;
}

#[tokio::test]
async fn a_checkout_that_needs_a_host_that_stands_still_says_which_service_is_missing() {
    let cluster = start(&["alpha", "beta"], &shop_with("fraud-detection", &["beta"])).await;
    let checkout = async || {
        let (answer, took) = timed(cluster.checkout("alpha", &good_order())).await;
        let (status, answer) = answer.expect("alpha answers");
        (status, answer, took)
    };
    let paused = Paused::new(pid(&cluster, "beta").await).await;
    // Nobody knows yet that beta stands still.
    let (status, answer, took) = checkout().await;
    assert!(matches!(status, 503 | 504), "{status} {answer}");
    assert_says(&answer, &["fraud-detection"]);
    assert!(took < LEFT_OUT_WITHIN, "answered after {took:?}");

    until_link(&cluster, "alpha", "beta", "down").await;
    let (status, answer, took) = checkout().await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("SERVICE_UNAVAILABLE"))
    );
    assert_says(&answer, &["fraud-detection"]);
    assert!(took < AT_ONCE, "answered after {took:?}");

    drop(paused);
    until_link(&cluster, "alpha", "beta", "up").await;
    assert_eq!(checkout().await.0, 200);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_is_stopped_finishes_the_calls_of_others_and_gets_no_more() {
    let cluster = start(&HOSTS, &hostile_on(&CALLED)).await;
    let admin = cluster.host("alpha").admin.to_string();
    let stopped = async {
        let leaving = until_taken(&cluster, &CALLED, "hostile").await;
        command(&["stop-host", leaving, "--admin", &admin]).await;
        leaving
    };
    // Less than the hosts' drain-timeout.
    let nap = json!([2_500]);
    let called = call(&cluster, "alpha", "hostile.nap", &nap, LONG);
    let others = async {
        let mut leaving = None;
        until("the host is leaving", async || {
            for host in CALLED {
                let link = link(&cluster, "alpha", host).await?;
                if link["state"] == "down" {
                    leaving = Some(host);
                }
            }
            leaving
        })
        .await;
        for _ in 0..10 {
            let answer = call(&cluster, "alpha", "hostile.echo", &json!([[1]]), AT_ONCE).await;
            assert_eq!(answer, Ok(json!([1])));
        }
    };
    let (answer, leaving, ()) = tokio::join!(called, stopped, others);
    assert_eq!(answer, Ok(json!(null)), "on {leaving}");
    assert_eq!(calls_on(&cluster, other(leaving), "hostile").await, 10);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_comes_back_on_another_port_is_found_there() {
    let cluster = start(&HOSTS, &hostile_on(&["gamma"])).await;
    let admin = cluster.host("alpha").admin.to_string();
    command(&["stop-host", "gamma", "--admin", &admin]).await;
    until_link(&cluster, "alpha", "gamma", "down").await;
    let text = std::fs::read_to_string(&cluster.file).expect("the file is there");
    let key = |address: &str| format!("peer = \"{address}\"");
    let old = cluster.host("gamma").peer.to_string();
    let new = format!("127.0.0.1:{}", free_ports(1)[0]);
    assert!(text.contains(&key(&old)));
    let moved = text.replace(&key(&old), &key(&new));
    std::fs::write(&cluster.file, moved).expect("the file can be written");

    command(&["start-host", "gamma", "--admin", &admin]).await;
    for other in ["alpha", "beta"] {
        until_link(&cluster, other, "gamma", "up").await;
        until_log(&cluster, other, &["gamma is at", &new, &old]).await;
        let answer = call(&cluster, other, "hostile.echo", &json!([[1]]), AT_ONCE).await;
        assert_eq!(answer, Ok(json!([1])));
    }
    cluster.terminate().await;
}
