//! The Rust client against real hosts: many calls on one connection, values, and everything that can go wrong.

use crate::cluster::{Cluster, PATIENCE, kill, until};
use crate::hostile_host::{hostile, neighbour};
use crate::paths::guest;
use crate::test_host::{TestHost, service};
use bookshop_host::call_error::CallError;
use bookshop_host::client::{CallOptions, Client, ClientError, Val};
use bookshop_host::codec::MessageType;
use bookshop_host::os::Os;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

fn options() -> CallOptions {
    CallOptions::default()
}

#[tokio::test]
async fn many_calls_share_a_connection_and_come_back_in_any_order() {
    let host = TestHost::start(&neighbour()).await;
    let mut calls = JoinSet::new();
    for number in 0..200_u64 {
        let client = host.client.clone();
        calls.spawn(async move {
            // The earlier ones take longer.
            let arguments = json!([number, (200 - number) / 4]);
            let answer = client
                .call_json("neighbour", "ping-after", &arguments, &options())
                .await;
            assert_eq!(answer.expect("it answers"), json!({ "ok": number }));
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("every call got its own answer");
    }
    host.stop().await;
}

/// The value with these fields.
fn record(fields: &[(&str, Val)]) -> Val {
    let field = |(name, value): &(&str, Val)| ((*name).to_owned(), value.clone());
    Val::Record(fields.iter().map(field).collect())
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

#[tokio::test]
async fn values_go_and_come_back_as_they_were() {
    let host = hostile("").await;
    let address = record(&[
        ("street", text("1 Way")),
        ("city", text("Tartu")),
        ("country", text("EE")),
    ]);
    let item = |name, quantity| record(&[("name", text(name)), ("quantity", Val::U32(quantity))]);
    let order = record(&[
        ("order-id", text("ü-1")),
        (
            "customer",
            record(&[("name", text("")), ("contact", text("a@b"))]),
        ),
        (
            "items",
            Val::List(vec![item("Book A", 1), item("Book B", u32::MAX)]),
        ),
        ("address", Val::Option(Some(Box::new(address)))),
        ("shipping", Val::Enum("express".into())),
        ("gift-wrapping", Val::Bool(true)),
    ]);
    let echo = host
        .client
        .function("fixture:hostile/hostile", "echo-order")
        .await;
    let echo = echo.expect("there is such a function");
    let answer = echo.call(std::slice::from_ref(&order), &options()).await;
    assert_eq!(answer.expect("it answers"), [order]);
    // A function without a result, and one without parameters.
    let nap = host
        .client
        .function("hostile", "nap")
        .await
        .expect("a function");
    assert_eq!(
        nap.call(&[Val::U64(1)], &options())
            .await
            .expect("it answers"),
        []
    );
    let count = host
        .client
        .function("hostile", "count")
        .await
        .expect("a function");
    assert_eq!(
        count.call(&[], &options()).await.expect("it answers"),
        [Val::U32(0)]
    );
    let wrong = nap.call(&[text("1")], &options()).await;
    assert!(matches!(wrong, Err(ClientError::Arguments(_))), "{wrong:?}");
    host.stop().await;
}

/// The failure of a call of the hostile guest.
async fn refused(
    host: &TestHost,
    function: &str,
    arguments: Value,
    options: &CallOptions,
) -> CallError {
    match host
        .client
        .call_json("hostile", function, &arguments, options)
        .await
    {
        Err(ClientError::Refused(error)) => error,
        other => panic!("{function} is not refused: {other:?}"),
    }
}

#[tokio::test]
async fn failures_of_a_call_arrive_as_what_they_are() {
    let host = hostile("limits = { concurrency = 1, queue = 0, time = \"10min\" }").await;
    let error = refused(&host, "nothing", json!([]), &options()).await;
    assert_eq!(error.code(), "not-found");
    let error = refused(&host, "nap", json!(["x"]), &options()).await;
    assert_eq!(error.code(), "incompatible");
    let error = refused(&host, "trap", json!([]), &options()).await;
    assert_eq!(error.code(), "trapped");
    let soon = CallOptions {
        timeout: Some(Duration::from_millis(50)),
        ..options()
    };
    let error = refused(&host, "nap", json!([60_000]), &soon).await;
    assert_eq!(error.code(), "deadline-exceeded");
    let arguments = json!([60_000]);
    let running = options();
    let nap = host
        .client
        .call_json("hostile", "nap", &arguments, &running);
    let meanwhile = async {
        host.until_under_way("hostile", 1, 0).await;
        refused(&host, "nap", json!([1]), &options()).await
    };
    tokio::select! {
        answer = nap => panic!("the nap is over: {answer:?}"),
        error = meanwhile => assert!(matches!(error, CallError::Overloaded { retry_after, .. } if !retry_after.is_zero()), "{error:?}"),
    }
    // The nap was dropped, which cancels it.
    host.until_under_way("hostile", 0, 0).await;
    let stop = host
        .admin("/v1/services/hostile/stop", Some(&json!({})))
        .await;
    stop.expect("it stops");
    let error = refused(&host, "nap", json!([1]), &options()).await;
    assert!(
        matches!(&error, CallError::Unavailable { maybe_executed: false, message, .. } if message.contains("bookshop-host start hostile")),
        "{error:?}"
    );
    host.stop().await;
}

#[tokio::test]
async fn types_that_were_received_are_the_types_of_the_function() {
    let host = hostile("").await;
    let nap = host
        .client
        .function("hostile", "nap")
        .await
        .expect("a function");
    let other = host
        .client
        .function("hostile", "grow")
        .await
        .expect("a function");
    assert_ne!(nap.arguments().hash(), other.arguments().hash());
    // The same parts, received, are the same type.
    let received = MessageType::new(nap.arguments().parts().to_vec());
    assert_eq!(received.hash(), nap.arguments().hash());
    host.stop().await;
}

#[tokio::test]
async fn a_host_that_is_killed_in_the_middle_of_a_call_may_have_executed_it() {
    let sections = service(
        "hostile",
        &guest("fixture-hostile"),
        r#"limits = { time = "10min" }"#,
    );
    let cluster = Cluster::start(&["alpha"], &sections, &["--no-restart"]).await;
    let client = cluster.client("alpha").await;
    let nap = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .call_json("hostile", "nap", &json!([600_000]), &options())
                .await
        }
    });
    until("the nap has begun", async || {
        let status = cluster
            .admin("alpha", "/v1/status?scope=host", None)
            .await?;
        (status["services"][0]["running"] == 1).then_some(())
    })
    .await;
    let status = cluster.status_of("alpha").await.expect("it answers");
    let pid = status["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok());
    kill(pid.expect("a running host has a pid"), "KILL").await;
    let lost = tokio::time::timeout(PATIENCE, nap)
        .await
        .expect("it is noticed")
        .expect("no panic");
    assert!(
        matches!(
            lost,
            Err(ClientError::Lost {
                maybe_executed: true,
                ..
            })
        ),
        "{lost:?}"
    );
    // The connection is used up: what never left was not executed.
    let after = client
        .call_json("hostile", "nap", &json!([1]), &options())
        .await;
    assert!(
        matches!(
            after,
            Err(ClientError::Lost {
                maybe_executed: false,
                ..
            })
        ),
        "{after:?}"
    );
    cluster.terminate().await;
}

#[tokio::test]
async fn a_drained_host_answers_what_is_under_way_and_lets_go_of_idle_clients() {
    let host = TestHost::start(&service("hostile", &guest("fixture-hostile"), "")).await;
    let (client, idle) = (host.client.clone(), host.client.clone());
    let nap = tokio::spawn(async move {
        client
            .call_json("hostile", "nap", &json!([300]), &options())
            .await
    });
    host.until_under_way("hostile", 1, 0).await;
    host.stop().await;
    assert_eq!(
        nap.await.expect("no panic").expect("it is answered"),
        Value::Null
    );
    let after = idle
        .call_json("hostile", "nap", &json!([1]), &options())
        .await;
    assert!(
        matches!(
            after,
            Err(ClientError::Lost {
                maybe_executed: false,
                ..
            })
        ),
        "{after:?}"
    );
}

#[tokio::test]
async fn a_host_that_says_nothing_is_a_timeout_and_no_host_is_no_connection() {
    let os = Os::real();
    let listener = os
        .network
        .listen(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let client = Client::connect(address, &os).await.expect("it listens");
    let soon = CallOptions {
        timeout: Some(Duration::from_millis(10)),
        ..options()
    };
    let silent = client.call_json("a", "f", &json!([]), &soon).await;
    assert!(
        matches!(silent, Err(ClientError::Timeout { .. })),
        "{silent:?}"
    );
    drop(listener);
    let nobody = Client::connect(address, &os).await;
    assert!(matches!(nobody, Err(ClientError::Connect { .. })));
}

/// A program that answers with the opening of HTTP/2 and then nonsense; one that speaks HTTP/1.1 only is the admin interface.
#[tokio::test]
async fn what_is_no_api_is_no_answer() {
    let host = TestHost::start(&neighbour()).await;
    let not_api: SocketAddr = host.host.admin;
    let client = Client::connect(not_api, &host.os).await;
    let failed = match client {
        Ok(client) => client
            .call_json("neighbour", "ping", &json!([1]), &options())
            .await
            .err(),
        Err(error) => Some(error),
    };
    assert!(
        matches!(
            failed,
            Some(ClientError::Lost { .. } | ClientError::Protocol { .. })
        ),
        "{failed:?}"
    );
    host.stop().await;
}
