use super::*;
use crate::bindings::bookshop::shop::orders::DecidedOrder;
use crate::bindings::bookshop::shop::types::{Decision, Outcome, VectorClock};
use serde_json::{Value, json};

fn clock(orchestrator: u32, transaction_verification: u32) -> VectorClock {
    VectorClock {
        orchestrator,
        transaction_verification,
        fraud_detection: 0,
        suggestions: 0,
    }
}

fn clock_json(orchestrator: u32, transaction_verification: u32) -> Value {
    json!({
        "orchestrator": orchestrator,
        "transaction-verification": transaction_verification,
        "fraud-detection": 0,
        "suggestions": 0,
    })
}

fn record(assessment: Option<Assessment>, statuses: &[Status]) -> Value {
    let record = OrderRecord {
        order: DecidedOrder {
            decision: Decision {
                order_id: "1-2".into(),
                outcome: Outcome::Approved(Vec::new()),
                clock: clock(5, 2),
                events: vec![
                    Done {
                        event: Event::VerifyItems,
                        clock: clock(1, 2),
                    },
                    Done {
                        event: Event::CheckCardFraud,
                        clock: clock(3, 2),
                    },
                ],
            },
            items: vec![Item {
                name: "Emma".into(),
                quantity: 2,
            }],
            shipping_method: ShippingMethod::NextDay,
            assessment,
        },
        history: statuses
            .iter()
            .map(|status| Change {
                status: *status,
                at_ms: 1000,
                service: "orders".into(),
                clock: clock(5, 2),
                reason: match status {
                    Status::Failed => Some("the queue is full".into()),
                    Status::Approved
                    | Status::Rejected
                    | Status::Queued
                    | Status::Processing
                    | Status::Completed => None,
                },
            })
            .collect(),
    };
    serde_json::to_value(Record::from(&record)).expect("records are JSON")
}

#[test]
fn an_order_has_its_basket_decision_history_and_events() {
    let change = |status: &str| json!({"status": status, "at": "1970-01-01T00:00:01.000Z", "service": "orders", "clock": clock_json(5, 2)});
    let expected = json!({
        "orderId": "1-2",
        "status": "completed",
        "items": [{"name": "Emma", "quantity": 2}],
        "shippingMethod": "Next-Day",
        "decision": {"orderId": "1-2", "status": "Order Approved", "suggestedBooks": [], "clock": clock_json(5, 2)},
        "history": [change("approved"), change("completed")],
        "events": [
            {"event": "verify-items", "service": "transaction-verification", "clock": clock_json(1, 2)},
            {"event": "check-card-fraud", "service": "fraud-detection", "clock": clock_json(3, 2)},
        ],
    });
    assert_eq!(
        record(None, &[Status::Approved, Status::Completed]),
        expected
    );
}

#[test]
fn a_change_says_why_if_there_is_something_to_say() {
    let history = &record(None, &[Status::Approved, Status::Failed])["history"];
    assert_eq!(history[0].get("reason"), None);
    assert_eq!(history[1]["reason"], "the queue is full");
}

#[test]
fn the_status_is_the_last_change_of_it() {
    for (statuses, expected) in [
        ([Status::Approved, Status::Queued].as_slice(), "queued"),
        (&[Status::Queued, Status::Processing], "processing"),
        (&[Status::Processing, Status::Failed], "failed"),
        (&[Status::Rejected], "rejected"),
        (&[], "approved"),
    ] {
        assert_eq!(record(None, statuses)["status"], expected);
    }
}

#[test]
fn what_the_fraud_model_thought_is_there_if_it_was_asked() {
    let assessment = Assessment {
        score: 0.25,
        reasons: vec!["the basket is large".into()],
    };
    assert_eq!(
        record(Some(assessment), &[Status::Approved])["assessment"],
        json!({"score": 0.25, "reasons": ["the basket is large"]})
    );
}
