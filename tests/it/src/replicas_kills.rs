//! Three hosts of which some are killed: one, the leader again and again, two, all at once.

use crate::cluster::until;
use crate::durable_hosts::with_key;
use crate::hostile_host::report;
use crate::replicas_cluster::{AT_ONCE, HOSTS, Trio, within};
use crate::replicas_load::Load;
use bookshop_host::call_error::CallError;
use bookshop_host::client::CallOptions;
use serde_json::json;
use std::time::{Duration, Instant};

/// The variable with how often the leader is killed.
const KILLS_VARIABLE: &str = "BOOKSHOP_LEADER_KILLS";
/// And how often if it is not set.
const KILLS: u64 = 10;
/// Longest that nothing is acknowledged after a leader was killed: ten elections, on a machine that runs other tests.
const OUTAGE_MAX: Duration = Duration::from_secs(2);

fn kills() -> u64 {
    let kills = std::env::var(KILLS_VARIABLE).ok();
    kills.map_or(KILLS, |kills| kills.parse().expect("a number"))
}

#[tokio::test]
async fn a_leader_that_is_killed_under_load_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut trio = Trio::start().await;
    let mut load = Load::start(&trio);
    let mut outages = Vec::new();
    for _ in 0..kills() {
        load.until_answers(50).await;
        let leader = trio.until_settled().await;
        trio.kill(leader).await;
        let killed = Instant::now();
        let after = load.answers();
        until("a write is acknowledged", async || {
            (load.answers() > after).then_some(())
        })
        .await;
        outages.push(killed.elapsed());
        load.until_answers(20).await;
        trio.launch(leader);
    }
    outages.sort();
    report(&format!(
        "{} leaders killed under load: the next write is acknowledged after {} ms in the median, {} ms at most",
        outages.len(),
        outages[outages.len() / 2].as_millis(),
        outages[outages.len() - 1].as_millis(),
    ));
    let said = load.compare(&trio).await;
    report(&said);
    assert!(outages[outages.len() - 1] < OUTAGE_MAX, "{outages:?}");
    trio.0.stop_all().await;
}

#[tokio::test]
async fn any_one_host_may_be_down() {
    let mut trio = Trio::start().await;
    let mut load = Load::start(&trio);
    for host in HOSTS {
        trio.kill(host).await;
        load.until_answers(50).await;
        for other in Trio::others(host) {
            let key = format!("without-{host}");
            let set = trio
                .set(other, &key, &with_key(&format!("{key}-{other}")))
                .await;
            assert!(set.is_ok(), "{set:?}");
            assert_eq!(trio.get(other, &key).await, set.map(Some));
        }
        trio.launch(host);
        trio.until_settled().await;
    }
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

/// Refused, in words, and in time.
fn assert_refused<T: std::fmt::Debug>(what: &str, answer: &Result<T, CallError>, took: Duration) {
    let Err(CallError::Unavailable {
        service, message, ..
    }) = answer
    else {
        panic!("{what}: {answer:?}");
    };
    assert_eq!(service, "database", "{what}: {message}");
    assert!(
        message.contains("leader") || message.contains("took over"),
        "{what}: {message}"
    );
    assert!(took < AT_ONCE, "{what}: {message} after {took:?}");
}

#[tokio::test]
async fn one_host_of_three_refuses_until_a_second_is_back() {
    let mut trio = Trio::start().await;
    let before = trio.set("alpha", "before", &CallOptions::default()).await;
    let before = before.expect("all hosts are there");
    // The one that stays has followed once, and led once.
    let leader = trio.until_led(&HOSTS).await;
    for stays in [Trio::others(leader)[0], leader] {
        let victims = Trio::others(stays);
        // Two of three were enough to acknowledge it, and a stale read below asks none of them.
        assert_eq!(trio.get(stays, "before").await, Ok(Some(before)));
        for victim in &victims {
            trio.kill(victim).await;
        }
        // A leader without a majority says so within two election timeouts, which a busy machine may take longer for.
        let brief = within(Duration::from_secs(2));
        let started = Instant::now();
        let set = trio.set(stays, "alone", &brief).await;
        assert_refused("a write", &set, started.elapsed());
        let started = Instant::now();
        let got = trio.get_with(stays, "before", &brief).await;
        assert_refused("a read", &got, started.elapsed());
        let stale = CallOptions {
            is_stale_ok: true,
            ..brief
        };
        assert_eq!(
            trio.get_with(stays, "before", &stale).await,
            Ok(Some(before))
        );
        trio.launch(victims[0]);
        until("two hosts serve", async || {
            trio.set(stays, "recovered", &CallOptions::default())
                .await
                .ok()
        })
        .await;
        assert_eq!(trio.get(stays, "before").await, Ok(Some(before)));
        trio.launch(victims[1]);
        trio.until_settled().await;
    }
    trio.until_equal(&HOSTS).await;
    trio.0.stop_all().await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_all_hosts_are_killed_at_once() {
    let mut trio = Trio::start().await;
    let mut load = Load::start(&trio);
    for _ in 0..3 {
        load.until_answers(150).await;
        for host in HOSTS {
            trio.signal(host, "KILL").await;
        }
        for host in HOSTS {
            trio.kill(host).await;
        }
        trio.launch_all();
        trio.until_settled().await;
    }
    load.until_answers(50).await;
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_with_its_host_has_one_effect() {
    let mut trio = Trio::start().await;
    let order = |number: u32| json!({ "order-id": format!("order-{number}"), "items": [], "shipping-method": "express" });
    for number in 0..5 {
        let leader = trio.until_settled().await;
        let key = with_key(&format!("enqueue-{number}"));
        let arguments = json!([order(number), format!("once-{number}")]);
        let function = "order-queue.enqueue";
        // Through a host that does not lead and stays: it takes care of the call. And through the one that leads: the client asks again elsewhere.
        let through = if number % 2 == 0 {
            Trio::others(leader)[0]
        } else {
            leader
        };
        let first = trio.try_call(through, function, &arguments, &key);
        let ((), first) = tokio::join!(trio.signal(leader, "KILL"), first);
        trio.kill(leader).await;
        let others = Trio::others(leader);
        let answer = until("the order is accepted", async || {
            trio.call_with(others[1], function, &arguments, &key)
                .await
                .ok()
        })
        .await;
        assert!(answer["ok"].is_u64(), "{answer}");
        if let Ok(first) = first {
            assert_eq!(first, answer, "the answer of then");
        }
        trio.launch(leader);
    }
    trio.until_settled().await;
    let depth = trio.call("alpha", "order-queue.depth", &json!([])).await;
    assert_eq!(depth.expect("the queue answers")["ok"]["total"], 5);
    trio.until_equal(&HOSTS).await;
    trio.0.stop_all().await;
}
