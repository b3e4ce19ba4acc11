//! Version 1: a logistic regression. Every feature adds to the log-odds by its own weight, whatever the others are.

mod table;

use super::Model;
use super::features::{FEATURES, Features};

/// What a logistic regression has learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// The log-odds of an order whose features are all zero.
    pub bias: f64,
    /// What one unit of each feature adds to them.
    pub weights: [f64; FEATURES],
}

impl Weights {
    /// See [`Model::log_odds`].
    pub fn log_odds(&self, features: &Features) -> f64 {
        let terms = self.weights.iter().zip(features.values());
        terms.fold(self.bias, |sum, (weight, value)| sum + weight * value)
    }
}

/// The logistic regression that ships.
#[derive(Debug, Clone, Copy)]
pub struct Logistic;

impl Logistic {
    /// What it has learnt.
    pub const WEIGHTS: &Weights = &table::WEIGHTS;
}

impl Model for Logistic {
    const NAME: &'static str = "logistic regression";

    fn log_odds(features: &Features) -> f64 {
        Self::WEIGHTS.log_odds(features)
    }
}
