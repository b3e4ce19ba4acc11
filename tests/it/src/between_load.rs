//! More than a host on the other side takes: calls without end, and readers that do not read.

use crate::between_cluster::{
    AT_ONCE, call, chaos, pid, placed, resident_bytes, start, start_with, timed, until_under_way,
};
use crate::between_stranger::{Papers, Visitor, call_request, certificates, types_hash};
use crate::cluster::{Cluster, PATIENCE};
use bookshop_host::call_error::CallError;
use bookshop_host::client::{CallOptions, ClientError};
use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;

/// Calls that are made at once.
const CALLS: usize = 1_000;

#[tokio::test]
async fn each_of_a_thousand_calls_at_once_is_answered_or_told_when_to_come_back() {
    let few = "limits = { concurrency = 4, queue = 16, time = \"20s\" }";
    let sections = placed("hostile", "fixture-hostile", &["beta"], few);
    let cluster = start(&["alpha", "beta"], &sections).await;
    let client = cluster.client("alpha").await;
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let options = CallOptions::default();
                client
                    .call_json("hostile", "nap", &json!([50]), &options)
                    .await
            })
        })
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for called in calls {
        match called.await.expect("no call is lost") {
            Ok(_) => answered += 1,
            Err(ClientError::Refused(CallError::Overloaded {
                retry_after,
                service,
            })) => {
                assert!(retry_after > Duration::ZERO && service == "hostile");
                refused += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(answered + refused, CALLS);
    assert!(
        answered >= 20 && refused > 0,
        "{answered} answered, {refused} refused"
    );
    until_under_way(&cluster, "beta", "hostile", 0).await;
    let (after, took) = timed(call(&cluster, "alpha", "hostile.nap", &json!([1]), AT_ONCE)).await;
    assert_eq!(after, Ok(json!(null)), "after {took:?}");
    cluster.terminate().await;
}

#[tokio::test]
async fn what_one_host_is_too_busy_for_is_done_by_another() {
    let one = "limits = { concurrency = 1, queue = 0, time = \"20s\" }";
    let sections = placed("hostile", "fixture-hostile", &["beta", "gamma"], one);
    let cluster = start(&["alpha", "beta", "gamma"], &sections).await;
    let nap = json!([2_000]);
    let busy = || call(&cluster, "alpha", "hostile.nap", &nap, PATIENCE);
    let both_are_busy = async {
        for host in ["beta", "gamma"] {
            until_under_way(&cluster, host, "hostile", 1).await;
        }
        let (third, took) = timed(busy()).await;
        assert!(
            matches!(third, Err(CallError::Overloaded { .. })),
            "{third:?}"
        );
        assert!(took < AT_ONCE, "{took:?}");
    };
    // Whichever host the two calls prefer, one of them is done by the other if both prefer the same.
    let (first, second, ()) = tokio::join!(busy(), busy(), both_are_busy);
    assert_eq!((first, second), (Ok(json!(null)), Ok(json!(null))));
    cluster.terminate().await;
}

#[tokio::test]
async fn no_call_fails_while_a_service_is_stopped_and_started_on_one_of_its_hosts() {
    let sections = placed("hostile", "fixture-hostile", &["beta", "gamma"], "");
    let cluster = start(&["alpha", "beta", "gamma"], &sections).await;
    let is_done = Cell::new(false);
    let toggle = async {
        for verb in [
            "stop-service",
            "start-service",
            "stop-service",
            "start-service",
        ] {
            chaos(&cluster, "alpha", &[verb, "hostile", "beta"]).await;
        }
        is_done.set(true);
    };
    let calls = async {
        let mut calls = 0;
        while !is_done.get() {
            let answer = call(&cluster, "alpha", "hostile.nap", &json!([5]), AT_ONCE).await;
            assert_eq!(answer, Ok(json!(null)), "call {calls}");
            calls += 1;
        }
    };
    tokio::join!(toggle, calls, async {
        while !is_done.get() {
            let answer = call(&cluster, "alpha", "hostile.echo", &json!([[1]]), AT_ONCE).await;
            assert_eq!(answer, Ok(json!([1])));
        }
    });
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_is_busy_for_longer_than_a_probe_may_take_is_not_left_out() {
    let limits = "limits = { time = \"40s\", cpu = \"20s\" }";
    let sections = placed("hostile", "fixture-hostile", &["beta"], limits);
    // One thread, which these calls keep busy for many times the time that a probe may take.
    let keys = "probe-timeout = \"300ms\"\nworkers = 1";
    let cluster = start_with(&["alpha", "beta"], keys, &sections).await;
    let client = cluster.client("alpha").await;
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let options = CallOptions::default();
                let large = json!([1_000_000]);
                let called = client.call_json("hostile", "huge-list", &large, &options);
                called.await.map(drop)
            })
        })
        .collect();
    for called in calls {
        let called = called.await.expect("no call is lost");
        assert!(called.is_ok(), "{called:?}");
    }
    cluster.terminate().await;
}

/// Bytes of each result that nobody reads, and how many there are: several times as much as may wait on one connection.
const RESULT_BYTES: usize = 1_000_000;
const RESULTS: usize = 600;
/// What may wait on one connection, and what the allocator keeps of values, texts and bytes on their way there: far less than all results.
const KEPT_BYTES_MAX: u64 = 384 << 20;

/// Few calls at a time, so that it is not the guests that take the memory.
fn hostile_on_beta() -> String {
    let few = "limits = { concurrency = 8 }";
    placed("hostile", "fixture-hostile", &["beta"], few)
}

async fn assert_others_are_served(cluster: &Cluster) {
    for host in ["alpha", "beta"] {
        let echo = call(cluster, host, "hostile.echo", &json!([[1]]), AT_ONCE).await;
        assert_eq!(echo, Ok(json!([1])));
    }
}

/// Asks a host again and again over one connection and reads none of the answers, while others are served and its memory stays
/// bounded. Whoever reads afterwards is told that there is no more, and the next connection is served.
async fn ask_without_reading(
    cluster: &Cluster,
    host: &str,
    visitor: &Visitor,
    request: impl Fn() -> (Request<()>, Bytes),
) {
    assert_others_are_served(cluster).await;
    let process = pid(cluster, host).await;
    let before = resident_bytes(process);
    let mut answers = Vec::new();
    for _ in 0..RESULTS {
        let sender = visitor.sender.clone().ready().await;
        let (head, body) = request();
        let mut sender = sender.expect("the host takes more");
        let (answer, mut stream) = sender.send_request(head, false).expect("it can be sent");
        stream.send_data(body, true).expect("it can be sent");
        answers.push(answer);
    }
    let mut statuses = Vec::new();
    let mut unread = Vec::new();
    for answer in answers {
        let (head, body) = answer.await.expect("every call is answered").into_parts();
        statuses.push(head.status);
        unread.push(body);
    }
    let grown = resident_bytes(process).saturating_sub(before);
    assert!(
        grown < KEPT_BYTES_MAX,
        "{grown} bytes more for {RESULTS} results of {RESULT_BYTES}"
    );
    assert_others_are_served(cluster).await;
    let counted = |status| statuses.iter().filter(|known| **known == status).count();
    let (answered, refused) = (
        counted(StatusCode::OK),
        counted(StatusCode::SERVICE_UNAVAILABLE),
    );
    assert_eq!(answered + refused, RESULTS, "{statuses:?}");
    assert!(
        answered > 0 && refused > 0,
        "{answered} answered, {refused} refused"
    );
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_up_nobody_and_takes_a_bounded_memory() {
    let cluster = start(&["alpha", "beta"], &hostile_on_beta()).await;
    let client = cluster.client("beta").await;
    let function = client
        .function("hostile", "huge-text")
        .await
        .expect("it is there");
    let hash = types_hash(&function);
    let papers = Papers::read(&certificates(&cluster.file), "alpha");
    let reader = Visitor::connect(cluster.host("beta").peer, papers).await;
    ask_without_reading(&cluster, "beta", &reader, || {
        let path = "hostile/fixture:hostile/hostile@0.1.huge-text";
        // RESULT_BYTES as the binary value format writes it.
        (
            call_request(path, &hash),
            Bytes::from_static(b"\xc0\x84\x3d"),
        )
    })
    .await;
    drop(reader);
    assert_others_are_served(&cluster).await;
    cluster.terminate().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_and_takes_a_bounded_memory() {
    let cluster = start(&["alpha", "beta"], &hostile_on_beta()).await;
    let reader = Visitor::in_the_clear(cluster.host("alpha").api).await;
    ask_without_reading(&cluster, "alpha", &reader, || {
        let request = Request::post("http://localhost/call/hostile/huge-text");
        let request = request.body(()).expect("a request");
        (request, format!("[{RESULT_BYTES}]").into())
    })
    .await;
    drop(reader);
    assert_others_are_served(&cluster).await;
    cluster.terminate().await;
}
