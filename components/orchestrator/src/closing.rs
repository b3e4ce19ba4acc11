//! The end of a checkout: the services forget the order.
//!
//! Happens after the answer, so the customer does not wait for it; only the deadline of the checkout still holds.

use crate::bindings::wasi::logging::logging::{Level, log};
use crate::in_flight::InFlight;
use crate::services;
use checkout::bindings::bookshop::shop::types::{ClearError, VectorClock};
use checkout::{InWords, Service};

/// Lets the holders of an order forget it, all at the same time.
///
/// One that does not is reported; it forgets by itself after a while.
pub async fn close(order_id: String, final_clock: VectorClock, holders: Vec<Service>) {
    let mut in_flight = InFlight::new();
    for service in holders {
        let clearing = services::clear(order_id.clone(), service, final_clock);
        in_flight.push(service, Box::pin(clearing));
    }
    while let Some((service, cleared)) = in_flight.next().await {
        if let Err(error) = cleared {
            let (name, why) = (service.name(), in_words(&error, final_clock));
            let line = format!("order {order_id}: {name} keeps it: {why}");
            log(Level::Error, "checkout", &line);
        }
    }
}

fn in_words(error: &ClearError, final_clock: VectorClock) -> String {
    match error {
        ClearError::Ahead(own) => format!(
            "its clock {:?} is not covered by the final one {:?}",
            own.counts(),
            final_clock.counts()
        ),
        ClearError::Call(error) => InWords(error).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_shown_with_the_final_one() {
        let [own, last] = [[1, 2, 3, 4], [4, 3, 2, 1]].map(VectorClock::from_counts);
        assert_eq!(
            in_words(&ClearError::Ahead(own), last),
            "its clock [1, 2, 3, 4] is not covered by the final one [4, 3, 2, 1]"
        );
    }
}
