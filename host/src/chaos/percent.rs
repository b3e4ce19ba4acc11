//! A share of messages, from none to all of them.

use super::ChaosError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a percentage is counted in, so that comparing and drawing need no fractions.
const MILLION: u32 = 1_000_000;
/// Millionths in one percent.
const PER_PERCENT: f64 = 10_000.0;

/// 0 to 100 percent, in steps of 0.0001 percent. Text is `20%`, JSON a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent {
    millionths: u32,
}

impl Percent {
    /// Nothing.
    pub const NONE: Self = Self { millionths: 0 };
    /// Everything.
    pub const ALL: Self = Self {
        millionths: MILLION,
    };

    /// Whether a draw, which is equally likely to be any number, falls into the share.
    #[must_use]
    pub fn contains(self, draw: u64) -> bool {
        // Scaled instead of divided: the remainder of a division would favour small numbers.
        (u128::from(draw) * u128::from(MILLION)) >> 64 < u128::from(self.millionths)
    }
}

impl TryFrom<f64> for Percent {
    type Error = ChaosError;

    fn try_from(percent: f64) -> Result<Self, ChaosError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(ChaosError::Invalid(format!(
                "{percent}% is out of range; write a share from 0% to 100%"
            )));
        }
        // In range, so neither sign nor size is lost.
        let millionths = (percent * PER_PERCENT).round() as u32;
        if millionths == 0 && percent > 0.0 {
            return Err(ChaosError::Invalid(format!(
                "{percent}% is less than can be told apart; write 0.0001% or more"
            )));
        }
        Ok(Self { millionths })
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        Self::from(percent.millionths) / PER_PERCENT
    }
}

impl FromStr for Percent {
    type Err = ChaosError;

    fn from_str(text: &str) -> Result<Self, ChaosError> {
        let is_decimal = |number: &&str| {
            number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        let number = text.strip_suffix('%').filter(is_decimal);
        match number.and_then(|number| number.parse::<f64>().ok()) {
            Some(percent) => percent.try_into(),
            None => {
                let meant = text.trim_end_matches('%').trim();
                let is_number = is_decimal(&meant) && meant.parse::<f64>().is_ok();
                let example = if is_number { meant } else { "20" };
                Err(ChaosError::Invalid(format!(
                    "{text:?} is not a share of messages; write a number with a percent sign, for example {example}%"
                )))
            }
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let actual = match text.parse::<Percent>() {
            Ok(percent) => format!("{percent} {}", percent.millionths),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&actual);
    }

    #[test]
    fn a_share_is_a_number_with_a_percent_sign() {
        check("0%", expect!["0% 0"]);
        check("20%", expect!["20% 200000"]);
        check("0.5%", expect!["0.5% 5000"]);
        check("33.3333%", expect!["33.3333% 333333"]);
        check("100%", expect!["100% 1000000"]);
    }

    #[test]
    fn anything_else_is_answered_with_what_to_write() {
        check(
            "20",
            expect![[
                r#""20" is not a share of messages; write a number with a percent sign, for example 20%"#
            ]],
        );
        check(
            "0.5 %",
            expect![[
                r#""0.5 %" is not a share of messages; write a number with a percent sign, for example 0.5%"#
            ]],
        );
        check(
            "half",
            expect![[
                r#""half" is not a share of messages; write a number with a percent sign, for example 20%"#
            ]],
        );
        for text in ["", "%", "-1%", "nan%", "inf%", "1e1%", ".%"] {
            assert!(text.parse::<Percent>().is_err(), "{text:?}");
        }
        check(
            "101%",
            expect!["101% is out of range; write a share from 0% to 100%"],
        );
        check(
            "0.00001%",
            expect!["0.00001% is less than can be told apart; write 0.0001% or more"],
        );
    }

    #[test]
    fn json_has_plain_numbers_and_checks_them() {
        let half: Percent = serde_json::from_str("0.5").expect("a share");
        assert_eq!(serde_json::to_string(&half).expect("text"), "0.5");
        for text in ["-0.1", "100.1", "\"20%\"", "null"] {
            assert!(serde_json::from_str::<Percent>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn none_and_all_have_no_exceptions() {
        for draw in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(!Percent::NONE.contains(draw));
            assert!(Percent::ALL.contains(draw));
        }
    }
}
