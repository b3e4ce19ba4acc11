//! A group's time: never goes back, and follows the clock of the host that leads it.

use std::time::Duration;

/// The clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since an arbitrary moment before the host started.
    pub monotonic: Duration,
    /// Milliseconds since 1970-01-01T00:00:00Z, as the host believes.
    pub wall_ms: u64,
}

/// How far the group's time may jump ahead of what has really passed, at once. A clock that is far ahead is followed in steps, so that
/// a wrong one that is soon put right does little.
const STEP_MS_MAX: u64 = 1_000;

/// The time of a group, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy)]
pub struct GroupTime {
    last_ms: u64,
    /// When that was, by the monotonic clock; none before this host first asked.
    seen: Option<Duration>,
}

impl GroupTime {
    /// The time of a group whose last entry was made at `last_ms`.
    #[must_use]
    pub fn new(last_ms: u64) -> Self {
        Self {
            last_ms,
            seen: None,
        }
    }

    /// The time at `now`.
    ///
    /// The wall clock's, as long as that moves at between half and twice the speed of the monotonic clock: a clock that was put back slows the
    /// group's time down instead of stopping its timers. The first look after a start follows the wall clock wherever it is ahead.
    pub fn at(&mut self, now: Now) -> u64 {
        let ms = match self.seen {
            None => now.wall_ms.max(self.last_ms),
            Some(seen) => {
                let elapsed = now.monotonic.saturating_sub(seen);
                let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                let low = self.last_ms.saturating_add(elapsed_ms / 2);
                let high = self
                    .last_ms
                    .saturating_add(elapsed_ms.saturating_mul(2))
                    .saturating_add(STEP_MS_MAX);
                now.wall_ms.clamp(low, high)
            }
        };
        // Only when it moved: many looks within a millisecond must not each lose the part of it that has passed.
        if ms > self.last_ms || self.seen.is_none() {
            self.seen = Some(now.monotonic);
            self.last_ms = ms;
        }
        ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(seconds: u64, wall_ms: u64) -> Now {
        Now {
            monotonic: Duration::from_secs(seconds),
            wall_ms,
        }
    }

    #[test]
    fn it_follows_the_clock() {
        let mut time = GroupTime::new(0);
        assert_eq!(time.at(now(1, 50_000)), 50_000);
        assert_eq!(time.at(now(2, 51_000)), 51_000);
    }

    #[test]
    fn it_never_goes_back_and_goes_on_when_the_clock_does() {
        let mut time = GroupTime::new(0);
        time.at(now(1, 50_000));
        assert_eq!(time.at(now(1, 20_000)), 50_000);
        assert_eq!(time.at(now(3, 22_000)), 51_000);
        assert_eq!(GroupTime::new(90_000).at(now(1, 50_000)), 90_000);
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_followed_in_steps() {
        let mut time = GroupTime::new(0);
        time.at(now(1, 50_000));
        assert_eq!(time.at(now(2, 10_000_000)), 53_000);
        assert_eq!(time.at(now(2, 10_000_000)), 54_000);
    }
}
