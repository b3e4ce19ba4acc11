//! Failed calls in words, for logs and messages.

use crate::bindings::bookshop::platform::call_error::CallError;
use std::fmt;

/// A failed call as one line: who failed, and why.
#[derive(Debug, Clone, Copy)]
pub struct InWords<'a>(pub &'a CallError);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CallError::NotFound(failure)
            | CallError::NotGranted(failure)
            | CallError::Incompatible(failure)
            | CallError::DeadlineExceeded(failure)
            | CallError::Trapped(failure)
            | CallError::HopLimit(failure)
            | CallError::KeyReused(failure)
            | CallError::KeyExpired(failure) => {
                write!(formatter, "{}: {}", failure.service, failure.message)
            }
            CallError::Overloaded(overload) => {
                write!(formatter, "{} has no room now", overload.service)
            }
            CallError::Unavailable(unavailability) => write!(
                formatter,
                "{} is unavailable: {}",
                unavailability.service, unavailability.message
            ),
            CallError::Redirected(host) => write!(formatter, "host {host} has to be asked"),
            CallError::Cancelled => formatter.write_str("nobody wants the answer any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::bookshop::platform::call_error::{Failure, Overload};

    #[test]
    fn the_service_and_the_reason_are_named() {
        let check = |error, expected| assert_eq!(InWords(&error).to_string(), expected);
        let failure = Failure {
            service: "payment".into(),
            message: "trapped".into(),
        };
        check(CallError::Trapped(failure.clone()), "payment: trapped");
        check(CallError::KeyReused(failure.clone()), "payment: trapped");
        check(CallError::KeyExpired(failure), "payment: trapped");
        let overload = Overload {
            service: "payment".into(),
            retry_after_ms: 10,
        };
        check(CallError::Overloaded(overload), "payment has no room now");
    }
}
