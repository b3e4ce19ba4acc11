use super::*;
use crate::bindings::bookshop::platform::call_error::Failure;
use crate::bindings::bookshop::shop::types::{Rejection, VectorClock};
use std::task::Waker;

/// What one service does: how often it is asked in vain, and then its answer.
struct Script<T> {
    delay: u32,
    answer: Option<Result<T, CallError>>,
}

impl<T: Unpin> Future for Script<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if self.delay > 0 {
            self.delay -= 1;
            return Poll::Pending;
        }
        self.answer.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Reads `2 rejects`, `0 fails`, `1 accepts`; `never` does not answer at all.
fn script<T>(
    service: &str,
    text: &str,
    accepted: T,
    rejected: impl Fn(Rejection) -> T,
) -> Script<T> {
    let Some((delay, word)) = text.split_once(' ') else {
        return Script {
            delay: u32::MAX,
            answer: None,
        };
    };
    let answer = match word {
        "accepts" => Ok(accepted),
        "rejects" => Ok(rejected(Rejection {
            code: "NO".into(),
            message: "No.".into(),
            service: service.into(),
        })),
        "fails" => Err(CallError::Trapped(Failure {
            service: service.into(),
            message: "broken".into(),
        })),
        other => panic!("unknown answer {other}"),
    };
    Script {
        delay: delay.parse().expect("a number"),
        answer: Some(answer),
    }
}

/// Runs a checkout and prints its outcome and the number of events.
#[track_caller]
fn check(verification: &str, fraud: &str, suggestions: &str, expected: &str) {
    let book = Book {
        id: "a".into(),
        title: "A".into(),
        author: "B".into(),
    };
    let mut clock = Clock::default();
    let mut deciding = Box::pin(decide(
        script(
            "verification",
            verification,
            Verdict::Accepted,
            Verdict::Rejected,
        ),
        script("fraud", fraud, Verdict::Accepted, Verdict::Rejected),
        script("suggestions", suggestions, vec![book], |_| {
            panic!("suggestions reject nothing")
        }),
        &mut clock,
    ));
    let mut context = Context::from_waker(Waker::noop());
    let decided = (0..10).find_map(|_| match deciding.as_mut().poll(&mut context) {
        Poll::Ready(decided) => Some(decided),
        Poll::Pending => None,
    });
    let text = match decided {
        Some(Ok(Outcome::Approved(books))) => format!("approved with {}", books.len()),
        Some(Ok(Outcome::Rejected(rejection))) => format!("rejected by {}", rejection.service),
        Some(Err(CallError::Trapped(failure))) => format!("failed in {}", failure.service),
        Some(Err(other)) => format!("{other:?}"),
        None => "undecided".into(),
    };
    drop(deciding);
    let events = VectorClock::from(clock).orchestrator;
    assert_eq!(format!("{text} after {events}"), expected);
}

#[test]
fn approves_when_all_have_accepted() {
    check(
        "0 accepts",
        "0 accepts",
        "0 accepts",
        "approved with 1 after 6",
    );
    check(
        "2 accepts",
        "1 accepts",
        "0 accepts",
        "approved with 1 after 6",
    );
    check(
        "0 accepts",
        "1 accepts",
        "2 accepts",
        "approved with 1 after 6",
    );
}

#[test]
fn the_first_failure_decides_without_waiting_for_the_rest() {
    check(
        "1 rejects",
        "never",
        "never",
        "rejected by verification after 4",
    );
    check(
        "never",
        "1 rejects",
        "0 accepts",
        "rejected by fraud after 5",
    );
    check(
        "2 rejects",
        "1 rejects",
        "never",
        "rejected by fraud after 4",
    );
    check("2 rejects", "1 fails", "never", "failed in fraud after 4");
    check(
        "never",
        "1 accepts",
        "2 fails",
        "failed in suggestions after 5",
    );
}

#[test]
fn at_the_same_moment_verification_counts_first() {
    check(
        "1 rejects",
        "1 rejects",
        "1 fails",
        "rejected by verification after 5",
    );
    check(
        "1 accepts",
        "1 rejects",
        "1 fails",
        "rejected by fraud after 5",
    );
}

#[test]
fn all_are_asked_before_any_has_answered() {
    check("never", "never", "never", "undecided after 3");
    check("0 accepts", "never", "0 accepts", "undecided after 5");
}
