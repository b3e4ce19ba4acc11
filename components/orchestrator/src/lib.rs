//! Takes an order through the services that have to agree to it.
//!
//! Called by the frontend through `bookshop:shop/orchestrator`. Checks nothing itself and keeps nothing: it asks transaction
//! verification, fraud detection and suggestions at the same time, and says what they said.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod checkout;
mod clock;

use bindings::bookshop::shop::{fraud_detection, suggestions, transaction_verification};
use bindings::exports::bookshop::shop::orchestrator::{CheckoutError, Decision, Guest, Order};
use clock::Clock;

/// The component.
pub struct Orchestrator;

impl Guest for Orchestrator {
    async fn checkout(order: Order) -> Result<Decision, CheckoutError> {
        let order_id = order.id.clone();
        // Suggestions are about books only: nothing of the customer goes there.
        let suggestions = suggestions::suggest(order.items.clone());
        let verification = transaction_verification::verify(order.clone());
        let fraud = fraud_detection::check(order);
        let mut clock = Clock::default();
        clock.tick();
        let outcome = checkout::decide(verification, fraud, suggestions, &mut clock)
            .await
            .map_err(CheckoutError::Call)?;
        clock.tick();
        Ok(Decision {
            order_id,
            outcome,
            clock: clock.into(),
        })
    }
}
