//! Why an order looks like fraud.

use std::fmt;

/// One reason for each hard rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The card is a well-known test card.
    TestCard,
    /// The address is one that its owner throws away.
    DisposableEmail,
}

impl Reason {
    /// The name for programs, part of the WIT contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::TestCard => "FRAUD_TEST_CARD",
            Self::DisposableEmail => "FRAUD_DISPOSABLE_EMAIL",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TestCard => "This credit card is known to be used for fraud.",
            Self::DisposableEmail => "Orders need an e-mail address that stays valid.",
        })
    }
}
