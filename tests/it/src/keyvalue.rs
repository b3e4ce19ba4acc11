//! `wasi:keyvalue` over state of both lives, and `bookshop:platform/changes` over replicated state.

use crate::between_cluster::{AT_ONCE, call_with, placed, start, timed, until_under_way};
use crate::cluster::Cluster;
use crate::paths::guest;
use crate::test_host::{TestHost, service};
use bookshop_host::call_error::CallError;
use bookshop_host::client::CallOptions;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

const VOLATILE: &str = "storage = \"volatile\"\n";
/// Everything that only reads is a query.
const REPLICATED: &str = r#"replicated = { replicas = 1, queries = ["fixture:state/shelf.get", "fixture:state/shelf.get-many", "fixture:state/shelf.page", "fixture:state/shelf.pages", "fixture:state/shelf.delete"] }
"#;

fn shelf(more: &str) -> String {
    service("shelf", &guest("fixture-keyvalue"), more)
}

/// Runs a check on state of either life.
async fn on_both(check: impl AsyncFn(&TestHost)) {
    for more in [VOLATILE, REPLICATED] {
        let host = TestHost::start(&shelf(more)).await;
        check(&host).await;
        host.stop().await;
    }
}

/// What a function of the shelf answers.
async fn answer(host: &TestHost, function: &str, arguments: Value) -> Value {
    let called = host
        .client
        .call_json("shelf", function, &arguments, &CallOptions::default())
        .await;
    called.unwrap_or_else(|error| panic!("{function}{arguments}: {error}"))
}

#[tokio::test]
async fn a_bucket_keeps_what_is_set_and_no_other_sees_it() {
    on_both(async |host| {
        assert_eq!(
            answer(host, "get", json!(["a", "k"])).await,
            json!({ "ok": null })
        );
        answer(host, "set", json!(["a", "k", "1"])).await;
        answer(host, "set", json!(["a", "", "empty"])).await;
        answer(host, "set", json!(["", "k", "2"])).await;
        assert_eq!(
            answer(host, "get", json!(["a", "k"])).await,
            json!({ "ok": "1" })
        );
        assert_eq!(
            answer(host, "get", json!(["", "k"])).await,
            json!({ "ok": "2" })
        );
        assert_eq!(
            answer(host, "get", json!(["ab", "k"])).await,
            json!({ "ok": null })
        );
        assert_eq!(
            answer(host, "page", json!(["a", null])).await,
            json!({ "ok": [["", "k"], null] })
        );
        assert_eq!(
            answer(host, "exists", json!(["a", "k"])).await,
            json!({ "ok": true })
        );
        answer(host, "delete-many", json!(["a", ["k", "was never there"]])).await;
        assert_eq!(
            answer(host, "exists", json!(["a", "k"])).await,
            json!({ "ok": false })
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_no_buckets_is_no_such_store() {
    on_both(async |host| {
        let long = "b".repeat(257);
        for name in [long.as_str(), "a\0b"] {
            assert_eq!(
                answer(host, "set", json!([name, "k", "1"])).await,
                json!({ "err": "no-such-store" })
            );
        }
        let longest = "b".repeat(256);
        let set = answer(host, "set", json!([longest, "k", "1"])).await;
        assert!(set.get("err").is_none(), "{set}");
    })
    .await;
}

#[tokio::test]
async fn increments_of_calls_at_once_are_all_counted_and_those_of_a_trap_are_not() {
    on_both(async |host| {
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let client = host.client.clone();
                tokio::spawn(async move {
                    let options = CallOptions::default();
                    let arguments = json!(["n", "k", 2]);
                    client
                        .call_json("shelf", "increment", &arguments, &options)
                        .await
                })
            })
            .collect();
        for call in calls {
            call.await.expect("it ends").expect("it is answered");
        }
        let failed = host
            .call("shelf.increment-and-trap", &[r#""n""#, r#""k""#, "1"])
            .await;
        assert_eq!(failed.expect_err("it traps").code, "trapped");
        assert_eq!(
            answer(host, "get", json!(["n", "k"])).await,
            json!({ "ok": "100" })
        );
        let max = u64::MAX;
        let sum = answer(host, "increment", json!(["n", "k", max])).await;
        let said = sum["err"].as_str().expect("it does not fit");
        assert!(said.starts_with("other: 100 and "), "{said}");
        answer(host, "set", json!(["n", "text", "ten"])).await;
        let sum = answer(host, "increment", json!(["n", "text", 1])).await;
        let said = sum["err"].as_str().expect("it is no number");
        assert!(
            said.starts_with("other: ") && said.contains("decimal"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_in_pages_also_by_later_calls() {
    on_both(async |host| {
        answer(host, "fill", json!(["other", 3])).await;
        answer(host, "fill", json!(["many", 2_500])).await;
        assert_eq!(
            answer(host, "pages", json!(["many"])).await,
            json!({ "ok": [1_000, 1_000, 500] })
        );
        let (mut cursor, mut keys) = (Value::Null, Vec::new());
        for _ in 0..3 {
            let page = answer(host, "page", json!(["many", cursor])).await;
            let (listed, next) = (&page["ok"][0], &page["ok"][1]);
            keys.extend(listed.as_array().expect("a list").clone());
            cursor = next.clone();
        }
        assert_eq!(cursor, Value::Null);
        let expected: Vec<Value> = (0..2_500)
            .map(|number| json!(format!("{number:05}")))
            .collect();
        assert!(keys == expected, "{} keys, in their order", keys.len());
        assert_eq!(
            answer(host, "page", json!(["many", 9_999])).await,
            json!({ "ok": [[], null] })
        );
        let some = answer(host, "get-many", json!(["other", ["00002", "00003"]])).await;
        assert_eq!(
            some,
            json!({ "ok": [["00002", [48, 48, 48, 48, 50]], null] })
        );
    })
    .await;
}

#[tokio::test]
async fn a_query_that_writes_is_denied_and_a_value_that_fits_into_no_entry_is_refused() {
    let host = TestHost::start(&shelf(REPLICATED)).await;
    answer(&host, "set", json!(["a", "k", "1"])).await;
    // The configuration of these tests says that `delete` only reads.
    assert_eq!(
        answer(&host, "delete", json!(["a", "k"])).await,
        json!({ "err": "access-denied" })
    );
    assert_eq!(
        answer(&host, "get", json!(["a", "k"])).await,
        json!({ "ok": "1" })
    );
    let long = "k".repeat(5_000);
    let set = answer(&host, "set", json!(["a", long, "1"])).await;
    let said = set["err"].as_str().expect("it is too long");
    assert!(said.starts_with("other: the key has 50"), "{said}");
    host.stop().await;
}

/// A service to wait for, and one that waits. `hosts` are those of the first and of the second.
fn waiting(hosts: [&str; 2]) -> String {
    let patient = "limits = { time = \"50s\" }\n";
    placed("shelf", "fixture-keyvalue", &hosts[..1], REPLICATED)
        + &placed("waiter", "fixture-waiter", &hosts[1..], patient)
        + &placed(
            "volatile",
            "fixture-keyvalue",
            &hosts[1..],
            &format!("{VOLATILE}{patient}"),
        )
}

async fn call(cluster: &Cluster, function: &str, arguments: Value) -> Result<Value, CallError> {
    let options = CallOptions {
        timeout: Some(Duration::from_secs(40)),
        ..CallOptions::default()
    };
    // Through the host of the waiter, which is the last.
    let through = cluster.hosts.last().expect("there are hosts").name;
    call_with(cluster, through, function, &arguments, &options).await
}

async fn position(cluster: &Cluster, after: u64, timeout_ms: u64) -> u64 {
    let waited = call(cluster, "waiter.wait", json!(["shelf", after, timeout_ms])).await;
    let waited = waited.expect("it is answered");
    waited["ok"]
        .as_u64()
        .unwrap_or_else(|| panic!("{waited} is no position"))
}

/// Waits for all of them at once.
async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Every way a wait ends.
async fn check_waits(hosts: &[&'static str], placed: [&str; 2]) {
    let cluster = start(hosts, &waiting(placed)).await;
    // One host alone has nobody to find.
    cluster.until_state(hosts[0], "running").await;
    let set = async |value: &str| {
        let set = call(&cluster, "shelf.set", json!(["b", "k", value])).await;
        set.expect("it is set");
    };
    set("1").await;
    // Whoever is behind is told at once.
    let (first, took) = timed(position(&cluster, 0, 30_000)).await;
    assert!(first > 0 && took < AT_ONCE, "{first} after {took:?}");
    // Nothing changes: the same again, and not before the time.
    let (again, took) = timed(position(&cluster, first, 300)).await;
    assert_eq!(again, first);
    assert!(
        took >= Duration::from_millis(300) && took < AT_ONCE,
        "{took:?}"
    );
    // It changes, long before the time.
    let (waited, took) = timed(async {
        let (waited, ()) = tokio::join!(position(&cluster, first, 30_000), async {
            until_under_way(&cluster, placed[1], "waiter", 1).await;
            set("2").await;
        });
        waited
    })
    .await;
    assert!(waited > first && took < AT_ONCE, "{waited} after {took:?}");
    // What it waited for can be read.
    let read = call(&cluster, "shelf.get", json!(["b", "k"])).await;
    assert_eq!(read.expect("it is answered"), json!({ "ok": "2" }));
    let unknown = call(&cluster, "waiter.wait", json!(["nobody", 0, 1])).await;
    assert_eq!(code(&unknown), "not-found", "{unknown:?}");
    let volatile = call(&cluster, "waiter.wait", json!(["volatile", 0, 1])).await;
    assert_eq!(code(&volatile), "incompatible", "{volatile:?}");
    // The interface without `async`.
    let waited_by = async |service: &str, after: u64| {
        let waited = call(
            &cluster,
            &format!("{service}.wait"),
            json!(["shelf", after, 300]),
        )
        .await;
        waited.expect("it is answered")
    };
    assert_eq!(waited_by("volatile", 0).await, json!({ "ok": waited }));
    assert_eq!(waited_by("volatile", waited).await, json!({ "ok": waited }));
    // A command would let all others wait with it.
    assert_eq!(waited_by("shelf", 0).await, json!({ "err": "not-granted" }));
    cluster.terminate().await;
}

/// The case of `call-error` in an answer.
fn code(answer: &Result<Value, CallError>) -> &str {
    match answer {
        Ok(value) => {
            let case = value["err"]
                .as_object()
                .and_then(|error| error.keys().next());
            case.map_or("none", String::as_str)
        }
        Err(error) => error.code(),
    }
}

#[tokio::test]
async fn waiting_for_a_service_ends_when_it_changes() {
    check_waits(&["alpha"], ["alpha", "alpha"]).await;
}

#[tokio::test]
async fn waiting_for_a_service_of_another_host_ends_when_it_changes() {
    check_waits(&["alpha", "beta"], ["alpha", "beta"]).await;
}

#[tokio::test]
async fn waits_hold_no_place_of_the_service_that_is_waited_for() {
    let narrow = format!("{REPLICATED}limits = {{ concurrency = 1, queue = 0 }}\n");
    let sections = placed("shelf", "fixture-keyvalue", &["alpha"], &narrow)
        + &placed(
            "waiter",
            "fixture-waiter",
            &["beta"],
            "limits = { time = \"50s\" }\n",
        );
    let cluster = start(&["alpha", "beta"], &sections).await;
    let far = 1_000_000;
    let waits: Vec<_> = (0..20).map(|_| position(&cluster, far, 5_000)).collect();
    let sets = async {
        until_under_way(&cluster, "beta", "waiter", 20).await;
        for value in ["1", "2", "3"] {
            let set = call(&cluster, "shelf.set", json!(["b", "k", value])).await;
            set.expect("there is room for it");
        }
    };
    let all = join_all(waits);
    let (waited, ()) = tokio::join!(all, sets);
    assert_eq!(waited, [far; 20]);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_stops_lets_nobody_wait() {
    let patient = "limits = { time = \"50s\" }\n";
    let sections = shelf(REPLICATED) + &service("waiter", &guest("fixture-waiter"), patient);
    let host = TestHost::start(&sections).await;
    let client = host.client.clone();
    let wait = tokio::spawn(async move {
        let options = CallOptions {
            timeout: Some(Duration::from_secs(40)),
            ..CallOptions::default()
        };
        let arguments = json!(["shelf", 1_000_000, 30_000]);
        client
            .call_json("waiter", "wait", &arguments, &options)
            .await
    });
    host.until_under_way("waiter", 1, 0).await;
    let ((), took) = timed(host.stop()).await;
    // The drain timeout of these hosts.
    assert!(took < Duration::from_secs(2), "{took:?}");
    let waited = wait.await.expect("it ends").expect("it is answered");
    assert_eq!(
        waited["err"]["unavailable"]["message"],
        "the host is shutting down"
    );
}

#[tokio::test]
async fn a_component_that_is_no_daemon_is_never_told_to_finish() {
    let limits = "limits = { time = \"500ms\" }\n";
    let host = TestHost::start(&service("waiter", &guest("fixture-waiter"), limits)).await;
    assert_eq!(
        host.call("waiter.is-stopping", &[]).await,
        Ok(vec!["false".to_owned()])
    );
    let told = host.call("waiter.stopping", &[]).await;
    assert_eq!(told.expect_err("nobody tells it").code, "deadline-exceeded");
    host.stop().await;
}
