//! The bookshop on a real host: what a customer and its console see of a checkout.

use crate::cluster::{Cluster, shop};
use crate::processes::good_order;
use bookshop_host::admin::client;
use bookshop_host::client::CallOptions;
use serde_json::{Value, json};
use std::time::Duration;

async fn started() -> Cluster {
    Cluster::start(&["alpha"], &shop(), &[]).await
}

async fn get(cluster: &Cluster, path: &str) -> (u16, Value) {
    let address = cluster.host("alpha").http;
    let answer = client::request(&cluster.os, address, path, None, Duration::from_secs(10)).await;
    let (status, value) = answer.expect("the shop answers");
    (status.as_u16(), value)
}

/// Clock entries of an event, in the order of the shop.
fn clock(value: &Value) -> [u64; 4] {
    [
        "orchestrator",
        "transaction-verification",
        "fraud-detection",
        "suggestions",
    ]
    .map(|service| value[service].as_u64().expect("every service has a count"))
}

fn happened_before(a: [u64; 4], b: [u64; 4]) -> bool {
    a != b && a.iter().zip(b).all(|(a, b)| *a <= b)
}

#[tokio::test]
async fn an_approved_order_has_a_history_and_events_in_the_order_of_their_clocks() {
    let cluster = started().await;
    let (status, answer) = cluster
        .checkout("alpha", &good_order())
        .await
        .expect("it answers");
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("Order Approved")),
        "{answer}"
    );
    assert_eq!(answer["suggestedBooks"].as_array().map(Vec::len), Some(3));
    let id = answer["orderId"].as_str().expect("an order has an id");
    let (status, order) = get(&cluster, &format!("/orders/{id}")).await;
    assert_eq!(status, 200, "{order}");
    assert_eq!(order["history"][0]["status"], "approved");
    let events = order["events"].as_array().expect("an order has events");
    let of = |name: &str| {
        let event = events.iter().find(|event| event["event"] == name);
        clock(&event.unwrap_or_else(|| panic!("{name} is not in {order}"))["clock"])
    };
    for (before, after) in [
        ("verify-items", "verify-card"),
        ("verify-user", "check-user-fraud"),
        ("verify-card", "check-card-fraud"),
        ("check-user-fraud", "check-card-fraud"),
        ("check-card-fraud", "suggest"),
    ] {
        assert!(
            happened_before(of(before), of(after)),
            "{before} before {after}: {order}"
        );
    }
    let (status, missing) = get(&cluster, "/orders/00000000-0000-4000-8000-000000000000").await;
    assert_eq!(
        (status, &missing["error"]["code"]),
        (404, &json!("UNKNOWN_ORDER"))
    );
    cluster.terminate().await;
}

#[tokio::test]
async fn a_refusal_names_its_reason_and_the_service() {
    let cluster = started().await;
    let changed = |path: &str, value: Value| {
        let mut order = good_order();
        *order.pointer_mut(path).expect("the order has it") = value;
        order
    };
    for (order, code, service) in [
        (
            changed("/items", json!([])),
            "EMPTY_ITEMS",
            "transaction-verification",
        ),
        (
            changed("/items/0/name", json!("No Such Book")),
            "UNKNOWN_BOOK",
            "transaction-verification",
        ),
        (
            changed("/termsAccepted", json!(false)),
            "TERMS_NOT_ACCEPTED",
            "transaction-verification",
        ),
        (
            changed("/creditCard/number", json!("4111111111111112")),
            "INVALID_CARD_NUMBER",
            "transaction-verification",
        ),
        (
            changed("/creditCard/expirationDate", json!("01/2020")),
            "CARD_EXPIRED",
            "transaction-verification",
        ),
        (
            changed("/creditCard/number", json!("4000000000280000")),
            "FRAUD_TEST_CARD",
            "fraud-detection",
        ),
    ] {
        let (status, answer) = cluster.checkout("alpha", &order).await.expect("it answers");
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("Order Rejected")),
            "{answer}"
        );
        assert_eq!(
            (&answer["reason"]["code"], &answer["reason"]["service"]),
            (&json!(code), &json!(service))
        );
        assert_eq!(answer["suggestedBooks"], json!([]));
    }
    let said = cluster.terminate().await.lines.join("\n");
    assert!(
        !said.contains("4111111111111112") && !said.contains("4000000000280000"),
        "a card number is in the log"
    );
}

#[tokio::test]
async fn each_service_that_is_missing_is_named_and_missed_no_longer_when_it_is_back() {
    let cluster = started().await;
    for service in [
        "transaction-verification",
        "fraud-detection",
        "suggestions",
        "orders",
    ] {
        let change = async |verb: &str| {
            let path = format!("/v1/services/{service}/{verb}");
            cluster
                .admin("alpha", &path, Some(&json!({})))
                .await
                .expect("alpha answers")
        };
        change("stop").await;
        let (status, answer) = cluster
            .checkout("alpha", &good_order())
            .await
            .expect("it answers");
        assert_eq!(
            (status, &answer["error"]["code"]),
            (503, &json!("SERVICE_UNAVAILABLE")),
            "{answer}"
        );
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|message| message.contains(service)),
            "{answer}"
        );
        change("start").await;
        let (status, _) = cluster
            .checkout("alpha", &good_order())
            .await
            .expect("it answers");
        assert_eq!(status, 200);
    }
    cluster.terminate().await;
}

#[tokio::test]
async fn services_refuse_events_of_orders_they_do_not_know() {
    let cluster = started().await;
    let client = cluster.client("alpha").await;
    let progress = "{clock: {orchestrator: 1, transaction-verification: 0, fraud-detection: 0, suggestions: 0}, done: []}";
    for function in [
        "transaction-verification.verify-card",
        "fraud-detection.check-user-fraud",
        "suggestions.suggest",
    ] {
        let (service, function) = function.split_once('.').expect("SERVICE.FUNCTION");
        let arguments = ["\"nobody\"", progress].map(str::to_owned);
        let results = client
            .call_wave(service, function, &arguments, &CallOptions::default())
            .await
            .expect("alpha answers");
        let wave = &results[0].wave;
        assert!(wave.starts_with("err(unknown-order("), "{wave}");
    }
    cluster.terminate().await;
}

/// The orders of tests/fraud-training/differences.md, with whether each version approves them.
fn documented_orders() -> Vec<(Value, [bool; 2])> {
    let file = crate::paths::repository().join("tests/fraud-training/differences.md");
    let text = std::fs::read_to_string(file).expect("the orders are documented");
    let sections = text.split("\n### ").skip(1).filter_map(|section| {
        let order = section.split("```json\n").nth(1)?.split("```").next()?;
        let approves = |version: &str| section.contains(&format!("{version}: approved with"));
        let order = serde_json::from_str(order).expect("a documented order is JSON");
        Some((order, [approves("Version 1"), approves("Version 2")]))
    });
    sections.collect()
}

#[tokio::test]
async fn the_two_fraud_models_decide_the_documented_orders_as_documented() {
    // The second model is a component of its own with the same interface; the host needs no change for it.
    let sections = shop().replace("fraud_detection.wasm", "fraud_detection_v2.wasm");
    let versions = [
        started().await,
        Cluster::start(&["alpha"], &sections, &[]).await,
    ];
    let orders = documented_orders();
    assert!(orders.iter().any(|(_, [first, second])| first != second));
    for (order, approved) in &orders {
        for (cluster, approved) in versions.iter().zip(approved) {
            let (status, answer) = cluster.checkout("alpha", order).await.expect("it answers");
            let expected = if *approved {
                "Order Approved"
            } else {
                "Order Rejected"
            };
            assert_eq!(
                (status, &answer["status"]),
                (200, &json!(expected)),
                "{order}\n{answer}"
            );
        }
    }
    for cluster in versions {
        cluster.terminate().await;
    }
}
