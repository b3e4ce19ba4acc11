//! Writes what was learnt as Rust source.

use crate::trees::Forest;
use fraud_detection::model::{Reason, Split, Tree, Weights};
use std::fmt::Write as _;

/// The first lines of both tables.
const ALLOW: &str = "#[allow(
    clippy::approx_constant,
    reason = \"a number that looks like a known one is chance\"
)]
";

/// `components/fraud-detection/src/model/logistic/table.rs`.
pub fn of_weights(weights: &Weights) -> String {
    let mut source = format!(
        "//! The weights of version 1. Written by `cargo run --release -p fraud-training`: change that, not this.

use super::Weights;

/// What was learnt from the training set.
{ALLOW}#[rustfmt::skip]
pub const WEIGHTS: Weights = Weights {{
    bias: {:?},
    weights: [
",
        weights.bias
    );
    for (weight, reason) in weights.weights.iter().zip(Reason::ALL) {
        add(
            &mut source,
            format_args!("        {weight:?}, // {}\n", reason.code()),
        );
    }
    source + "    ],\n};\n"
}

/// `components/fraud-detection/src/model/trees/table.rs`.
pub fn of_forest(forest: &Forest) -> String {
    let mut source = format!(
        "//! The trees of version 2. Written by `cargo run --release -p fraud-training`: change that, not this.

use super::{{Split, Tree, split}};

/// Where no question is worth asking.
const NONE: Split = Split::NONE;

/// The log-odds of fraud in the training set.
{ALLOW}pub const BASE: f64 = {:?};

/// What was learnt from the training set.
{ALLOW}#[rustfmt::skip]
pub static TREES: [Tree; {}] = [
",
        forest.base,
        forest.trees.len()
    );
    for tree in &forest.trees {
        add_tree(&mut source, tree);
    }
    source + "];\n"
}

fn add_tree(source: &mut String, tree: &Tree) {
    let splits = tree.splits.iter().map(|question| {
        if *question == Split::NONE {
            "NONE".to_owned()
        } else {
            format!("split({}, {:?})", question.feature, question.threshold)
        }
    });
    let leaves = tree.leaves.iter().map(|leaf| format!("{leaf:?}"));
    add(
        source,
        format_args!(
            "    Tree {{\n        splits: [{}],\n        leaves: [{}],\n    }},\n",
            splits.collect::<Vec<_>>().join(", "),
            leaves.collect::<Vec<_>>().join(", "),
        ),
    );
}

fn add(source: &mut String, text: std::fmt::Arguments<'_>) {
    source.write_fmt(text).expect("a string takes any text");
}
