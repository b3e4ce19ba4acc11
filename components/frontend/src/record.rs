//! What is known of an order, as the client reads it.

use crate::answer::{Answer, Clock};
use crate::bindings::bookshop::shop::orders::{Change, OrderRecord, Status};
use crate::bindings::bookshop::shop::types::{Assessment, Done, Event, Item, ShippingMethod};
use crate::timestamp;
use serde::Serialize;

/// The JSON answer to the question for an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    order_id: &'a str,
    status: &'static str,
    items: Vec<Line<'a>>,
    shipping_method: &'static str,
    decision: Answer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assessment: Option<Opinion<'a>>,
    history: Vec<Entry<'a>>,
    events: Vec<DoneEvent>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    quantity: i32,
}

#[derive(Serialize)]
struct Opinion<'a> {
    score: f64,
    reasons: &'a [String],
}

#[derive(Serialize)]
struct Entry<'a> {
    status: &'static str,
    at: String,
    service: &'a str,
    clock: Clock,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct DoneEvent {
    event: &'static str,
    service: &'static str,
    clock: Clock,
}

impl<'a> From<&'a OrderRecord> for Record<'a> {
    fn from(OrderRecord { order, history }: &'a OrderRecord) -> Self {
        let decision = Answer::from(&order.decision);
        Self {
            order_id: &order.decision.order_id,
            // The history is never empty; what the decision says would be its first entry.
            status: history
                .last()
                .map_or(decision.status_now(), |change| status(change.status)),
            items: order.items.iter().map(Line::from).collect(),
            shipping_method: shipping_method(order.shipping_method),
            decision,
            assessment: order.assessment.as_ref().map(Opinion::from),
            history: history.iter().map(Entry::from).collect(),
            events: order.decision.events.iter().map(DoneEvent::from).collect(),
        }
    }
}

impl<'a> From<&'a Item> for Line<'a> {
    fn from(Item { name, quantity }: &'a Item) -> Self {
        Self {
            name,
            quantity: *quantity,
        }
    }
}

impl<'a> From<&'a Assessment> for Opinion<'a> {
    fn from(Assessment { score, reasons }: &'a Assessment) -> Self {
        Self {
            score: *score,
            reasons,
        }
    }
}

impl<'a> From<&'a Change> for Entry<'a> {
    fn from(change: &'a Change) -> Self {
        Self {
            status: status(change.status),
            at: timestamp::format(change.at_ms),
            service: &change.service,
            clock: change.clock.into(),
            reason: change.reason.as_deref(),
        }
    }
}

impl From<&Done> for DoneEvent {
    fn from(Done { event, clock }: &Done) -> Self {
        let (event, service) = match event {
            Event::VerifyItems => ("verify-items", "transaction-verification"),
            Event::VerifyUser => ("verify-user", "transaction-verification"),
            Event::VerifyCard => ("verify-card", "transaction-verification"),
            Event::CheckUserFraud => ("check-user-fraud", "fraud-detection"),
            Event::CheckCardFraud => ("check-card-fraud", "fraud-detection"),
            Event::Suggest => ("suggest", "suggestions"),
        };
        Self {
            event,
            service,
            clock: (*clock).into(),
        }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Approved => "approved",
        Status::Rejected => "rejected",
        Status::Queued => "queued",
        Status::Processing => "processing",
        Status::Completed => "completed",
        Status::Failed => "failed",
    }
}

/// As it is written in an order.
fn shipping_method(method: ShippingMethod) -> &'static str {
    match method {
        ShippingMethod::Standard => "Standard",
        ShippingMethod::Express => "Express",
        ShippingMethod::NextDay => "Next-Day",
    }
}

#[cfg(test)]
mod tests;
