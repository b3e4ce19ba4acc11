//! Three hosts that are stopped and started one after another, as for an update, while clients go on.

use crate::hostile_host::report;
use crate::replicas_cluster::{HOSTS, Trio};
use crate::replicas_load::Load;

#[tokio::test]
async fn a_rolling_restart_under_load_fails_no_call() {
    let mut trio = Trio::start().await;
    let mut load = Load::start(&trio);
    for host in HOSTS {
        load.until_answers(100).await;
        trio.stop(host).await;
        load.until_answers(50).await;
        trio.launch(host);
        trio.until_settled().await;
    }
    load.until_answers(50).await;
    let failures = load.failures();
    let slowest = load.slowest();
    let said = load.compare(&trio).await;
    report(&format!(
        "a rolling restart: {said}; slowest write {} ms",
        slowest.as_millis()
    ));
    // A client whose own host is stopped is told so by its connection, and goes elsewhere. No host refuses or forgets a call.
    let refused: Vec<_> = failures
        .iter()
        .filter(|(code, _)| !matches!(code.as_str(), "no-connection" | "lost"))
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    trio.0.stop_all().await;
}
