//! The models of fraud: from what an order shows to a score and the reasons for it.
//!
//! Pure: no clock, no configuration, no WIT type; the same signals get the same score, to the last bit, on every machine.
//! Called by the component's events, by version 2 of the component with the other model, and by `tests/fraud-training`, which
//! writes the tables `logistic/table.rs` and `trees/table.rs`. So training and service see an order through the same eyes.
//!
//! The caller fills in [`Signals`], names a [`Model`] ([`Logistic`] is version 1, [`Trees`] version 2) and compares the score
//! with its threshold:
//! ```ignore
//! let assessment = model::assess::<Logistic>(&signals);
//! if assessment.score >= model::THRESHOLD {
//!     for reason in assessment.reasons() {
//!         println!("{}: {reason}", reason.code());
//!     }
//! }
//! ```

mod assessment;
mod card;
mod country;
mod email;
mod features;
mod logistic;
mod math;
mod reason;
mod signals;
mod trees;

#[cfg(test)]
mod tests;

pub use assessment::{Assessment, REASONS_MAX, THRESHOLD, assess, assess_features, threshold};
pub use features::{FEATURES, Features};
pub use logistic::{Logistic, Weights};
pub use math::{exp, ln, logistic as probability};
pub use reason::Reason;
pub use signals::{Shipping, Signals};
pub use trees::{DEPTH, LEAVES, SPLITS, Split, Tree, Trees};

/// A trained model.
pub trait Model {
    /// What logs and answers call it.
    const NAME: &'static str;

    /// The natural logarithm of the odds that an order with these features is fraud: 0 is even, positive is more likely.
    fn log_odds(features: &Features) -> f64;
}

/// The model of this component. Version 2, the package `fraud-detection-v2`, is the same source with the feature `version-2`.
#[cfg(not(feature = "version-2"))]
pub type Current = Logistic;
/// The model of this component: see the package `fraud-detection-v2`.
#[cfg(feature = "version-2")]
pub type Current = Trees;
