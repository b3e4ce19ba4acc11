//! Asks all services at once and lets the first failure decide.
//!
//! Knows nothing of how the services are reached: it gets their answers as futures.

use crate::bindings::bookshop::platform::call_error::CallError;
use crate::bindings::bookshop::shop::types::{Book, Outcome, Verdict};
use crate::clock::Clock;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Waits until all have accepted the order, or one has rejected it or failed.
///
/// All questions are asked at once. What has not answered by the time of the decision is dropped, which cancels the call.
/// Of answers that come at the same moment, verification's counts before fraud detection's, and that before suggestions'.
///
/// # Errors
/// The error of the first service that failed, if none rejected the order before.
pub async fn decide(
    verification: impl Future<Output = Result<Verdict, CallError>>,
    fraud: impl Future<Output = Result<Verdict, CallError>>,
    suggestions: impl Future<Output = Result<Vec<Book>, CallError>>,
    clock: &mut Clock,
) -> Result<Outcome, CallError> {
    let (verification, fraud, suggestions) = (pin!(verification), pin!(fraud), pin!(suggestions));
    let (mut verification, mut fraud, mut suggestions) = (
        Question::new(verification),
        Question::new(fraud),
        Question::new(suggestions),
    );
    poll_fn(move |context| {
        for verdict in [
            verification.poll(context, clock),
            fraud.poll(context, clock),
        ] {
            match verdict {
                Some(Ok(Verdict::Rejected(rejection))) => {
                    return Poll::Ready(Ok(Outcome::Rejected(rejection.clone())));
                }
                Some(Err(error)) => return Poll::Ready(Err(error.clone())),
                Some(Ok(Verdict::Accepted)) | None => {}
            }
        }
        match (
            suggestions.poll(context, clock),
            verification.is_answered() && fraud.is_answered(),
        ) {
            (Some(Err(error)), _) => Poll::Ready(Err(error.clone())),
            (Some(Ok(books)), true) => Poll::Ready(Ok(Outcome::Approved(books.clone()))),
            (Some(Ok(_)), false) | (None, _) => Poll::Pending,
        }
    })
    .await
}

/// A call to a service, and its answer once it is there.
struct Question<'a, F: Future> {
    call: Pin<&'a mut F>,
    is_asked: bool,
    answer: Option<F::Output>,
}

impl<'a, F: Future> Question<'a, F> {
    fn new(call: Pin<&'a mut F>) -> Self {
        Self {
            call,
            is_asked: false,
            answer: None,
        }
    }

    /// Asks at first, and then looks for the answer. Each of the two is an event.
    fn poll(&mut self, context: &mut Context<'_>, clock: &mut Clock) -> Option<&F::Output> {
        if !self.is_asked {
            self.is_asked = true;
            clock.tick();
        }
        if self.answer.is_none()
            && let Poll::Ready(answer) = self.call.as_mut().poll(context)
        {
            self.answer = Some(answer);
            clock.tick();
        }
        self.answer.as_ref()
    }

    fn is_answered(&self) -> bool {
        self.answer.is_some()
    }
}

#[cfg(test)]
mod tests;
