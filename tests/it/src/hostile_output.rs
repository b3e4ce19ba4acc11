//! Guests that say too much: the log keeps what the limit allows, counts the rest, and says so.

use crate::cluster::until;
use crate::hostile_host::{endure, hostile};
use crate::test_host::TestHost;
use std::time::Instant;

const LINES: u64 = 1_000_000;
/// Few, since the kept lines are also on this test's own standard error.
const LIMITS: &str = r#"limits = { log-lines-per-second = 20, cpu = "2min", time = "5min" }"#;
const LINES_PER_SECOND: u64 = 20;

#[tokio::test]
async fn a_million_logged_lines_are_kept_to_the_limit_and_the_rest_is_counted() {
    check("hostile.log-lines", "hostile: line ").await;
}

#[tokio::test]
async fn a_million_printed_lines_are_kept_to_the_limit_and_the_rest_is_counted() {
    check("hostile.print-lines", "line ").await;
}

/// Every line is either in the log or in the number of dropped ones that the log gives.
async fn check(function: &str, start: &str) {
    let host = hostile(LIMITS).await;
    let started = Instant::now();
    endure(&host, function, &[&LINES.to_string()]).await;
    let mut written = LINES;
    // The number of dropped lines comes with the next line that is allowed.
    let (kept, dropped) = until("every line is accounted for", async || {
        host.call(function, &["1"])
            .await
            .expect("it writes one more line");
        written += 1;
        let (kept, dropped) = count(&host, start).await;
        (kept + dropped == written).then_some((kept, dropped))
    })
    .await;
    let allowed = LINES_PER_SECOND * (started.elapsed().as_secs() + 2);
    assert!(kept <= allowed, "{kept} lines were kept, {allowed} allowed");
    assert!(dropped >= LINES - allowed, "{dropped} lines were dropped");
    host.stop().await;
}

/// Kept lines, and dropped ones by what the log says.
async fn count(host: &TestHost, start: &str) -> (u64, u64) {
    let log = host.log("hostile").await;
    let kept = log.iter().filter(|line| line.starts_with(start)).count() as u64;
    let dropped = log.iter().filter_map(|line| {
        let number =
            line.strip_suffix(" lines were dropped: more than limits.log-lines-per-second")?;
        Some(number.parse::<u64>().expect("a number"))
    });
    (kept, dropped.sum())
}
