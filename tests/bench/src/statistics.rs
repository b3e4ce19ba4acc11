//! Percentiles of samples.

/// Samples of one quantity, in any unit.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn add(&mut self, sample: f64) {
        self.0.push(sample);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In order, for [`Sorted::percentile`].
    #[must_use]
    pub fn sorted(mut self) -> Sorted {
        self.0.sort_by(f64::total_cmp);
        Sorted(self.0)
    }
}

impl Extend<f64> for Samples {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, samples: I) {
        self.0.extend(samples);
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> Self {
        Self(samples.into_iter().collect())
    }
}

/// Samples in ascending order.
#[derive(Debug, Clone)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// The smallest sample that at least `percent` per cent of all are not above; not a number if there are none.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "there are fewer than 2^52 samples, and the rank is between 0 and their number"
        )]
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    /// The 50th percentile.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The 100th percentile.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.percentile(100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[f64], percent: f64, expected: f64) {
        assert_eq!(
            samples
                .iter()
                .copied()
                .collect::<Samples>()
                .sorted()
                .percentile(percent),
            expected
        );
    }

    #[test]
    fn a_percentile_is_a_sample() {
        check(&[3.0, 1.0, 2.0], 50.0, 2.0);
        check(&[4.0, 3.0, 1.0, 2.0], 50.0, 2.0);
        check(&[1.0, 2.0], 99.9, 2.0);
        check(&[1.0, 2.0], 0.0, 1.0);
        check(&[7.0], 50.0, 7.0);
    }
}
