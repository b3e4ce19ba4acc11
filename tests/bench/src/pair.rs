//! Two callees, measured in rounds that take turns, so that the machine's moods meet both sides.

use crate::Outcome;
use crate::callees::Callee;
use crate::report::Row;
use crate::statistics::Samples;
use std::time::Duration;

/// Calls before the first that counts.
const WARM_UP_CALLS: usize = 500;

/// What a callee adds to another, over all rounds until now.
pub struct Pair<'a> {
    what: &'a str,
    base: &'a Callee,
    with: &'a Callee,
    rounds: usize,
    all_base: Samples,
    all_with: Samples,
    differences: Samples,
}

impl<'a> Pair<'a> {
    /// Warms up both sides. `with` does what `base` does, and what is to be known the price of.
    ///
    /// # Errors
    /// A call fails.
    pub async fn prepare(what: &'a str, base: &'a Callee, with: &'a Callee) -> Outcome<Self> {
        for callee in [base, with] {
            sample(callee, WARM_UP_CALLS).await?;
        }
        Ok(Self {
            what,
            base,
            with,
            rounds: 0,
            all_base: Samples::default(),
            all_with: Samples::default(),
            differences: Samples::default(),
        })
    }

    /// So many calls of either side.
    ///
    /// # Errors
    /// A call fails.
    pub async fn round(&mut self, calls: usize) -> Outcome {
        // Who goes first alternates, since the second finds warmer caches.
        let (of_base, of_with) = if self.rounds.is_multiple_of(2) {
            let of_base = sample(self.base, calls).await?;
            (of_base, sample(self.with, calls).await?)
        } else {
            let of_with = sample(self.with, calls).await?;
            (sample(self.base, calls).await?, of_with)
        };
        self.rounds += 1;
        self.differences.add(median(&of_with) - median(&of_base));
        self.all_base.extend(of_base);
        self.all_with.extend(of_with);
        Ok(())
    }

    /// The row of a table, and what is added at the median, in microseconds.
    #[must_use]
    pub fn row(self) -> (Row, f64) {
        let calls = self.all_base.count();
        let (base, with, differences) = (
            self.all_base.sorted(),
            self.all_with.sorted(),
            self.differences.sorted(),
        );
        let row = Row::new(self.what).count("calls each", calls);
        let row = row.number("before p50 µs", base.median(), 1).number(
            "before p99 µs",
            base.percentile(99.0),
            1,
        );
        let row = row.number("after p50 µs", with.median(), 1).number(
            "after p99 µs",
            with.percentile(99.0),
            1,
        );
        let row = row
            .number("added p50 µs", differences.median(), 1)
            .number("added p10 µs", differences.percentile(10.0), 1)
            .number("added p90 µs", differences.percentile(90.0), 1);
        (row, differences.median())
    }
}

async fn sample(callee: &Callee, calls: usize) -> Outcome<Vec<f64>> {
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        samples.push(microseconds(callee.run().await?.0));
    }
    Ok(samples)
}

fn median(samples: &[f64]) -> f64 {
    let samples: Samples = samples.iter().copied().collect();
    samples.sorted().median()
}

/// A duration as the tables show it.
#[must_use]
pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
