//! Guests that reach for the outside: what was not granted is not there, what was granted is.

use crate::hostile_host::{assert_neighbour_serves, assert_parts, hostile};
use crate::test_host::TestHost;

async fn ask(host: &TestHost, function: &str, argument: &str) -> String {
    let argument = format!("{argument:?}");
    host.call(function, &[&argument])
        .await
        .expect("the guest answers")
        .remove(0)
}

#[tokio::test]
async fn a_guest_sees_its_own_configuration_and_nothing_else() {
    let host = hostile(r#"config = { threshold = "0.8" }"#).await;
    assert_eq!(
        ask(&host, "hostile.config", "threshold").await,
        r#"some("0.8")"#
    );
    assert_eq!(ask(&host, "hostile.config", "PATH").await, "none");
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_guest_sees_only_granted_variables_of_the_environment() {
    let path = std::env::var("PATH").expect("every process here has one");
    let host = hostile("").await;
    assert_parts(&ask(&host, "hostile.getenv", "PATH").await, &["err("]);
    host.stop().await;

    let host = hostile(r#"grants = ["env:PATH"]"#).await;
    assert_eq!(
        ask(&host, "hostile.getenv", "PATH").await,
        format!("ok({path:?})")
    );
    host.stop().await;
}

#[tokio::test]
async fn a_guest_has_no_files() {
    let host = hostile("").await;
    for path in ["/etc/passwd", "Cargo.toml", "../Cargo.toml", "/"] {
        assert_parts(&ask(&host, "hostile.read-file", path).await, &["err("]);
    }
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_guest_connects_only_where_it_is_granted() {
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    // Both listen to the end of the test, so that only the grant decides.
    let listeners = [listen(), listen()];
    let [granted, other] = listeners
        .each_ref()
        .map(|listener| listener.local_addr().expect("a bound socket").to_string());

    let host = hostile("").await;
    assert_parts(&ask(&host, "hostile.connect", &granted).await, &["err("]);
    assert_neighbour_serves(&host).await;
    host.stop().await;

    let host = hostile(&format!("grants = [\"tcp:{granted}\"]")).await;
    assert_eq!(ask(&host, "hostile.connect", &granted).await, "ok");
    assert_parts(&ask(&host, "hostile.connect", &other).await, &["err("]);
    host.stop().await;
}

#[tokio::test]
async fn random_numbers_differ_between_calls() {
    let host = hostile("").await;
    let mut drawn = Vec::new();
    for _ in 0..20 {
        drawn.extend(host.call("hostile.random", &[]).await.expect("a number"));
    }
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn.len(), 20, "{drawn:?}");
    host.stop().await;
}

#[tokio::test]
async fn time_is_the_hosts() {
    let host = hostile("").await;
    let answer = host.call("hostile.now", &[]).await.expect("a number");
    let guest_ns: u128 = answer[0].parse().expect("a number");
    let host_ns = host.os.clock.wall().as_nanos();
    assert!(
        host_ns.abs_diff(guest_ns) < 60_000_000_000,
        "{guest_ns} and {host_ns}"
    );
    host.stop().await;
}
