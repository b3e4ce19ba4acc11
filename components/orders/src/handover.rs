//! Hands approved orders to the queue, and takes in what becomes of that.
//!
//! The message leaves with the decision or not at all, so what is recorded as approved is queued exactly once. Whatever stands in the way
//! never touches the decision: it is one more line in the order's history.

use crate::bindings::bookshop::platform::outbox;
use crate::bindings::exports::bookshop::shop::orders::{DecidedOrder, Status};
use crate::book::Book;
use checkout::InWords;
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::{Item, Outcome, ShippingMethod};
use keys::Keys;
use keys::bytes::Unreadable;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Whom orders are handed to, and how.
const INTERFACE: &str = "bookshop:shop/order-queue";
const FUNCTION: &str = "enqueue";

/// The queue's name in histories.
const QUEUE: &str = "order-queue";

/// Messages that leave with what a call writes, as `bookshop:platform/outbox` has them.
pub trait Outbox {
    /// Sends a call of a function of an interface, with a JSON array of arguments.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn send(
        &self,
        interface: &str,
        function: &str,
        arguments: &str,
        reply_tag: &str,
    ) -> Result<(), String>;
}

/// The outbox of the host.
#[derive(Debug, Clone, Copy)]
pub struct HostOutbox;

impl Outbox for HostOutbox {
    fn send(
        &self,
        interface: &str,
        function: &str,
        arguments: &str,
        reply_tag: &str,
    ) -> Result<(), String> {
        outbox::send(interface, function, arguments, reply_tag)
    }
}

/// What the operator has to know: why an order is not queued.
#[derive(Debug, PartialEq, Eq)]
pub struct NotQueued(pub String);

/// Sends an order that has just been recorded to the queue, if it is approved.
///
/// # Errors
/// The order could not be read again.
pub fn send<K: Keys>(
    book: &Book<'_, K>,
    outbox: &impl Outbox,
    order: &DecidedOrder,
) -> Result<Option<NotQueued>, Unreadable> {
    match order.decision.outcome {
        Outcome::Approved(_) => {}
        Outcome::Rejected(_) => return Ok(None),
    }
    let order_id = &order.decision.order_id;
    let Err(error) = outbox.send(INTERFACE, FUNCTION, &arguments(order), order_id) else {
        return Ok(None);
    };
    let reason = format!("the order cannot be handed to the queue: {error}");
    let service = env!("CARGO_PKG_NAME");
    book.change(order_id, Status::Failed, service, Some(&reason))?;
    Ok(Some(NotQueued(reason)))
}

/// Adds what the queue said about an order to its history.
///
/// # Errors
/// The order was written by something else.
pub fn on_reply<K: Keys>(
    book: &Book<'_, K>,
    order_id: &str,
    reply: Result<String, CallError>,
) -> Result<Option<NotQueued>, Unreadable> {
    let refused = refusal(reply);
    let status = match refused {
        None => Status::Queued,
        Some(_) => Status::Failed,
    };
    // The history of an order that is no longer kept has gone with it; that it is not queued is still to be said.
    book.change(order_id, status, QUEUE, refused.as_deref())?;
    Ok(refused.map(NotQueued))
}

/// The arguments of `enqueue`, as JSON has them. An order is its own key: it is queued once.
fn arguments(order: &DecidedOrder) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Order<'a> {
        order_id: &'a str,
        items: Vec<Line<'a>>,
        shipping_method: &'static str,
    }

    #[derive(Serialize)]
    struct Line<'a> {
        name: &'a str,
        quantity: i32,
    }

    impl<'a> From<&'a Item> for Line<'a> {
        fn from(Item { name, quantity }: &'a Item) -> Self {
            Self {
                name,
                quantity: *quantity,
            }
        }
    }

    let order_id = order.decision.order_id.as_str();
    let order = Order {
        order_id,
        items: order.items.iter().map(Line::from).collect(),
        shipping_method: match order.shipping_method {
            ShippingMethod::Standard => "standard",
            ShippingMethod::Express => "express",
            ShippingMethod::NextDay => "next-day",
        },
    };
    serde_json::to_string(&(order, order_id)).expect("texts and numbers are JSON")
}

/// Why the queue did not take an order; none if it has it.
fn refusal(reply: Result<String, CallError>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Answer {
        Ok(IgnoredAny),
        Err(EnqueueError),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum EnqueueError {
        Call(serde_json::Value),
        Full(IgnoredAny),
        AlreadyQueued(IgnoredAny),
        KeyReused,
        Misconfigured(String),
    }

    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Some(format!("the queue did not answer: {}", InWords(&error))),
    };
    match serde_json::from_str::<(Answer,)>(&reply) {
        Ok((Answer::Ok(_) | Answer::Err(EnqueueError::AlreadyQueued(_)),)) => None,
        Ok((Answer::Err(EnqueueError::Full(_)),)) => Some("the queue is full".into()),
        Ok((Answer::Err(EnqueueError::KeyReused),)) => {
            Some("the queue has another order under this one's key".into())
        }
        Ok((Answer::Err(EnqueueError::Misconfigured(text)),)) => {
            Some(format!("the queue is misconfigured: {text}"))
        }
        Ok((Answer::Err(EnqueueError::Call(error)),)) => {
            // All cases that a queue returns by itself have a payload with a message.
            let payload = error.as_object().and_then(|case| case.values().next());
            let message = payload.and_then(|payload| payload.get("message")?.as_str());
            let message = message.map_or_else(|| error.to_string(), str::to_owned);
            Some(format!("the queue refused the order: {message}"))
        }
        Err(error) => Some(format!(
            "the queue's answer is not understood ({error}): {reply}"
        )),
    }
}

#[cfg(test)]
mod tests;
