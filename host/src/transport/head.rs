//! The envelope of a call as HTTP headers.
//!
//! | header | value |
//! |---|---|
//! | `traceparent` | W3C Trace Context, version 00; its parent-id is this call's span |
//! | `bookshop-timeout-us` | how long the answer is of use, from now; no clock of another host is ever compared with ours |
//! | `bookshop-caller` | the service that calls, or where the call entered |
//! | `bookshop-hops-left` | calls that may still be made below this one |
//! | `bookshop-consistency` | optional: `stale` if a query may be answered from a state that is a little older than the call |
//! | `idempotency-key` | optional: calls with equal keys have one effect |

use crate::envelope::trace::{self, TraceParent};
use crate::envelope::{CONSISTENCY_HEADER, Envelope, IDEMPOTENCY_KEY_BYTES_MAX, STALE};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const TRACEPARENT: HeaderName = HeaderName::from_static(trace::HEADER);
const TIMEOUT: HeaderName = HeaderName::from_static("bookshop-timeout-us");
const CALLER: HeaderName = HeaderName::from_static("bookshop-caller");
const HOPS_LEFT: HeaderName = HeaderName::from_static("bookshop-hops-left");
const CONSISTENCY: HeaderName = HeaderName::from_static(CONSISTENCY_HEADER);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The callee's host gets this much less time than the caller has left, at most, so that its answer that it is late still
/// arrives in time. Of a short time it is a tenth.
const NETWORK_MARGIN: Duration = Duration::from_millis(2);
/// Longest name of a caller: a service's name has at most 63 characters.
const CALLER_MAX: usize = 64;

/// A header of the envelope is missing or makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {header} is {problem}")]
pub struct HeadError {
    /// Which one.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Writes `envelope` as of `now`, a moment of this host's monotonic clock.
pub fn write(envelope: &Envelope, now: Duration, headers: &mut HeaderMap) {
    let left = envelope.deadline.saturating_sub(now);
    let left = left - NETWORK_MARGIN.min(left / 10);
    let trace = TraceParent {
        trace_id: envelope.trace_id,
        span_id: envelope.span_id,
    };
    if let Ok(trace) = HeaderValue::try_from(trace.to_string()) {
        headers.insert(TRACEPARENT, different(trace));
    }
    let left_us = u64::try_from(left.as_micros()).unwrap_or(u64::MAX);
    headers.insert(TIMEOUT, different(left_us.into()));
    headers.insert(HOPS_LEFT, u64::from(envelope.hops_left).into());
    if let Ok(caller) = HeaderValue::from_str(&envelope.caller) {
        headers.insert(CALLER, caller);
    }
    if envelope.is_stale_ok {
        headers.insert(CONSISTENCY, HeaderValue::from_static(STALE));
    }
    // A key that is no header value came from a header all the same, so there is none that cannot be sent.
    if let Some(key) = &envelope.idempotency_key
        && let Ok(key) = HeaderValue::from_str(key)
    {
        headers.insert(IDEMPOTENCY_KEY, different(key));
    }
}

/// A value that no other call has: HTTP/2 would remember it for the next one, and forget one that does come again for it (RFC 7541, section 7.1.3).
fn different(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Reads an envelope that arrived at `now`.
///
/// # Errors
/// [`HeadError`]: all but the key must be there and be what they should.
pub fn read(headers: &HeaderMap, now: Duration) -> Result<Envelope, HeadError> {
    let text = |header: &HeaderName, name: &'static str| {
        let value = headers.get(header).ok_or(HeadError {
            header: name,
            problem: "missing",
        })?;
        value.to_str().map_err(|_| HeadError {
            header: name,
            problem: "not text",
        })
    };
    let invalid = |header: &'static str| {
        move |_| HeadError {
            header,
            problem: "not a number",
        }
    };
    let parent: TraceParent =
        text(&TRACEPARENT, trace::HEADER)?
            .parse()
            .map_err(|_| HeadError {
                header: trace::HEADER,
                problem: "not of the form 00-TRACE-SPAN-FLAGS",
            })?;
    let timeout: u64 = text(&TIMEOUT, "bookshop-timeout-us")?
        .parse()
        .map_err(invalid("bookshop-timeout-us"))?;
    let hops_left = text(&HOPS_LEFT, "bookshop-hops-left")?
        .parse()
        .map_err(invalid("bookshop-hops-left"))?;
    let caller = text(&CALLER, "bookshop-caller")?;
    let key = headers
        .get(IDEMPOTENCY_KEY)
        .map(|_| text(&IDEMPOTENCY_KEY, "idempotency-key"))
        .transpose()?;
    let too_long = |header, length: usize, max| {
        (length <= max).then_some(()).ok_or(HeadError {
            header,
            problem: "too long",
        })
    };
    too_long("bookshop-caller", caller.len(), CALLER_MAX)?;
    too_long(
        "idempotency-key",
        key.map_or(0, str::len),
        IDEMPOTENCY_KEY_BYTES_MAX,
    )?;
    Ok(Envelope {
        trace_id: parent.trace_id,
        span_id: parent.span_id,
        deadline: now.saturating_add(Duration::from_micros(timeout)),
        idempotency_key: key.map(Into::into),
        caller: caller.into(),
        hops_left,
        is_stale_ok: headers.get(CONSISTENCY).is_some_and(|value| value == STALE),
    })
}

/// Takes away what only hosts may say.
pub fn strip(headers: &mut HeaderMap) {
    for name in [
        TRACEPARENT,
        TIMEOUT,
        CALLER,
        HOPS_LEFT,
        CONSISTENCY,
        IDEMPOTENCY_KEY,
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            trace_id: 7,
            span_id: 9,
            deadline: Duration::from_secs(10),
            idempotency_key: Some("order-1".into()),
            caller: "orchestrator".into(),
            hops_left: 3,
            is_stale_ok: true,
        }
    }

    #[test]
    fn an_envelope_arrives_with_a_little_less_time() {
        let mut headers = HeaderMap::new();
        write(&envelope(), Duration::from_secs(9), &mut headers);
        // The other host's clock has nothing to do with ours.
        let read = read(&headers, Duration::from_secs(500)).expect("it was written here");
        assert_eq!(read.deadline, Duration::from_millis(500_998));
        assert_eq!((read.trace_id, read.span_id, read.hops_left), (7, 9, 3));
        assert_eq!(read.idempotency_key.as_deref(), Some("order-1"));
        assert_eq!(&*read.caller, "orchestrator");
        assert!(read.is_stale_ok);
    }

    #[test]
    fn a_short_time_loses_a_tenth() {
        let mut headers = HeaderMap::new();
        write(&envelope(), Duration::from_millis(9_990), &mut headers);
        let read = read(&headers, Duration::ZERO).expect("it was written here");
        assert_eq!(read.deadline, Duration::from_millis(9));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let check = |change: fn(&mut HeaderMap), expected: &str| {
            let mut headers = HeaderMap::new();
            write(&envelope(), Duration::ZERO, &mut headers);
            change(&mut headers);
            let error = read(&headers, Duration::ZERO).expect_err("it is refused");
            assert_eq!(error.to_string(), expected);
        };
        check(
            |headers| drop(headers.remove(TIMEOUT)),
            "the header bookshop-timeout-us is missing",
        );
        check(
            |headers| drop(headers.insert(HOPS_LEFT, HeaderValue::from_static("300"))),
            "the header bookshop-hops-left is not a number",
        );
        check(
            |headers| drop(headers.insert(TRACEPARENT, HeaderValue::from_static("00-1-2-01"))),
            "the header traceparent is not of the form 00-TRACE-SPAN-FLAGS",
        );
        check(
            |headers| {
                let long = HeaderValue::try_from("k".repeat(257)).expect("letters");
                headers.insert(IDEMPOTENCY_KEY, long);
            },
            "the header idempotency-key is too long",
        );
    }
}
