//! A component that has just taken the place of another, compared with it.

use super::{Follower, Unfit};
use crate::config::Swap;
use crate::os::clock::sleep;
use crate::services::Slot;
use crate::telemetry::Totals;
use std::time::Duration;

/// How often the figures are looked at: what is bad is to be withdrawn soon.
const LOOK: Duration = Duration::from_millis(100);
/// Calls after which mean latencies say something.
const CALLS_MIN: u64 = 100;
/// Failures after which their share says something: one may be anybody's.
const FAILURES_MIN: u64 = 3;

impl Follower {
    /// Watches a service for as long as its configuration says; `before` are its figures as of the swap.
    pub(super) async fn watch(&self, slot: &Slot, before: Totals) -> Result<(), Unfit> {
        let (clock, rules) = (&self.os.clock, &slot.service.config.swap);
        let until = clock.monotonic().saturating_add(rules.watch);
        loop {
            let is_over = clock.monotonic() >= until;
            let since = difference(slot.service.figures.totals(), before);
            if let Some(reason) = worse(before, since, rules) {
                return Err(Unfit::Worse(reason));
            }
            if is_over {
                return Ok(());
            }
            sleep(clock.as_ref(), LOOK.min(rules.watch)).await;
        }
    }
}

fn difference(now: Totals, before: Totals) -> Totals {
    Totals {
        completed: now.completed.saturating_sub(before.completed),
        errors: now.errors.saturating_sub(before.errors),
        latency_ns: now.latency_ns.saturating_sub(before.latency_ns),
    }
}

/// In what respect calls `since` the swap are worse than those `before`, if the rules do not allow it.
fn worse(before: Totals, since: Totals, rules: &Swap) -> Option<String> {
    // In parts of ten thousand, so that a share below one percent counts too.
    let share = |totals: Totals| {
        let calls = totals.completed.saturating_add(totals.errors);
        (totals.errors.saturating_mul(10_000))
            .checked_div(calls)
            .unwrap_or(0)
    };
    let allowed = share(before).saturating_add(u64::from(rules.errors_max_permille) * 10);
    let is_known = since.errors >= FAILURES_MIN || since.completed == 0;
    if is_known && share(since) > allowed {
        let calls = since.completed.saturating_add(since.errors);
        return Some(format!(
            "{} of {calls} calls failed since it runs, and {}.{:02} % before",
            since.errors,
            share(before) / 100,
            share(before) % 100,
        ));
    }
    let mean = |totals: Totals| totals.latency_ns.checked_div(totals.completed);
    let (was, is) = (mean(before)?, mean(since)?);
    let slowest = was.saturating_mul(u64::from(rules.latency_max_percent)) / 100;
    let is_known = before.completed >= CALLS_MIN && since.completed >= CALLS_MIN;
    (is_known && is > slowest).then(|| {
        format!(
            "calls take {} µs on the mean since it runs, and took {} µs before",
            is / 1_000,
            was / 1_000
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(completed: u64, errors: u64, mean_us: u64) -> Totals {
        Totals {
            completed,
            errors,
            latency_ns: completed * mean_us * 1_000,
        }
    }

    #[track_caller]
    fn check(before: Totals, since: Totals, expected: Option<&str>) {
        let said = worse(before, since, &Swap::default());
        assert_eq!(said.as_deref(), expected);
    }

    #[test]
    fn what_is_as_good_as_before_stays() {
        check(totals(1_000, 0, 100), totals(0, 0, 0), None);
        check(totals(1_000, 0, 100), totals(500, 0, 250), None);
        check(totals(0, 0, 0), totals(500, 1, 250), None);
        check(totals(0, 0, 0), totals(10, 2, 250), None);
        // What failed before may go on to fail.
        check(totals(900, 100, 100), totals(900, 104, 100), None);
        check(totals(0, 50, 0), totals(0, 50, 0), None);
    }

    #[test]
    fn more_failures_than_before_are_worse() {
        check(
            totals(1_000, 0, 100),
            totals(95, 5, 100),
            Some("5 of 100 calls failed since it runs, and 0.00 % before"),
        );
        check(
            totals(990, 10, 100),
            totals(60, 40, 100),
            Some("40 of 100 calls failed since it runs, and 1.00 % before"),
        );
        // The first call of all.
        check(
            totals(0, 0, 0),
            totals(0, 1, 0),
            Some("1 of 1 calls failed since it runs, and 0.00 % before"),
        );
    }

    #[test]
    fn slower_counts_once_it_is_known() {
        check(
            totals(1_000, 0, 100),
            totals(100, 0, 301),
            Some("calls take 301 µs on the mean since it runs, and took 100 µs before"),
        );
        check(totals(1_000, 0, 100), totals(99, 0, 5_000), None);
        check(totals(99, 0, 100), totals(1_000, 0, 5_000), None);
    }
}
