//! What `bookshop:shop/orders` promises, in a few maps.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As the interface says.
const KEY_AGE_MS: u64 = 24 * 3_600_000;

/// The book of orders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OrdersModel {
    /// Records, by identity, with their place in the order in which they came.
    records: BTreeMap<String, (usize, Value)>,
    /// Keys: fingerprint, identity, and when.
    keys: BTreeMap<String, (String, String, u64)>,
    /// What the queue said about each approved order; none as long as it has not.
    handed: BTreeMap<String, Option<Value>>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn change(
    status: &str,
    time_ms: u64,
    service: &str,
    decision: &Value,
    reason: Option<&str>,
) -> Value {
    json!({ "status": status, "at-ms": time_ms, "service": service, "clock": decision["clock"], "reason": reason })
}

impl OrdersModel {
    /// A command takes effect, and should return this.
    pub fn command(
        &mut self,
        function: &str,
        arguments: &Value,
        time_ms: u64,
    ) -> Result<Value, String> {
        match function {
            "record-decision" => Ok(self.record(&arguments[0], time_ms)),
            "claim" => Ok(self.claim(arguments, time_ms)),
            other => Err(format!("orders has executed {other}, which is no command")),
        }
    }

    fn record(&mut self, order: &Value, time_ms: u64) -> Value {
        let decision = &order["decision"];
        let id = text(&decision["order-id"]);
        if let Some((_, record)) = self.records.get(id) {
            return json!({ "ok": record["order"]["decision"] });
        }
        let is_approved = decision["outcome"].get("approved").is_some();
        let status = if is_approved { "approved" } else { "rejected" };
        let history = [change(status, time_ms, "orchestrator", decision, None)];
        let record = json!({ "order": order, "history": history });
        self.records
            .insert(id.to_owned(), (self.records.len(), record));
        if is_approved {
            self.handed.insert(id.to_owned(), None);
        }
        json!({ "ok": null })
    }

    fn claim(&mut self, arguments: &Value, time_ms: u64) -> Value {
        let (key, fingerprint, id) = (
            text(&arguments[0]),
            text(&arguments[1]),
            text(&arguments[2]),
        );
        match self.keys.get(key) {
            Some((known, held, at_ms)) if time_ms - at_ms < KEY_AGE_MS => {
                if known != fingerprint {
                    return json!({ "ok": "other-request" });
                }
                match self.records.get(held) {
                    Some((_, record)) => {
                        json!({ "ok": { "decided": record["order"]["decision"] } })
                    }
                    None => json!({ "ok": { "undecided": held } }),
                }
            }
            Some(_) | None => {
                let holder = (fingerprint.to_owned(), id.to_owned(), time_ms);
                self.keys.insert(key.to_owned(), holder);
                json!({ "ok": { "undecided": id } })
            }
        }
    }

    /// The queue executes the message about an order, and answers so.
    ///
    /// # Errors
    /// It was executed before, or never sent.
    pub fn handed(&mut self, id: &str, answer: &Value) -> Result<(), String> {
        match self.handed.get_mut(id) {
            Some(known @ None) => *known = Some(answer.clone()),
            Some(Some(_)) => return Err(format!("order {id} was handed to the queue twice")),
            None => {
                return Err(format!(
                    "order {id} was handed to the queue, and is not approved"
                ));
            }
        }
        Ok(())
    }

    /// The queue's answer about an order is handled.
    ///
    /// # Errors
    /// There was none.
    pub fn answered(&mut self, id: &str, time_ms: u64) -> Result<(), String> {
        let Some(Some(answer)) = self.handed.get(id) else {
            return Err(format!(
                "the queue's answer about order {id} is handled, and there was none"
            ));
        };
        let is_queued = answer.get("ok").is_some() || answer["err"].get("already-queued").is_some();
        let (status, reason) = match () {
            () if is_queued => ("queued", None),
            () if answer["err"].get("full").is_some() => ("failed", Some("the queue is full")),
            () => return Err(format!("the queue said {answer} about order {id}")),
        };
        let Some((_, record)) = self.records.get_mut(id) else {
            return Err(format!("there is no order {id}"));
        };
        let change = change(
            status,
            time_ms,
            "order-queue",
            &record["order"]["decision"],
            reason,
        );
        if let Some(history) = record["history"].as_array_mut() {
            history.push(change);
        }
        Ok(())
    }

    /// What a query should return.
    ///
    /// # Errors
    /// There is no such query.
    pub fn query(&self, function: &str, arguments: &Value) -> Result<Value, String> {
        match function {
            "get" => {
                let found = self.records.get(text(&arguments[0]));
                Ok(json!({ "ok": found.map(|(_, record)| record) }))
            }
            other => Err(format!("orders has answered {other}, which is no query")),
        }
    }

    /// Whether a part of the list is the newest orders, as many as it has.
    ///
    /// # Errors
    /// It is not.
    pub fn check_newest(&self, result: &Value) -> Result<(), String> {
        let mut newest: Vec<&(usize, Value)> = self.records.values().collect();
        newest.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        let listed = result["ok"]["orders"]
            .as_array()
            .ok_or_else(|| format!("the list is {result}"))?;
        if listed.len() > newest.len() {
            return Err(format!(
                "{} orders are listed, where there are {}",
                listed.len(),
                newest.len()
            ));
        }
        for (listed, (_, record)) in listed.iter().zip(newest) {
            super::same(|| "the list of the newest orders".into(), listed, record)?;
        }
        Ok(())
    }

    /// Identities of all orders.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// Approved orders, and what the queue said about them.
    pub fn approved(&self) -> impl Iterator<Item = (&str, Option<&Value>)> {
        self.handed
            .iter()
            .map(|(id, answer)| (id.as_str(), answer.as_ref()))
    }

    /// How many lines an order's history has.
    pub fn history(&self, id: &str) -> usize {
        let record = self.records.get(id);
        record
            .and_then(|(_, record)| record["history"].as_array())
            .map_or(0, Vec::len)
    }
}
