//! Features cut into a few bins each, so that the best split is found in one pass over the examples.

use crate::dataset::Example;
use fraud_detection::model::{FEATURES, Features};

/// Thresholds of a feature at most.
const SPLITS_MAX: usize = 31;

/// First and second derivative of the loss, of one example or the sum of several.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// The first: how far the prediction is off.
    pub slope: f64,
    /// The second: how unsure it is.
    pub curvature: f64,
}

impl Sums {
    /// The sum of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            slope: self.slope + other.slope,
            curvature: self.curvature + other.curvature,
        }
    }

    /// What is left of this without the other.
    pub fn minus(self, other: Self) -> Self {
        Self {
            slope: self.slope - other.slope,
            curvature: self.curvature - other.curvature,
        }
    }
}

/// The thresholds of each feature, in ascending order. An example is in bin `n` if it is above `n` of them.
pub struct Bins([Vec<f32>; FEATURES]);

impl Bins {
    /// Thresholds with about as many examples between each two.
    pub fn of(examples: &[Example]) -> Self {
        Self(core::array::from_fn(|feature| {
            let mut values: Vec<f64> = examples
                .iter()
                .map(|example| example.features.values()[feature])
                .collect();
            values.sort_by(f64::total_cmp);
            thresholds(&values)
        }))
    }

    /// How many thresholds a feature has.
    pub fn splits(&self, feature: usize) -> u8 {
        self.0[feature].len() as u8
    }

    /// The threshold that is the upper end of a bin.
    pub fn threshold(&self, feature: usize, bin: u8) -> f32 {
        self.0[feature][usize::from(bin)]
    }

    /// The bin of each feature.
    pub fn row(&self, features: &Features) -> [u8; FEATURES] {
        core::array::from_fn(|feature| {
            let value = features.values()[feature];
            self.0[feature].partition_point(|threshold| value > f64::from(*threshold)) as u8
        })
    }

    /// The sums of each bin of a feature over some of the examples.
    pub fn histogram(
        &self,
        feature: usize,
        examples: &[u32],
        rows: &[[u8; FEATURES]],
        slopes: &[Sums],
    ) -> Vec<Sums> {
        let mut histogram = vec![Sums::default(); self.0[feature].len() + 1];
        for example in examples.iter().map(|example| *example as usize) {
            let place = &mut histogram[usize::from(rows[example][feature])];
            *place = place.plus(slopes[example]);
        }
        histogram
    }
}

/// Halfway between neighbouring values, to two decimals, at most [`SPLITS_MAX`].
fn thresholds(sorted: &[f64]) -> Vec<f32> {
    let mut distinct = sorted.to_vec();
    distinct.dedup();
    let candidates = if distinct.len() <= SPLITS_MAX + 1 {
        distinct
    } else {
        let quantile = |at| sorted[at * (sorted.len() - 1) / (SPLITS_MAX + 1)];
        (0..=SPLITS_MAX + 1).map(quantile).collect()
    };
    let mut thresholds: Vec<f32> = candidates
        .windows(2)
        .map(|pair| (((pair[0] + pair[1]) / 2.0 * 100.0).round() / 100.0) as f32)
        .collect();
    thresholds.dedup();
    thresholds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_told_apart_and_many_grouped() {
        assert_eq!(thresholds(&[0.0, 0.0, 1.0]), [0.5]);
        assert_eq!(thresholds(&[0.0, 1.0, 1.0, 2.0]), [0.5, 1.5]);
        assert_eq!(thresholds(&[3.0, 3.0]), [0.0; 0]);
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let found = thresholds(&many);
        assert!(found.len() <= SPLITS_MAX + 1 && found.is_sorted());
    }
}
