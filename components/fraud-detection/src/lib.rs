//! Looks for signs of fraud in an order.
//!
//! Called by the orchestrator through `bookshop:shop/fraud-detection`. Logs each rejection, never with anything of the card.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod card;
mod email;
mod reason;

use bindings::bookshop::platform::call_error::CallError;
use bindings::bookshop::shop::types::{Order, Rejection, Verdict};
use bindings::exports::bookshop::shop::fraud_detection::Guest;
use bindings::wasi::logging::logging::{Level, log};
use reason::Reason;

/// The component.
pub struct FraudDetection;

impl Guest for FraudDetection {
    async fn check(order: Order) -> Result<Verdict, CallError> {
        let Err(reason) = check(&order.credit_card.number, &order.user.contact) else {
            return Ok(Verdict::Accepted);
        };
        log(
            Level::Warn,
            "fraud",
            &format!("order {} rejected: {}", order.id, reason.code()),
        );
        Ok(Verdict::Rejected(Rejection {
            code: reason.code().into(),
            message: reason.to_string(),
            service: env!("CARGO_PKG_NAME").into(),
        }))
    }
}

/// Applies the hard rules. How many copies are ordered is none of them: that is for the stock to decide.
fn check(card_number: &str, contact: &str) -> Result<(), Reason> {
    if card::is_for_tests(card_number) {
        return Err(Reason::TestCard);
    }
    if email::is_disposable(contact) {
        return Err(Reason::DisposableEmail);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_is_judged_before_the_address() {
        assert_eq!(check("4111111111111111", "john.doe@example.com"), Ok(()));
        assert_eq!(
            check("4111111111111111", "john.doe@mailinator.com"),
            Err(Reason::DisposableEmail)
        );
        assert_eq!(
            check("9990000000000000", "john.doe@mailinator.com"),
            Err(Reason::TestCard)
        );
    }
}
