//! Keeps what was decided about each order, and which order each Idempotency-Key stands for.
//!
//! Called by the orchestrator before it answers, and by the frontend, through `bookshop:shop/orders`. Everything is in the host's storage,
//! in bounded room. Does not decide anything itself.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod book;
mod form;
mod keys;
mod ledger;

use bindings::bookshop::platform::context;
use bindings::exports::bookshop::shop::orders::{Claimed, DecidedOrder, Guest, OrderRecord};
use bindings::wasi::logging::logging::{Level, log};
use book::{Book, FINGERPRINT_BYTES_MAX, KEY_BYTES_MAX, ORDER_ID_BYTES_MAX};
use checkout::bindings::bookshop::platform::call_error::{CallError, Failure};
use checkout::bindings::bookshop::shop::types::Decision;
use keys::Storage;

/// The component.
pub struct Orders;

impl Guest for Orders {
    async fn record_decision(order: DecidedOrder) -> Result<Option<Decision>, CallError> {
        check_length("order-id", &order.decision.order_id, ORDER_ID_BYTES_MAX)?;
        Ok(open_to_write().record(order))
    }

    async fn get(order_id: String) -> Result<Option<OrderRecord>, CallError> {
        check_length("order-id", &order_id, ORDER_ID_BYTES_MAX)?;
        Ok(open().get(&order_id))
    }

    async fn claim(
        key: String,
        fingerprint: String,
        order_id: String,
    ) -> Result<Claimed, CallError> {
        check_length("key", &key, KEY_BYTES_MAX)?;
        check_length("fingerprint", &fingerprint, FINGERPRINT_BYTES_MAX)?;
        check_length("order-id", &order_id, ORDER_ID_BYTES_MAX)?;
        Ok(open_to_write().claim(&key, &fingerprint, &order_id))
    }
}

fn open() -> Book<'static, Storage> {
    Book::open(&Storage, context::now_ms())
}

/// Whoever writes first tells the operator how long it will last.
fn open_to_write() -> Book<'static, Storage> {
    let book = open();
    if book.is_new() {
        log(
            Level::Warn,
            "orders",
            "orders and Idempotency-Keys are in the memory of this host: they do not survive its restart",
        );
    }
    book
}

fn check_length(argument: &str, text: &str, bytes_max: usize) -> Result<(), CallError> {
    if (1..=bytes_max).contains(&text.len()) {
        return Ok(());
    }
    Err(CallError::Incompatible(Failure {
        service: env!("CARGO_PKG_NAME").into(),
        message: format!(
            "{argument} has {} bytes, it must have 1 to {bytes_max}",
            text.len()
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_bounds() {
        let check = |text: &str| check_length("key", text, 3).is_ok();
        assert!(check("a") && check("abc"));
        assert!(!check("") && !check("abcd"));
    }
}
