//! A token bucket: how many log lines a guest may write in a second, and how many it wrote in vain.
//!
//! Has no clock: who asks brings the time.

use std::time::Duration;

/// A token is this many parts, so that a slow rate gains some in every nanosecond.
const PARTS: u64 = 1_000_000_000;

/// Allows a number of events per second, with a burst after a pause.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    /// Tokens gained in a second, which is parts of a token gained in a nanosecond.
    per_second: u32,
    parts_max: u64,
    parts: u64,
    filled_at: Duration,
    dropped: u64,
}

impl TokenBucket {
    /// A full bucket: at first `burst` events are allowed at once, later `per_second` in each second. Zero allows none.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let parts_max = u64::from(burst) * PARTS;
        Self {
            per_second,
            parts_max,
            parts: parts_max,
            filled_at: Duration::ZERO,
            dropped: 0,
        }
    }

    /// Whether an event may happen at `now`, a moment of a monotonic clock. If not, it is counted as dropped.
    ///
    /// A moment before an earlier one counts as that one, as when two threads ask with times they read in another order.
    pub fn allow(&mut self, now: Duration) -> bool {
        self.fill(now);
        match self.parts.checked_sub(PARTS) {
            Some(rest) => {
                self.parts = rest;
                true
            }
            None => {
                self.dropped = self.dropped.saturating_add(1);
                false
            }
        }
    }

    /// How many events were dropped since this was last asked. Asked after each allowed one, it says what is missing before that.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn fill(&mut self, now: Duration) {
        let elapsed_ns = now.saturating_sub(self.filled_at).as_nanos();
        let gained = elapsed_ns.saturating_mul(u128::from(self.per_second));
        let parts = gained
            .saturating_add(u128::from(self.parts))
            .min(u128::from(self.parts_max));
        self.parts = u64::try_from(parts).expect("not more than parts_max, which fits");
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_the_rate() {
        let mut bucket = TokenBucket::new(10, 5);
        assert_eq!(allowed(&mut bucket, 0, 20), 5);
        assert_eq!(bucket.take_dropped(), 15);
        assert_eq!(allowed(&mut bucket, 99, 1), 0);
        assert_eq!(allowed(&mut bucket, 100, 5), 1);
        assert_eq!(allowed(&mut bucket, 350, 5), 2);
        assert_eq!(bucket.take_dropped(), 1 + 4 + 3);
        assert_eq!(bucket.take_dropped(), 0);
    }

    #[test]
    fn a_long_pause_gives_one_burst_only() {
        let mut bucket = TokenBucket::new(1_000, 7);
        assert_eq!(allowed(&mut bucket, 0, 100), 7);
        assert_eq!(allowed(&mut bucket, 86_400_000, 100), 7);
        assert!(bucket.allow(Duration::MAX));
    }

    #[test]
    fn the_rate_holds_over_time_whatever_the_rhythm() {
        for every_us in [1, 7, 333, 1_000, 40_000] {
            let mut bucket = TokenBucket::new(30, 1);
            let moments = (0..10_000_000)
                .step_by(every_us)
                .map(|us| Duration::from_micros(us as u64));
            let count = moments.filter(|now| bucket.allow(*now)).count();
            let possible = 10_000_000 / every_us;
            let due = 300.min(possible);
            // Asking at fixed moments wastes less than the time between two of them for each event.
            assert!(
                (due * 4 / 5..=301).contains(&count),
                "every {every_us} us: {count}"
            );
        }
    }

    #[test]
    fn time_that_goes_back_gains_nothing() {
        let mut bucket = TokenBucket::new(1, 1);
        assert!(bucket.allow(Duration::from_secs(10)));
        assert!(!bucket.allow(Duration::from_secs(5)));
        assert!(!bucket.allow(Duration::from_secs(10)));
        assert!(bucket.allow(Duration::from_secs(11)));
    }

    #[test]
    fn zero_allows_nothing_and_the_greatest_rate_does_not_overflow() {
        assert_eq!(allowed(&mut TokenBucket::new(0, 0), 1_000_000, 3), 0);
        let mut bucket = TokenBucket::new(u32::MAX, u32::MAX);
        assert!(bucket.allow(Duration::MAX) && bucket.allow(Duration::MAX));
    }

    fn allowed(bucket: &mut TokenBucket, now_ms: u64, attempts: usize) -> usize {
        (0..attempts)
            .filter(|_| bucket.allow(Duration::from_millis(now_ms)))
            .count()
    }
}
