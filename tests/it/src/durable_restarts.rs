//! What survives the end of a host, and what happens once: timers, messages, answers to idempotency keys, state whose service is gone for a while.

use crate::cluster::{order_queue, orders, replicated, until};
use crate::durable_hosts::{Hosts, with_key};
use crate::durable_load::{exchange, post};
use crate::paths;
use bookshop_host::call_error::CallError;
use bookshop_host::os::clock::{Clock, RealClock};
use serde_json::{Value, json};

/// The counter, on alpha.
fn keeper() -> String {
    let counted = ["fixture:hostile/keeper.counted"];
    replicated("keeper", "fixture-keeper", "alpha", &counted, "") + &neighbour()
}

fn neighbour() -> String {
    let wasm = paths::guest("fixture-neighbour");
    format!(
        "\n[service.neighbour]\nwasm = \"{}\"\nhosts = [\"alpha\"]\n",
        wasm.display()
    )
}

async fn counted(hosts: &Hosts, key: &str) -> Value {
    let counted = hosts.call("alpha", "keeper.counted", &json!([key])).await;
    counted.expect("the keeper answers")
}

#[tokio::test]
async fn a_lease_that_runs_out_while_the_host_is_down_is_free_after_its_start() {
    let queue = order_queue(
        "alpha",
        "config = { lease-seconds = \"1\", backoff-ms = \"1\" }",
    );
    let mut hosts = Hosts::start(&["alpha"], &queue).await;
    let order = json!({ "order-id": "one", "items": [], "shipping-method": "express" });
    let enqueued = hosts
        .call("alpha", "order-queue.enqueue", &json!([order, "one"]))
        .await;
    assert_eq!(enqueued, Ok(json!({ "ok": 1 })));
    let lease = hosts
        .call("alpha", "order-queue.dequeue", &json!(["early"]))
        .await;
    let lease = lease.expect("the queue answers")["ok"].take();
    let expires_at_ms = lease["expires-at-ms"].as_u64().expect("a lease ends");
    hosts.kill("alpha").await;
    let clock = RealClock::start();
    until("the lease is over", async || {
        (clock.wall().as_millis() > expires_at_ms.into()).then_some(())
    })
    .await;
    hosts.launch("alpha");
    hosts.serves("alpha").await;
    let again = until("the order is free", async || {
        let lease = hosts
            .call("alpha", "order-queue.dequeue", &json!(["late"]))
            .await;
        let lease = lease.expect("the queue answers")["ok"].take();
        (!lease.is_null()).then_some(lease)
    })
    .await;
    assert_eq!(
        (&again["attempt"], &again["order"]),
        (&json!(2), &lease["order"])
    );
    assert!(again["token"].as_u64() > lease["token"].as_u64(), "{again}");
    let late = hosts
        .call("alpha", "order-queue.ack", &json!([lease["token"]]))
        .await;
    assert_eq!(late, Ok(json!({ "err": "stale-token" })));
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_timer_goes_off_once_however_often_the_host_is_killed() {
    let mut hosts = Hosts::start(&["alpha"], &keeper()).await;
    for key in ["soon", "now"] {
        let ms = if key == "soon" { 300 } else { 0 };
        let set = hosts
            .call("alpha", "keeper.count-later", &json!([key, ms]))
            .await;
        assert_eq!(set, Ok(Value::Null));
    }
    hosts.restart("alpha").await;
    for key in ["soon", "now"] {
        until("the timer has gone off", async || {
            (counted(&hosts, key).await == 1).then_some(())
        })
        .await;
    }
    for _ in 0..3 {
        hosts.restart("alpha").await;
    }
    for key in ["soon", "now"] {
        assert_eq!(counted(&hosts, key).await, 1, "{key}");
    }
    hosts.stop_all().await;
}

fn shop() -> String {
    let mut sections = crate::cluster::shop();
    // Both keep state; the queue is on the other host.
    let all = sections
        .find("\n[service.orders]")
        .expect("the shop has orders");
    sections.truncate(all);
    sections + &orders("alpha") + &order_queue("beta", "")
}

#[tokio::test]
async fn an_order_recorded_while_the_queue_is_down_arrives_once_it_is_up() {
    let mut hosts = Hosts::start(&["alpha", "beta"], &shop()).await;
    hosts.kill("beta").await;
    let shop = hosts.address("alpha").http;
    let answer = until("alpha sells alone", async || {
        let (status, answer) = post(shop, None).await?;
        (status == 200).then_some(answer)
    })
    .await;
    let order = &answer["orderId"];
    let history = async |hosts: &Hosts| {
        let record = hosts.call("alpha", "orders.get", &json!([order])).await;
        record.expect("orders answers")["ok"]["history"].take()
    };
    // What was to be sent is kept by alpha, whatever becomes of its process.
    hosts.restart("alpha").await;
    assert_eq!(history(&hosts).await.as_array().map(Vec::len), Some(1));
    hosts.launch("beta");
    hosts.serves("beta").await;
    let all = until("the order is queued", async || {
        let history = history(&hosts).await;
        (history.as_array()?.len() > 1).then_some(history)
    })
    .await;
    assert_eq!(all[1]["status"], "queued", "{all}");
    for host in ["alpha", "beta"] {
        hosts.restart(host).await;
    }
    assert_eq!(history(&hosts).await, all);
    let depth = hosts.call("beta", "order-queue.depth", &json!([])).await;
    assert_eq!(depth.expect("the queue answers")["ok"]["total"], 1);
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_checkout_that_is_repeated_after_a_kill_is_the_same_order() {
    let mut hosts = Hosts::start(&["alpha", "beta"], &shop()).await;
    let shop = hosts.address("alpha").http;
    let bought = async || {
        until("the checkout is answered", async || {
            let (status, answer) = post(shop, Some("basket-1")).await?;
            assert!(matches!(status, 200 | 503 | 504), "{status} {answer}");
            (status == 200).then(|| answer["orderId"].clone())
        })
        .await
    };
    let order = bought().await;
    assert_eq!(bought().await, order);
    for host in ["alpha", "beta"] {
        hosts.restart(host).await;
    }
    assert_eq!(bought().await, order);
    until("the order is queued", async || {
        let depth = hosts.call("beta", "order-queue.depth", &json!([])).await;
        (depth.ok()?["ok"]["total"] == 1).then_some(())
    })
    .await;
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_key_has_one_effect_and_one_answer_across_a_kill() {
    let mut hosts = Hosts::start(&["alpha"], &keeper()).await;
    let count = async |hosts: &Hosts, argument: &str| {
        let arguments = json!([argument]);
        hosts
            .call_with("alpha", "keeper.count", &arguments, &with_key("once"))
            .await
    };
    assert_eq!(count(&hosts, "a").await, Ok(json!(1)));
    let other = hosts.call("alpha", "keeper.count", &json!(["a"])).await;
    assert_eq!(other, Ok(json!(2)));
    hosts.restart("alpha").await;
    assert_eq!(count(&hosts, "a").await, Ok(json!(1)), "the answer of then");
    assert_eq!(counted(&hosts, "a").await, 2);
    let reused = count(&hosts, "b")
        .await
        .expect_err("the key stands for another call");
    assert!(matches!(reused, CallError::KeyReused { .. }), "{reused:?}");
    assert_eq!(counted(&hosts, "b").await, 0);
    let api = hosts.address("alpha").api;
    let path = "/call/fixture:hostile/keeper/count";
    let answer = exchange(api, path, Some("once"), &json!(["b"])).await;
    let (status, answer) = answer.expect("the api answers");
    assert_eq!(
        (status, &answer["error"]["code"]),
        (409, &json!("key-reused")),
        "{answer}"
    );
    hosts.stop_all().await;
}

#[tokio::test]
async fn what_a_failed_command_did_is_not_there_after_a_kill_either() {
    let mut hosts = Hosts::start(&["alpha"], &keeper()).await;
    let trapped = hosts
        .call("alpha", "keeper.count-and-trap", &json!(["a"]))
        .await;
    assert!(
        matches!(trapped, Err(CallError::Trapped { .. })),
        "{trapped:?}"
    );
    assert_eq!(counted(&hosts, "a").await, 0);
    hosts.restart("alpha").await;
    assert_eq!(counted(&hosts, "a").await, 0);
    hosts.stop_all().await;
}

#[tokio::test]
async fn state_of_a_service_that_is_gone_from_the_file_is_there_when_it_comes_back() {
    let mut hosts = Hosts::start(&["alpha"], &keeper()).await;
    let count = hosts.call("alpha", "keeper.count", &json!(["a"])).await;
    assert_eq!(count, Ok(json!(1)));
    let whole = std::fs::read_to_string(&hosts.file).expect("the file is there");
    let (before, rest) = whole
        .split_once("\n[service.keeper]")
        .expect("it has the section");
    let after = rest.find("\n[service.").expect("another section follows");
    let without = format!("{before}{}", &rest[after..]);
    std::fs::write(&hosts.file, without).expect("the file can be written");
    hosts.restart("alpha").await;
    let gone = hosts.call("alpha", "neighbour.ping", &json!([1])).await;
    assert_eq!(gone, Ok(json!(1)));
    hosts.stop("alpha").await;
    std::fs::write(&hosts.file, whole).expect("the file can be written");
    hosts.launch("alpha");
    hosts.serves("alpha").await;
    assert_eq!(counted(&hosts, "a").await, 1);
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_service_in_python_keeps_its_state_through_kills() {
    let more = r#"limits = { memory = "128MiB", time = "10s", cpu = "5s" }"#;
    let queries = ["example:counter/counter.value"];
    let counter = replicated("counter", "counter-python", "alpha", &queries, more);
    let mut hosts = Hosts::start(&["alpha"], &counter).await;
    let mut count = 0;
    for by in [1, 41, 1000] {
        count += by;
        let raised = hosts.call("alpha", "counter.increment", &json!([by])).await;
        assert_eq!(raised, Ok(json!(count)));
        hosts.restart("alpha").await;
        let value = hosts.call("alpha", "counter.value", &json!([])).await;
        assert_eq!(value, Ok(json!(count)));
    }
    hosts.stop_all().await;
}
