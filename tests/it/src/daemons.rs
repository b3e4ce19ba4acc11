//! Daemons: components that run for as long as their host, start again when they fail, and finish when they are told to.

use crate::between_cluster::{AT_ONCE, assert_says, timed};
use crate::cluster::until;
use crate::paths::guest;
use crate::test_host::{TestHost, service};
use bookshop_host::client::CallOptions;
use bookshop_host::telemetry::Log;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than any daemon of these tests takes to finish, and shorter than any test waits.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// A daemon in a mode of the fixture's.
fn daemon(mode: &str) -> String {
    let more = format!("storage = \"volatile\"\nconfig = {{ mode = \"{mode}\" }}\n");
    service("daemon", &guest("fixture-daemon"), &more)
}

/// What it beats on, and another one that nobody does.
fn shelf() -> String {
    let queries = r#"replicated = { replicas = 1, queries = ["fixture:state/shelf.get"] }"#;
    let links = "\n[service.daemon.links]\n\"fixture:state/shelf\" = { to = \"shelf\" }\n";
    service(
        "shelf",
        &guest("fixture-keyvalue"),
        "storage = \"volatile\"\n",
    ) + &service("state", &guest("fixture-keyvalue"), queries)
        + links
}

async fn started(mode: &str) -> TestHost {
    TestHost::start(&(daemon(mode) + &shelf())).await
}

/// A value that the daemon left on the shelf.
async fn get(host: &TestHost, bucket: &str, name: &str) -> Option<String> {
    let options = CallOptions::default();
    let arguments = json!([bucket, name]);
    let got = host
        .client
        .call_json("shelf", "get", &arguments, &options)
        .await;
    got.expect("it is answered")["ok"]
        .as_str()
        .map(str::to_owned)
}

/// How often the daemon beat on a name.
async fn beats(host: &TestHost, name: &str) -> u64 {
    let beats = get(host, "beats", name).await;
    beats.map_or(0, |beats| beats.parse().expect("a number"))
}

async fn until_beats(host: &TestHost, at_least: u64) {
    until("the daemon beats", async || {
        (beats(host, "round").await >= at_least).then_some(())
    })
    .await;
}

/// What `status` says of the daemon.
async fn condition(host: &TestHost) -> Value {
    host.service("daemon").await["daemons"][0].clone()
}

async fn until_condition(host: &TestHost, state: &str) -> Value {
    until(&format!("the daemon is {state}"), async || {
        Some(condition(host).await).filter(|found| found["state"] == state)
    })
    .await
}

async fn control(host: &TestHost, verb: &str) {
    let path = format!("/v1/services/daemon/{verb}");
    let done = host.admin(&path, Some(&json!({}))).await;
    done.unwrap_or_else(|failure| panic!("{verb}: {failure:?}"));
}

/// Whether the log of the daemon has a line with this text.
async fn has_said(host: &TestHost, text: &str) -> bool {
    host.log("daemon")
        .await
        .iter()
        .any(|line| line.contains(text))
}

/// How often a host said something, which may have ended since.
fn said(log: &Log, text: &str) -> usize {
    log.lock()
        .last(usize::MAX, |line| line.message.contains(text))
        .len()
}

#[tokio::test]
async fn a_daemon_runs_beside_its_service_until_the_host_stops() {
    let host = started("beat").await;
    until_beats(&host, 10).await;
    let service = host.service("daemon").await;
    assert_eq!(
        (&service["kind"], &service["state"]),
        (&json!("daemon"), &json!("running"))
    );
    let daemon = &service["daemons"][0];
    assert_eq!(
        (&daemon["state"], &daemon["restarts"], &daemon["last_error"]),
        (&json!("running"), &json!(0), &Value::Null)
    );
    assert!(daemon["since_s"].is_u64(), "{daemon}");
    // Its exports are served by other instances.
    assert_eq!(
        host.call("daemon.beats", &[]).await,
        Ok(vec!["0".to_owned()])
    );
    let log = host.host.log.clone();
    let ((), took) = timed(host.stop()).await;
    assert!(
        took < DRAIN_TIMEOUT,
        "it finished by itself, not after {took:?}"
    );
    assert_eq!(said(&log, "has finished, as it was told to"), 1);
}

#[tokio::test]
async fn each_call_of_a_daemon_is_a_request_of_its_own() {
    let host = started("beat").await;
    let caller = async |before: Option<String>| {
        until("another beat", async || {
            let caller = get(&host, "callers", "round").await?;
            let trace = caller.split(' ').nth(1).map(str::to_owned);
            (trace != before).then_some(caller)
        })
        .await
    };
    let part = |caller: &str, index| {
        caller
            .split(' ')
            .nth(index)
            .expect("three parts")
            .to_owned()
    };
    let first = caller(None).await;
    let second = caller(Some(part(&first, 1))).await;
    for caller in [&first, &second] {
        assert_eq!(part(caller, 0), "daemon");
        // The time of its service, 5 s unless set, counted from each call.
        let left_ms: u64 = part(caller, 2).parse().expect("a number");
        assert!((3_000..=5_000).contains(&left_ms), "{caller}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_daemon_that_fails_runs_again_after_ever_longer_pauses() {
    for (mode, reason) in [("trap", "trapped: "), ("fail", "returned an error")] {
        let ((host, daemon), took) = timed(async {
            let host = started(mode).await;
            let daemon = until("it failed four times", async || {
                let daemon = condition(&host).await;
                let is_fourth = daemon["restarts"].as_u64()? >= 3;
                (is_fourth && daemon["state"] == "waiting").then_some(daemon)
            });
            let daemon = daemon.await;
            (host, daemon)
        })
        .await;
        let error = daemon["last_error"].as_str().expect("a reason");
        assert!(error.contains(reason), "{error}");
        // 0.1 and 0.2 and 0.4 s of pauses.
        assert!(took > Duration::from_millis(500), "{took:?}");
        assert!(beats(&host, "round").await >= 4);
        for pause in [100, 200, 400] {
            assert!(has_said(&host, &format!("failed and runs again in {pause} ms: ")).await);
        }
        let (_, took) = timed(control(&host, "stop")).await;
        assert!(
            took < AT_ONCE,
            "one that waits to run again ends at once, not after {took:?}"
        );
        until_condition(&host, "stopped").await;
        host.stop().await;
    }
}

#[tokio::test]
async fn a_daemon_that_returns_is_finished_until_its_service_is_started_again() {
    for mode in ["once", "exit"] {
        let host = started(mode).await;
        let daemon = until_condition(&host, "finished").await;
        assert_eq!(
            (&daemon["restarts"], &daemon["last_error"]),
            (&json!(0), &Value::Null)
        );
        assert_eq!(beats(&host, "round").await, 1);
        assert_eq!(host.service("daemon").await["state"], "running");
        assert!(has_said(&host, "the daemon has finished").await);
        // Started while it runs, and after a stop.
        control(&host, "start").await;
        until_beats(&host, 2).await;
        until_condition(&host, "finished").await;
        control(&host, "stop").await;
        until_condition(&host, "stopped").await;
        control(&host, "start").await;
        until_beats(&host, 3).await;
        host.stop().await;
    }
}

#[tokio::test]
async fn a_stopped_service_tells_its_daemon_to_finish_however_it_waits() {
    for mode in ["beat", "wait", "told"] {
        let host = started(mode).await;
        until_beats(&host, 1).await;
        assert_eq!(beats(&host, "end").await, 0);
        let ((), took) = timed(control(&host, "stop")).await;
        assert!(
            took < DRAIN_TIMEOUT,
            "{mode} finishes by itself, not after {took:?}"
        );
        assert_eq!(condition(&host).await["state"], "stopped");
        assert_eq!(beats(&host, "end").await, 1, "{mode}");
        let rounds = beats(&host, "round").await;
        control(&host, "start").await;
        until_beats(&host, rounds + 1).await;
        host.stop().await;
    }
}

#[tokio::test]
async fn a_daemon_that_does_not_listen_is_ended_after_the_drain_timeout() {
    for mode in ["deaf", "spin"] {
        let host = started(mode).await;
        until_beats(&host, 1).await;
        let ((), took) = timed(control(&host, "stop")).await;
        assert!(
            took >= DRAIN_TIMEOUT && took < AT_ONCE + DRAIN_TIMEOUT,
            "{took:?}"
        );
        assert!(has_said(&host, "did not finish within cluster.drain-timeout, 2 s").await);
        let rounds = beats(&host, "round").await;
        control(&host, "start").await;
        until_beats(&host, rounds + 1).await;
        let log = host.host.log.clone();
        let ((), took) = timed(host.stop()).await;
        assert!(
            took >= DRAIN_TIMEOUT && took < AT_ONCE + DRAIN_TIMEOUT,
            "{took:?}"
        );
        assert_eq!(said(&log, "and was ended"), 2);
    }
}

#[tokio::test]
async fn a_daemon_that_computes_without_end_has_no_budget_and_the_others_are_served() {
    let host = started("spin").await;
    // Twice the processor time that a call may use, and the shelf is asked all the while.
    until("it has run for two seconds", async || {
        assert!(beats(&host, "round").await <= 1);
        (condition(&host).await["since_s"].as_u64()? >= 2).then_some(())
    })
    .await;
    let daemon = condition(&host).await;
    assert_eq!(
        (&daemon["state"], &daemon["restarts"]),
        (&json!("running"), &json!(0))
    );
    host.stop().await;
}

#[tokio::test]
async fn a_daemon_wakes_when_what_it_waits_for_changes() {
    let host = started("wait").await;
    let mut rounds = 0;
    for value in ["1", "2", "3"] {
        until_beats(&host, rounds + 1).await;
        rounds = beats(&host, "round").await;
        let set = json!(["b", "k", value]);
        let options = CallOptions::default();
        let done = host.client.call_json("state", "set", &set, &options).await;
        done.expect("it is set");
        let ((), took) = timed(until_beats(&host, rounds + 1)).await;
        assert!(took < AT_ONCE, "{took:?}");
        rounds = beats(&host, "round").await;
        rounds -= 1;
    }
    host.stop().await;
}

#[tokio::test]
async fn a_daemon_has_no_state_of_its_own() {
    let host = started("keep").await;
    let daemon = until_condition(&host, "waiting").await;
    let error = daemon["last_error"].as_str().expect("a reason");
    assert!(
        error.contains("a daemon has no storage of its own"),
        "{error}"
    );
    host.stop().await;
    let replicated = "replicated = { replicas = 1 }\nconfig = { mode = \"beat\" }\n";
    let sections = service("daemon", &guest("fixture-daemon"), replicated) + &shelf();
    let host = TestHost::start(&sections).await;
    let parts = ["daemon exports wasi:cli/run@0.2.run", "remove replicated"];
    let refused = host.service("daemon").await;
    assert_eq!(refused["state"], "failed");
    assert_says(&refused["reason"], &parts);
    host.stop().await;
}
