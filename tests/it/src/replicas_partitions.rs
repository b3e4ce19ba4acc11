//! Three hosts that cannot reach each other, stand still, or have other clocks.

use crate::between_cluster::Paused;
use crate::cluster::until;
use crate::durable_hosts::with_key;
use crate::hostile_host::report;
use crate::replicas_cluster::{AT_ONCE, HOSTS, Trio, within};
use crate::replicas_load::Load;
use bookshop_host::call_error::CallError;
use bookshop_host::client::CallOptions;
use std::time::{Duration, Instant};

/// A little more than half of `election-timeout`.
const SILENCE: Duration = Duration::from_millis(120);

/// What a host that has no majority answers.
fn assert_unavailable<T: std::fmt::Debug>(what: &str, answer: &Result<T, CallError>) {
    assert!(
        matches!(answer, Err(CallError::Unavailable { .. })),
        "{what}: {answer:?}"
    );
}

#[tokio::test]
async fn a_leader_that_is_cut_off_refuses_and_shows_nothing_old_while_another_leads() {
    let trio = Trio::start().await;
    let mut load = Load::start(&trio);
    load.until_answers(50).await;
    let leader = trio.until_led(&HOSTS).await;
    let others = Trio::others(leader);
    let old = trio.set(others[0], "key", &with_key("old")).await;
    trio.chaos(leader, &["partition", leader, &others.join(",")])
        .await;
    let next = trio.until_led(&others).await;
    assert_ne!(next, leader);
    let new = trio
        .set(next, "key", &with_key("new"))
        .await
        .expect("two are enough");
    let brief = within(Duration::from_millis(600));
    let started = Instant::now();
    assert_unavailable("a write", &trio.set(leader, "key", &brief).await);
    assert_unavailable("a read", &trio.get_with(leader, "key", &brief).await);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    let stale = CallOptions {
        is_stale_ok: true,
        ..CallOptions::default()
    };
    assert_eq!(
        trio.get_with(leader, "key", &stale).await,
        old.map(Some),
        "only on request"
    );
    load.until_answers(100).await;
    trio.chaos(leader, &["heal"]).await;
    trio.chaos(next, &["heal"]).await;
    let led = trio.until_settled().await;
    assert_eq!(trio.get(leader, "key").await, Ok(Some(new)), "{led} leads");
    load.until_answers(50).await;
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_command_that_comes_while_the_leader_is_silent_waits_for_the_next_one() {
    let trio = Trio::start().await;
    for _ in 0..4 {
        let leader = trio.until_settled().await;
        let others = Trio::others(leader);
        trio.chaos(leader, &["partition", leader, &others.join(",")])
            .await;
        // By now it was silent for more than half of the time after which it is given up, and has no successor yet. Without a key nobody could make the
        // command again if it were sent there.
        tokio::time::sleep(SILENCE).await;
        for other in others {
            let set = trio.set(other, "key", &CallOptions::default()).await;
            assert!(set.is_ok(), "through {other}: {set:?}");
        }
        for host in HOSTS {
            trio.chaos(host, &["heal"]).await;
        }
    }
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_follower_that_is_cut_off_disturbs_nobody() {
    // So long that no busy machine makes an election of its own.
    let mut trio = Trio::prepare_with("election-timeout = \"2s\"\n");
    trio.launch_all();
    trio.until_settled().await;
    let mut load = Load::start(&trio);
    let leader = trio.until_led(&HOSTS).await;
    let others = Trio::others(leader);
    trio.chaos(
        others[0],
        &["partition", others[0], &format!("{leader},{}", others[1])],
    )
    .await;
    load.until_answers(200).await;
    let brief = within(Duration::from_millis(600));
    assert_unavailable("a read", &trio.get_with(others[0], "key", &brief).await);
    let term = async || {
        trio.status(leader)
            .await
            .map(|it| it["groups"][0]["term"].clone())
    };
    let before = term().await;
    for host in HOSTS {
        trio.chaos(host, &["heal"]).await;
    }
    assert_eq!(trio.until_settled().await, leader);
    load.until_answers(50).await;
    assert_eq!(term().await, before, "no election");
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_leader_that_only_speaks_or_only_hears_is_replaced() {
    let trio = Trio::start().await;
    let mut load = Load::start(&trio);
    for is_mute in [true, false] {
        load.until_answers(50).await;
        let leader = trio.until_settled().await;
        let others = Trio::others(leader).join(",");
        let (from, to) = if is_mute {
            (leader, others.as_str())
        } else {
            (others.as_str(), leader)
        };
        trio.chaos(leader, &["drop", from, to, "100%", "--one-way"])
            .await;
        assert_ne!(trio.until_led(&Trio::others(leader)).await, leader);
        load.until_answers(50).await;
        for host in HOSTS {
            trio.chaos(host, &["heal"]).await;
        }
    }
    trio.until_settled().await;
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_leader_that_stands_still_is_replaced_and_shows_nothing_old_when_it_goes_on() {
    let trio = Trio::start().await;
    let mut load = Load::start(&trio);
    for round in 0..2 {
        load.until_answers(50).await;
        let leader = trio.until_settled().await;
        let others = Trio::others(leader);
        let key = format!("paused-{round}");
        trio.set(leader, &key, &with_key(&format!("old-{round}")))
            .await
            .expect("all are there");
        let paused = Paused::new(trio.pid(leader)).await;
        let next = trio.until_led(&others).await;
        let new = trio
            .set(next, &key, &with_key(&format!("new-{round}")))
            .await;
        let new = new.expect("two are enough");
        load.until_answers(50).await;
        // What waits for it since it stood still is answered when it goes on.
        let options = within(Duration::from_secs(5));
        let arguments = serde_json::json!([key]);
        let waiting = trio.try_call(leader, "database.get", &arguments, &options);
        let go_on = async {
            drop(paused);
        };
        let (waiting, ()) = tokio::join!(waiting, go_on);
        let seen = waiting.map(|got| got["ok"]["revision"].as_u64());
        assert_eq!(seen.expect("it answers"), Some(new));
    }
    trio.until_settled().await;
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

#[tokio::test]
async fn hosts_whose_clocks_are_hours_apart_agree() {
    let mut trio = Trio::prepare();
    trio.launch_with("alpha", &["--clock-ahead", "2h"]);
    trio.launch("beta");
    trio.launch_with("gamma", &["--clock-behind", "3h"]);
    trio.until_settled().await;
    let mut load = Load::start(&trio);
    for _ in 0..3 {
        load.until_answers(50).await;
        let leader = trio.until_settled().await;
        // Another clock leads, and this one jumps.
        trio.kill(leader).await;
        load.until_answers(20).await;
        trio.launch_with(leader, &["--clock-ahead", "26h"]);
    }
    trio.until_settled().await;
    let once = with_key("once");
    let first = trio
        .set("beta", "once", &once)
        .await
        .expect("all are there");
    let leader = trio.until_led(&HOSTS).await;
    trio.restart(leader).await;
    let again = until("it is answered", async || {
        trio.set("beta", "once", &once).await.ok()
    })
    .await;
    assert_eq!(again, first, "no clock made the answer expire");
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}
