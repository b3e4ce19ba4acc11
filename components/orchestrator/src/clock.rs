//! The orchestrator's own clock.

use crate::bindings::bookshop::shop::types::VectorClock;

/// Counts what the orchestrator has seen of one checkout: the order, each question it asked, each answer, the decision.
///
/// The services do not send clocks along yet, so nothing is known of their places.
#[derive(Debug, Default)]
pub struct Clock {
    events: u32,
}

impl Clock {
    /// Something happened here.
    pub fn tick(&mut self) {
        self.events += 1;
    }
}

impl From<Clock> for VectorClock {
    fn from(clock: Clock) -> Self {
        Self {
            orchestrator: clock.events,
            transaction_verification: 0,
            fraud_detection: 0,
            suggestions: 0,
        }
    }
}
