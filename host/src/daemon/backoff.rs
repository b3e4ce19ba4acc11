//! How long a daemon that failed stays down.

use std::time::Duration;

/// After a first failure: short enough that nobody notices what happens once.
const DELAY_MIN: Duration = Duration::from_millis(100);
/// The most, however often it failed: an operator who puts right what was wrong does not want to wait longer.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// A daemon that ran so long was well.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// The delays of one daemon.
#[derive(Debug, Default)]
pub struct Backoff {
    /// Failures since it was well.
    failures: u32,
}

impl Backoff {
    /// How long to wait after a run that lasted `lived`: twice as long as last time, unless it was well.
    #[must_use]
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= WELL_AFTER {
            self.failures = 0;
        }
        let delay = DELAY_MIN.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        delay.min(DELAY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `lived` in seconds, `expected` in milliseconds.
    #[track_caller]
    fn check(lived: &[u64], expected: &[u128]) {
        let mut backoff = Backoff::default();
        let delay = |seconds: &u64| backoff.after(Duration::from_secs(*seconds)).as_millis();
        assert_eq!(lived.iter().map(delay).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn each_failure_waits_twice_as_long_up_to_a_minute() {
        let doubling = [
            100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000,
        ];
        check(&[0; 12], &doubling);
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            let _ = backoff.after(Duration::ZERO);
        }
        assert_eq!(backoff.after(Duration::ZERO), DELAY_MAX);
    }

    #[test]
    fn a_minute_of_life_forgives_what_was_before() {
        check(&[0, 0, 59, 60, 0], &[100, 200, 400, 100, 200]);
    }
}
