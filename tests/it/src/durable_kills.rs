//! Hosts that are killed with -9 under load, again and again: whatever was acknowledged is there, once.

use crate::cluster::{order_queue, orders, replicated, until};
use crate::durable_hosts::Hosts;
use crate::durable_load::{
    Caller, Told, check_out, count_with_key, enqueue_once, enqueue_with_key,
};
use crate::hostile_host::report;
use crate::paths;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Instant;

/// Alpha takes the customers and records what was decided; beta has the queue, and a counter.
const HOSTS: [&str; 2] = ["alpha", "beta"];

/// Rounds, unless the environment says otherwise: one kill each or two, so about 150 in all.
const ROUNDS: u32 = 100;
/// The variable that does.
const ROUNDS_VARIABLE: &str = "BOOKSHOP_KILL_ROUNDS";
/// The variable with the seed of what is killed when.
const SEED_VARIABLE: &str = "BOOKSHOP_KILL_SEED";

/// Answers that clients get before the next kill, at most.
const ANSWERS_MAX: u64 = 40;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
    )
}

fn sections() -> String {
    let mut sections = String::new();
    for (name, more) in [
        ("frontend", "http = { path = \"/\" }"),
        ("orchestrator", ""),
        ("transaction-verification", ""),
        ("fraud-detection", ""),
        ("suggestions", ""),
        ("fixture-neighbour", ""),
    ] {
        let wasm = paths::guest(name);
        let wasm = wasm.display();
        write!(
            sections,
            "\n[service.{name}]\nwasm = \"{wasm}\"\nhosts = [\"alpha\"]\n{more}\n"
        )
        .expect("a string takes any text");
    }
    let counted = ["fixture:hostile/keeper.counted"];
    sections
        + &orders("alpha")
        + &order_queue("beta", "")
        + &replicated("keeper", "fixture-keeper", "beta", &counted, "")
}

/// SplitMix64: which host when, from a seed that is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_a_hundred_kills_and_is_there_once() {
    let rounds = number(ROUNDS_VARIABLE).unwrap_or(ROUNDS.into());
    let seed = number(SEED_VARIABLE).unwrap_or_else(|| u64::from(std::process::id()));
    report(&format!("kills under load: {SEED_VARIABLE}={seed}"));
    let started = Instant::now();
    let mut hosts = Hosts::start(&HOSTS, &sections()).await;
    let told = Told::default();
    let queue = hosts.address("beta").api;
    let shop = hosts.address("alpha").http;
    let clients = async {
        tokio::join!(
            enqueue_once(&told, Caller::new(queue)),
            enqueue_with_key(&told, Caller::new(queue)),
            count_with_key(&told, Caller::new(queue)),
            check_out(&told, shop),
            check_out(&told, shop),
        );
    };
    let drill = async {
        let mut random = Random(seed);
        let mut checked = BTreeSet::new();
        for _ in 0..rounds {
            round(&mut hosts, &told, &mut random, &mut checked).await;
        }
        told.enough();
    };
    tokio::join!(drill, clients);
    let kills = hosts.kills;
    let answers = told.answers.get();
    compare(&hosts, &told).await;
    report(&format!(
        "{kills} kills in {rounds} rounds, {answers} acknowledged calls, {} checkouts among them, {} s: nothing lost, nothing twice",
        told.approved.borrow().len(),
        started.elapsed().as_secs()
    ));
    hosts.stop_all().await;
}

/// Lets the clients work, kills one host or both, starts them again, and looks for what was acknowledged since the last time.
async fn round(
    hosts: &mut Hosts,
    told: &Told,
    random: &mut Random,
    checked: &mut BTreeSet<String>,
) {
    let enough = told.answers.get() + 1 + random.below(ANSWERS_MAX);
    until("clients have answers", async || {
        (told.answers.get() >= enough).then_some(())
    })
    .await;
    let victims: &[&str] = match random.below(4) {
        0 => &["alpha"],
        1 => &["beta"],
        _ => &HOSTS,
    };
    for victim in victims {
        hosts.kill(victim).await;
    }
    // What was acknowledged by now is from before the kill.
    let acknowledged: Vec<String> = {
        let (enqueued, approved) = (told.enqueued.borrow(), told.approved.borrow());
        enqueued.union(&approved).cloned().collect()
    };
    for victim in HOSTS.iter().filter(|name| victims.contains(name)) {
        hosts.launch(victim);
    }
    for victim in victims {
        hosts.serves(victim).await;
    }
    for order in acknowledged {
        if !checked.contains(&order) {
            until_queued(hosts, &order).await;
            checked.insert(order);
        }
    }
}

async fn until_queued(hosts: &Hosts, order: &str) {
    until(&format!("order {order} is in the queue"), async || {
        let found = hosts
            .call("beta", "order-queue.find", &json!([order]))
            .await;
        found
            .is_ok_and(|found| !found["ok"].is_null())
            .then_some(())
    })
    .await;
}

/// Compares everything that is there with everything that clients did.
async fn compare(hosts: &Hosts, told: &Told) {
    let approved = approved_orders(hosts).await;
    for order in &approved {
        until_queued(hosts, order).await;
    }
    let lost: Vec<String> = {
        let acknowledged = told.approved.borrow();
        acknowledged.difference(&approved).cloned().collect()
    };
    assert!(lost.is_empty(), "lost checkouts: {lost:?}");
    let mut there = approved.len();
    let offered = told.offered.borrow().clone();
    for order in offered {
        let found = hosts
            .call("beta", "order-queue.find", &json!([order]))
            .await;
        let is_there = !found.expect("the queue answers")["ok"].is_null();
        assert!(
            is_there || !told.enqueued.borrow().contains(&order),
            "lost: {order}"
        );
        there += usize::from(is_there);
    }
    let depth = hosts.call("beta", "order-queue.depth", &json!([])).await;
    let depth = depth.expect("the queue answers");
    assert_eq!(depth["ok"]["total"], there, "each is there once: {depth}");
    let counted = hosts
        .call("beta", "keeper.counted", &json!(["counter"]))
        .await;
    assert_eq!(counted, Ok(json!(told.counted.get())));
}

/// All orders that were ever approved, by the service that keeps them.
async fn approved_orders(hosts: &Hosts) -> BTreeSet<String> {
    let mut approved = BTreeSet::new();
    let mut before = Value::Null;
    loop {
        let page = hosts
            .call("alpha", "orders.list", &json!([before, 100]))
            .await;
        let page = page.expect("orders answers")["ok"].take();
        for record in page["orders"].as_array().expect("a list") {
            assert_eq!(record["history"][0]["status"], "approved", "{record}");
            let order = &record["order"]["decision"]["order-id"];
            approved.insert(order.as_str().expect("an order has an id").to_owned());
        }
        if page["next"].is_null() {
            return approved;
        }
        before = page["next"].clone();
    }
}
