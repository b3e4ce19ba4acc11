//! A [`CallError`] between programs: a status and a JSON object, both ways without loss.
//!
//! The one place where this mapping is made: what the `api` endpoint answers, what its client reads, and what hosts tell one another.
//!
//! `{"code": …, "message": …}`, with `service`, `maybe_executed` and `retry_after_ms` where the case has them.

use super::CallError;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// The JSON is not that of a [`CallError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The code is none of a failed call: the answer is about something else, for example the request itself.
    #[error("{0:?} is not the code of a failed call")]
    Code(String),
    /// The code is known and a part of that case is missing.
    #[error("an error {code} needs {part}")]
    Part {
        /// The code.
        code: String,
        /// The key, and what belongs there.
        part: &'static str,
    },
}

/// The status of an answer that says this error.
#[must_use]
pub fn status(error: &CallError) -> StatusCode {
    match error {
        CallError::NotFound { .. } => StatusCode::NOT_FOUND,
        CallError::NotGranted { .. } => StatusCode::FORBIDDEN,
        CallError::Incompatible { .. } => StatusCode::BAD_REQUEST,
        CallError::DeadlineExceeded { .. } => StatusCode::GATEWAY_TIMEOUT,
        CallError::Trapped { .. } => StatusCode::BAD_GATEWAY,
        // There is no registered status for a call that was cancelled; whoever still reads this may try again.
        CallError::Overloaded { .. }
        | CallError::Cancelled
        | CallError::Unavailable { .. }
        | CallError::Redirected { .. } => StatusCode::SERVICE_UNAVAILABLE,
        CallError::HopLimit { .. } => StatusCode::LOOP_DETECTED,
        // The request is right in itself; what the service remembers of its key is in the way.
        CallError::KeyReused { .. } | CallError::KeyExpired { .. } => StatusCode::CONFLICT,
    }
}

/// The whole seconds of a `Retry-After` header, for errors that pass by themselves.
#[must_use]
pub fn retry_after_seconds(error: &CallError) -> Option<u64> {
    let CallError::Overloaded { retry_after, .. } = error else {
        return None;
    };
    // Rounding down would invite the caller back too early.
    u64::try_from(retry_after.as_millis().div_ceil(1_000)).ok()
}

/// The error as an object. Times are in whole milliseconds, rounded up, as guests see them.
#[must_use]
pub fn to_json(error: &CallError) -> Value {
    let code = error.code();
    match error {
        CallError::NotFound { service, message }
        | CallError::NotGranted { service, message }
        | CallError::Incompatible { service, message }
        | CallError::DeadlineExceeded { service, message }
        | CallError::Trapped { service, message }
        | CallError::HopLimit { service, message }
        | CallError::KeyReused { service, message }
        | CallError::KeyExpired { service, message } => {
            json!({ "code": code, "service": service, "message": message })
        }
        CallError::Overloaded {
            service,
            retry_after,
        } => {
            let retry_after_ms = u64::try_from(retry_after.as_micros().div_ceil(1_000));
            let retry_after_ms = retry_after_ms.unwrap_or(u64::MAX);
            json!({ "code": code, "service": service, "message": error.to_string(), "retry_after_ms": retry_after_ms })
        }
        CallError::Cancelled => json!({ "code": code, "message": error.to_string() }),
        CallError::Unavailable {
            service,
            message,
            maybe_executed,
        } => {
            json!({ "code": code, "service": service, "message": message, "maybe_executed": maybe_executed })
        }
        CallError::Redirected { to } => {
            json!({ "code": code, "message": error.to_string(), "to": to })
        }
    }
}

/// The error that [`to_json`] wrote.
///
/// # Errors
/// See [`WireError`].
pub fn from_json(json: &Value) -> Result<CallError, WireError> {
    let code = json["code"].as_str().unwrap_or_default();
    let missing = |part| WireError::Part {
        code: code.to_owned(),
        part,
    };
    let text = |key: &str, part| {
        let text = json[key].as_str().ok_or_else(|| missing(part))?;
        Ok(text.to_owned())
    };
    let service = || text("service", "\"service\": a text");
    let message = || text("message", "\"message\": a text");
    Ok(match code {
        "not-found" => CallError::NotFound {
            service: service()?,
            message: message()?,
        },
        "not-granted" => CallError::NotGranted {
            service: service()?,
            message: message()?,
        },
        "incompatible" => CallError::Incompatible {
            service: service()?,
            message: message()?,
        },
        "overloaded" => CallError::Overloaded {
            service: service()?,
            retry_after: json["retry_after_ms"]
                .as_u64()
                .map(Duration::from_millis)
                .ok_or_else(|| missing("\"retry_after_ms\": a whole number"))?,
        },
        "deadline-exceeded" => CallError::DeadlineExceeded {
            service: service()?,
            message: message()?,
        },
        "cancelled" => CallError::Cancelled,
        "trapped" => CallError::Trapped {
            service: service()?,
            message: message()?,
        },
        "unavailable" => CallError::Unavailable {
            service: service()?,
            message: message()?,
            maybe_executed: json["maybe_executed"]
                .as_bool()
                .ok_or_else(|| missing("\"maybe_executed\": true or false"))?,
        },
        "redirected" => CallError::Redirected {
            to: text("to", "\"to\": a text")?,
        },
        "hop-limit" => CallError::HopLimit {
            service: service()?,
            message: message()?,
        },
        "key-reused" => CallError::KeyReused {
            service: service()?,
            message: message()?,
        },
        "key-expired" => CallError::KeyExpired {
            service: service()?,
            message: message()?,
        },
        unknown => return Err(WireError::Code(unknown.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &CallError, expected_status: u16, expected: &str) {
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(status(error).as_u16(), expected_status);
        assert_eq!(to_json(error), expected);
        assert_eq!(from_json(&expected).as_ref(), Ok(error));
    }

    fn parts() -> (String, String) {
        ("orders".into(), "why".into())
    }

    #[test]
    fn every_case_comes_back_as_it_went() {
        let (service, message) = parts();
        check(
            &CallError::NotFound { service, message },
            404,
            r#"{"code": "not-found", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::NotGranted { service, message },
            403,
            r#"{"code": "not-granted", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::Incompatible { service, message },
            400,
            r#"{"code": "incompatible", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::DeadlineExceeded { service, message },
            504,
            r#"{"code": "deadline-exceeded", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::Trapped { service, message },
            502,
            r#"{"code": "trapped", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::HopLimit { service, message },
            508,
            r#"{"code": "hop-limit", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::KeyReused { service, message },
            409,
            r#"{"code": "key-reused", "service": "orders", "message": "why"}"#,
        );
        let (service, message) = parts();
        check(
            &CallError::KeyExpired { service, message },
            409,
            r#"{"code": "key-expired", "service": "orders", "message": "why"}"#,
        );
        check(
            &CallError::Overloaded {
                service: "orders".into(),
                retry_after: Duration::from_millis(20),
            },
            503,
            r#"{"code": "overloaded", "service": "orders", "message": "orders is overloaded; try again in 20 ms", "retry_after_ms": 20}"#,
        );
        check(
            &CallError::Cancelled,
            503,
            r#"{"code": "cancelled", "message": "the call was cancelled"}"#,
        );
        for maybe_executed in [true, false] {
            let (service, message) = parts();
            check(
                &CallError::Unavailable {
                    service,
                    message,
                    maybe_executed,
                },
                503,
                &format!(
                    r#"{{"code": "unavailable", "service": "orders", "message": "why", "maybe_executed": {maybe_executed}}}"#
                ),
            );
        }
        check(
            &CallError::Redirected { to: "beta".into() },
            503,
            r#"{"code": "redirected", "message": "redirected to beta", "to": "beta"}"#,
        );
    }

    #[test]
    fn a_wait_is_rounded_up() {
        let error = CallError::Overloaded {
            service: "orders".into(),
            retry_after: Duration::from_micros(1_000_001),
        };
        assert_eq!(retry_after_seconds(&error), Some(1));
        assert_eq!(to_json(&error)["retry_after_ms"], 1_001);
        let error = CallError::Overloaded {
            service: "orders".into(),
            retry_after: Duration::from_millis(1_001),
        };
        assert_eq!(retry_after_seconds(&error), Some(2));
    }

    #[track_caller]
    fn check_refused(json: &str, expected: &str) {
        let error = from_json(&serde_json::from_str(json).unwrap()).expect_err("refused");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_no_call_error_is_refused_with_what_is_missing() {
        check_refused(
            r#"{"code": "too-large", "message": "why"}"#,
            r#""too-large" is not the code of a failed call"#,
        );
        check_refused("[]", r#""" is not the code of a failed call"#);
        check_refused(
            r#"{"code": "trapped", "message": "why"}"#,
            r#"an error trapped needs "service": a text"#,
        );
        check_refused(
            r#"{"code": "unavailable", "service": "orders", "message": "why"}"#,
            r#"an error unavailable needs "maybe_executed": true or false"#,
        );
        check_refused(
            r#"{"code": "overloaded", "service": "orders", "retry_after_ms": -1}"#,
            r#"an error overloaded needs "retry_after_ms": a whole number"#,
        );
    }
}
