//! Mistakes of services whose state lasts, and their bounds: each ends its own call, with the way out, and loses nothing.

use crate::cluster::{KEEPER, replicated};
use crate::hostile_host::{assert_failure, assert_neighbour_serves, assert_refused, neighbour};
use crate::paths::guest;
use crate::test_host::{TestHost, service, text_guest};

/// A host with the keeper, some of whose functions are queries.
async fn keeper(queries: &[&str], more: &str) -> TestHost {
    let queries: Vec<String> = queries
        .iter()
        .map(|name| format!("fixture:hostile/keeper.{name}"))
        .collect();
    let name = crate::paths::unique(KEEPER);
    let section = replicated("keeper", "fixture-keeper", &name, &queries, more);
    let started = TestHost::try_start(&name, &(section + &neighbour())).await;
    started.expect("the host starts")
}

async fn ok(host: &TestHost, function: &str, arguments: &[&str]) -> String {
    let called = host.call(&format!("keeper.{function}"), arguments).await;
    called
        .unwrap_or_else(|failure| panic!("{function}: {failure:?}"))
        .join(" ")
}

#[tokio::test]
async fn a_command_that_calls_another_service_is_told_of_the_outbox() {
    let host = keeper(&[], "").await;
    let answer = ok(&host, "call-out", &["7"]).await;
    for part in [
        "err(not-granted(",
        "a command of a replicated service must not wait for",
        "bookshop:platform/outbox",
        "or call it from a query",
    ] {
        assert!(answer.contains(part), "{part:?} is not in {answer}");
    }
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_query_may_call_another_service() {
    let host = keeper(&["call-out"], "").await;
    assert_eq!(ok(&host, "call-out", &["7"]).await, "ok(7)");
    host.stop().await;
}

#[tokio::test]
async fn a_query_that_writes_is_refused() {
    let host = keeper(&["count", "counted"], "").await;
    let failure = host.call("keeper.count", &["\"a\""]).await;
    assert_failure(
        &failure.expect_err("it writes"),
        "trapped",
        &[
            "keeper",
            "replicated.queries",
            "may only read",
            "take it out of the list",
        ],
    );
    assert_eq!(ok(&host, "counted", &["\"a\""]).await, "0");
    host.stop().await;
}

#[tokio::test]
async fn storage_that_was_not_granted_is_refused_with_the_line_to_add() {
    let sections = service("keeper", &guest("fixture-keeper"), "") + &neighbour();
    let host = TestHost::start(&sections).await;
    let line = "replicated = { replicas = 1 }";
    assert_refused(
        &host,
        "keeper",
        &["keeper imports bookshop:platform/", line],
    )
    .await;
    host.stop().await;
}

#[tokio::test]
async fn timers_that_nobody_could_hear_are_refused() {
    let deaf = service(
        "deaf",
        &text_guest("no-timer-handler"),
        "replicated = { replicas = 1 }",
    );
    let host = TestHost::start(&(deaf + &neighbour())).await;
    let parts = [
        "bookshop:platform/timers",
        "bookshop:platform/timer-handler",
        "export",
    ];
    assert_refused(&host, "deaf", &parts).await;
    host.stop().await;
}

#[tokio::test]
async fn a_message_to_nobody_is_an_error_of_the_call_that_sends_it() {
    let host = keeper(&[], "").await;
    for (interface, parts) in [
        ("\"no:such/thing\"", ["err(", "no:such/thing"]),
        ("\"fixture:hostile/neighbour\"", ["err(", "count"]),
    ] {
        let answer = ok(&host, "count-elsewhere", &[interface, "\"a\""]).await;
        for part in parts {
            assert!(answer.contains(part), "{part:?} is not in {answer}");
        }
    }
    host.stop().await;
}

#[tokio::test]
async fn a_service_that_stores_all_it_may_loses_nothing_and_goes_on_after_deleting() {
    let host = keeper(&["length"], r#"limits = { storage = "64KiB" }"#).await;
    ok(&host, "fill", &["\"a\"", "40000"]).await;
    let failure = host.call("keeper.fill", &["\"b\"", "40000"]).await;
    assert_failure(
        &failure.expect_err("there is no room"),
        "unavailable",
        &[
            "keeper",
            "its limit is 65536",
            "raise limits.storage, or delete something",
        ],
    );
    assert_eq!(ok(&host, "length", &["\"a\""]).await, "some(40000)");
    assert_eq!(ok(&host, "length", &["\"b\""]).await, "none");
    assert_eq!(ok(&host, "forget", &["\"a\""]).await, "true");
    ok(&host, "fill", &["\"b\"", "40000"]).await;
    assert_eq!(ok(&host, "length", &["\"b\""]).await, "some(40000)");
    host.stop().await;
}

#[tokio::test]
async fn a_call_that_changes_too_much_at_once_changes_nothing() {
    let host = keeper(&["length"], "").await;
    let failure = host
        .call("keeper.fill-many", &["\"a\"", "5", "300000"])
        .await;
    assert_failure(
        &failure.expect_err("it is too much"),
        "incompatible",
        &["keeper", "fit into one entry", "change less in one call"],
    );
    for number in 0..5 {
        let key = format!("\"a{number}\"");
        assert_eq!(ok(&host, "length", &[&key]).await, "none");
    }
    ok(&host, "fill-many", &["\"a\"", "3", "300000"]).await;
    assert_eq!(ok(&host, "length", &["\"a2\""]).await, "some(300000)");
    host.stop().await;
}
