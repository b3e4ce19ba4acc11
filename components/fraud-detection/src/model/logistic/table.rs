//! The weights of version 1. Written by `cargo run --release -p fraud-training`: change that, not this.

use super::Weights;

/// What was learnt from the training set.
#[allow(
    clippy::approx_constant,
    reason = "a number that looks like a known one is chance"
)]
#[rustfmt::skip]
pub const WEIGHTS: Weights = Weights {
    bias: -11.7161,
    weights: [
        0.6715, // UNUSUAL_AMOUNT
        -0.5686, // UNUSUAL_COPIES
        -0.0439, // UNUSUAL_TITLES
        3.3101, // CARD_COUNTRY_MISMATCH
        2.4371, // DIGITS_IN_EMAIL
        4.4333, // DISPOSABLE_EMAIL
        4.129, // CHEAP_EMAIL_DOMAIN
        1.3325, // NAME_NOT_IN_EMAIL
        0.7462, // NIGHT_HOURS
        0.4684, // MANY_RECENT_ORDERS
        -0.1841, // GIFT_WRAPPING
        0.7543, // FAST_SHIPPING
        0.474, // UNKNOWN_DEVICE
        -0.0285, // NO_BILLING_ADDRESS
        0.2731, // LANGUAGE_MISMATCH
        -1.2374, // DISCOUNT_CODE
    ],
};
