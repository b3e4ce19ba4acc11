//! Checks that an order is complete and well-formed.
//!
//! Called by the orchestrator through `bookshop:shop/transaction-verification`. Every rule is pure; the library `checkout` keeps the
//! order between the events and sees to it that they come in turn.

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
mod submission;

use bindings::bookshop::platform::context;
use bindings::exports::bookshop::shop::transaction_verification::Guest;
use calendar::Month;
use checkout::Service;
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::{
    ClearError, Event, EventError, Order, Progress, Rejection, Step, VectorClock, Verdict,
};
use checkout::store::Scratch;
use reason::Reason;
use submission::Submission;

/// The component.
pub struct TransactionVerification;

impl Guest for TransactionVerification {
    async fn init(order: Order, progress: Progress) -> Result<VectorClock, CallError> {
        let data = Submission::of(&order).to_bytes();
        checkout::init(&Scratch, SERVICE, &order.id, &progress, &data)
    }

    async fn verify_items(order_id: String, progress: Progress) -> Result<Step, EventError> {
        perform(Event::VerifyItems, &order_id, &progress, verify_items)
    }

    async fn verify_user(order_id: String, progress: Progress) -> Result<Step, EventError> {
        perform(Event::VerifyUser, &order_id, &progress, verify_user)
    }

    async fn verify_card(order_id: String, progress: Progress) -> Result<Step, EventError> {
        perform(Event::VerifyCard, &order_id, &progress, |submission| {
            let this_month = Month::of_unix_time(context::now_ms() / 1_000);
            card::verify(&submission.card, this_month)
        })
    }

    async fn clear(order_id: String, final_clock: VectorClock) -> Result<(), ClearError> {
        checkout::clear(&Scratch, SERVICE, &order_id, final_clock)
    }
}

const SERVICE: Service = Service::TransactionVerification;

fn perform(
    event: Event,
    order_id: &str,
    progress: &Progress,
    rule: impl Fn(&Submission) -> Result<(), Reason>,
) -> Result<Step, EventError> {
    let performed = checkout::perform(&Scratch, event, order_id, progress, |data| {
        Ok(verdict(rule(&Submission::from_bytes(data)?)))
    })?;
    Ok(Step {
        verdict: performed.answer,
        clock: performed.clock,
    })
}

fn verify_items(submission: &Submission) -> Result<(), Reason> {
    basket::verify(&submission.lines)
}

fn verify_user(submission: &Submission) -> Result<(), Reason> {
    customer::verify_user(submission.name, submission.contact)?;
    customer::verify_address(submission.address)?;
    customer::verify_terms(submission.terms_accepted)
}

fn verdict(result: Result<(), Reason>) -> Verdict {
    match result {
        Ok(()) => Verdict::Accepted,
        Err(reason) => Verdict::Rejected(Rejection {
            code: reason.code().into(),
            message: reason.to_string(),
            service: SERVICE.name().into(),
        }),
    }
}

#[cfg(test)]
mod tests;
