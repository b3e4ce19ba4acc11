//! Trains the boosted trees: each tree takes a Newton step on the log loss of those before it (as XGBoost does).

use crate::dataset::Example;
use crate::histogram::{Bins, Sums};
use crate::metrics;
use fraud_detection::model::{
    FEATURES, Features, LEAVES, Reason, SPLITS, Split, Tree, ln, probability,
};

/// Trees that are grown; as many of them ship as do best on the validation set.
const TREES_MAX: usize = 48;

/// How much of its step a tree takes: small steps, many trees.
const RATE: f64 = 0.3;

/// Added to the curvature of a leaf, so that leaves with few examples say little.
const PENALTY: f64 = 5.0;

/// Curvature that each side of a split needs: about this many examples of which the trees before are unsure.
const CURVATURE_MIN: f64 = 4.0;

/// What a split has to gain.
const GAIN_MIN: f64 = 1.0;

/// What the trees have learnt.
#[derive(Debug, Clone)]
pub struct Forest {
    /// The log-odds before the first tree.
    pub base: f64,
    /// The trees, in the order in which they were grown.
    pub trees: Vec<Tree>,
}

impl Forest {
    /// The log-odds that an order with these features is fraud.
    pub fn log_odds(&self, features: &Features) -> f64 {
        let values = self.trees.iter().map(|tree| tree.value(features));
        values.fold(self.base, |sum, value| sum + value)
    }
}

/// Learns from `training`, with as many trees as do best on `validation`.
pub fn train(training: &[Example], validation: &[Example]) -> Forest {
    let bins = Bins::of(training);
    let rows: Vec<[u8; FEATURES]> = training.iter().map(|one| bins.row(&one.features)).collect();
    let base = base(training);
    let mut trees: Vec<Tree> = Vec::new();
    let mut learnt = vec![base; training.len()];
    let mut judged = vec![base; validation.len()];
    let mut best = (f64::INFINITY, 0);
    while trees.len() < TREES_MAX {
        let slopes: Vec<Sums> = training
            .iter()
            .zip(&learnt)
            .map(|(example, log_odds)| {
                let expected = probability(*log_odds);
                Sums {
                    slope: expected - example.label(),
                    curvature: expected * (1.0 - expected),
                }
            })
            .collect();
        let tree = Grower {
            bins: &bins,
            rows: &rows,
            slopes: &slopes,
        }
        .grow();
        for (examples, sums) in [(training, &mut learnt), (validation, &mut judged)] {
            for (example, sum) in examples.iter().zip(sums) {
                *sum += tree.value(&example.features);
            }
        }
        trees.push(tree);
        let loss = metrics::log_loss_of(validation, &judged);
        if loss < best.0 {
            best = (loss, trees.len());
        }
    }
    trees.truncate(best.1);
    Forest { base, trees }
}

/// The log-odds of fraud if nothing else is known, to four decimals.
fn base(training: &[Example]) -> f64 {
    let frauds: f64 = training.iter().map(Example::label).sum();
    let odds = frauds / (training.len() as f64 - frauds);
    (ln(odds) * 1e4).round() / 1e4
}

/// Grows one tree.
struct Grower<'data> {
    bins: &'data Bins,
    rows: &'data [[u8; FEATURES]],
    slopes: &'data [Sums],
}

/// A node that is to be split or to become a leaf.
struct Node {
    /// Its place: questions first, then leaves.
    at: usize,
    /// The examples that come here.
    examples: Vec<u32>,
    /// Between these its value has to lie, so that a suspicious sign never lowers the score.
    bounds: (f64, f64),
}

/// The best question for a node.
struct Choice {
    gain: f64,
    feature: usize,
    bin: u8,
    /// Values of the two sides, halfway between which their bounds meet.
    values: (f64, f64),
}

impl Grower<'_> {
    fn grow(&self) -> Tree {
        let mut tree = Tree {
            splits: [Split::NONE; SPLITS],
            leaves: [0.0; LEAVES],
        };
        let mut open = vec![Node {
            at: 0,
            examples: (0..self.rows.len() as u32).collect(),
            bounds: (f64::NEG_INFINITY, f64::INFINITY),
        }];
        while let Some(node) = open.pop() {
            if node.at >= SPLITS {
                let value = bounded(value(self.sum(&node.examples)), node.bounds);
                tree.leaves[node.at - SPLITS] = ((value * RATE * 1e4).round() / 1e4) as f32;
            } else if let Some(choice) = self.choose(&node) {
                tree.splits[node.at] = Split {
                    feature: choice.feature as u8,
                    threshold: self.bins.threshold(choice.feature, choice.bin),
                };
                open.extend(self.split(node, &choice));
            } else {
                // Everything goes left, down to a leaf.
                open.push(Node {
                    at: 2 * node.at + 1,
                    ..node
                });
            }
        }
        tree
    }

    fn sum(&self, examples: &[u32]) -> Sums {
        let slopes = examples
            .iter()
            .map(|example| self.slopes[*example as usize]);
        slopes.fold(Sums::default(), Sums::plus)
    }

    fn choose(&self, node: &Node) -> Option<Choice> {
        let total = self.sum(&node.examples);
        let mut best: Option<Choice> = None;
        for (feature, reason) in Reason::ALL.into_iter().enumerate() {
            let mut left = Sums::default();
            let histogram = self
                .bins
                .histogram(feature, &node.examples, self.rows, self.slopes);
            for (bin, sums) in (0..self.bins.splits(feature)).zip(histogram) {
                left = left.plus(sums);
                let right = total.minus(left);
                if left.curvature.min(right.curvature) < CURVATURE_MIN {
                    continue;
                }
                let values = (
                    bounded(value(left), node.bounds),
                    bounded(value(right), node.bounds),
                );
                if is_suspicious(reason) && values.0 > values.1 {
                    continue;
                }
                let gain = gain(left, values.0) + gain(right, values.1)
                    - gain(total, bounded(value(total), node.bounds));
                if gain > best.as_ref().map_or(GAIN_MIN, |best| best.gain) {
                    best = Some(Choice {
                        gain,
                        feature,
                        bin,
                        values,
                    });
                }
            }
        }
        best
    }

    fn split(&self, node: Node, choice: &Choice) -> [Node; 2] {
        let (left, right) = node
            .examples
            .iter()
            .partition(|example| self.rows[**example as usize][choice.feature] <= choice.bin);
        let (low, high) = node.bounds;
        let (left_bounds, right_bounds) = if is_suspicious(Reason::ALL[choice.feature]) {
            let middle = (choice.values.0 + choice.values.1) / 2.0;
            ((low, middle), (middle, high))
        } else {
            (node.bounds, node.bounds)
        };
        let child = |at, examples, bounds| Node {
            at,
            examples,
            bounds,
        };
        [
            child(2 * node.at + 1, left, left_bounds),
            child(2 * node.at + 2, right, right_bounds),
        ]
    }
}

/// The value of a leaf: where the parabola through slope and curvature is lowest.
fn value(sums: Sums) -> f64 {
    -sums.slope / (sums.curvature + PENALTY)
}

/// How much a leaf with this value lowers the loss.
fn gain(sums: Sums, value: f64) -> f64 {
    -(sums.slope * value + (sums.curvature + PENALTY) * value * value / 2.0)
}

fn bounded(value: f64, (low, high): (f64, f64)) -> f64 {
    value.max(low).min(high)
}

/// Whether more of it can only make an order more suspicious. What is bought, and how, can speak for or against.
fn is_suspicious(reason: Reason) -> bool {
    match reason {
        Reason::CardCountry
        | Reason::EmailDigits
        | Reason::EmailDisposable
        | Reason::EmailDomain
        | Reason::EmailName
        | Reason::Night
        | Reason::Velocity
        | Reason::Device
        | Reason::Language => true,
        Reason::Amount
        | Reason::Copies
        | Reason::Titles
        | Reason::Gift
        | Reason::Shipping
        | Reason::Address
        | Reason::Discount => false,
    }
}
