//! Checks that an order is complete and well-formed.
//!
//! Called by the orchestrator through `bookshop:shop/transaction-verification`. Every rule is pure; the time is read once a call.

mod basket;
#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod calendar;
mod card;
mod customer;
mod reason;

use bindings::bookshop::platform::call_error::CallError;
use bindings::bookshop::shop::types::{Order, Rejection, Verdict};
use bindings::exports::bookshop::shop::transaction_verification::Guest;
use bindings::wasi::clocks::wall_clock;
use calendar::Month;
use reason::Reason;

/// The component.
pub struct TransactionVerification;

impl Guest for TransactionVerification {
    async fn verify(order: Order) -> Result<Verdict, CallError> {
        let this_month = Month::of_unix_time(wall_clock::now().seconds);
        Ok(match verify(&order, this_month) {
            Ok(()) => Verdict::Accepted,
            Err(reason) => Verdict::Rejected(Rejection {
                code: reason.code().into(),
                message: reason.to_string(),
                service: env!("CARGO_PKG_NAME").into(),
            }),
        })
    }
}

fn verify(order: &Order, this_month: Month) -> Result<(), Reason> {
    basket::verify(&order.items)?;
    customer::verify_user(&order.user)?;
    customer::verify_address(order.billing_address.as_ref())?;
    customer::verify_terms(order.terms_accepted)?;
    card::verify(&order.credit_card, this_month)
}

#[cfg(test)]
mod tests;
