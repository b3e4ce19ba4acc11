//! Keeps what was decided about each order, and which order each Idempotency-Key stands for.
//!
//! Called by the orchestrator before it answers, and by the frontend, through `bookshop:shop/orders`. Everything is in the host's storage,
//! in bounded room. Approved orders go on to `bookshop:shop/order-queue` through the host's outbox. Does not decide anything itself.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod book;
mod form;
mod handover;
mod ledger;

use bindings::bookshop::platform::context;
use bindings::exports::bookshop::platform::outbox_handler;
use bindings::exports::bookshop::shop::orders::{Claimed, DecidedOrder, Guest, OrderRecord, Page};
use bindings::wasi::logging::logging::{Level, log};
use book::{Book, FINGERPRINT_BYTES_MAX, KEY_BYTES_MAX, ORDER_ID_BYTES_MAX, PAGE_MAX};
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::Decision;
use checkout::refusal;
use handover::{HostOutbox, NotQueued};
use keys::Storage;
use keys::bytes::Unreadable;

/// The service's name, as errors have it.
const SERVICE: &str = env!("CARGO_PKG_NAME");

/// The component.
pub struct Orders;

impl Guest for Orders {
    async fn record_decision(order: DecidedOrder) -> Result<Option<Decision>, CallError> {
        check_length("order-id", &order.decision.order_id, ORDER_ID_BYTES_MAX)?;
        let book = open();
        let earlier = book.record(&order).map_err(unreadable)?;
        if earlier.is_none() {
            let not_queued = handover::send(&book, &HostOutbox, &order).map_err(unreadable)?;
            report(&order.decision.order_id, not_queued);
        }
        Ok(earlier)
    }

    async fn get(order_id: String) -> Result<Option<OrderRecord>, CallError> {
        check_length("order-id", &order_id, ORDER_ID_BYTES_MAX)?;
        open().get(&order_id).map_err(unreadable)
    }

    async fn list(before: Option<u64>, limit: u32) -> Result<Page, CallError> {
        refusal::check_limit(SERVICE, limit, PAGE_MAX)?;
        open().newest(before, limit).map_err(unreadable)
    }

    async fn claim(
        key: String,
        fingerprint: String,
        order_id: String,
    ) -> Result<Claimed, CallError> {
        check_length("key", &key, KEY_BYTES_MAX)?;
        check_length("fingerprint", &fingerprint, FINGERPRINT_BYTES_MAX)?;
        check_length("order-id", &order_id, ORDER_ID_BYTES_MAX)?;
        let claimed = open().claim(&key, &fingerprint, &order_id);
        claimed.map_err(unreadable)
    }
}

impl outbox_handler::Guest for Orders {
    /// Traps where the order cannot be read, so that the host calls it again once a version runs that can.
    fn on_reply(tag: String, reply: Result<String, CallError>) {
        match handover::on_reply(&open(), &tag, reply) {
            Ok(not_queued) => report(&tag, not_queued),
            Err(error) => panic!("order {tag}: {}", checkout::InWords(&unreadable(error))),
        }
    }
}

fn open() -> Book<'static, Storage> {
    Book::open(&Storage, context::now_ms())
}

/// Tells the operator that an approved order is not where it should be.
fn report(order_id: &str, not_queued: Option<NotQueued>) {
    if let Some(NotQueued(reason)) = not_queued {
        log(
            Level::Error,
            "orders",
            &format!("order {order_id}: {reason}"),
        );
    }
}

fn check_length(argument: &str, text: &str, bytes_max: usize) -> Result<(), CallError> {
    refusal::check_length(SERVICE, argument, text, bytes_max)
}

fn unreadable(_: Unreadable) -> CallError {
    refusal::unreadable(SERVICE)
}
