//! What services import and export: every mistake is found when the service is loaded, with the line that puts it right.

use crate::cluster::until;
use crate::hostile_host::{
    assert_failure, assert_neighbour_serves, assert_parts, assert_refused, neighbour,
};
use crate::paths::guest;
use crate::test_host::{TestHost, service, text_guest, written};

/// The line that an error tells to add to a service's section.
fn advice<'a>(reason: &'a str, service: &str) -> &'a str {
    let (_, line) = reason
        .split_once(&format!("add to [service.{service}]: "))
        .expect("the error has a line to add");
    line
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_refused_with_the_line_to_add() {
    let host =
        TestHost::start(&(service("ungranted", &guest("fixture-ungranted"), "") + &neighbour()))
            .await;
    let parts = [
        "ungranted imports wasi:http/outgoing-handler@0.2",
        "not granted",
    ];
    let reason = assert_refused(&host, "ungranted", &parts).await;
    assert_eq!(
        advice(&reason, "ungranted"),
        r#"grants = ["http:HOST:PORT"]"#
    );
    host.stop().await;
}

#[tokio::test]
async fn a_grant_lets_requests_out_to_its_address_and_to_no_other() {
    let hello = service(
        "hello",
        &guest("fixture-http-hello"),
        r#"http = { path = "/" }"#,
    );
    let granted = TestHost::start(&hello).await;
    let other = TestHost::start(&hello).await;
    let grant = format!("grants = [\"http:{}\"]", granted.host.http);
    let host = TestHost::start(
        &(service("ungranted", &guest("fixture-ungranted"), &grant) + &neighbour()),
    )
    .await;
    let fetch = async |authority: String| {
        let authority = format!("{authority:?}");
        host.call("ungranted.fetch", &[&authority, r#""/""#])
            .await
            .expect("it answers")
            .remove(0)
    };
    assert_eq!(fetch(granted.host.http.to_string()).await, "ok(200)");
    let refused = fetch(other.host.http.to_string()).await;
    assert_parts(&refused, &["err(", "HttpRequestDenied"]);
    let log = host.log("ungranted").await.join("\n");
    let line = format!(
        "grants = [\"http:{}\"] to [service.ungranted]",
        other.host.http
    );
    assert_parts(&log, &["refused a request to", &line]);
    assert_neighbour_serves(&host).await;
    for host in [host, granted, other] {
        host.stop().await;
    }
}

#[tokio::test]
async fn an_import_that_nobody_exports_is_refused() {
    let host =
        TestHost::start(&(service("lonely", &text_guest("unserved"), "") + &neighbour())).await;
    let parts = [
        "lonely imports fixture:hostile/absent@0.1.0",
        "no service of this cluster exports",
        "add a service",
    ];
    assert_refused(&host, "lonely", &parts).await;
    host.stop().await;
}

#[tokio::test]
async fn a_resource_in_a_signature_is_refused() {
    let host =
        TestHost::start(&(service("vault", &text_guest("resource-signature"), "") + &neighbour()))
            .await;
    let parts = [
        "vault: fixture:hostile/vault@0.1.mint",
        "the result has a resource",
        "use records, variants, lists",
    ];
    assert_refused(&host, "vault", &parts).await;
    host.stop().await;
}

/// Only the importer is refused: the exporter is right in itself, and others may use it.
#[tokio::test]
async fn an_export_of_the_wrong_type_is_refused_where_it_is_imported() {
    let link = r#"links = { "fixture:hostile/neighbour" = { to = "wrong" } }"#;
    let sections = service("caller", &guest("fixture-caller"), link)
        + &service("wrong", &guest("fixture-wrong-type"), "")
        + &neighbour();
    let host = TestHost::start(&sections).await;
    let parts = [
        "caller imports fixture:hostile/neighbour@0.1.ping",
        "wrong exports with another type",
        "build both against the same interface",
        "parameter value: the caller uses u32, the callee string",
    ];
    assert_refused(&host, "caller", &parts).await;
    assert_eq!(host.service("wrong").await["state"], "running");
    host.stop().await;
}

#[tokio::test]
async fn a_synchronous_component_with_an_asynchronous_import_is_refused() {
    let host =
        TestHost::start(&(service("relay", &text_guest("sync-imports-async"), "") + &neighbour()))
            .await;
    let parts = [
        "relay exports only functions that are not async",
        "imports fixture:hostile/neighbour@0.1.ping",
        "wit/sync",
    ];
    assert_refused(&host, "relay", &parts).await;
    host.stop().await;
}

#[tokio::test]
async fn of_two_exporters_the_link_line_from_the_error_chooses_one() {
    let twin = service("twin", &guest("fixture-neighbour"), "");
    let caller =
        |more: &str| service("caller", &guest("fixture-caller"), more) + &twin + &neighbour();
    let host = TestHost::start(&caller("")).await;
    let parts = [
        "caller imports fixture:hostile/neighbour@0.1.0",
        "neighbour and twin export",
    ];
    let reason = assert_refused(&host, "caller", &parts).await;
    assert_eq!(host.service("twin").await["state"], "running");
    host.stop().await;

    let host = TestHost::start(&caller(advice(&reason, "caller"))).await;
    assert_eq!(
        host.call("caller.call-ping", &["7"]).await,
        Ok(vec!["7".into()])
    );
    assert_eq!(host.service("neighbour").await["calls"], 1);
    assert_eq!(host.service("twin").await["calls"], 0);
    // By the interface's name nobody can say which of them is meant.
    let failure = host
        .call("fixture:hostile/neighbour.ping", &["7"])
        .await
        .expect_err("ambiguous");
    assert_failure(
        &failure,
        "ambiguous",
        &["several services export", "neighbour.ping or twin.ping"],
    );
    host.stop().await;
}

#[tokio::test]
async fn a_link_to_a_service_that_does_not_export_the_interface_is_refused() {
    let link = r#"links = { "fixture:hostile/neighbour" = { to = "hostile" } }"#;
    let sections = service("caller", &guest("fixture-caller"), link)
        + &service("hostile", &guest("fixture-hostile"), "")
        + &neighbour();
    let host = TestHost::start(&sections).await;
    let parts = [
        "caller",
        "fixture:hostile/neighbour@0.1.0",
        "hostile, which does not export it",
        "neighbour does",
    ];
    assert_refused(&host, "caller", &parts).await;
    assert_eq!(host.service("hostile").await["state"], "running");
    host.stop().await;
}

/// An importer whose exporter cannot be loaded yet is refused with the exporter's name, and runs once the exporter does.
#[tokio::test]
async fn an_importer_waits_for_its_exporter() {
    let wasm = crate::paths::data()
        .join("guests")
        .join(crate::paths::unique("exporter") + ".wasm");
    let sections = service("caller", &guest("fixture-caller"), "")
        + &service("late", &wasm, "")
        + &service("hostile", &guest("fixture-hostile"), "");
    let host = TestHost::start(&sections).await;
    let status = host.service("caller").await;
    let reason = status["reason"]
        .as_str()
        .expect("a failed service has a reason");
    assert_parts(
        reason,
        &[
            "caller imports fixture:hostile/neighbour@0.1.0",
            "could not be loaded: late",
        ],
    );
    let made = written(
        "made.wasm",
        &std::fs::read(guest("fixture-neighbour")).expect("the fixture can be read"),
    );
    std::fs::rename(made, &wasm).expect("the file can be moved");
    until("the caller reaches its exporter", async || {
        host.call("caller.call-ping", &["7"]).await.ok()
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_synchronous_import_is_served_by_an_asynchronous_export() {
    let host =
        TestHost::start(&(service("relay", &text_guest("sync-view"), "") + &neighbour())).await;
    assert_eq!(host.call("relay.relay", &["7"]).await, Ok(vec!["7".into()]));
    host.stop().await;
}

/// Its import and its export are `async`, as in the fixture `sync-imports-async` only the import is.
const ASYNC_RELAY: &str = r#"
(component
  (import "fixture:hostile/neighbour@0.1.0" (instance $neighbour
    (export "ping" (func async (param "value" u32) (result u32)))))
  (core func $ping (canon lower (func $neighbour "ping")))
  (core module $module
    (import "neighbour" "ping" (func $ping (param i32) (result i32)))
    (func (export "relay") (param i32) (result i32) (call $ping (local.get 0))))
  (core instance $core (instantiate $module (with "neighbour" (instance (export "ping" (func $ping))))))
  (func $relay async (param "value" u32) (result u32) (canon lift (core func $core "relay")))
  (instance $interface (export "relay" (func $relay)))
  (export "fixture:hostile/relay@0.1.0" (instance $interface)))
"#;

/// The neighbour's `ping` without `async`; answers one more, so that it is known by its answers.
const SYNC_NEIGHBOUR: &str = r#"
(component
  (core module $module
    (func (export "ping") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $core (instantiate $module))
  (func $ping (param "value" u32) (result u32) (canon lift (core func $core "ping")))
  (instance $interface (export "ping" (func $ping)))
  (export "fixture:hostile/neighbour@0.1.0" (instance $interface)))
"#;

#[tokio::test]
async fn an_asynchronous_import_is_served_by_a_synchronous_export() {
    let wasm = |name: &str, text: &str| written(name, &wat::parse_str(text).expect("valid text"));
    let sections = service("relay", &wasm("relay.wasm", ASYNC_RELAY), "")
        + &service("plain", &wasm("plain.wasm", SYNC_NEIGHBOUR), "");
    let host = TestHost::start(&sections).await;
    assert_eq!(host.call("relay.relay", &["7"]).await, Ok(vec!["8".into()]));
    host.stop().await;
}
