//! What the headers of a call say about it.

use super::error::ApiError;
use crate::client::{IDEMPOTENCY_KEY_HEADER, TIMEOUT_HEADER};
use crate::envelope::trace::TraceParent;
use crate::envelope::{CONSISTENCY_HEADER, IDEMPOTENCY_KEY_BYTES_MAX, STALE};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// The headers of a call, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long the answer may take. The service's own limit bounds it.
    pub timeout: Option<Duration>,
    /// Calls with equal keys have one effect.
    pub idempotency_key: Option<Arc<str>>,
    /// Whether a query may be answered from a state that is a little older than the call.
    pub is_stale_ok: bool,
    /// What caused this call. One that is not valid is no reason to refuse the call, by the standard.
    pub trace: Option<TraceParent>,
}

impl Options {
    /// Reads the headers.
    ///
    /// # Errors
    /// [`ApiError::Malformed`]: a timeout that is no number, or a key that is too long to be kept. To ignore either would
    /// promise something that is then not done. The same goes for a consistency that there is not.
    pub fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut options = Self::default();
        if let Some(value) = headers.get(TIMEOUT_HEADER) {
            let number = value.to_str().ok().and_then(|text| text.parse().ok());
            let milliseconds = number.filter(|number| *number > 0).ok_or_else(|| {
                ApiError::Malformed(format!(
                    "the header {TIMEOUT_HEADER} is not a whole number of milliseconds, at least 1"
                ))
            })?;
            options.timeout = Some(Duration::from_millis(milliseconds));
        }
        if let Some(value) = headers.get(IDEMPOTENCY_KEY_HEADER) {
            let key = value.to_str().ok();
            let fits = |key: &&str| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len());
            let key = key.filter(fits).ok_or_else(|| {
                ApiError::Malformed(format!(
                    "the header {IDEMPOTENCY_KEY_HEADER} is not 1 to {IDEMPOTENCY_KEY_BYTES_MAX} ASCII characters"
                ))
            })?;
            options.idempotency_key = Some(key.into());
        }
        if let Some(value) = headers.get(CONSISTENCY_HEADER) {
            if value != STALE {
                return Err(ApiError::Malformed(format!(
                    "the header {CONSISTENCY_HEADER} can only be {STALE}; without it, a query sees everything that was answered before it began"
                )));
            }
            options.is_stale_ok = true;
        }
        options.trace = TraceParent::of(headers);
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(name: &'static str, value: &str) -> Result<Options, ApiError> {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        Options::read(&HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            value,
        )]))
    }

    #[track_caller]
    fn check(name: &'static str, value: &str, expected: Options) {
        assert_eq!(read(name, value), Ok(expected), "{name}: {value}");
    }

    #[track_caller]
    fn check_refused(name: &'static str, value: &str) {
        let error = read(name, value).expect_err(value);
        assert!(error.to_string().contains(name), "{error}");
    }

    #[test]
    fn a_timeout_is_a_number_of_milliseconds() {
        let timeout = |milliseconds| Options {
            timeout: Some(Duration::from_millis(milliseconds)),
            ..Options::default()
        };
        check(TIMEOUT_HEADER, "1", timeout(1));
        check(TIMEOUT_HEADER, "18446744073709551615", timeout(u64::MAX));
        for value in ["", "0", "-1", "1.5", "1s", "18446744073709551616"] {
            check_refused(TIMEOUT_HEADER, value);
        }
    }

    #[test]
    fn a_key_is_kept_whole_or_refused() {
        let key = |text: &str| Options {
            idempotency_key: Some(text.into()),
            ..Options::default()
        };
        check(IDEMPOTENCY_KEY_HEADER, "order-1", key("order-1"));
        check(
            IDEMPOTENCY_KEY_HEADER,
            &"k".repeat(256),
            key(&"k".repeat(256)),
        );
        check_refused(IDEMPOTENCY_KEY_HEADER, &"k".repeat(257));
        check_refused(IDEMPOTENCY_KEY_HEADER, "");
        check_refused(IDEMPOTENCY_KEY_HEADER, "é");
    }

    #[test]
    fn a_state_is_the_newest_unless_an_older_one_will_do() {
        let stale = Options {
            is_stale_ok: true,
            ..Options::default()
        };
        check(CONSISTENCY_HEADER, STALE, stale);
        for value in ["", "Stale", "linearizable"] {
            check_refused(CONSISTENCY_HEADER, value);
        }
    }

    #[test]
    fn a_trace_is_continued_if_it_is_one() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let options = Options {
            trace: text.parse().ok(),
            ..Options::default()
        };
        assert!(options.trace.is_some());
        check("traceparent", text, options);
        check("traceparent", "nonsense", Options::default());
    }
}
