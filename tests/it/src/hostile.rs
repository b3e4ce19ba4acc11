//! Guests that do what guests should not: the host stays up and its other services do not notice.

use crate::paths::guest;
use crate::test_host::{Failure, TestHost, service};

/// A host with the hostile guest and a well-behaved neighbour.
async fn hostile(more: &str) -> TestHost {
    let sections = service("hostile", &guest("fixture-hostile"), more) + &service("neighbour", &guest("fixture-neighbour"), "");
    TestHost::start(&sections).await
}

#[track_caller]
fn assert_failure(failure: &Failure, code: &str, parts: &[&str]) {
    assert_eq!(failure.code, code, "{failure:?}");
    for part in parts {
        assert!(failure.message.contains(part), "{part:?} is not in {:?}", failure.message);
    }
}

async fn assert_neighbour_serves(host: &TestHost) {
    assert_eq!(host.call("neighbour.ping", &["41"]).await, Ok(vec!["41".to_owned()]));
}

#[tokio::test]
async fn a_guest_that_traps_ends_its_own_call_and_no_other() {
    let host = hostile("").await;
    let failure = host.call("hostile.trap", &[]).await.expect_err("it traps");
    assert_failure(&failure, "trapped", &["hostile", "unreachable"]);
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn an_endless_loop_ends_with_its_cpu_budget() {
    let host = hostile(r#"limits = { cpu = "50ms" }"#).await;
    let failure = host.call("hostile.spin", &[]).await.expect_err("it never returns by itself");
    assert_failure(&failure, "trapped", &["hostile", "CPU time", "50 ms", "limits.cpu"]);
    assert_neighbour_serves(&host).await;
    host.stop().await;
}
