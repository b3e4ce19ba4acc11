//! Trains the logistic regression: Newton's method on the log loss, with a penalty on the squares of the weights.

use crate::dataset::Example;
use crate::metrics;
use fraud_detection::model::{FEATURES, Weights, probability};

/// Weights and the bias.
const UNKNOWNS: usize = FEATURES + 1;

/// Newton's method doubles the right digits each time: these are plenty.
const ROUNDS: usize = 12;

/// Penalties to choose from.
const PENALTIES: [f64; 4] = [0.1, 1.0, 10.0, 100.0];

/// Learns from `training`, with the penalty that does best on `validation`.
pub fn train(training: &[Example], validation: &[Example]) -> Weights {
    let mut candidates = PENALTIES.map(|penalty| {
        let weights = rounded(fit(training, penalty));
        let loss = metrics::log_loss(validation, |features| weights.log_odds(features));
        (loss, weights)
    });
    candidates.sort_by(|left, right| left.0.total_cmp(&right.0));
    candidates[0].1
}

fn fit(training: &[Example], penalty: f64) -> [f64; UNKNOWNS] {
    let mut unknowns = [0.0; UNKNOWNS];
    for _ in 0..ROUNDS {
        let (slope, curvature) = derivatives(training, &unknowns, penalty);
        let step = solve(curvature, slope);
        for (unknown, step) in unknowns.iter_mut().zip(step) {
            *unknown -= step;
        }
    }
    unknowns
}

/// The first and second derivatives of the loss. The bias comes first, and has no penalty.
fn derivatives(
    training: &[Example],
    unknowns: &[f64; UNKNOWNS],
    penalty: f64,
) -> ([f64; UNKNOWNS], [[f64; UNKNOWNS]; UNKNOWNS]) {
    let mut slope = [0.0; UNKNOWNS];
    let mut curvature = [[0.0; UNKNOWNS]; UNKNOWNS];
    for at in 1..UNKNOWNS {
        slope[at] = penalty * unknowns[at];
        curvature[at][at] = penalty;
    }
    for example in training {
        let mut inputs = [1.0; UNKNOWNS];
        inputs[1..].copy_from_slice(example.features.values());
        let log_odds: f64 = inputs.iter().zip(unknowns).map(|(a, b)| a * b).sum();
        let expected = probability(log_odds);
        let error = expected - example.label();
        let weight = expected * (1.0 - expected);
        for row in 0..UNKNOWNS {
            slope[row] += error * inputs[row];
            for column in 0..=row {
                curvature[row][column] += weight * inputs[row] * inputs[column];
            }
        }
    }
    (slope, curvature)
}

/// Solves `matrix * x = right` for a symmetric positive matrix, of which only the lower half is read (Cholesky).
fn solve<const N: usize>(mut matrix: [[f64; N]; N], right: [f64; N]) -> [f64; N] {
    for column in 0..N {
        for row in column..N {
            let dot: f64 = (0..column)
                .map(|at| matrix[row][at] * matrix[column][at])
                .sum();
            let value = matrix[row][column] - dot;
            matrix[row][column] = if row == column {
                assert!(value > 0.0, "the penalty keeps the matrix positive");
                value.sqrt()
            } else {
                value / matrix[column][column]
            };
        }
    }
    let mut solution = right;
    for row in 0..N {
        let dot: f64 = (0..row).map(|at| matrix[row][at] * solution[at]).sum();
        solution[row] = (solution[row] - dot) / matrix[row][row];
    }
    for row in (0..N).rev() {
        let dot: f64 = (row + 1..N).map(|at| matrix[at][row] * solution[at]).sum();
        solution[row] = (solution[row] - dot) / matrix[row][row];
    }
    solution
}

/// Four decimals: what is measured is what ships, and the table is readable.
fn rounded(unknowns: [f64; UNKNOWNS]) -> Weights {
    let [bias, weights @ ..] = unknowns.map(|unknown| (unknown * 1e4).round() / 1e4);
    Weights { bias, weights }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        // Only the lower half is read; the rest is there to show it.
        let matrix = [[4.0, 9.9, 9.9], [2.0, 5.0, 9.9], [1.0, 3.0, 6.0]];
        let found = solve(matrix, [11.0, 21.0, 25.0]);
        for (found, expected) in found.into_iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
