//! Orders come into the queue, some of them twice; workers take them, and carry them out, or fail, or come too late.

use super::queue_model::QueueModel;
use super::{choose, request, same};
use bookshop_host::simulation::{Committed, Heard, Look, Looked, Random, Request, Workload};
use serde_json::{Value, json};

/// The service and its interface.
pub const SERVICE: &str = "order-queue";
const INTERFACE: &str = "bookshop:shop/order-queue";

/// Parts of lists at the end; small, so that there are several.
const PAGE: u64 = 7;

/// What workers do, and what is known of the queue.
pub struct Workers {
    /// The model.
    pub model: QueueModel,
    /// Tokens that clients have heard of, and not done with.
    tokens: Vec<Vec<u64>>,
}

impl Workers {
    /// Nobody has done anything.
    pub fn new(clients: usize) -> Self {
        Self {
            model: QueueModel::default(),
            tokens: vec![Vec::new(); clients],
        }
    }

    /// What a worker calls next.
    pub fn next(&mut self, client: usize, random: &mut Random, next_key: &mut u64) -> Request {
        let token = match random.below(20) {
            // Somebody else's, or one that never was.
            0 => json!(random.below(200)),
            1 => {
                let other = choose(random, &self.tokens).and_then(|tokens| tokens.last());
                json!(other.copied().unwrap_or(0))
            }
            _ => json!(self.tokens[client].last().copied().unwrap_or(0)),
        };
        let dead = self.model.dead();
        let dead = choose(random, &dead)
            .map_or("nobody", String::as_str)
            .to_owned();
        let (function, arguments) = match random.below(100) {
            0..40 => ("dequeue", json!([format!("worker {client}")])),
            40..60 => ("ack", json!([token])),
            60..75 => (
                "nack",
                json!([token, format!("the printer of {client} is on fire")]),
            ),
            75..82 => ("extend", json!([token])),
            82..86 => ("redrive", json!([dead])),
            86..89 => ("discard", json!([dead])),
            89..92 => ("depth", json!([])),
            92..94 => ("in-flight", json!([null, 1 + random.below(20)])),
            94..96 => ("dead", json!([null, 1 + random.below(20)])),
            96..98 => ("peek", json!([1 + random.below(20)])),
            98 => ("oldest-age", json!([])),
            _ => ("find", json!([format!("order-{}", random.below(60))])),
        };
        request(random, SERVICE, function, arguments, next_key)
    }

    /// A worker hears of a lease, or that it has none any more.
    pub fn heard(&mut self, client: usize, request: &Request, heard: &Heard) {
        let Heard::Result(result) = heard else { return };
        let token = match request.function.as_str() {
            "dequeue" => result["ok"]["token"].as_u64(),
            "ack" | "nack" => {
                self.tokens[client].retain(|token| Some(*token) != request.arguments[0].as_u64());
                None
            }
            _ => None,
        };
        self.tokens[client].extend(token);
    }

    /// An entry of the queue.
    pub fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        if let Some(key) = committed.timer {
            return self.model.timer(key, committed.time_ms);
        }
        let arguments;
        let (function, arguments) = match (committed.request, committed.message) {
            (Some((_, request)), _) => (request.function.as_str(), &request.arguments),
            (None, Some((function, text))) => {
                arguments = serde_json::from_str(text).map_err(|error| error.to_string())?;
                (function, &arguments)
            }
            (None, None) => return Err("the queue has an entry that nobody caused".into()),
        };
        let expected = self.model.command(function, arguments, committed.time_ms)?;
        same(
            || format!("{function}{arguments}"),
            committed.result,
            &expected,
        )
    }

    /// A look at the queue.
    pub fn looked(&self, looked: &Looked<'_>) -> Result<(), String> {
        let Request {
            function,
            arguments,
            ..
        } = looked.request;
        let what = || format!("{function}{arguments}");
        if looked.is_query {
            return match self.model.query(function, arguments)? {
                Some(expected) => same(what, looked.result, &expected),
                None => Ok(()),
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
        if model.came() != model.left() + model.depth() {
            return Err(format!(
                "{} orders came, {} left, and {} are there",
                model.came(),
                model.left(),
                model.depth()
            ));
        }
        let mut ask = |function: &str, arguments: Value| {
            let expected = model.query(function, &arguments)?;
            let asked = look.ask(SERVICE, INTERFACE, function, arguments.clone());
            let actual = asked.map_err(|error| format!("{function}{arguments}: {error}"))?;
            if let Some(expected) = expected {
                same(
                    || format!("in the end {function}{arguments}"),
                    &actual,
                    &expected,
                )?;
            }
            Ok::<Value, String>(actual)
        };
        ask("depth", json!([]))?;
        for list in ["in-flight", "dead"] {
            let mut after = Value::Null;
            loop {
                let page = ask(list, json!([after, PAGE]))?;
                after = page["ok"]["next"].clone();
                if after.is_null() {
                    break;
                }
            }
        }
        for number in 0..60 {
            ask("find", json!([format!("order-{number}")]))?;
        }
        Ok(())
    }
}

/// The workload.
pub struct Queue {
    workers: Workers,
    next_order: u64,
    next_key: u64,
}

impl Queue {
    /// Nothing has happened.
    pub fn new(clients: usize) -> Self {
        Self {
            workers: Workers::new(clients),
            next_order: 0,
            next_key: 0,
        }
    }

    fn enqueue(&mut self, random: &mut Random) -> Request {
        let number = if random.chance(200) {
            random.below(self.next_order + 1)
        } else {
            self.next_order += 1;
            self.next_order
        };
        let method = choose(random, &["standard", "express", "next-day"]).copied();
        // Now and then a key that stands for another order.
        let key = if random.chance(30) {
            random.below(self.next_order + 1)
        } else {
            number
        };
        let order = json!({
            "order-id": format!("order-{number}"),
            "items": [{ "name": "Emma", "quantity": 1 + random.below(9) }],
            "shipping-method": method,
        });
        let arguments = json!([order, format!("key-of-{key}")]);
        request(random, SERVICE, "enqueue", arguments, &mut self.next_key)
    }
}

impl Workload for Queue {
    fn services(&self) -> &'static [&'static str] {
        &["order-queue"]
    }

    fn next(&mut self, client: usize, random: &mut Random) -> Option<Request> {
        Some(if random.chance(400) {
            self.enqueue(random)
        } else {
            self.workers.next(client, random, &mut self.next_key)
        })
    }

    fn heard(&mut self, client: usize, request: &Request, heard: &Heard) -> Result<(), String> {
        self.workers.heard(client, request, heard);
        Ok(())
    }

    fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        self.workers.committed(committed)
    }

    fn looked(&mut self, looked: &Looked<'_>) -> Result<(), String> {
        self.workers.looked(looked)
    }

    fn settled(&mut self, look: &mut dyn Look) -> Result<(), String> {
        self.workers.settled(look)
    }
}
