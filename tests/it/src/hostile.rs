//! Guests that do what guests should not: each call ends with a clear error, the host stays up and its other services do not notice.

use crate::hostile_host::{assert_failure, assert_parts, attack, hostile, neighbour};
use crate::paths::{guest, unique};
use crate::test_host::{TestHost, cluster_file, service, written};

#[tokio::test]
async fn a_guest_that_traps_ends_its_own_call_and_no_other() {
    let host = hostile("").await;
    let failure = attack(&host, "hostile.trap", &[]).await;
    assert_failure(&failure, "trapped", &["hostile", "unreachable"]);
    let log = host.log("hostile").await.join("\n");
    assert_parts(&log, &["the fixture was asked to trap"]);
    host.stop().await;
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let host = hostile(r#"limits = { memory = "16MiB" }"#).await;
    let failure = attack(&host, "hostile.grow", &["64"]).await;
    assert_failure(
        &failure,
        "trapped",
        &["hostile", "more memory", "16777216 bytes", "limits.memory"],
    );
    assert_eq!(
        host.call("hostile.grow", &["8"]).await,
        Ok(vec!["8".into()])
    );
    host.stop().await;
}

#[tokio::test]
async fn endless_recursion_ends_with_the_stack() {
    let host = hostile("").await;
    let failure = attack(&host, "hostile.overflow", &[]).await;
    assert_failure(&failure, "trapped", &["hostile", "stack", "recursion"]);
    host.stop().await;
}

#[tokio::test]
async fn a_guest_that_exits_ends_its_own_call_and_not_the_host() {
    let host = hostile("").await;
    let failure = attack(&host, "hostile.exit", &["3"]).await;
    assert_failure(&failure, "trapped", &["hostile", "called exit("]);
    let failure = attack(&host, "hostile.exit", &["0"]).await;
    assert_failure(&failure, "trapped", &["hostile", "called exit(0)"]);
    host.stop().await;
}

/// The guest may have the memory for it, so what stops it is the limit of the result.
#[tokio::test]
async fn a_result_of_a_hundred_megabytes_is_not_let_out() {
    let host = hostile(r#"limits = { memory = "512MiB" }"#).await;
    let failure = attack(&host, "hostile.huge-list", &["100000000"]).await;
    assert_failure(
        &failure,
        "trapped",
        &["hostile", "1048576 bytes", "limits.result"],
    );
    let failure = attack(&host, "hostile.huge-list", &["1048576"]).await;
    assert_failure(
        &failure,
        "incompatible",
        &[
            "hostile",
            "result takes 1048584 bytes",
            "the limit is 1048576",
            "limits.result",
        ],
    );
    let answer = host
        .call("hostile.huge-list", &["1000"])
        .await
        .expect("small enough");
    assert_eq!(answer[0].matches('0').count(), 1000);
    host.stop().await;
}

#[tokio::test]
async fn arguments_beyond_their_limit_do_not_reach_the_guest() {
    let host = hostile(r#"limits = { arguments = "1KiB" }"#).await;
    let bytes = |count: usize| format!("[{}]", vec!["0"; count].join(", "));
    let failure = attack(&host, "hostile.echo", &[&bytes(1025)]).await;
    assert_failure(
        &failure,
        "incompatible",
        &[
            "hostile",
            "1033 bytes",
            "its limit is 1024",
            "limits.arguments",
        ],
    );
    assert_eq!(
        host.call("hostile.echo", &[&bytes(1000)]).await,
        Ok(vec![bytes(1000)])
    );
    host.stop().await;
}

#[tokio::test]
async fn a_cycle_of_calls_ends_with_the_hop_limit_as_a_value() {
    let sections = service("cycle-a", &guest("fixture-cycle-a"), "")
        + &service("cycle-b", &guest("fixture-cycle-b"), "")
        + &neighbour();
    let host = TestHost::start(&sections).await;
    let call = host.call("cycle-a.step", &["1000"]);
    let answer = crate::hostile_host::while_neighbour_serves(&host, call)
        .await
        .expect("an answer");
    // Sixteen calls deep: the last one that is made is cycle-b's, and it may not call cycle-a.
    assert_parts(
        &answer[0],
        &[
            "err(hop-limit(",
            r#"service: "cycle-a""#,
            "break the cycle",
            "cluster.hops-max",
        ],
    );
    assert_eq!(
        host.call("cycle-a.step", &["15"]).await,
        Ok(vec!["ok(15)".into()])
    );
    host.stop().await;
}

/// Imports the function that it exports, and its answer has no room for a failed call.
const SELF_CALLER: &str = r#"
(component
  (import "fixture:hostile/relay@0.1.0" (instance $self
    (export "relay" (func (param "value" u32) (result u32)))))
  (core func $call (canon lower (func $self "relay")))
  (core module $module
    (import "self" "relay" (func $call (param i32) (result i32)))
    (func (export "relay") (param i32) (result i32) (call $call (local.get 0))))
  (core instance $core (instantiate $module (with "self" (instance (export "relay" (func $call))))))
  (func $relay (param "value" u32) (result u32) (canon lift (core func $core "relay")))
  (instance $interface (export "relay" (func $relay)))
  (export "fixture:hostile/relay@0.1.0" (instance $interface)))
"#;

#[tokio::test]
async fn a_service_that_calls_itself_for_ever_ends_with_the_hop_limit_as_a_trap() {
    let wasm = written(
        "self.wasm",
        &wat::parse_str(SELF_CALLER).expect("valid text"),
    );
    let host = TestHost::start(&(service("narcissus", &wasm, "") + &neighbour())).await;
    let failure = attack(&host, "narcissus.relay", &["1"]).await;
    assert_failure(
        &failure,
        "hop-limit",
        &["narcissus", "break the cycle", "cluster.hops-max"],
    );
    host.stop().await;
}

#[tokio::test]
async fn the_hop_limit_is_configured_for_the_cluster() {
    let sections = service("caller", &guest("fixture-caller"), "") + &neighbour();
    let name = unique("host");
    let file = cluster_file(&name, &sections).replace("workers = 1", "workers = 1\nhops-max = 1");
    let host = TestHost::try_start_file(&name, &file)
        .await
        .expect("the host starts");
    let failure = attack(&host, "caller.call-ping", &["1"]).await;
    assert_failure(&failure, "hop-limit", &["neighbour", "cluster.hops-max"]);
    let answer = host
        .call("caller.call-try-ping", &["1"])
        .await
        .expect("a value");
    assert_parts(&answer[0], &["err(hop-limit(", r#"service: "neighbour""#]);
    host.stop().await;
}
