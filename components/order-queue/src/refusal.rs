//! What the interface's errors are made of.

use crate::bindings::exports::bookshop::shop::order_queue::{
    DeadError, EnqueueError, LeaseError, QueueError, QueuedOrder,
};
use crate::queue::PAGE_MAX;
use crate::settings::Misconfigured;
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::refusal::{self, check_length, incompatible};
use keys::bytes::Unreadable;

/// The service's name, as errors have it.
const SERVICE: &str = env!("CARGO_PKG_NAME");

/// Longest identity of an order, in bytes.
const ORDER_ID_BYTES_MAX: usize = 64;

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Longest name of a worker, in bytes.
const WORKER_BYTES_MAX: usize = 128;

/// Longest basket, in lines: what an approved order may have.
const ITEMS_MAX: usize = 100;

/// The names of a basket's books, in bytes together, so that no order fills the queue by itself.
const NAMES_BYTES_MAX: usize = 16_384;

/// # Errors
/// The order is larger than the interface says.
pub fn check_order(order: &QueuedOrder) -> Result<(), CallError> {
    check_order_id(&order.order_id)?;
    let items = order.items.len();
    if items > ITEMS_MAX {
        let message = format!("order.items has {items} lines, it may have {ITEMS_MAX}");
        return Err(incompatible(SERVICE, message));
    }
    let bytes: usize = order.items.iter().map(|item| item.name.len()).sum();
    if bytes > NAMES_BYTES_MAX {
        let message =
            format!("the names in order.items have {bytes} bytes, they may have {NAMES_BYTES_MAX}");
        return Err(incompatible(SERVICE, message));
    }
    Ok(())
}

/// # Errors
/// The identity has not the size that the interface says.
pub fn check_order_id(order_id: &str) -> Result<(), CallError> {
    check_length(SERVICE, "order-id", order_id, ORDER_ID_BYTES_MAX)
}

/// # Errors
/// The key has not the size that the interface says.
pub fn check_key(key: &str) -> Result<(), CallError> {
    check_length(SERVICE, "key", key, KEY_BYTES_MAX)
}

/// # Errors
/// The name has not the size that the interface says.
pub fn check_worker(worker: &str) -> Result<(), CallError> {
    check_length(SERVICE, "worker", worker, WORKER_BYTES_MAX)
}

/// # Errors
/// The limit is not one that the interface allows.
pub fn check_limit(limit: u32) -> Result<(), CallError> {
    refusal::check_limit(SERVICE, limit, PAGE_MAX)
}

/// The refusal of a queue that cannot be read.
pub fn unreadable(_: Unreadable) -> CallError {
    refusal::unreadable(SERVICE)
}

macro_rules! from_what_they_have_in_common {
    ($($error:ident)*) => { $(
        impl From<CallError> for $error {
            fn from(error: CallError) -> Self {
                Self::Call(error)
            }
        }

        impl From<Unreadable> for $error {
            fn from(error: Unreadable) -> Self {
                Self::Call(unreadable(error))
            }
        }
    )* };
}

from_what_they_have_in_common!(EnqueueError QueueError LeaseError DeadError);

macro_rules! from_misconfigured {
    ($($error:ident)*) => { $(
        impl From<Misconfigured> for $error {
            fn from(error: Misconfigured) -> Self {
                Self::Misconfigured(error.to_string())
            }
        }
    )* };
}

from_misconfigured!(EnqueueError QueueError LeaseError);

#[cfg(test)]
mod tests {
    use super::*;
    use checkout::bindings::bookshop::shop::types::{Item, ShippingMethod};

    fn order(lines: usize, name_bytes: usize) -> QueuedOrder {
        let item = Item {
            name: "x".repeat(name_bytes),
            quantity: 1,
        };
        QueuedOrder {
            order_id: "1-2".into(),
            items: vec![item; lines],
            shipping_method: ShippingMethod::Standard,
        }
    }

    #[test]
    fn arguments_have_bounds() {
        assert!(check_order(&order(100, 163)).is_ok());
        assert!(check_order(&order(101, 1)).is_err());
        assert!(check_order(&order(1, 16_384)).is_ok());
        assert!(check_order(&order(1, 16_385)).is_err());
        assert!(check_order_id(&"x".repeat(64)).is_ok());
        assert!(check_order_id(&"x".repeat(65)).is_err());
        assert!(check_key("").is_err() && check_key(&"x".repeat(256)).is_err());
        assert!(check_worker("").is_err() && check_worker(&"x".repeat(129)).is_err());
        assert!(check_limit(100).is_ok() && check_limit(101).is_err());
    }
}
