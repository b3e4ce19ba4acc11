//! Takes an order through everything that has to happen before it is approved.
//!
//! Called by the frontend through `bookshop:shop/orchestrator`. Checks nothing itself and keeps nothing: it asks transaction verification,
//! fraud detection and suggestions for their events in the order of the shop, has the decision recorded by orders, and says what they said.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod closing;
mod course;
mod in_flight;
mod plan;
mod services;

use bindings::bookshop::shop::orders::{self, DecidedOrder};
use bindings::exports::bookshop::shop::orchestrator::{CheckoutError, Guest};
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::{Decision, Order};
use course::Ended;
use services::Imports;

/// The component.
pub struct Orchestrator;

impl Guest for Orchestrator {
    async fn checkout(order: Order) -> Result<Decision, CheckoutError> {
        let mut ended = course::run(&Imports(&order)).await;
        let holders = std::mem::take(&mut ended.holders);
        let closing = closing::close(order.id.clone(), ended.clock, holders);
        let decided = decide(order, ended).await;
        // It begins when this function has returned, which is when the answer leaves.
        wit_bindgen::spawn_local(closing);
        decided.map_err(CheckoutError::Call)
    }
}

/// Has the decision recorded. The one that stands is another if somebody decided the same order before.
async fn decide(order: Order, ended: Ended) -> Result<Decision, CallError> {
    let decision = Decision {
        order_id: order.id,
        outcome: ended.outcome?,
        clock: ended.clock,
        events: ended.events,
    };
    let decided = DecidedOrder {
        decision: decision.clone(),
        items: order.items,
        shipping_method: order.shipping_method,
        assessment: ended.assessment,
    };
    let earlier = orders::record_decision(decided).await?;
    Ok(earlier.unwrap_or(decision))
}
