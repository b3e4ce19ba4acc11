//! Why an order is rejected.

use std::fmt;

/// One reason for each thing that the customer has to correct.
///
/// The texts are for the customer and hold nothing of what was entered: they may end up in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is nothing in the basket.
    EmptyItems,
    /// There are too many lines in the basket.
    TooManyItems,
    /// A line names no book.
    InvalidItem,
    /// A line asks for too few or too many copies.
    InvalidQuantity,
    /// The catalogue has no such book.
    UnknownBook,
    /// The user has no name.
    InvalidUserName,
    /// The user's contact is not an e-mail address.
    InvalidUserContact,
    /// A field of the billing address is empty.
    InvalidAddress,
    /// The terms are not accepted.
    TermsNotAccepted,
    /// The card number cannot be one.
    InvalidCardNumber,
    /// The expiration date is not a month.
    InvalidExpiry,
    /// The expiration date is past.
    CardExpired,
    /// The verification value cannot be one.
    InvalidCvv,
}

impl Reason {
    /// The name for programs, part of the WIT contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::EmptyItems => "EMPTY_ITEMS",
            Self::TooManyItems => "TOO_MANY_ITEMS",
            Self::InvalidItem => "INVALID_ITEM",
            Self::InvalidQuantity => "INVALID_QUANTITY",
            Self::UnknownBook => "UNKNOWN_BOOK",
            Self::InvalidUserName => "INVALID_USER_NAME",
            Self::InvalidUserContact => "INVALID_USER_CONTACT",
            Self::InvalidAddress => "INVALID_ADDRESS",
            Self::TermsNotAccepted => "TERMS_NOT_ACCEPTED",
            Self::InvalidCardNumber => "INVALID_CARD_NUMBER",
            Self::InvalidExpiry => "INVALID_EXPIRY",
            Self::CardExpired => "CARD_EXPIRED",
            Self::InvalidCvv => "INVALID_CVV",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EmptyItems => "The basket is empty.",
            Self::TooManyItems => "The basket has more than 100 lines.",
            Self::InvalidItem => "A line of the basket does not name a book.",
            Self::InvalidQuantity => "Each quantity must be from 1 to 1,000,000.",
            Self::UnknownBook => "The shop does not have one of the books.",
            Self::InvalidUserName => "The user's name is missing.",
            Self::InvalidUserContact => "The user's contact must be an e-mail address.",
            Self::InvalidAddress => {
                "The billing address must have a street, city, state, zip and country."
            }
            Self::TermsNotAccepted => "The terms and conditions must be accepted.",
            Self::InvalidCardNumber => "The credit card's number is not valid.",
            Self::InvalidExpiry => {
                "The credit card's expiration date must have the form MM/YY or MM/YYYY."
            }
            Self::CardExpired => "The credit card has expired.",
            Self::InvalidCvv => "The credit card's CVV must have 3 or 4 digits.",
        })
    }
}
