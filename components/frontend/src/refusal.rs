//! Why a request got no decision, and how that is told over HTTP.

use crate::bindings::bookshop::platform::call_error::CallError;
use crate::reply::Reply;
use serde::Serialize;
use std::fmt;

/// One case for each thing that the client would do differently. Prints as the message that the client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Ask for something else.
    NotFound,
    /// Ask in another way.
    MethodNotAllowed {
        /// The ways that there are, as in `Allow`.
        methods: &'static str,
    },
    /// Send less.
    BodyTooLarge,
    /// Send something else; the text says what is wrong.
    InvalidRequest(String),
    /// Ask for another order, or not so long after it.
    UnknownOrder,
    /// Send another key, or the request that the key was for.
    IdempotencyKeyReused,
    /// Look what came of the first request with the key.
    IdempotencyKeyExpired,
    /// Come back later.
    Overloaded {
        /// The service that has too much to do.
        service: String,
        /// When, in seconds.
        retry_after_s: u64,
    },
    /// Hope that somebody repairs it.
    ServiceUnavailable {
        /// The service that is missing.
        service: String,
    },
    /// Try again: nothing was decided.
    DeadlineExceeded {
        /// The service that took too long.
        service: String,
    },
}

impl Refusal {
    /// The status code and the name for programs.
    fn status(&self) -> (u16, &'static str) {
        match self {
            Self::NotFound => (404, "NOT_FOUND"),
            Self::MethodNotAllowed { .. } => (405, "METHOD_NOT_ALLOWED"),
            Self::BodyTooLarge => (413, "BODY_TOO_LARGE"),
            Self::InvalidRequest(_) => (400, "INVALID_REQUEST"),
            Self::UnknownOrder => (404, "UNKNOWN_ORDER"),
            Self::IdempotencyKeyReused => (422, "IDEMPOTENCY_KEY_REUSED"),
            Self::IdempotencyKeyExpired => (409, "IDEMPOTENCY_KEY_EXPIRED"),
            Self::Overloaded { .. } => (503, "OVERLOADED"),
            Self::ServiceUnavailable { .. } => (503, "SERVICE_UNAVAILABLE"),
            Self::DeadlineExceeded { .. } => (504, "DEADLINE_EXCEEDED"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => {
                formatter.write_str("there is nothing here; GET /openapi.yaml says what there is")
            }
            Self::MethodNotAllowed { methods } => {
                write!(formatter, "only {methods} are possible here")
            }
            Self::BodyTooLarge => formatter.write_str("the body is longer than 1 MiB"),
            Self::InvalidRequest(problem) => formatter.write_str(problem),
            Self::UnknownOrder => {
                formatter.write_str("there is no order with this identity, or none any more")
            }
            Self::IdempotencyKeyReused => formatter.write_str(
                "this Idempotency-Key was sent with another body within the last 24 hours",
            ),
            Self::IdempotencyKeyExpired => formatter.write_str(
                "this Idempotency-Key was sent so long ago that its answer is no longer kept; nothing was done again",
            ),
            Self::Overloaded {
                service,
                retry_after_s,
            } => write!(
                formatter,
                "{service} is overloaded; try again in {retry_after_s} s"
            ),
            Self::ServiceUnavailable { service } => write!(formatter, "{service} is unavailable"),
            Self::DeadlineExceeded { service } => {
                write!(formatter, "{service} did not answer in time")
            }
        }
    }
}

impl Refusal {
    /// Tells why the call to `callee` failed.
    ///
    /// The messages of the failures stay inside: they are for operators, whose hosts log them.
    pub fn of_call(callee: &str, error: CallError) -> Self {
        match error {
            CallError::Overloaded(overload) => {
                // Rounded up: who comes back too early is refused again.
                Self::Overloaded {
                    service: overload.service,
                    retry_after_s: overload.retry_after_ms.div_ceil(1000).max(1),
                }
            }
            CallError::DeadlineExceeded(failure) => Self::DeadlineExceeded {
                service: failure.service,
            },
            CallError::NotFound(failure)
            | CallError::NotGranted(failure)
            | CallError::Incompatible(failure)
            | CallError::Trapped(failure)
            | CallError::HopLimit(failure) => Self::ServiceUnavailable {
                service: failure.service,
            },
            CallError::Unavailable(unavailability) => Self::ServiceUnavailable {
                service: unavailability.service,
            },
            // Keys of calls are made from that of the request.
            CallError::KeyReused(_) => Self::IdempotencyKeyReused,
            CallError::KeyExpired(_) => Self::IdempotencyKeyExpired,
            // Neither names a service; both are about the one that this component calls.
            CallError::Cancelled | CallError::Redirected(_) => Self::ServiceUnavailable {
                service: callee.to_owned(),
            },
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = refusal.status();
        let reply = Reply::json(
            status,
            &Body {
                error: Error {
                    code,
                    message: refusal.to_string(),
                },
            },
        );
        match refusal {
            Refusal::MethodNotAllowed { methods } => reply.with_header("allow", methods),
            Refusal::Overloaded { retry_after_s, .. } => reply
                .with_header("retry-after", retry_after_s.to_string())
                .with_header("access-control-expose-headers", "Retry-After"),
            Refusal::NotFound
            | Refusal::BodyTooLarge
            | Refusal::InvalidRequest(_)
            | Refusal::UnknownOrder
            | Refusal::IdempotencyKeyReused
            | Refusal::IdempotencyKeyExpired
            | Refusal::ServiceUnavailable { .. }
            | Refusal::DeadlineExceeded { .. } => reply,
        }
    }
}

#[derive(Serialize)]
struct Body {
    error: Error,
}

#[derive(Serialize)]
struct Error {
    code: &'static str,
    message: String,
}

#[cfg(test)]
mod tests;
