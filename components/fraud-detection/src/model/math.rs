//! Exponential and logarithm, from additions and multiplications only.
//!
//! The standard library leaves the last digits of these to the platform. A score that natively is 0.8 and in a component a bit
//! less would decide differently, and tables trained elsewhere would differ.

use core::f64::consts::{LN_2, SQRT_2};

/// ln 2 in two parts: a multiple of the first below 2^11 is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Beyond this the result would not be a normal number.
const EXPONENT_MAX: f64 = 700.0;

/// e to the power of `exponent`, which is taken as at most 700 and at least -700; relative error below 1e-14.
pub fn exp(exponent: f64) -> f64 {
    let exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let half = if exponent < 0.0 { -0.5 } else { 0.5 };
    let doublings = (exponent / LN_2 + half) as i64;
    let rest = exponent - doublings as f64 * LN_2_HIGH - doublings as f64 * LN_2_LOW;
    let mut sum = 1.0;
    for term in (1..=13).rev() {
        sum = 1.0 + sum * rest / f64::from(term);
    }
    // Adding to the exponent's bits is a multiplication with a power of two.
    f64::from_bits(sum.to_bits().wrapping_add_signed(doublings << 52))
}

/// The natural logarithm of a positive normal number; relative error below 1e-14.
pub fn ln(number: f64) -> f64 {
    debug_assert!(number >= f64::MIN_POSITIVE, "{number} has no logarithm");
    let bits = number.to_bits();
    let mut doublings = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > SQRT_2 {
        mantissa /= 2.0;
        doublings += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let mut sum = 0.0;
    for term in (0..=10).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    doublings as f64 * LN_2_HIGH + (2.0 * ratio * sum + doublings as f64 * LN_2_LOW)
}

/// The probability that belongs to a logarithm of odds.
pub fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + exp(-log_odds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-14 * expected.abs(),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn agree_with_the_standard_library() {
        for step in -70_000..=70_000 {
            let exponent = f64::from(step) / 100.0;
            check(exp(exponent), exponent.exp());
        }
        for step in 1..=100_000 {
            let number = f64::from(step) / 1000.0;
            check(ln(number), number.ln());
            check(ln(1.0 / number), (1.0 / number).ln());
        }
    }

    #[test]
    fn exponents_are_bounded() {
        check(exp(1e9), exp(700.0));
        check(exp(f64::NEG_INFINITY), exp(-700.0));
    }

    #[test]
    fn even_odds_are_one_half() {
        check(logistic(0.0), 0.5);
        check(logistic(1e9), 1.0);
        assert!(logistic(-1e9) < 1e-300);
    }
}
