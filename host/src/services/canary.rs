//! A second version of a service, which gets a share of its calls beside the one in force.

use crate::call_error::CallError;
use crate::dispatch::ServiceId;
use crate::payload::Payload;
use crate::telemetry::Totals;
use crate::version::Version;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A version on trial.
pub struct Canary {
    /// The version.
    pub version: Arc<Version>,
    /// Its share of the calls, 1 to 99.
    pub percent: u32,
    /// What came of calls since it is there, whatever its share was.
    pub sides: Arc<Sides>,
}

/// What came of the calls of the two versions.
#[derive(Default)]
pub struct Sides {
    /// The one in force.
    pub stable: Tally,
    /// The one on trial.
    pub canary: Tally,
}

/// What came of calls.
#[derive(Default)]
pub struct Tally {
    completed: AtomicU64,
    errors: AtomicU64,
    latency_ns: AtomicU64,
}

impl Canary {
    /// Whether it gets a call of this trace. All calls of a request to one service go the same way, and so do those of a request that is repeated with
    /// its trace; which way, differs from service to service.
    #[must_use]
    pub fn takes(&self, service: ServiceId, trace_id: u128) -> bool {
        place(service, trace_id) < self.percent
    }
}

/// One of a hundred places, each as likely as the others.
fn place(service: ServiceId, trace_id: u128) -> u32 {
    let halves = (trace_id >> 64) as u64 ^ trace_id as u64;
    // Callers choose traces, and may choose them one after the other: this is the finaliser of SplitMix64 (Steele et al., 2014), which spreads those too.
    let mut mixed = halves ^ (u64::from(service.0) << 32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (((mixed >> 32) * 100) >> 32) as u32
}

impl Tally {
    /// Counts a call. What was refused before the version was asked is nobody's fault.
    pub fn count(&self, called: &Result<Payload, CallError>, latency: Duration) {
        match called {
            Ok(_) => {
                let latency = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                self.completed.fetch_add(1, Ordering::Relaxed);
                self.latency_ns.fetch_add(latency, Ordering::Relaxed);
            }
            Err(
                CallError::Trapped { .. }
                | CallError::DeadlineExceeded { .. }
                | CallError::Incompatible { .. }
                | CallError::NotFound { .. },
            ) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
    }

    /// All that was counted.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            completed: self.completed.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            latency_ns: self.latency_ns.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_spread_evenly_however_they_are_chosen() {
        let random = |seed: u128| seed.wrapping_mul(0x2d99_787a_9e3f_2c1b_5851_f42d_4c95_7f2d);
        let in_turn: fn(u128) -> u128 = |seed| seed;
        let upper: fn(u128) -> u128 = |seed| seed << 64;
        for trace in [random, in_turn, upper] {
            let share = |percent| {
                let traces = (1..=20_000_u128).map(trace);
                let taken = traces.filter(|trace| place(ServiceId(3), *trace) < percent);
                taken.count()
            };
            for percent in [1, 5, 25, 50, 99] {
                let expected = 200 * percent as usize;
                let (least, most) = (expected * 8 / 10, expected * 12 / 10);
                assert!((least..=most).contains(&share(percent)), "{percent} %");
            }
        }
    }

    #[test]
    fn a_larger_share_keeps_the_traces_of_a_smaller_one_and_services_choose_differently() {
        let places: Vec<u32> = (0..100).map(|trace| place(ServiceId(1), trace)).collect();
        assert!(places.iter().all(|place| *place < 100));
        let others: Vec<u32> = (0..100).map(|trace| place(ServiceId(2), trace)).collect();
        assert_ne!(places, others);
    }

    #[test]
    fn only_failures_of_the_version_itself_count() {
        let tally = Tally::default();
        let service = || "a".to_owned();
        let message = || "why".to_owned();
        let failures = [
            CallError::Trapped {
                service: service(),
                message: message(),
            },
            CallError::Overloaded {
                service: service(),
                retry_after: Duration::ZERO,
            },
            CallError::Cancelled,
        ];
        for failure in failures {
            tally.count(&Err(failure), Duration::ZERO);
        }
        tally.count(&Ok(Payload::Values(Vec::new())), Duration::from_nanos(7));
        let totals = tally.totals();
        assert_eq!(
            (totals.completed, totals.errors, totals.latency_ns),
            (1, 1, 7)
        );
    }
}
