//! Version 2: gradient-boosted trees. Each tree asks four questions and adds the leaf it ends at to the log-odds, so what one
//! feature means can depend on others.

mod table;

use super::Model;
use super::features::Features;

/// Questions from the root to a leaf.
pub const DEPTH: usize = 4;

/// Questions of a tree.
pub const SPLITS: usize = LEAVES - 1;

/// Leaves of a tree.
pub const LEAVES: usize = 1 << DEPTH;

/// One question: is the feature above the threshold?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The feature's place.
    pub feature: u8,
    /// Above it the way goes right, else left.
    pub threshold: f32,
}

impl Split {
    /// Where nothing is worth asking: always left.
    pub const NONE: Self = split(0, f32::INFINITY);
}

/// A [`Split`], short enough for the table.
const fn split(feature: u8, threshold: f32) -> Split {
    Split { feature, threshold }
}

/// A complete tree. The children of question `n` are the questions `2n + 1` (left) and `2n + 2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tree {
    /// The questions, from the root downwards.
    pub splits: [Split; SPLITS],
    /// What each leaf adds to the log-odds, from the left.
    pub leaves: [f32; LEAVES],
}

impl Tree {
    /// What this tree adds to the log-odds.
    pub fn value(&self, features: &Features) -> f64 {
        let mut node = 0;
        for _ in 0..DEPTH {
            let Split { feature, threshold } = self.splits[node];
            let is_above = features.values()[usize::from(feature)] > f64::from(threshold);
            node = 2 * node + 1 + usize::from(is_above);
        }
        f64::from(self.leaves[node - SPLITS])
    }
}

/// The boosted trees that ship.
#[derive(Debug, Clone, Copy)]
pub struct Trees;

impl Trees {
    /// The log-odds before the first tree.
    pub const BASE: f64 = table::BASE;
    /// The trees, in the order in which they were grown.
    pub const TREES: &[Tree] = &table::TREES;
}

impl Model for Trees {
    const NAME: &'static str = "boosted trees";

    fn log_odds(features: &Features) -> f64 {
        let values = Self::TREES.iter().map(|tree| tree.value(features));
        values.fold(Self::BASE, |sum, value| sum + value)
    }
}
