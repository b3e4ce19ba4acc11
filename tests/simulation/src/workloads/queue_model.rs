//! What `bookshop:shop/order-queue` promises, in a few maps.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As in `shop.toml`.
const LEASE_MS: u64 = 1_000;
const ATTEMPTS_MAX: u64 = 3;
const BACKOFF_MS: u64 = 50;
const DEPTH_MAX: usize = 40;
const PROMOTE_AFTER_MS: u64 = 2_000;
/// As the interface says.
const KEY_AGE_MS: u64 = 24 * 3_600_000;

/// Where an order stands.
#[derive(Debug, Clone, PartialEq)]
enum State {
    Ready,
    Delayed(u64),
    Leased {
        token: u64,
        worker: String,
        expires_at_ms: u64,
    },
    Dead(u64),
}

#[derive(Debug, Clone, PartialEq)]
struct Order {
    order: Value,
    /// 0 is the highest priority.
    rank: u64,
    came_at_ms: u64,
    attempts: u64,
    state: State,
    reason: Option<String>,
}

/// The queue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueueModel {
    orders: BTreeMap<u64, Order>,
    /// Keys, with the number and identity that they stand for, and when they came.
    keys: BTreeMap<String, (u64, String, u64)>,
    last_number: u64,
    last_token: u64,
    /// Orders that left: carried out, and discarded.
    done: u64,
    discarded: u64,
}

/// The identity of an order.
fn id(order: &Value) -> &str {
    order["order-id"].as_str().unwrap_or_default()
}

fn rank(order: &Value) -> u64 {
    match order["shipping-method"].as_str() {
        Some("next-day") => 0,
        Some("express") => 1,
        Some(_) | None => 2,
    }
}

impl QueueModel {
    /// A command takes effect, and should return this.
    pub fn command(
        &mut self,
        function: &str,
        arguments: &Value,
        now_ms: u64,
    ) -> Result<Value, String> {
        let text = |place: usize| arguments[place].as_str().unwrap_or_default();
        Ok(match function {
            "enqueue" => self.enqueue(&arguments[0], text(1), now_ms),
            "dequeue" => self.dequeue(text(0), now_ms),
            "ack" => match self.leased(&arguments[0]) {
                Some(number) => {
                    self.orders.remove(&number);
                    self.done += 1;
                    json!({ "ok": null })
                }
                None => json!({ "err": "stale-token" }),
            },
            "nack" => match self.leased(&arguments[0]) {
                Some(number) => json!({ "ok": self.fail(number, text(1), now_ms) }),
                None => json!({ "err": "stale-token" }),
            },
            "extend" => self.extend(&arguments[0], now_ms),
            "redrive" | "discard" => {
                let found = self
                    .find(text(0))
                    .filter(|(_, order)| matches!(order.state, State::Dead(_)));
                match found.map(|(number, _)| number) {
                    None => json!({ "err": "not-dead" }),
                    Some(number) if function == "discard" => {
                        self.orders.remove(&number);
                        self.discarded += 1;
                        json!({ "ok": null })
                    }
                    Some(number) => {
                        if let Some(order) = self.orders.get_mut(&number) {
                            order.state = State::Ready;
                            order.attempts = 0;
                        }
                        json!({ "ok": null })
                    }
                }
            }
            other => {
                return Err(format!(
                    "the queue has executed {other}, which is no command"
                ));
            }
        })
    }

    fn enqueue(&mut self, order: &Value, key: &str, now_ms: u64) -> Value {
        if let Some((number, known, at_ms)) = self.keys.get(key)
            && now_ms - at_ms < KEY_AGE_MS
        {
            return if known == id(order) {
                json!({ "ok": number })
            } else {
                json!({ "err": "key-reused" })
            };
        }
        if let Some((number, _)) = self.find(id(order)) {
            return json!({ "err": { "already-queued": number } });
        }
        if self.orders.len() >= DEPTH_MAX {
            return json!({ "err": { "full": self.orders.len() } });
        }
        self.last_number += 1;
        let known = (self.last_number, id(order).to_owned(), now_ms);
        self.keys.insert(key.to_owned(), known);
        let order = Order {
            rank: rank(order),
            order: order.clone(),
            came_at_ms: now_ms,
            attempts: 0,
            state: State::Ready,
            reason: None,
        };
        self.orders.insert(self.last_number, order);
        json!({ "ok": self.last_number })
    }

    fn dequeue(&mut self, worker: &str, now_ms: u64) -> Value {
        let ready = self
            .orders
            .iter()
            .filter(|(_, order)| order.state == State::Ready);
        // Faster ones first, waiting counts, and first in, first out among equals.
        let next = ready.min_by_key(|(number, order)| {
            let steps = (now_ms - order.came_at_ms) / PROMOTE_AFTER_MS;
            (order.rank.saturating_sub(steps), **number)
        });
        let Some(number) = next.map(|(number, _)| *number) else {
            return json!({ "ok": null });
        };
        self.last_token += 1;
        let (token, expires_at_ms) = (self.last_token, now_ms + LEASE_MS);
        let Some(order) = self.orders.get_mut(&number) else {
            return Value::Null;
        };
        order.attempts += 1;
        order.state = State::Leased {
            token,
            worker: worker.to_owned(),
            expires_at_ms,
        };
        json!({ "ok": { "order": order.order, "token": token, "attempt": order.attempts, "expires-at-ms": expires_at_ms } })
    }

    fn extend(&mut self, token: &Value, now_ms: u64) -> Value {
        let number = self.leased(token);
        let order = number.and_then(|number| self.orders.get_mut(&number));
        match order.map(|order| &mut order.state) {
            Some(State::Leased { expires_at_ms, .. }) => {
                *expires_at_ms = (now_ms + LEASE_MS).max(*expires_at_ms);
                json!({ "ok": expires_at_ms })
            }
            Some(State::Ready | State::Delayed(_) | State::Dead(_)) | None => {
                json!({ "err": "stale-token" })
            }
        }
    }

    fn fail(&mut self, number: u64, reason: &str, now_ms: u64) -> Value {
        let Some(order) = self.orders.get_mut(&number) else {
            return Value::Null;
        };
        order.reason = Some(reason.to_owned());
        if order.attempts >= ATTEMPTS_MAX {
            order.state = State::Dead(now_ms);
            return json!("dead");
        }
        let until_ms = now_ms + (BACKOFF_MS << (order.attempts - 1));
        order.state = State::Delayed(until_ms);
        json!({ "delayed": until_ms })
    }

    /// A timer goes off.
    pub fn timer(&mut self, key: &str, now_ms: u64) -> Result<(), String> {
        let (what, number) = key.split_once('/').unwrap_or_default();
        let number: u64 = number
            .parse()
            .map_err(|_| format!("the queue has no timer {key}"))?;
        match what {
            "lease" => {
                let Some(held) = self.leased(&json!(number)) else {
                    return Err(format!(
                        "the timer of lease {number} went off, which is not out"
                    ));
                };
                let Some(State::Leased {
                    worker,
                    expires_at_ms,
                    ..
                }) = self.orders.get(&held).map(|order| order.state.clone())
                else {
                    return Ok(());
                };
                if now_ms < expires_at_ms {
                    return Err(format!(
                        "lease {number} ran out at {now_ms}, before {expires_at_ms}"
                    ));
                }
                self.fail(held, &format!("the lease of {worker} ran out"), now_ms);
            }
            "ready" => match self.orders.get_mut(&number).map(|order| &mut order.state) {
                Some(State::Delayed(until_ms)) if *until_ms > now_ms => {
                    return Err(format!(
                        "order {number} became ready at {now_ms}, before {until_ms}"
                    ));
                }
                Some(state @ State::Delayed(_)) => *state = State::Ready,
                other => {
                    return Err(format!(
                        "the timer of order {number} went off, which is {other:?}"
                    ));
                }
            },
            _ => return Err(format!("the queue has no timer {key}")),
        }
        Ok(())
    }

    fn leased(&self, token: &Value) -> Option<u64> {
        let token = token.as_u64()?;
        let mut orders = self.orders.iter();
        let (number, _) = orders.find(
            |(_, order)| matches!(order.state, State::Leased { token: it, .. } if it == token),
        )?;
        Some(*number)
    }

    fn find(&self, order_id: &str) -> Option<(u64, &Order)> {
        let mut orders = self.orders.iter();
        let (number, order) = orders.find(|(_, order)| id(&order.order) == order_id)?;
        Some((*number, order))
    }

    /// Whether an order ever came.
    pub fn had(&self, order_id: &str) -> bool {
        self.keys.values().any(|(_, known, _)| known == order_id)
    }

    /// Orders that came and left.
    pub fn left(&self) -> u64 {
        self.done + self.discarded
    }

    /// Orders that came.
    pub fn came(&self) -> u64 {
        self.last_number
    }

    /// Orders that are there.
    pub fn depth(&self) -> u64 {
        self.orders.len() as u64
    }

    /// Identities of the dead.
    pub fn dead(&self) -> Vec<String> {
        let dead = self
            .orders
            .values()
            .filter(|order| matches!(order.state, State::Dead(_)));
        dead.map(|order| id(&order.order).to_owned()).collect()
    }

    fn entry(number: u64, order: &Order) -> Value {
        let state = match &order.state {
            State::Ready => json!("ready"),
            State::Delayed(until_ms) => json!({ "delayed": until_ms }),
            State::Leased {
                token,
                worker,
                expires_at_ms,
            } => {
                json!({ "leased": { "token": token, "worker": worker, "expires-at-ms": expires_at_ms } })
            }
            State::Dead(since_ms) => json!({ "dead": since_ms }),
        };
        json!({
            "number": number,
            "order": order.order,
            "enqueued-at-ms": order.came_at_ms,
            "attempts": order.attempts,
            "state": state,
            "reason": order.reason,
        })
    }

    /// What a query should return; none if that depends on what time it is.
    pub fn query(&self, function: &str, arguments: &Value) -> Result<Option<Value>, String> {
        Ok(Some(match function {
            "depth" => self.depths(),
            "find" => {
                let found = self.find(arguments[0].as_str().unwrap_or_default());
                json!({ "ok": found.map(|(number, order)| Self::entry(number, order)) })
            }
            "in-flight" => self.page(arguments, |number, order| match order.state {
                State::Leased { token, .. } => Some((token, Self::entry(number, order))),
                State::Ready | State::Delayed(_) | State::Dead(_) => None,
            }),
            "dead" => self.page(arguments, |number, order| match order.state {
                State::Dead(_) => Some((number, Self::entry(number, order))),
                State::Ready | State::Delayed(_) | State::Leased { .. } => None,
            }),
            "oldest-age" | "peek" => return Ok(None),
            other => return Err(format!("the queue has answered {other}, which is no query")),
        }))
    }

    fn depths(&self) -> Value {
        let counts = |rank: u64| {
            let count = |is: fn(&State) -> bool| {
                let orders = self.orders.values();
                orders
                    .filter(|order| order.rank == rank && is(&order.state))
                    .count()
            };
            json!({
                "ready": count(|state| matches!(state, State::Ready)),
                "delayed": count(|state| matches!(state, State::Delayed(_))),
                "leased": count(|state| matches!(state, State::Leased { .. })),
                "dead": count(|state| matches!(state, State::Dead(_))),
            })
        };
        json!({ "ok": {
            "next-day": counts(0),
            "express": counts(1),
            "standard": counts(2),
            "total": self.orders.len(),
        } })
    }

    fn page(
        &self,
        arguments: &Value,
        place: impl Fn(u64, &Order) -> Option<(u64, Value)>,
    ) -> Value {
        let after = arguments[0].as_u64();
        let limit = arguments[1].as_u64().unwrap_or(0) as usize;
        let found = self
            .orders
            .iter()
            .filter_map(|(number, order)| place(*number, order));
        let found: BTreeMap<u64, Value> = found
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .collect();
        let next = found
            .keys()
            .nth(limit.saturating_sub(1))
            .filter(|_| found.len() > limit);
        let entries: Vec<&Value> = found.values().take(limit).collect();
        json!({ "ok": { "entries": entries, "next": next } })
    }
}
