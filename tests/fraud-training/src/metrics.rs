//! How good a model is.

use crate::dataset::Example;
use fraud_detection::model::{Features, ln, probability};

/// A probability is taken as at least this, and as far from 1: one wrong certainty must not outweigh all else.
const PROBABILITY_MIN: f64 = 1e-12;

/// What a model did on a set of examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metrics {
    /// Frauds that were rejected.
    pub caught: usize,
    /// Frauds that were accepted.
    pub missed: usize,
    /// Honest orders that were rejected.
    pub offended: usize,
    /// Honest orders that were accepted.
    pub served: usize,
    /// Area under the curve of caught over offended: how likely a fraud scores higher than an honest order does.
    pub area: f64,
    /// The average logarithm of what the model thought impossible.
    pub log_loss: f64,
}

impl Metrics {
    /// Compares the decisions of a model at a threshold with the truth.
    pub fn of(examples: &[Example], log_odds: impl Fn(&Features) -> f64, threshold: f64) -> Self {
        let scored: Vec<f64> = examples.iter().map(|one| log_odds(&one.features)).collect();
        let count = |is_fraud: bool, is_rejected: bool| {
            examples
                .iter()
                .zip(&scored)
                .filter(|(example, score)| {
                    example.profile.is_fraud == is_fraud
                        && (probability(**score) >= threshold) == is_rejected
                })
                .count()
        };
        Self {
            caught: count(true, true),
            missed: count(true, false),
            offended: count(false, true),
            served: count(false, false),
            area: area(examples, &scored),
            log_loss: log_loss_of(examples, &scored),
        }
    }

    /// Frauds among those rejected.
    pub fn precision(&self) -> f64 {
        self.caught as f64 / (self.caught + self.offended) as f64
    }

    /// Rejected among the frauds.
    pub fn recall(&self) -> f64 {
        self.caught as f64 / (self.caught + self.missed) as f64
    }
}

/// See [`Metrics::log_loss`].
pub fn log_loss(examples: &[Example], log_odds: impl Fn(&Features) -> f64) -> f64 {
    let scored: Vec<f64> = examples.iter().map(|one| log_odds(&one.features)).collect();
    log_loss_of(examples, &scored)
}

/// The same for log-odds that are there already.
pub fn log_loss_of(examples: &[Example], log_odds: &[f64]) -> f64 {
    let losses = examples.iter().zip(log_odds).map(|(example, log_odds)| {
        let fraud = probability(*log_odds);
        let right = if example.profile.is_fraud {
            fraud
        } else {
            1.0 - fraud
        };
        -ln(right.max(PROBABILITY_MIN))
    });
    losses.sum::<f64>() / examples.len() as f64
}

/// The share of pairs of a fraud and an honest order in which the fraud scores higher; equal scores count half.
fn area(examples: &[Example], scores: &[f64]) -> f64 {
    let mut order: Vec<(f64, bool)> = examples
        .iter()
        .zip(scores)
        .map(|(example, score)| (*score, example.profile.is_fraud))
        .collect();
    order.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut honest_below, mut pairs_won, mut frauds) = (0.0, 0.0, 0.0);
    for equal in order.chunk_by(|left, right| left.0 == right.0) {
        let frauds_here = equal.iter().filter(|(_, is_fraud)| *is_fraud).count() as f64;
        let honest_here = equal.len() as f64 - frauds_here;
        pairs_won += frauds_here * (honest_below + honest_here / 2.0);
        honest_below += honest_here;
        frauds += frauds_here;
    }
    pairs_won / (frauds * honest_below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;

    /// Features that no two examples share do not exist, so models that know the answer are made from it.
    fn oracle(examples: &[Example], fraud: f64, honest: f64) -> Vec<f64> {
        let score = |example: &Example| {
            if example.profile.is_fraud {
                fraud
            } else {
                honest
            }
        };
        examples.iter().map(score).collect()
    }

    #[test]
    fn area_is_one_for_the_truth_and_half_for_silence() {
        let examples = Split::Validation.examples();
        let check = |fraud, honest, expected| {
            assert_eq!(area(&examples, &oracle(&examples, fraud, honest)), expected);
        };
        check(1.0, 0.0, 1.0);
        check(0.0, 1.0, 0.0);
        check(0.0, 0.0, 0.5);
    }

    #[test]
    fn precision_and_recall_count_what_they_say() {
        let metrics = Metrics {
            caught: 3,
            missed: 1,
            offended: 2,
            served: 94,
            area: 1.0,
            log_loss: 0.0,
        };
        assert_eq!(metrics.precision(), 0.6);
        assert_eq!(metrics.recall(), 0.75);
    }

    #[test]
    fn silence_costs_a_bit() {
        let examples = Split::Validation.examples();
        let loss = log_loss(&examples, |_| 0.0);
        assert!((loss - core::f64::consts::LN_2).abs() < 1e-9, "{loss}");
    }
}
