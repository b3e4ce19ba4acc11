//! The features: what the models see of an order, as numbers.
//!
//! Every feature is bounded, so that nothing that can be said without limit (copies, price, orders in an hour) can outweigh all else.

use super::reason::Reason;
use super::signals::{Shipping, Signals};
use super::{card, country, email, math};

/// How many features there are; each has the place of its [`Reason`].
pub const FEATURES: usize = Reason::ALL.len();

/// Beyond these, more says nothing more.
const AMOUNT_MAX_CENTS: u64 = 100_000;
const COPIES_MAX: u64 = 20;
const TITLES_MAX: u32 = 12;
const RECENT_MAX: u32 = 12;

/// Hours of the night where the customer is: from midnight to five.
const NIGHT_ENDS: u8 = 5;

/// An order in which nothing is remarkable: two titles for 40.00, one copy each, placed by day and billed at home.
const ORDINARY: Features = Features([
    8.294_299_608_857_235, // ln(4001), which `the_ordinary_order_is_ordinary` checks.
    0.0,
    2.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
    0.0,
]);

/// The features of one order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Features([f64; FEATURES]);

impl Features {
    /// Reads them off an order.
    pub fn of(signals: &Signals<'_>) -> Self {
        let home = signals.country.and_then(country::find);
        let issued = card::issuing_country(signals.card_number);
        let elsewhere = |country: Option<&str>| match (home, country) {
            (Some(home), Some(country)) => home.code != country,
            // Nobody can tell.
            (None, _) | (_, None) => false,
        };
        let copies_each = signals.copies / u64::from(signals.titles.max(1));
        let local_hour = home.map_or(signals.hour_utc, |home| home.local_hour(signals.hour_utc));
        let value = |reason| match reason {
            Reason::Amount => log(signals.amount_cents, AMOUNT_MAX_CENTS),
            Reason::Copies => log(copies_each.saturating_sub(1), COPIES_MAX),
            Reason::Titles => f64::from(signals.titles.min(TITLES_MAX)),
            Reason::CardCountry => flag(elsewhere(issued)),
            Reason::EmailDigits => email::digits_share(signals.contact),
            Reason::EmailDisposable => flag(email::is_disposable(signals.contact)),
            Reason::EmailDomain => flag(email::is_cheap(signals.contact)),
            Reason::EmailName => flag(!email::has_name(signals.contact, signals.name)),
            Reason::Night => flag(local_hour < NIGHT_ENDS),
            Reason::Velocity => log(u64::from(signals.recent_orders), u64::from(RECENT_MAX)),
            Reason::Gift => flag(signals.gift_wrapping),
            Reason::Shipping => match signals.shipping {
                Shipping::Standard => 0.0,
                Shipping::Express => 1.0,
                Shipping::NextDay => 2.0,
            },
            Reason::Device => flag(!signals.has_device),
            Reason::Address => flag(signals.country.is_none()),
            Reason::Language => flag(elsewhere(signals.language.and_then(country::of_language))),
            Reason::Discount => flag(signals.has_discount),
        };
        Self(Reason::ALL.map(value))
    }

    /// The values, each at the place of its [`Reason`].
    pub fn values(&self) -> &[f64; FEATURES] {
        &self.0
    }

    /// The same but for one feature, which becomes that of an ordinary order; `None` if it is already.
    pub(super) fn with_ordinary(&self, reason: Reason) -> Option<Self> {
        let place = reason as usize;
        let mut changed = *self;
        changed.0[place] = ORDINARY.0[place];
        (changed != *self).then_some(changed)
    }
}

/// ln(1 + value), for values up to a maximum.
fn log(value: u64, max: u64) -> f64 {
    math::ln(1.0 + value.min(max) as f64)
}

fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::tests::PREFILLED;
    use super::*;

    #[track_caller]
    fn check(signals: Signals<'_>, reason: Reason, expected: f64) {
        assert_eq!(Features::of(&signals).0[reason as usize], expected);
    }

    /// The order that the page is filled in with, billed at home with a card and a device from there.
    const HOME: Signals<'_> = PREFILLED;

    #[test]
    fn the_ordinary_order_is_ordinary() {
        let signals = Signals {
            amount_cents: 4000,
            copies: 2,
            titles: 2,
            gift_wrapping: false,
            ..HOME
        };
        assert_eq!(Features::of(&signals), ORDINARY);
    }

    #[test]
    fn what_has_no_limit_is_bounded() {
        let most = |amount_cents, copies, recent_orders| Signals {
            amount_cents,
            copies,
            titles: 1,
            recent_orders,
            ..HOME
        };
        assert_eq!(
            Features::of(&most(100_000, 21, 12)),
            Features::of(&most(u64::MAX, u64::MAX, u32::MAX))
        );
        check(
            Signals {
                titles: u32::MAX,
                ..HOME
            },
            Reason::Titles,
            12.0,
        );
    }

    #[test]
    fn countries_differ_only_if_both_are_known() {
        let card = |country, card_number| Signals {
            country,
            card_number,
            ..HOME
        };
        check(
            card(Some("US"), "4111111111111111"),
            Reason::CardCountry,
            0.0,
        );
        check(
            card(Some("Estonia"), "4111111111111111"),
            Reason::CardCountry,
            1.0,
        );
        check(
            card(Some("Estonia"), "4539148803436467"),
            Reason::CardCountry,
            0.0,
        );
        check(
            card(Some("Atlantis"), "4111111111111111"),
            Reason::CardCountry,
            0.0,
        );
        check(card(None, "4111111111111111"), Reason::CardCountry, 0.0);
        check(
            Signals {
                language: Some("et-EE"),
                ..HOME
            },
            Reason::Language,
            1.0,
        );
        check(
            Signals {
                language: Some("es"),
                ..HOME
            },
            Reason::Language,
            0.0,
        );
        check(
            Signals {
                country: None,
                ..HOME
            },
            Reason::Address,
            1.0,
        );
    }

    #[test]
    fn night_is_where_the_customer_is() {
        let at = |country, hour_utc| Signals {
            country: Some(country),
            hour_utc,
            ..HOME
        };
        check(at("USA", 2), Reason::Night, 0.0);
        check(at("USA", 8), Reason::Night, 1.0);
        check(at("Estonia", 22), Reason::Night, 1.0);
        check(at("Estonia", 3), Reason::Night, 0.0);
        check(at("Atlantis", 4), Reason::Night, 1.0);
    }

    #[test]
    fn speed_and_the_rest_are_counted_from_nothing() {
        let shipping = |shipping| Signals { shipping, ..HOME };
        check(shipping(Shipping::Standard), Reason::Shipping, 0.0);
        check(shipping(Shipping::Express), Reason::Shipping, 1.0);
        check(shipping(Shipping::NextDay), Reason::Shipping, 2.0);
        check(HOME, Reason::Gift, 1.0);
        check(
            Signals {
                has_device: false,
                ..HOME
            },
            Reason::Device,
            1.0,
        );
        check(
            Signals {
                has_discount: true,
                ..HOME
            },
            Reason::Discount,
            1.0,
        );
    }
}
