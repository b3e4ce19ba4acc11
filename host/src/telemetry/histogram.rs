//! Latencies as counts in buckets: recording is two instructions and never waits, whoever reads.
//!
//! Buckets are log-linear: 32 for each doubling, so that a latency from 1 µs to 73 min is known to 1.6 %. Snapshots hold only the
//! buckets in use and can be added up over hosts, which percentiles themselves cannot.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Buckets for each doubling, as a power of two.
const STEPS_LOG2: u32 = 5;
/// Buckets for each doubling.
const STEPS: u64 = 1 << STEPS_LOG2;
/// Latencies below 2 to this power of nanoseconds share one row of equal buckets.
const LINEAR_LOG2: u32 = 10;
/// Latencies from 2 to this power of nanoseconds on, 73 minutes, are in the last bucket.
const LONGEST_LOG2: u32 = 42;
/// One row of equal buckets, then one for each doubling.
const BUCKETS: usize = ((LONGEST_LOG2 - LINEAR_LOG2 + 1) as usize) << STEPS_LOG2;

/// Counts of latencies. Any number of threads may record and read at once.
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Histogram {
    /// Counts one latency. One longer than 73 minutes counts as that.
    pub fn record(&self, latency: Duration) {
        self.buckets[bucket(latency)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many latencies were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .fold(0, u64::saturating_add)
    }

    /// See [`Snapshot::percentile`].
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        self.snapshot().percentile(percent)
    }

    /// The counts now. Latencies recorded meanwhile are in it or not, each as a whole.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let counts = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        // There are 1056 buckets, so every index fits.
        let used = (0u16..).zip(counts).filter(|(_, count)| *count > 0);
        Snapshot {
            buckets: used.collect(),
        }
    }
}

/// What a [`Histogram`] held at one moment, or several added up. Small on the wire: only buckets in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot {
    /// Index of each bucket in use, and its count.
    buckets: BTreeMap<u16, u64>,
}

impl Snapshot {
    /// Adds the counts of `other`, such as those of another host.
    pub fn merge(&mut self, other: &Self) {
        for (index, count) in &other.buckets {
            let sum = self.buckets.entry(*index).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many latencies were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().copied().fold(0, u64::saturating_add)
    }

    /// The latency that `percent` of the recorded ones do not exceed, to 1.6 % (from 1 µs on); none if there are none.
    ///
    /// `percent` is from 0 to 100: 50 is the median, 0 the shortest and 100 the longest latency.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = rank(percent, self.count())?;
        let mut below = 0u64;
        let index = self.buckets.iter().find_map(|(index, count)| {
            below = below.saturating_add(*count);
            (below >= rank).then_some(*index)
        });
        index.map(middle)
    }
}

/// Which of `count` sorted latencies, from 1, is the one asked for.
fn rank(percent: f64, count: u64) -> Option<u64> {
    let share = (percent / 100.0).clamp(0.0, 1.0);
    // Counts beyond 2^53 lose digits as floats; nobody can tell their neighbouring ranks apart.
    (count > 0).then(|| ((share * count as f64).ceil() as u64).clamp(1, count))
}

/// Index of the bucket of a latency.
fn bucket(latency: Duration) -> usize {
    let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    if nanoseconds < 1 << LINEAR_LOG2 {
        return usize::try_from(nanoseconds >> (LINEAR_LOG2 - STEPS_LOG2)).unwrap_or(0);
    }
    let row = nanoseconds.ilog2().min(LONGEST_LOG2 - 1);
    let step = (nanoseconds >> (row - STEPS_LOG2))
        .saturating_sub(STEPS)
        .min(STEPS - 1);
    let before = u64::from(row - LINEAR_LOG2 + 1) << STEPS_LOG2;
    usize::try_from(before + step)
        .unwrap_or(BUCKETS - 1)
        .min(BUCKETS - 1)
}

/// The latency in the middle of a bucket: at most half a bucket from any in it.
fn middle(index: u16) -> Duration {
    // A peer of another version may know more buckets.
    let index = u64::from(index).min(BUCKETS as u64 - 1);
    let (row, step) = (index >> STEPS_LOG2, index & (STEPS - 1));
    let (least, width) = match row.checked_sub(1) {
        None => (
            step << (LINEAR_LOG2 - STEPS_LOG2),
            1 << (LINEAR_LOG2 - STEPS_LOG2),
        ),
        Some(doublings) => {
            let width = 1 << (u64::from(LINEAR_LOG2 - STEPS_LOG2) + doublings);
            ((STEPS + step) * width, width)
        }
    };
    Duration::from_nanos(least + width / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_comes_back_within_three_percent() {
        // A factor that is no power of two visits every part of the buckets.
        let mut nanoseconds = 1_000.0f64;
        while nanoseconds < 3.7e12 {
            let latency = Duration::from_nanos(nanoseconds as u64);
            let histogram = Histogram::default();
            histogram.record(latency);
            let read = histogram.percentile(50.0).expect("one is there");
            let error = (read.as_secs_f64() / latency.as_secs_f64() - 1.0).abs();
            assert!(error <= 0.03, "{latency:?} became {read:?}");
            nanoseconds *= 1.003_7;
        }
    }

    #[test]
    fn buckets_rise_without_a_gap() {
        for index in 0..u16::try_from(BUCKETS).expect("few") {
            assert_eq!(bucket(middle(index)), usize::from(index));
        }
    }

    #[test]
    fn percentiles_are_by_rank() {
        let histogram = Histogram::default();
        for millisecond in 1..=100 {
            histogram.record(Duration::from_millis(millisecond));
        }
        assert_eq!(histogram.count(), 100);
        for (percent, expected) in [
            (0.0, 1),
            (1.0, 1),
            (50.0, 50),
            (99.0, 99),
            (99.9, 100),
            (100.0, 100),
            (-5.0, 1),
            (500.0, 100),
        ] {
            let read = histogram
                .percentile(percent)
                .expect("there are some")
                .as_secs_f64()
                * 1000.0;
            assert!(
                (read / f64::from(expected) - 1.0).abs() <= 0.03,
                "p{percent}: {read} ms"
            );
        }
    }

    #[test]
    fn nothing_recorded_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(50.0), None);
        assert_eq!(Snapshot::default().percentile(f64::NAN), None);
    }

    #[test]
    fn extremes_are_counted_at_the_ends() {
        let histogram = Histogram::default();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.count(), 2);
        assert!(histogram.percentile(0.0).expect("two") < Duration::from_micros(1));
        assert!(histogram.percentile(100.0).expect("two") > Duration::from_secs(4_000));
    }

    #[test]
    fn snapshots_add_up_to_what_one_histogram_would_hold() {
        let (one, other, both) = (
            Histogram::default(),
            Histogram::default(),
            Histogram::default(),
        );
        for microsecond in 1..2_000 {
            let latency = Duration::from_micros(microsecond * microsecond);
            if microsecond % 3 == 0 {
                one.record(latency)
            } else {
                other.record(latency)
            }
            both.record(latency);
        }
        let mut sum = one.snapshot();
        sum.merge(&other.snapshot());
        assert_eq!(sum, both.snapshot());
        assert_eq!(sum.count(), 1_999);
    }

    #[test]
    fn a_snapshot_travels_as_json_and_only_holds_what_is_used() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_micros(100));
        histogram.record(Duration::from_micros(100));
        let text = serde_json::to_string(&histogram.snapshot()).expect("text");
        assert_eq!(text, r#"{"240":2}"#);
        assert_eq!(
            serde_json::from_str::<Snapshot>(&text).expect("a snapshot"),
            histogram.snapshot()
        );
        let foreign: Snapshot =
            serde_json::from_str(r#"{"65535":18446744073709551615,"3":1}"#).expect("a snapshot");
        assert_eq!(foreign.count(), u64::MAX);
        assert!(foreign.percentile(100.0).is_some());
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "what is tested is that real threads do not lose counts"
    )]
    fn recording_from_many_threads_loses_nothing() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..10_000).for_each(|n| histogram.record(Duration::from_nanos(n * 1_000)))
                });
            }
        });
        assert_eq!(histogram.count(), 40_000);
    }
}
