//! A component that has just taken the place of another, compared with it.

use super::{Follower, Unfit};
use crate::component::short_digest;
use crate::config::{Pinned, Swap};
use crate::os::clock::sleep;
use crate::services::Slot;
use crate::supervisor::chain;
use crate::telemetry::Totals;
use std::time::Duration;

/// How often the figures are looked at: what is bad is to be withdrawn soon.
const LOOK: Duration = Duration::from_millis(100);
/// Calls after which mean latencies say something.
const CALLS_MIN: u64 = 100;
/// Failures after which their share says something: one may be anybody's.
const FAILURES_MIN: u64 = 3;
/// How many times as long a host watches while what it sees would be too bad if it were more: where few customers come, the first failure is no proof, but
/// no reason to give the turn to the next host either.
const DOUBT_MAX: u32 = 5;
/// But no longer than this: the turn of a host ends after 120 s, whatever it does, and the next one begins.
const DOUBT_END: Duration = Duration::from_secs(100);

/// What calls since a swap say of what was swapped in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It is as good as the rules ask for, as far as it was called.
    Good,
    /// So much of it fails that it would be worse, if as few failures could say so.
    Doubtful(String),
    /// It is worse, in this respect.
    Worse(String),
}

impl Follower {
    /// Replaces one component while this host serves, and puts the one before back if that was better.
    pub(super) async fn swap(
        &self,
        service: &str,
        component: Pinned,
        before: Option<Pinned>,
    ) -> Result<(), Unfit> {
        let digest = short_digest(&component.digest).to_owned();
        let Some(slot) = self.services.find(service) else {
            return Ok(());
        };
        let figures = slot.service.figures.totals();
        let began = self.os.clock.monotonic();
        self.supervisor.swap(service, component).await?;
        let took = self.os.clock.monotonic().saturating_sub(began);
        let line = format!(
            "swapped in {:.2} ms, sha256 {digest}",
            took.as_secs_f64() * 1e3
        );
        self.log.info(Some(service), &line);
        // Where it does not run there is nothing to see.
        if !slot.service.config.is_placed_on(&self.host) {
            return Ok(());
        }
        let (Err(worse), Some(before)) = (self.watch(slot, figures).await, before) else {
            return Ok(());
        };
        // What the new one has written, the one before may not be able to read.
        if let Err(reason) = self.supervisor.fits(service, before.clone()).await {
            let line = format!("{worse}; it stays all the same: {}", chain(&reason));
            self.log.warn(Some(service), &line);
            return Ok(());
        }
        let line = format!("{worse}; {} is put back", short_digest(&before.digest));
        self.log.warn(Some(service), &line);
        self.supervisor.swap(service, before).await?;
        Err(worse)
    }

    /// Watches a service for as long as its configuration says, and longer while there is doubt; `before` are its figures as of the swap.
    pub(super) async fn watch(&self, slot: &Slot, before: Totals) -> Result<(), Unfit> {
        let (clock, rules) = (&self.os.clock, &slot.service.config.swap);
        let began = clock.monotonic();
        let longest = (rules.watch * DOUBT_MAX).min(DOUBT_END);
        loop {
            let watched = clock.monotonic().saturating_sub(began);
            let since = difference(slot.service.figures.totals(), before);
            match verdict(before, since, rules) {
                Verdict::Worse(reason) => return Err(Unfit::Worse(reason)),
                Verdict::Good if watched >= rules.watch => return Ok(()),
                Verdict::Doubtful(doubt) if watched >= longest => {
                    let line = format!("{doubt}; it stays, since so few calls say little");
                    self.log.warn(Some(&slot.service.name), &line);
                    return Ok(());
                }
                Verdict::Good | Verdict::Doubtful(_) => {}
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
pub(super) fn worse(before: Totals, since: Totals, rules: &Swap) -> Option<String> {
    match verdict(before, since, rules) {
        Verdict::Worse(reason) => Some(reason),
        Verdict::Good | Verdict::Doubtful(_) => None,
    }
}

fn verdict(before: Totals, since: Totals, rules: &Swap) -> Verdict {
    // In parts of ten thousand, so that a share below one percent counts too.
    let share = |totals: Totals| {
        let calls = totals.completed.saturating_add(totals.errors);
        (totals.errors.saturating_mul(10_000))
            .checked_div(calls)
            .unwrap_or(0)
    };
    let allowed = share(before).saturating_add(u64::from(rules.errors_max_permille) * 10);
    if share(since) > allowed {
        let calls = since.completed.saturating_add(since.errors);
        let reason = format!(
            "{} of {calls} calls failed since it runs, and {}.{:02} % before",
            since.errors,
            share(before) / 100,
            share(before) % 100,
        );
        return match since.errors >= FAILURES_MIN || since.completed == 0 {
            true => Verdict::Worse(reason),
            false => Verdict::Doubtful(reason),
        };
    }
    let mean = |totals: Totals| totals.latency_ns.checked_div(totals.completed);
    let (Some(was), Some(is)) = (mean(before), mean(since)) else {
        return Verdict::Good;
    };
    let slowest = was.saturating_mul(u64::from(rules.latency_max_percent)) / 100;
    // Few calls say nothing of how long others take, and the first ones take longer anyway.
    let is_known = before.completed >= CALLS_MIN && since.completed >= CALLS_MIN;
    match is_known && is > slowest {
        true => Verdict::Worse(format!(
            "calls take {} µs on the mean since it runs, and took {} µs before",
            is / 1_000,
            was / 1_000
        )),
        false => Verdict::Good,
    }
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

    #[track_caller]
    fn check_doubtful(before: Totals, since: Totals, expected: &str) {
        let said = verdict(before, since, &Swap::default());
        assert_eq!(said, Verdict::Doubtful(expected.to_owned()));
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

    #[test]
    fn a_few_failures_are_doubted_until_more_calls_came() {
        check_doubtful(
            totals(1_000, 0, 100),
            totals(58, 2, 100),
            "2 of 60 calls failed since it runs, and 0.00 % before",
        );
        check(totals(1_000, 0, 100), totals(998, 2, 100), None);
        let slow = verdict(
            totals(1_000, 0, 100),
            totals(99, 0, 5_000),
            &Swap::default(),
        );
        assert_eq!(slow, Verdict::Good);
    }
}
