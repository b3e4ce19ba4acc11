//! The `traceparent` header of W3C Trace Context: what a trace is called from one program to the next.

use http::HeaderMap;
use std::fmt;
use std::str::FromStr;

/// The name of the header.
pub const HEADER: &str = "traceparent";

/// A trace and the call in it that caused what follows. Neither is ever zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: u128,
    /// The call in it.
    pub span_id: u64,
}

/// The text is no `traceparent`. Whoever gets one like this begins a trace of its own, as the standard wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of W3C Trace Context")]
pub struct NotATrace;

/// `VERSION-TRACE-SPAN-FLAGS`: 2, 32, 16 and 2 digits. A later version may go on after another dash.
const LENGTH: usize = 55;

impl TraceParent {
    /// What the headers of a request say caused it; none if they do not, or say nonsense, which the standard wants ignored.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(HEADER)?.to_str().ok()?.parse().ok()
    }
}

impl FromStr for TraceParent {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let head = text.get(..LENGTH).ok_or(NotATrace)?;
        let parts: Vec<&str> = head.split('-').collect();
        let [version, trace, span, flags] = parts.as_slice() else {
            return Err(NotATrace);
        };
        let has_digits = |part: &str, count: usize| {
            let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
            part.len() == count && part.bytes().all(is_digit)
        };
        let is_whole = match (*version, text.as_bytes().get(LENGTH)) {
            ("ff", _) => false,
            (_, None) => true,
            // Version 0 has nothing after its flags.
            ("00", Some(_)) => false,
            (_, Some(next)) => *next == b'-',
        };
        if !is_whole
            || !has_digits(version, 2)
            || !has_digits(trace, 32)
            || !has_digits(span, 16)
            || !has_digits(flags, 2)
        {
            return Err(NotATrace);
        }
        let trace_id = u128::from_str_radix(trace, 16).map_err(|_| NotATrace)?;
        let span_id = u64::from_str_radix(span, 16).map_err(|_| NotATrace)?;
        if trace_id == 0 || span_id == 0 {
            return Err(NotATrace);
        }
        Ok(Self { trace_id, span_id })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Flags 0: this program does not record traces, and does not claim to.
        write!(
            formatter,
            "00-{:032x}-{:016x}-00",
            self.trace_id, self.span_id
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u128, u64)>) {
        let parsed = text.parse::<TraceParent>().ok();
        assert_eq!(
            parsed.map(|parent| (parent.trace_id, parent.span_id)),
            expected,
            "{text}"
        );
    }

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const IDS: Option<(u128, u64)> = Some((
        0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        0x00f0_67aa_0ba9_02b7,
    ));

    #[test]
    fn a_valid_header_is_read_whatever_its_flags_and_version() {
        check(GOOD, IDS);
        check(&GOOD.replace("-01", "-00"), IDS);
        check(&GOOD.replacen("00-", "cc-", 1), IDS);
        check(&(GOOD.replacen("00-", "cc-", 1) + "-what-comes-later"), IDS);
    }

    #[test]
    fn anything_else_is_none() {
        check("", None);
        check(&GOOD[1..], None);
        check(&(GOOD.to_owned() + "-more"), None);
        check(&(GOOD.replacen("00-", "cc-", 1) + "more"), None);
        check(&GOOD.replacen("00-", "ff-", 1), None);
        check(&GOOD.to_uppercase(), None);
        check(&GOOD.replace("4bf92f", "+bf92f"), None);
        check(
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            None,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            None,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e473é-0f067aa0ba902b7-01",
            None,
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!(parent.to_string(), GOOD.replace("-01", "-00"));
        assert_eq!(parent.to_string().parse(), Ok(parent));
    }
}
