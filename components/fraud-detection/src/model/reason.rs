//! Why a model finds an order suspicious: one reason for each feature.

use core::fmt;

/// A reason, named after the feature that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The basket's price.
    Amount,
    /// The copies of each title.
    Copies,
    /// The different titles.
    Titles,
    /// The card was issued in another country than it is billed in.
    CardCountry,
    /// The e-mail address has digits in its local part.
    EmailDigits,
    /// The e-mail address is at a provider of throw-away addresses.
    EmailDisposable,
    /// The e-mail address is in a top-level domain that costs next to nothing.
    EmailDomain,
    /// The e-mail address has nothing of the customer's name.
    EmailName,
    /// It is night where the customer is.
    Night,
    /// The same contact has ordered within the last hour.
    Velocity,
    /// The books are a gift.
    Gift,
    /// The books are in a hurry.
    Shipping,
    /// The order says nothing about its device.
    Device,
    /// The order has no billing address.
    Address,
    /// The device speaks the language of another country.
    Language,
    /// The order came with a discount code.
    Discount,
}

impl Reason {
    /// All of them, in the order of the features.
    pub const ALL: [Self; 16] = [
        Self::Amount,
        Self::Copies,
        Self::Titles,
        Self::CardCountry,
        Self::EmailDigits,
        Self::EmailDisposable,
        Self::EmailDomain,
        Self::EmailName,
        Self::Night,
        Self::Velocity,
        Self::Gift,
        Self::Shipping,
        Self::Device,
        Self::Address,
        Self::Language,
        Self::Discount,
    ];

    /// The name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Amount => "UNUSUAL_AMOUNT",
            Self::Copies => "UNUSUAL_COPIES",
            Self::Titles => "UNUSUAL_TITLES",
            Self::CardCountry => "CARD_COUNTRY_MISMATCH",
            Self::EmailDigits => "DIGITS_IN_EMAIL",
            Self::EmailDisposable => "DISPOSABLE_EMAIL",
            Self::EmailDomain => "CHEAP_EMAIL_DOMAIN",
            Self::EmailName => "NAME_NOT_IN_EMAIL",
            Self::Night => "NIGHT_HOURS",
            Self::Velocity => "MANY_RECENT_ORDERS",
            Self::Gift => "GIFT_WRAPPING",
            Self::Shipping => "FAST_SHIPPING",
            Self::Device => "UNKNOWN_DEVICE",
            Self::Address => "NO_BILLING_ADDRESS",
            Self::Language => "LANGUAGE_MISMATCH",
            Self::Discount => "DISCOUNT_CODE",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Amount => "The price of the basket is unusual.",
            Self::Copies => "The number of copies of each title is unusual.",
            Self::Titles => "The number of different titles is unusual.",
            Self::CardCountry => "The card was issued in another country than it is billed in.",
            Self::EmailDigits => "Much of the e-mail address is digits.",
            Self::EmailDisposable => "The e-mail address is at a provider of throw-away addresses.",
            Self::EmailDomain => "The e-mail address is in a domain that costs next to nothing.",
            Self::EmailName => "The e-mail address has nothing of the customer's name.",
            Self::Night => "The order was placed at night.",
            Self::Velocity => "The same contact has ordered several times within an hour.",
            Self::Gift => "The books are to be wrapped as a gift.",
            Self::Shipping => "The books are to travel fast.",
            Self::Device => "The order does not say which device it was placed with.",
            Self::Address => "There is no billing address.",
            Self::Language => "The device speaks the language of another country.",
            Self::Discount => "The order came with a discount code.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_reason_has_its_place_its_code_and_its_words() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(place, reason as usize);
        }
        let codes: BTreeSet<&str> = Reason::ALL.map(Reason::code).into();
        let words: BTreeSet<String> = Reason::ALL.map(|reason| reason.to_string()).into();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
