//! Decisions about orders, some of them told twice, and what is asked about them.

use super::orders_model::OrdersModel;
use super::{choose, request, same};
use bookshop_host::simulation::{Committed, Look, Looked, Random, Request};
use serde_json::{Value, json};

/// The service.
pub const SERVICE: &str = "orders";
const INTERFACE: &str = "bookshop:shop/orders";

/// Who decides, and what is known of it.
#[derive(Default)]
pub struct Deciders {
    /// The model.
    pub model: OrdersModel,
    next_order: u64,
}

fn decision(random: &mut Random, number: u64) -> Value {
    let outcome = if random.chance(650) {
        json!({ "approved": [{ "id": "emma", "title": "Emma", "author": "Jane Austen" }] })
    } else {
        json!({ "rejected": { "code": "EMPTY_ITEMS", "message": "The basket is empty.", "service": "transaction-verification" } })
    };
    let clock = json!({
        "orchestrator": 1 + random.below(9),
        "transaction-verification": 3,
        "fraud-detection": 2,
        "suggestions": 1,
    });
    let done = json!({ "event": "verify-items", "clock": clock });
    let assessment = random
        .chance(500)
        .then(|| json!({ "score": 0.5, "reasons": ["It is night."] }));
    json!({
        "decision": { "order-id": format!("order-{number}"), "outcome": outcome, "clock": clock, "events": [done] },
        "items": [{ "name": "Emma", "quantity": 1 + random.below(9) }],
        "shipping-method": choose(random, &["standard", "express", "next-day"]),
        "assessment": assessment,
    })
}

impl Deciders {
    /// What a client calls next.
    pub fn next(&mut self, random: &mut Random, next_key: &mut u64) -> Request {
        let known = random.below(self.next_order + 2);
        match random.below(100) {
            0..60 => {
                let number = if random.chance(850) {
                    self.next_order += 1;
                    self.next_order
                } else {
                    known
                };
                let order = decision(random, number);
                request(random, SERVICE, "record-decision", json!([order]), next_key)
            }
            60..75 => {
                let fingerprint = format!("print-{}", random.below(2));
                let arguments = json!([
                    format!("customer-{}", known / 2),
                    fingerprint,
                    format!("order-{known}")
                ]);
                request(random, SERVICE, "claim", arguments, next_key)
            }
            75..95 => request(
                random,
                SERVICE,
                "get",
                json!([format!("order-{known}")]),
                next_key,
            ),
            _ => {
                let limit = 1 + random.below(10);
                request(random, SERVICE, "list", json!([null, limit]), next_key)
            }
        }
    }

    /// An entry of orders.
    pub fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        if let Some(tag) = committed.reply {
            return self.model.answered(tag, committed.time_ms);
        }
        let Some((_, request)) = committed.request else {
            return Err("orders has an entry that no client caused".into());
        };
        let Request {
            function,
            arguments,
            ..
        } = request;
        let expected = self.model.command(function, arguments, committed.time_ms)?;
        same(
            || format!("{function}{arguments}"),
            committed.result,
            &expected,
        )
    }

    /// A look at orders.
    pub fn looked(&self, looked: &Looked<'_>) -> Result<(), String> {
        let Request {
            function,
            arguments,
            ..
        } = looked.request;
        let what = || format!("{function}{arguments}");
        if looked.is_query {
            return match function.as_str() {
                "list" => self.model.check_newest(looked.result),
                _ => same(what, looked.result, &self.model.query(function, arguments)?),
            };
        }
        let mut model = self.model.clone();
        let expected = model.command(function, arguments, looked.time_ms)?;
        if model != self.model {
            return Err(format!("{} changed nothing, where it should have", what()));
        }
        same(what, looked.result, &expected)
    }

    /// Everything is over.
    pub fn settled(&self, look: &mut dyn Look) -> Result<(), String> {
        let model = &self.model;
        for id in model.ids() {
            let expected = model.query("get", &json!([id]))?;
            let actual = look.ask(SERVICE, INTERFACE, "get", json!([id]));
            let actual = actual.map_err(|error| format!("get {id}: {error}"))?;
            same(|| format!("in the end {id}"), &actual, &expected)?;
        }
        for (id, answer) in model.approved() {
            if answer.is_none() {
                return Err(format!(
                    "order {id} is approved, and was never handed to the queue"
                ));
            }
            if model.history(id) != 2 {
                return Err(format!(
                    "the history of order {id} does not say once what the queue said"
                ));
            }
        }
        let list = look.ask(SERVICE, INTERFACE, "list", json!([null, 50]));
        model.check_newest(&list.map_err(|error| format!("list: {error}"))?)
    }
}
