//! Trains the two models of fraud detection on generated orders.
//!
//! Everything is made from three seeds, by arithmetic that is the same on every machine: the tables that
//! `components/fraud-detection` ships, `REPORT.md` with their figures, and `differences.md`. `cargo run --release -p fraud-training`
//! writes them; the tests make them again and compare.

pub mod dataset;
pub mod demo;
pub mod differences;
mod histogram;
pub mod logistic;
pub mod metrics;
mod order;
mod profile;
mod random;
mod report;
mod table;
pub mod trees;

use dataset::Split;
use fraud_detection::model::Features;
use std::path::PathBuf;

/// A file that the training writes.
#[derive(Debug)]
pub struct Artefact {
    /// Its path below the root of the repository.
    pub path: &'static str,
    /// What is in it.
    pub text: String,
}

impl Artefact {
    /// Where it is on this machine.
    pub fn location(&self) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(self.path)
    }
}

/// Trains both models and writes down everything that follows from them. Takes about a second.
pub fn artefacts() -> [Artefact; 4] {
    let training = Split::Training.examples();
    let validation = Split::Validation.examples();
    let weights = logistic::train(&training, &validation);
    let forest = trees::train(&training, &validation);
    let held_out = Split::HeldOut.examples();
    let one = |features: &Features| weights.log_odds(features);
    let two = |features: &Features| forest.log_odds(features);
    [
        Artefact {
            path: "components/fraud-detection/src/model/logistic/table.rs",
            text: table::of_weights(&weights),
        },
        Artefact {
            path: "components/fraud-detection/src/model/trees/table.rs",
            text: table::of_forest(&forest),
        },
        Artefact {
            path: "tests/fraud-training/REPORT.md",
            text: report::document(&held_out, [&one, &two]),
        },
        Artefact {
            path: "tests/fraud-training/differences.md",
            text: differences::document(&held_out, [&one, &two]),
        },
    ]
}
