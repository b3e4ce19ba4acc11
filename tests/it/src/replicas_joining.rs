//! How three hosts begin together, and how one that comes later gets what the others have.

use crate::cluster::until;
use crate::hostile_host::report;
use crate::replicas_cluster::{HOSTS, Trio, set_large, within};
use crate::replicas_load::Load;
use bookshop_host::call_error::CallError;
use bookshop_host::client::CallOptions;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn nobody_serves_before_all_hosts_have_answered() {
    let mut trio = Trio::prepare();
    let brief = within(Duration::from_millis(500));
    let refused = async |trio: &Trio, host: &str| {
        let answer = trio.set(host, "early", &brief).await;
        assert!(
            matches!(answer, Err(CallError::Unavailable { .. })),
            "{host}: {answer:?}"
        );
        assert!(trio.get_with(host, "early", &brief).await.is_err());
    };
    trio.launch("alpha");
    trio.serves("alpha").await;
    refused(&trio, "alpha").await;
    trio.launch("beta");
    trio.serves("beta").await;
    refused(&trio, "alpha").await;
    refused(&trio, "beta").await;
    // Also one that is killed on the way.
    trio.kill("alpha").await;
    trio.launch("gamma");
    trio.serves("gamma").await;
    refused(&trio, "beta").await;
    trio.launch("alpha");
    trio.until_settled().await;
    for host in HOSTS {
        assert_eq!(trio.get(host, "early").await, Ok(None), "{host}");
        trio.set(host, host, &CallOptions::default())
            .await
            .expect("all are there");
    }
    trio.until_equal(&HOSTS).await;
    trio.0.stop_all().await;
}

#[tokio::test]
async fn every_host_shows_what_was_written_through_any_other() {
    let trio = Trio::start().await;
    for round in 0..10 {
        for writer in HOSTS {
            let key = format!("{writer}-{round}");
            let revision = trio.set(writer, &key, &CallOptions::default()).await;
            let revision = revision.expect("all are there");
            for reader in HOSTS {
                assert_eq!(
                    trio.get(reader, &key).await,
                    Ok(Some(revision)),
                    "{key} on {reader}"
                );
            }
        }
    }
    for host in HOSTS {
        let figures = trio.call(host, "database.status", &json!([])).await;
        assert_eq!(figures.expect("it answers")["ok"]["keys"], 30);
    }
    trio.until_equal(&HOSTS).await;
    trio.0.stop_all().await;
}

/// Bytes of a value, and how many of them: several times what a leader keeps for those who lag.
const VALUE_BYTES: usize = 200_000;
const VALUES: u32 = 150;

#[tokio::test]
async fn a_host_that_is_killed_while_it_fetches_the_state_fetches_it_again() {
    let mut trio = Trio::start().await;
    let leader = trio.until_led(&HOSTS).await;
    let late = Trio::others(leader)[0];
    trio.set(late, "before", &CallOptions::default())
        .await
        .expect("all are there");
    trio.kill(late).await;
    for number in 0..VALUES {
        set_large(&trio, leader, &format!("large-{number}"), VALUE_BYTES).await;
    }
    // A checkpoint lets go of what the log had.
    until(
        "the leader has made a checkpoint of all of it",
        async || {
            let state = trio.folder(leader).join("state/state.redb");
            let length = std::fs::metadata(state).ok()?.len();
            (length > u64::from(VALUES) * VALUE_BYTES as u64).then_some(())
        },
    )
    .await;
    let mut interrupted = 0;
    for _ in 0..3 {
        let fetches = trio.log(late).matches("it fetches the state").count();
        trio.launch(late);
        until("it fetches the state", async || {
            (trio.log(late).matches("it fetches the state").count() > fetches).then_some(())
        })
        .await;
        let installs = trio.log(late).matches("follows the log from there").count();
        trio.kill(late).await;
        if installs > 0 {
            break;
        }
        interrupted += 1;
    }
    trio.launch(late);
    trio.until_settled().await;
    trio.until_equal(&HOSTS).await;
    report(&format!("killed {interrupted} times while it fetched"));
    let got = trio.get(late, &format!("large-{}", VALUES - 1)).await;
    assert!(matches!(got, Ok(Some(_))), "{got:?}");
    let load = Load::start(&trio);
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}
