use super::*;
use crate::bindings::bookshop::platform::call_error::{Failure, Overload, Unavailability};

/// `expected` is the status, the code and the message, and headers that not every answer has.
#[track_caller]
fn check(refusal: Refusal, expected: &str) {
    let reply = Reply::from(refusal);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("a JSON body");
    let [code, message] =
        ["code", "message"].map(|name| body["error"][name].as_str().expect("a text"));
    let mut text = format!("{} {code}: {message}", reply.status);
    for (name, value) in reply
        .headers
        .iter()
        .filter(|(name, _)| matches!(*name, "allow" | "retry-after"))
    {
        text += &format!(" ({name}: {value})");
    }
    assert_eq!(text, expected);
}

#[track_caller]
fn check_call(error: CallError, expected: &str) {
    check(Refusal::of_call("orchestrator", error), expected);
}

fn failure() -> Failure {
    Failure {
        service: "fraud-detection".into(),
        message: "a secret of the operator".into(),
    }
}

fn overload(retry_after_ms: u64) -> CallError {
    CallError::Overloaded(Overload {
        service: "suggestions".into(),
        retry_after_ms,
    })
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    check(
        Refusal::NotFound,
        "404 NOT_FOUND: there is nothing here; GET /openapi.yaml says what there is",
    );
    check(
        Refusal::MethodNotAllowed {
            methods: "POST, OPTIONS",
        },
        "405 METHOD_NOT_ALLOWED: only POST, OPTIONS are possible here (allow: POST, OPTIONS)",
    );
    check(
        Refusal::BodyTooLarge,
        "413 BODY_TOO_LARGE: the body is longer than 1 MiB",
    );
    check(
        Refusal::InvalidRequest("$ must be an object".into()),
        "400 INVALID_REQUEST: $ must be an object",
    );
    check(
        Refusal::UnknownOrder,
        "404 UNKNOWN_ORDER: there is no order with this identity, or none any more",
    );
    check(
        Refusal::IdempotencyKeyReused,
        "422 IDEMPOTENCY_KEY_REUSED: this Idempotency-Key was sent with another body within the last 24 hours",
    );
}

#[test]
fn an_overloaded_service_says_when_to_come_back() {
    check_call(
        overload(1500),
        "503 OVERLOADED: suggestions is overloaded; try again in 2 s (retry-after: 2)",
    );
    check_call(
        overload(0),
        "503 OVERLOADED: suggestions is overloaded; try again in 1 s (retry-after: 1)",
    );
}

#[test]
fn a_late_service_is_named() {
    check_call(
        CallError::DeadlineExceeded(failure()),
        "504 DEADLINE_EXCEEDED: fraud-detection did not answer in time",
    );
}

#[test]
fn a_missing_service_is_named_without_the_reason() {
    let expected = "503 SERVICE_UNAVAILABLE: fraud-detection is unavailable";
    check_call(CallError::NotFound(failure()), expected);
    check_call(CallError::NotGranted(failure()), expected);
    check_call(CallError::Incompatible(failure()), expected);
    check_call(CallError::Trapped(failure()), expected);
    check_call(CallError::HopLimit(failure()), expected);
    let Failure { service, message } = failure();
    check_call(
        CallError::Unavailable(Unavailability {
            service,
            message,
            maybe_executed: false,
        }),
        expected,
    );
}

#[test]
fn a_key_that_a_service_refuses_is_that_of_the_request() {
    check_call(
        CallError::KeyReused(failure()),
        "422 IDEMPOTENCY_KEY_REUSED: this Idempotency-Key was sent with another body within the last 24 hours",
    );
    check_call(
        CallError::KeyExpired(failure()),
        "409 IDEMPOTENCY_KEY_EXPIRED: this Idempotency-Key was sent so long ago that its answer is no longer kept; nothing was done again",
    );
}

#[test]
fn an_error_without_a_service_is_the_callees() {
    check_call(
        CallError::Cancelled,
        "503 SERVICE_UNAVAILABLE: orchestrator is unavailable",
    );
    check_call(
        CallError::Redirected("beta".into()),
        "503 SERVICE_UNAVAILABLE: orchestrator is unavailable",
    );
}
