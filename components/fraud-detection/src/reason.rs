//! Why an order is rejected as fraud.

/// One reason for each rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The card is a well-known test card.
    TestCard,
    /// The address is one that its owner throws away.
    DisposableEmail,
    /// The model's score is too high.
    Suspected,
}

impl Reason {
    /// The name for programs, part of the WIT contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::TestCard => "FRAUD_TEST_CARD",
            Self::DisposableEmail => "FRAUD_DISPOSABLE_EMAIL",
            Self::Suspected => "FRAUD_SUSPECTED",
        }
    }

    /// The same for the customer. `observations` are the model's, in sentences.
    pub fn message(self, observations: &[String]) -> String {
        match self {
            Self::TestCard => "This credit card is known to be used for fraud.".into(),
            Self::DisposableEmail => "Orders need an e-mail address that stays valid.".into(),
            Self::Suspected => {
                let mut message = "The order looks like fraud.".to_owned();
                for observation in observations {
                    message.extend([" ", observation]);
                }
                message
            }
        }
    }
}
