//! Links between hosts that lose, delay or flap, by the faults that an operator can inject.

use crate::between_cluster::{
    AT_ONCE, LEFT_OUT_WITHIN, assert_says, assert_unavailable, call, chaos, placed, shop_with,
    start, start_with, timed, until_connected, until_link,
};
use crate::cluster::Cluster;
use crate::processes::good_order;
use bookshop_host::call_error::CallError;
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::Duration;

const HOSTS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The limit of a checkout: nothing in the test's file says otherwise.
const CHECKOUT_TIME: Duration = Duration::from_secs(5);

/// A service on alpha and one on each of the others.
fn one_each() -> String {
    placed("on-alpha", "fixture-neighbour", &["alpha"], "")
        + &placed("on-beta", "fixture-neighbour", &["beta"], "")
        + &placed("on-gamma", "fixture-neighbour", &["gamma"], "")
}

async fn ping(
    cluster: &Cluster,
    from: &str,
    to: &str,
    within: Duration,
) -> Result<Value, CallError> {
    let function = format!("on-{to}.ping");
    call(cluster, from, &function, &json!([7]), within).await
}

/// A call from one host to the service of another is answered.
async fn assert_reaches(cluster: &Cluster, from: &str, to: &str) {
    assert_eq!(
        ping(cluster, from, to, AT_ONCE).await,
        Ok(json!(7)),
        "{from} to {to}"
    );
}

/// The same call is refused: at first within its deadline, and at once as soon as the host knows.
async fn assert_cut_off(cluster: &Cluster, from: &str, to: &str) {
    let (called, took) = timed(ping(cluster, from, to, CHECKOUT_TIME)).await;
    let error = called.expect_err("the message vanishes");
    assert_says(&error, &[&format!("on-{to}"), to]);
    assert!(
        took < LEFT_OUT_WITHIN,
        "{from} to {to}: {error} after {took:?}"
    );
    until_link(cluster, from, to, "down").await;
    let (called, took) = timed(ping(cluster, from, to, Duration::from_secs(30))).await;
    let error = called.expect_err("nobody else runs it");
    assert_unavailable(&error, false, &[&format!("on-{to}"), to]);
    assert!(took < AT_ONCE, "{from} to {to}: {error} after {took:?}");
}

#[tokio::test]
async fn both_sides_of_a_partition_serve_what_they_have_until_it_is_healed() {
    let cluster = start(&HOSTS, &one_each()).await;
    chaos(&cluster, "beta", &["partition", "alpha", "beta,gamma"]).await;
    tokio::join!(
        assert_cut_off(&cluster, "alpha", "beta"),
        assert_cut_off(&cluster, "alpha", "gamma"),
        assert_cut_off(&cluster, "beta", "alpha"),
        assert_cut_off(&cluster, "gamma", "alpha"),
    );
    assert_reaches(&cluster, "alpha", "alpha").await;
    assert_reaches(&cluster, "beta", "gamma").await;
    assert_reaches(&cluster, "gamma", "beta").await;

    chaos(&cluster, "gamma", &["heal"]).await;
    until_connected(&cluster).await;
    for (from, to) in [("alpha", "beta"), ("beta", "alpha"), ("gamma", "alpha")] {
        assert_reaches(&cluster, from, to).await;
    }
    cluster.terminate().await;
}

#[tokio::test]
async fn a_link_that_loses_everything_one_way_cuts_off_no_third_host() {
    let cluster = start(&HOSTS, &one_each()).await;
    let links = json!([{ "from": "alpha", "to": "beta" }]);
    let fault = json!({ "links": links, "drop_percent": 100 });
    let done = cluster.admin("gamma", "/v1/chaos", Some(&fault)).await;
    assert_says(&done.expect("gamma answers"), &["alpha", "beta"]);
    // What beta asks arrives; alpha's answers do not.
    tokio::join!(
        assert_cut_off(&cluster, "alpha", "beta"),
        assert_cut_off(&cluster, "beta", "alpha"),
    );
    for (from, to) in [
        ("alpha", "gamma"),
        ("gamma", "alpha"),
        ("beta", "gamma"),
        ("gamma", "beta"),
    ] {
        assert_reaches(&cluster, from, to).await;
    }

    let healed = cluster
        .admin("beta", "/v1/chaos/heal", Some(&json!({})))
        .await;
    assert_says(&healed.expect("beta answers"), &["healed"]);
    until_connected(&cluster).await;
    assert_reaches(&cluster, "alpha", "beta").await;
    assert_reaches(&cluster, "beta", "alpha").await;
    cluster.terminate().await;
}

/// The fastest of a few calls: what the link takes, not the machine.
async fn fastest(cluster: &Cluster, from: &str, to: &str) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let (called, took) = timed(ping(cluster, from, to, CHECKOUT_TIME)).await;
        assert_eq!(called, Ok(json!(7)));
        fastest = fastest.min(took);
    }
    fastest
}

#[tokio::test]
async fn a_slow_link_delays_its_own_calls_and_a_late_answer_names_the_host() {
    // Probes wait as long as calls; they must not be what ends these.
    let patient = "probe-interval = \"100ms\"\nprobe-timeout = \"30s\"\n";
    let cluster = start_with(&HOSTS, patient, &one_each()).await;
    let delay = Duration::from_millis(200);
    chaos(
        &cluster,
        "alpha",
        &["delay", "alpha", "beta", "200ms", "--one-way"],
    )
    .await;
    let (slow, fast) = (
        fastest(&cluster, "alpha", "beta").await,
        fastest(&cluster, "alpha", "gamma").await,
    );
    assert!(slow >= delay, "{slow:?}");
    assert!(fast < delay, "{fast:?}");

    chaos(
        &cluster,
        "alpha",
        &["delay", "alpha", "beta", "20s", "--one-way"],
    )
    .await;
    let deadline = Duration::from_secs(1);
    let (called, took) = timed(ping(&cluster, "alpha", "beta", deadline)).await;
    let error = called.expect_err("the link is slower than the deadline");
    assert!(
        matches!(error, CallError::DeadlineExceeded { .. }),
        "{error:?}"
    );
    assert_says(
        &error,
        &["on-beta", "host beta", "did not answer within 1000 ms"],
    );
    assert!(took >= deadline && took < deadline + AT_ONCE, "{took:?}");
    assert_reaches(&cluster, "alpha", "gamma").await;
    assert_reaches(&cluster, "gamma", "beta").await;
    cluster.terminate().await;
}

#[tokio::test]
async fn checkouts_over_a_flapping_link_end_in_time_and_succeed_once_it_is_left_alone() {
    let sections = shop_with("fraud-detection", &["beta", "gamma"]);
    let cluster = start(&HOSTS, &sections).await;
    let links = json!([{ "from": "alpha", "to": "beta" }, { "from": "beta", "to": "alpha" }]);
    let is_flapping = Cell::new(true);
    let flap = async {
        for _ in 0..10 {
            for drop_percent in [100, 0] {
                let fault = json!({ "links": links, "drop_percent": drop_percent });
                cluster
                    .admin("gamma", "/v1/chaos", Some(&fault))
                    .await
                    .expect("gamma answers");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
        is_flapping.set(false);
    };
    let checkouts = async {
        let mut statuses = Vec::new();
        while is_flapping.get() {
            let (answer, took) = timed(cluster.checkout("alpha", &good_order())).await;
            let (status, answer) = answer.expect("alpha answers");
            assert!(matches!(status, 200 | 503 | 504), "{status} {answer}");
            assert!(took < CHECKOUT_TIME + AT_ONCE, "{answer} after {took:?}");
            statuses.push(status);
        }
        statuses
    };
    let ((), statuses) = tokio::join!(flap, checkouts);
    assert!(statuses.contains(&200), "{statuses:?}");

    until_connected(&cluster).await;
    for _ in 0..20 {
        let answer = cluster.checkout("alpha", &good_order()).await;
        let (status, answer) = answer.expect("alpha answers");
        assert_eq!(status, 200, "{answer}");
    }
    cluster.terminate().await;
}
