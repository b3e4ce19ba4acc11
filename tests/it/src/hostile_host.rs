//! A host with a hostile guest and a well-behaved neighbour, and what must hold whatever the guest does.

use crate::paths::guest;
use crate::test_host::{Failure, TestHost, service};
use std::io::Write;

/// The section of the neighbour.
pub fn neighbour() -> String {
    service("neighbour", &guest("fixture-neighbour"), "")
}

/// A host with the hostile guest, which has these further keys, and its neighbour.
pub async fn hostile(more: &str) -> TestHost {
    TestHost::start(&(service("hostile", &guest("fixture-hostile"), more) + &neighbour())).await
}

/// The failure has this code, and its message has all these parts.
#[track_caller]
pub fn assert_failure(failure: &Failure, code: &str, parts: &[&str]) {
    assert_eq!(failure.code, code, "{failure:?}");
    assert_parts(&failure.message, parts);
}

/// A text has all these parts.
#[track_caller]
pub fn assert_parts(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

/// The neighbour answers a call.
pub async fn assert_neighbour_serves(host: &TestHost) {
    assert_eq!(
        host.call("neighbour.ping", &["41"]).await,
        Ok(vec!["41".to_owned()])
    );
}

/// Waits for what a guest does to end, while the neighbour is called without pause and has to answer every time, and once more after it.
pub async fn while_neighbour_serves<T>(host: &TestHost, attack: impl Future<Output = T>) -> T {
    let calls = async {
        loop {
            assert_neighbour_serves(host).await;
        }
    };
    let outcome = tokio::select! {
        outcome = attack => outcome,
        () = calls => unreachable!("the calls never end"),
    };
    assert_neighbour_serves(host).await;
    outcome
}

/// A call of the hostile guest that has to fail, with the neighbour serving all the while.
pub async fn attack(host: &TestHost, function: &str, arguments: &[&str]) -> Failure {
    let call = host.call(function, arguments);
    while_neighbour_serves(host, call)
        .await
        .expect_err("the call fails")
}

/// A call that has to succeed, with the neighbour serving all the while.
pub async fn endure(host: &TestHost, function: &str, arguments: &[&str]) -> Vec<String> {
    let call = host.call(function, arguments);
    while_neighbour_serves(host, call)
        .await
        .expect("the call succeeds")
}

/// The service was not loaded, `status` and the log say why, in these words, and the neighbour serves. Returns the reason.
pub async fn assert_refused(host: &TestHost, name: &str, parts: &[&str]) -> String {
    let status = host.service(name).await;
    assert_eq!(status["state"], "failed", "{status}");
    let reason = status["reason"]
        .as_str()
        .expect("a failed service has a reason")
        .to_owned();
    assert_parts(&reason, parts);
    let log = host.log(name).await;
    let line = format!("could not be loaded: {reason}");
    assert!(log.contains(&line), "{line:?} is not in {log:?}");
    assert_neighbour_serves(host).await;
    reason
}

/// Puts a measured figure into the test's output, also when the test passes: the test runner keeps back only what `println!` writes.
pub fn report(figure: &str) {
    let _ = std::io::stderr().write_all(format!("{figure}\n").as_bytes());
}
