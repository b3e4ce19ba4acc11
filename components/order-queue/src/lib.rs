//! Keeps approved orders until somebody has carried them out.
//!
//! Called by orders, which hands them over, and by the workers that carry them out, through `bookshop:shop/order-queue`. Everything is in the
//! host's storage, and the host's timers return what workers do not. Does not know what carrying out an order is.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod form;
mod queue;
mod refusal;
mod remembered;
mod settings;
mod totals;

use bindings::bookshop::platform::context;
use bindings::exports::bookshop::platform::timer_handler;
use bindings::exports::bookshop::shop::order_queue::{
    DeadError, Depths, EnqueueError, Entry, Guest, Lease, LeaseError, Page, QueueError,
    QueuedOrder, Returned,
};
use bindings::wasi::config::store as config;
use bindings::wasi::logging::logging::{Level, log};
use checkout::bindings::bookshop::platform::call_error::CallError;
use keys::{HostTimers, Storage};
use queue::{Queue, WentOff};
use refusal::{check_key, check_limit, check_order, check_order_id, check_worker, unreadable};
use settings::{Misconfigured, Settings};

/// The component.
pub struct OrderQueue;

impl Guest for OrderQueue {
    async fn enqueue(order: QueuedOrder, key: String) -> Result<u64, EnqueueError> {
        check_order(&order)?;
        check_key(&key)?;
        open().enqueue(&settings()?, order, &key)
    }

    async fn dequeue(worker: String) -> Result<Option<Lease>, QueueError> {
        check_worker(&worker)?;
        open().dequeue(&settings()?, &worker)
    }

    async fn extend(token: u64) -> Result<u64, LeaseError> {
        open().extend(&settings()?, token)
    }

    async fn ack(token: u64) -> Result<(), LeaseError> {
        open().ack(token).map(drop)
    }

    async fn nack(token: u64, reason: String) -> Result<Returned, LeaseError> {
        let (order_id, returned) = open().nack(&settings()?, token, &reason)?;
        report(&order_id, "an attempt failed", &returned);
        Ok(returned)
    }

    async fn redrive(order_id: String) -> Result<(), DeadError> {
        check_order_id(&order_id)?;
        open().redrive(&order_id)
    }

    async fn discard(order_id: String) -> Result<(), DeadError> {
        check_order_id(&order_id)?;
        open().discard(&order_id)?;
        log(
            Level::Warn,
            "order-queue",
            &format!("order {order_id} was dead, and is discarded"),
        );
        Ok(())
    }

    async fn depth() -> Result<Depths, CallError> {
        open().depth().map_err(unreadable)
    }

    async fn oldest_age() -> Result<Option<u64>, CallError> {
        open().oldest_age_ms().map_err(unreadable)
    }

    async fn in_flight(after: Option<u64>, limit: u32) -> Result<Page, CallError> {
        check_limit(limit)?;
        open().in_flight(after, limit).map_err(unreadable)
    }

    async fn dead(after: Option<u64>, limit: u32) -> Result<Page, CallError> {
        check_limit(limit)?;
        open().dead(after, limit).map_err(unreadable)
    }

    async fn peek(limit: u32) -> Result<Vec<Entry>, QueueError> {
        check_limit(limit)?;
        Ok(open().peek(&settings()?, limit)?)
    }

    async fn find(order_id: String) -> Result<Option<Entry>, CallError> {
        check_order_id(&order_id)?;
        open().find(&order_id).map_err(unreadable)
    }
}

impl timer_handler::Guest for OrderQueue {
    /// Traps where it cannot do what the timer is for, so that the host calls it again once somebody has helped.
    fn on_timer(key: String, _payload: Vec<u8>) {
        let settings = settings().unwrap_or_else(|error| panic!("{error}"));
        match open().went_off(&settings, &key) {
            Ok(WentOff::Ready(_) | WentOff::Nothing) => {}
            Ok(WentOff::RanOut {
                order_id,
                worker,
                returned,
            }) => report(
                &order_id,
                &format!("the lease of {worker} ran out"),
                &returned,
            ),
            Err(error) => panic!("{key}: {}", checkout::InWords(&unreadable(error))),
        }
    }
}

fn open() -> Queue<'static, Storage, HostTimers> {
    Queue::open(&Storage, &HostTimers, context::now_ms())
}

fn settings() -> Result<Settings, Misconfigured> {
    // A host that cannot say is like one that has nothing to say.
    Settings::read(&config::get_all().unwrap_or_default())
}

/// Tells the operator what no worker does.
fn report(order_id: &str, what: &str, returned: &Returned) {
    let (level, then) = match returned {
        Returned::Delayed(_) => (Level::Info, "it is tried again"),
        Returned::Dead => (Level::Error, "it was the last, and the order is dead"),
    };
    let message = format!("order {order_id}: {what}; {then}");
    log(level, "order-queue", &message);
}
