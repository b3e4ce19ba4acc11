//! Time, concurrency, and the life of instances.

use crate::hostile_host::{
    assert_failure, assert_neighbour_serves, assert_parts, attack, endure, hostile, neighbour,
};
use crate::paths::guest;
use crate::test_host::{TestHost, service};
use bookshop_host::client::CallOptions;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_call_that_waits_longer_than_it_may_ends_with_its_deadline() {
    let host = hostile(r#"limits = { time = "100ms" }"#).await;
    let failure = attack(&host, "hostile.nap", &["60000"]).await;
    assert_failure(
        &failure,
        "deadline-exceeded",
        &["hostile", "did not answer within"],
    );
    host.until_under_way("hostile", 0, 0).await;
    endure(&host, "hostile.nap", &["1"]).await;
    host.stop().await;
}

/// The caller's time is shorter than the callee's, so the call below it ends earlier, and the caller gets that as a value.
#[tokio::test]
async fn a_deadline_holds_for_the_calls_below_it() {
    let caller = service(
        "caller",
        &guest("fixture-caller"),
        r#"limits = { time = "200ms" }"#,
    );
    let host = TestHost::start(&(caller + &neighbour())).await;
    let answer = endure(&host, "caller.fan-out", &["3", "60000"]).await;
    assert_parts(
        &answer[0],
        &["err(deadline-exceeded(", r#"service: "neighbour""#],
    );
    host.until_under_way("neighbour", 0, 0).await;
    host.stop().await;
}

#[tokio::test]
async fn a_full_queue_refuses_with_the_time_to_come_back() {
    let host = hostile("limits = { concurrency = 1, queue = 1 }").await;
    let nap = || host.call("hostile.nap", &["300"]);
    let third = async {
        host.until_under_way("hostile", 1, 1).await;
        let started = std::time::Instant::now();
        let failure = attack(&host, "hostile.nap", &["300"]).await;
        assert!(
            started.elapsed().as_millis() < 250,
            "a refusal does not wait"
        );
        failure
    };
    let (first, second, failure) = tokio::join!(nap(), nap(), third);
    assert_eq!((first, second), (Ok(vec![]), Ok(vec![])));
    assert_failure(
        &failure,
        "overloaded",
        &["hostile is overloaded", "try again in", " ms"],
    );
    endure(&host, "hostile.nap", &["1"]).await;
    host.stop().await;
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_too_long_ends_with_its_deadline() {
    let host = hostile(r#"limits = { concurrency = 1, queue = 1, time = "200ms" }"#).await;
    let queued = async {
        host.until_under_way("hostile", 1, 0).await;
        let options = CallOptions {
            timeout: Some(Duration::from_millis(50)),
            ..CallOptions::default()
        };
        host.call_with("hostile.nap", &["1"], &options)
            .await
            .expect_err("its turn does not come")
    };
    let (_, failure) = tokio::join!(host.call("hostile.nap", &["60000"]), queued);
    assert_failure(
        &failure,
        "deadline-exceeded",
        &["hostile", "waited for its turn within"],
    );
    host.stop().await;
}

#[tokio::test]
async fn a_stopped_service_is_unavailable_with_the_command_that_starts_it() {
    let sections = service("caller", &guest("fixture-caller"), "")
        + &neighbour()
        + &service("bystander", &guest("fixture-neighbour"), "");
    let link = r#"links = { "fixture:hostile/neighbour" = { to = "neighbour" } }"#;
    let sections = sections.replacen("\n\n", &format!("\n{link}\n"), 1);
    let host = TestHost::start(&sections).await;
    let order = async |what: &str| {
        host.admin(&format!("/v1/services/neighbour/{what}"), Some(&json!({})))
            .await
    };
    order("stop").await.expect("it stops");
    assert_eq!(host.service("neighbour").await["state"], "stopped");

    let parts = [
        "neighbour is unavailable",
        "it was stopped",
        "bookshop-host start neighbour",
    ];
    let failure = host
        .call("neighbour.ping", &["1"])
        .await
        .expect_err("it is stopped");
    assert_failure(&failure, "unavailable", &parts);
    let failure = host
        .call("caller.call-ping", &["1"])
        .await
        .expect_err("a trap of the caller");
    assert_failure(&failure, "unavailable", &parts);
    let answer = host
        .call("caller.call-try-ping", &["1"])
        .await
        .expect("a value");
    assert_parts(
        &answer[0],
        &[
            "err(unavailable(",
            r#"service: "neighbour""#,
            "bookshop-host start neighbour",
            "maybe-executed: false",
        ],
    );
    assert_eq!(
        host.call("bystander.ping", &["1"]).await,
        Ok(vec!["1".into()])
    );

    order("start").await.expect("it starts");
    assert_neighbour_serves(&host).await;
    assert_eq!(
        host.call("caller.call-ping", &["1"]).await,
        Ok(vec!["1".into()])
    );
    assert_eq!(host.service("neighbour").await["version"]["ordinal"], 2);
    host.stop().await;
}

#[tokio::test]
async fn an_unknown_service_cannot_be_stopped() {
    let host = TestHost::start(&neighbour()).await;
    let failure = host
        .admin("/v1/services/nobody/stop", Some(&json!({})))
        .await
        .expect_err("unknown");
    assert_failure(
        &failure,
        "not-found",
        &["no service nobody", "bookshop-host status"],
    );
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

async fn count(host: &TestHost) -> u32 {
    let answer = host.call("hostile.count", &[]).await.expect("it counts");
    answer[0].parse().expect("a number")
}

#[tokio::test]
async fn every_call_gets_a_fresh_instance() {
    let host = hostile("").await;
    for _ in 0..5 {
        assert_eq!(count(&host).await, 0);
    }
    host.stop().await;
}

#[tokio::test]
async fn a_pooled_instance_serves_again_and_is_dropped_after_a_failure() {
    let host = hostile(r#"instance = "pooled""#).await;
    for served in 0..3 {
        assert_eq!(count(&host).await, served);
    }
    let failure = attack(&host, "hostile.trap", &[]).await;
    assert_failure(&failure, "trapped", &["hostile"]);
    assert_eq!(count(&host).await, 0, "the instance that trapped is gone");
    assert_eq!(count(&host).await, 1);
    host.stop().await;
}

#[tokio::test]
async fn a_pooled_instance_is_dropped_after_a_call_that_was_cut_off() {
    let host = hostile("instance = \"pooled\"\nlimits = { time = \"100ms\" }").await;
    assert_eq!((count(&host).await, count(&host).await), (0, 1));
    let failure = attack(&host, "hostile.nap", &["60000"]).await;
    assert_failure(&failure, "deadline-exceeded", &["hostile"]);
    assert_eq!(count(&host).await, 0);
    host.stop().await;
}

#[tokio::test]
async fn a_pooled_instance_retires_after_about_the_configured_calls() {
    let host = hostile("instance = \"pooled\"\nretire-after = 8").await;
    let mut counts = Vec::new();
    for _ in 0..60 {
        counts.push(count(&host).await);
    }
    // From half to one and a half times as many.
    let lives: Vec<usize> = counts
        .split(|count| *count == 0)
        .map(|rest| rest.len() + 1)
        .collect();
    let whole = &lives[1..lives.len() - 1];
    assert!(whole.len() >= 3, "{counts:?}");
    assert!(
        whole.iter().all(|calls| (4..=12).contains(calls)),
        "{lives:?}"
    );
    host.stop().await;
}

/// Each limit is one of a call: what earlier calls of the same instance used is forgotten.
#[tokio::test]
async fn a_pooled_instance_has_its_limits_anew_for_each_call() {
    let host =
        hostile("instance = \"pooled\"\nlimits = { cpu = \"50ms\", result = \"64KiB\" }").await;
    let failure = attack(&host, "hostile.spin", &[]).await;
    assert_failure(&failure, "trapped", &["50 ms", "limits.cpu"]);
    for _ in 0..100 {
        host.call("hostile.huge-list", &["60000"])
            .await
            .expect("within its limits");
    }
    host.stop().await;
}
