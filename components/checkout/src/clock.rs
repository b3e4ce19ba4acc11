//! Vector clocks: what happened before what.
//!
//! Clocks are compared with the operators of Rust: `a < b` if a happened before b, `a <= b` if b covers a, and neither `a <= b` nor
//! `b <= a` if they are concurrent.

use crate::bindings::bookshop::shop::types::VectorClock;
use std::cmp::Ordering;

/// A service that has a place in the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The orchestrator.
    Orchestrator,
    /// Transaction verification.
    TransactionVerification,
    /// Fraud detection.
    FraudDetection,
    /// Suggestions.
    Suggestions,
}

impl Service {
    /// All of them, in the order of their places.
    pub const ALL: [Self; 4] = [
        Self::Orchestrator,
        Self::TransactionVerification,
        Self::FraudDetection,
        Self::Suggestions,
    ];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::TransactionVerification => "transaction-verification",
            Self::FraudDetection => "fraud-detection",
            Self::Suggestions => "suggestions",
        }
    }
}

impl VectorClock {
    /// Nobody has seen anything.
    pub const ZERO: Self = Self::from_counts([0; 4]);

    /// The counts in the order of [`Service::ALL`].
    pub const fn counts(self) -> [u32; 4] {
        let Self {
            orchestrator,
            transaction_verification,
            fraud_detection,
            suggestions,
        } = self;
        [
            orchestrator,
            transaction_verification,
            fraud_detection,
            suggestions,
        ]
    }

    /// The clock with these counts, in the order of [`Service::ALL`].
    pub const fn from_counts(counts: [u32; 4]) -> Self {
        let [
            orchestrator,
            transaction_verification,
            fraud_detection,
            suggestions,
        ] = counts;
        Self {
            orchestrator,
            transaction_verification,
            fraud_detection,
            suggestions,
        }
    }

    /// What is known to whoever knows both: the larger count of each place.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let (mut counts, others) = (self.counts(), other.counts());
        for (count, other) in counts.iter_mut().zip(others) {
            *count = other.max(*count);
        }
        Self::from_counts(counts)
    }

    /// The clock of `service` after one more event there.
    #[must_use]
    pub fn tick(self, service: Service) -> Self {
        let mut counts = self.counts();
        let count = &mut counts[service as usize];
        // A checkout has tens of events; a count that is stuck at its end is still no smaller than any other.
        *count = count.saturating_add(1);
        Self::from_counts(counts)
    }
}

impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let mut places = self.counts().into_iter().zip(other.counts());
        places.try_fold(Ordering::Equal, |so_far, (mine, theirs)| {
            let place = mine.cmp(&theirs);
            match (so_far, place) {
                (Ordering::Equal, _) => Some(place),
                (_, Ordering::Equal) => Some(so_far),
                _ if so_far == place => Some(so_far),
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests;
