//! Time and depth of calls over several hosts: deadlines, clocks that differ, callers that leave, cycles.

use crate::between_cluster::{
    AT_ONCE, assert_says, call, command, placed, start, timed, until_connected, until_under_way,
};
use crate::cluster::{Cluster, until, write_config};
use bookshop_host::call_error::CallError;
use bookshop_host::client::CallOptions;
use serde_json::{Value, json};
use std::time::Duration;

const HOSTS: [&str; 3] = ["alpha", "beta", "gamma"];

/// A chain of three services on three hosts: first, second, third.
fn chain() -> String {
    let hop = |name: &str, host: &str, next: &str| {
        let more = format!(
            "links = {{ \"fixture:hostile/relay\" = {{ to = \"{next}\" }} }}\nlimits = {{ time = \"30s\" }}"
        );
        placed(name, "fixture-relay", &[host], &more)
    };
    hop("first", "alpha", "second")
        + &hop("second", "beta", "third")
        + &hop("third", "gamma", "first")
}

/// Calls the chain from its beginning to its end, which sleeps for so long.
async fn relay(cluster: &Cluster, nap_ms: u64, within: Duration) -> Result<Value, CallError> {
    call(
        cluster,
        "alpha",
        "first.forward",
        &json!([2, nap_ms]),
        within,
    )
    .await
}

/// Every call of the chain had time, and less than its caller.
#[track_caller]
fn assert_shrinking(answer: &Value, within: Duration) {
    let left = answer["ok"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    let left: Vec<u64> = left.iter().filter_map(Value::as_u64).collect();
    assert_eq!(left.len(), 3, "{answer}");
    assert!(u128::from(left[0]) <= within.as_millis(), "{answer}");
    assert!(
        left[0] > left[1] && left[1] > left[2] && left[2] > 0,
        "{answer}"
    );
}

#[tokio::test]
async fn every_hop_has_less_time_than_the_one_before_and_the_last_that_is_late_is_named() {
    let cluster = start(&HOSTS, &chain()).await;
    let within = Duration::from_secs(10);
    let answer = relay(&cluster, 0, within).await;
    assert_shrinking(&answer.expect("the chain answers"), within);

    let within = Duration::from_millis(700);
    until(
        "the last of the chain is the one that is late",
        async || {
            let (called, took) = timed(relay(&cluster, 20_000, within)).await;
            assert!(took < within + AT_ONCE, "{called:?} after {took:?}");
            // On a busy machine a caller may find out before it hears from its callee.
            let said = match called {
                Ok(answer) => answer["err"]["deadline-exceeded"].to_string(),
                Err(error @ CallError::DeadlineExceeded { .. }) => error.to_string(),
                Err(other) => panic!("{other:?}"),
            };
            assert_says(&said, &["did not answer within"]);
            (said.contains("third") && said.contains("on gamma")).then_some(())
        },
    )
    .await;
    for (host, service) in [("alpha", "first"), ("beta", "second"), ("gamma", "third")] {
        until_under_way(&cluster, host, service, 0).await;
    }
    cluster.terminate().await;
}

#[tokio::test]
async fn a_caller_that_leaves_ends_its_calls_on_all_hosts() {
    let cluster = start(&HOSTS, &chain()).await;
    let all = async |calls| {
        for (host, service) in [("alpha", "first"), ("beta", "second"), ("gamma", "third")] {
            until_under_way(&cluster, host, service, calls).await;
        }
    };
    let client = cluster.client("alpha").await;
    let options = CallOptions::default();
    let arguments = json!([2, 25_000]);
    let call = async |client: &bookshop_host::client::Client| {
        let called = client
            .call_json("first", "forward", &arguments, &options)
            .await;
        panic!("the call ended: {called:?}")
    };
    // First a call is given up and its connection kept, then the connection is lost with a call on it.
    tokio::select! { () = all(1) => {}, () = call(&client) => {} }
    let ((), took) = timed(all(0)).await;
    assert!(took < 2 * AT_ONCE, "{took:?}");
    tokio::select! { () = all(1) => {}, () = call(&client) => {} }
    drop(client);
    let ((), took) = timed(all(0)).await;
    assert!(took < 2 * AT_ONCE, "{took:?}");
    cluster.terminate().await;
}

#[tokio::test]
async fn a_cycle_over_two_hosts_ends_when_its_hops_are_used_up() {
    let sections = placed("cycle-a", "fixture-cycle-a", &["alpha"], "")
        + &placed("cycle-b", "fixture-cycle-b", &["beta"], "");
    let cluster = start(&["alpha", "beta"], &sections).await;
    let step = async |rounds: u32| {
        let called = call(&cluster, "beta", "cycle-a.step", &json!([rounds]), AT_ONCE).await;
        called.expect("the failure is a value")
    };
    assert_eq!(step(10).await, json!({ "ok": 10 }));
    let answer = step(1_000).await;
    let failure = &answer["err"]["hop-limit"];
    assert_says(failure, &["cycle", "cluster.hops-max"]);
    assert_eq!(step(10).await, json!({ "ok": 10 }));
    cluster.terminate().await;
}

#[tokio::test]
async fn hosts_whose_clocks_are_hours_apart_work_and_status_says_so() {
    let (file, addresses) = write_config(&HOSTS, &chain());
    // The first makes the certificates of all.
    let skewed = Cluster::spawn(
        &file,
        addresses.clone(),
        &["--host", "alpha", "--clock-ahead", "2h"],
    );
    until("alpha answers", async || {
        skewed.admin("alpha", "/v1/status?scope=host", None).await
    })
    .await;
    let behind = Cluster::spawn(
        &file,
        addresses.clone(),
        &["--host", "beta", "--clock-behind", "2h"],
    );
    let right = Cluster::spawn(&file, addresses, &["--host", "gamma"]);
    until_connected(&skewed).await;

    let within = Duration::from_secs(10);
    let answer = relay(&skewed, 0, within).await;
    assert_shrinking(&answer.expect("the chain answers"), within);
    let within = Duration::from_millis(700);
    let (called, took) = timed(relay(&skewed, 20_000, within)).await;
    let said = called.map_or_else(|error| format!("{error:?}"), |answer| answer.to_string());
    assert_says(&said, &["did not answer within"]);
    assert!(took < within + AT_ONCE, "{took:?}");

    let admin = skewed.host("gamma").admin.to_string();
    let status = command(&["status", "--admin", &admin]).await;
    assert_says(
        &status,
        &[
            "the clock of alpha is",
            "ahead of that of gamma",
            "the clock of beta is",
            "behind that of gamma",
        ],
    );
    for cluster in [skewed, behind, right] {
        let ended = cluster.terminate().await;
        assert!(ended.status.success(), "{}", ended.lines.join("\n"));
    }
}
