//! What a model says about one order.

use super::Model;
use super::features::{FEATURES, Features};
use super::math;
use super::reason::Reason;
use super::signals::Signals;

/// The score from which an order is rejected, unless the configuration says otherwise.
pub const THRESHOLD: f64 = 0.8;

/// Reasons that an assessment has at most.
pub const REASONS_MAX: usize = 3;

/// What has to weigh this much, in log-odds, to be given as a reason: less would not be noticed in the score.
const WEIGHT_MIN: f64 = 0.05;

/// What a model says about one order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// The probability, 0 to 1, that the order is fraud: of ten orders that score 0.9, nine are.
    pub score: f64,
    /// See [`Assessment::reasons`].
    reasons: [Option<Reason>; REASONS_MAX],
}

impl Assessment {
    /// What makes the order look more like fraud than an ordinary one, the weightiest first: up to [`REASONS_MAX`], none if
    /// it is ordinary in every respect.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.reasons.into_iter().flatten()
    }
}

/// Asks a model about an order.
pub fn assess<M: Model>(signals: &Signals<'_>) -> Assessment {
    assess_features(M::log_odds, &Features::of(signals))
}

/// Reads a threshold from the configuration; [`THRESHOLD`] if it has none.
///
/// # Errors
/// The text is not a number from 0 to 1.
pub fn threshold(text: Option<&str>) -> Result<f64, String> {
    let Some(text) = text else {
        return Ok(THRESHOLD);
    };
    match text.trim().parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        Ok(_) | Err(_) => Err(format!(
            "the threshold of fraud is a number from 0 to 1, not {text:?}"
        )),
    }
}

/// Asks anything that answers log-odds about features.
///
/// A reason weighs as much as the log-odds would fall if its feature were that of an ordinary order. This holds for any model,
/// so both versions explain themselves alike.
pub fn assess_features(log_odds: impl Fn(&Features) -> f64, features: &Features) -> Assessment {
    let total = log_odds(features);
    let mut weighed = [(0.0, None); FEATURES];
    for (place, reason) in weighed.iter_mut().zip(Reason::ALL) {
        if let Some(ordinary) = features.with_ordinary(reason) {
            let weight = total - log_odds(&ordinary);
            if weight >= WEIGHT_MIN {
                *place = (weight, Some(reason));
            }
        }
    }
    // Stable, so equal weights keep the order of the features.
    weighed.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut reasons = [None; REASONS_MAX];
    for (place, (_, reason)) in reasons.iter_mut().zip(weighed) {
        *place = reason;
    }
    Assessment {
        score: math::logistic(total),
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::PREFILLED;
    use super::*;
    use crate::model::Shipping;

    /// A model of which it is known what it thinks: digits weigh 1, night 2, a hurry 3 for each step, and a gift speaks for an order.
    fn log_odds(features: &Features) -> f64 {
        let value = |reason: Reason| features.values()[reason as usize];
        value(Reason::EmailDigits)
            + 2.0 * value(Reason::Night)
            + 3.0 * value(Reason::Shipping)
            + 4.0 * value(Reason::Device)
            - 5.0 * value(Reason::Gift)
    }

    #[track_caller]
    fn check(signals: Signals<'_>, score: f64, reasons: &[Reason]) {
        let assessment = assess_features(log_odds, &Features::of(&signals));
        assert!((assessment.score - score).abs() < 1e-9, "{assessment:?}");
        assert_eq!(assessment.reasons().collect::<Vec<_>>(), reasons);
    }

    #[test]
    fn reasons_are_what_weighs_most_against_an_order() {
        let plain = Signals {
            gift_wrapping: false,
            ..PREFILLED
        };
        check(plain, 0.5, &[]);
        check(PREFILLED, math::logistic(-5.0), &[]);
        check(
            Signals {
                contact: "1234@example.com",
                hour_utc: 8,
                ..plain
            },
            math::logistic(3.0),
            &[Reason::Night, Reason::EmailDigits],
        );
        check(
            Signals {
                contact: "1234@example.com",
                hour_utc: 8,
                shipping: Shipping::NextDay,
                has_device: false,
                ..PREFILLED
            },
            math::logistic(8.0),
            &[Reason::Shipping, Reason::Device, Reason::Night],
        );
    }

    #[test]
    fn a_threshold_is_a_probability() {
        let check = |text, expected: Option<f64>| assert_eq!(threshold(text).ok(), expected);
        check(None, Some(THRESHOLD));
        check(Some("0.8"), Some(0.8));
        check(Some(" 1 "), Some(1.0));
        check(Some("0"), Some(0.0));
        check(Some("1.1"), None);
        check(Some("-0.1"), None);
        check(Some("NaN"), None);
        check(Some("80 %"), None);
        check(Some(""), None);
    }
}
