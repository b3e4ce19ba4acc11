//! A decision as the client reads it.

use crate::bindings::bookshop::shop::types::{Book, Decision, Outcome, Rejection, VectorClock};
use serde::Serialize;

/// The JSON answer to a checkout.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    order_id: &'a str,
    status: &'static str,
    suggested_books: Vec<SuggestedBook<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason<'a>>,
    clock: Clock,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SuggestedBook<'a> {
    book_id: &'a str,
    title: &'a str,
    author: &'a str,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: &'a str,
    message: &'a str,
    service: &'a str,
}

/// A vector clock, its places named like the services.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Clock {
    orchestrator: u32,
    transaction_verification: u32,
    fraud_detection: u32,
    suggestions: u32,
}

impl<'a> From<&'a Decision> for Answer<'a> {
    fn from(decision: &'a Decision) -> Self {
        let (status, suggested_books, reason) = match &decision.outcome {
            Outcome::Approved(books) => (
                "Order Approved",
                books.iter().map(SuggestedBook::from).collect(),
                None,
            ),
            Outcome::Rejected(rejection) => {
                ("Order Rejected", Vec::new(), Some(Reason::from(rejection)))
            }
        };
        Self {
            order_id: &decision.order_id,
            status,
            suggested_books,
            reason,
            clock: decision.clock.into(),
        }
    }
}

impl Answer<'_> {
    /// The status that an order has as soon as this is decided.
    pub fn status_now(&self) -> &'static str {
        if self.reason.is_some() {
            "rejected"
        } else {
            "approved"
        }
    }
}

impl<'a> From<&'a Book> for SuggestedBook<'a> {
    fn from(Book { id, title, author }: &'a Book) -> Self {
        Self {
            book_id: id,
            title,
            author,
        }
    }
}

impl<'a> From<&'a Rejection> for Reason<'a> {
    fn from(
        Rejection {
            code,
            message,
            service,
        }: &'a Rejection,
    ) -> Self {
        Self {
            code,
            message,
            service,
        }
    }
}

impl From<VectorClock> for Clock {
    fn from(clock: VectorClock) -> Self {
        let VectorClock {
            orchestrator,
            transaction_verification,
            fraud_detection,
            suggestions,
        } = clock;
        Self {
            orchestrator,
            transaction_verification,
            fraud_detection,
            suggestions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(outcome: Outcome, expected: &str) {
        let clock = VectorClock {
            orchestrator: 8,
            transaction_verification: 3,
            fraud_detection: 2,
            suggestions: 1,
        };
        let decision = Decision {
            order_id: "1-2".into(),
            outcome,
            clock,
            events: Vec::new(),
        };
        let text = serde_json::to_string(&Answer::from(&decision)).expect("answers are JSON");
        let clock = r#""clock":{"orchestrator":8,"transaction-verification":3,"fraud-detection":2,"suggestions":1}"#;
        assert_eq!(text, format!(r#"{{"orderId":"1-2",{expected},{clock}}}"#));
    }

    #[test]
    fn an_approval_has_books_and_no_reason() {
        let book = Book {
            id: "emma".into(),
            title: "Emma".into(),
            author: "Jane \"A.\" Austen".into(),
        };
        let books = r#"[{"bookId":"emma","title":"Emma","author":"Jane \"A.\" Austen"}]"#;
        check(
            Outcome::Approved(vec![book]),
            &format!(r#""status":"Order Approved","suggestedBooks":{books}"#),
        );
    }

    #[test]
    fn a_rejection_has_a_reason_and_no_books() {
        let rejection = Rejection {
            code: "EMPTY_ITEMS".into(),
            message: "Empty.".into(),
            service: "v".into(),
        };
        let reason = r#"{"code":"EMPTY_ITEMS","message":"Empty.","service":"v"}"#;
        check(
            Outcome::Rejected(rejection),
            &format!(r#""status":"Order Rejected","suggestedBooks":[],"reason":{reason}"#),
        );
    }
}
