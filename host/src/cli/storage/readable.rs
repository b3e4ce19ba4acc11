//! Bytes and moments for people.

use serde::Serialize;
use time::OffsetDateTime;

/// Bytes that are text as text, others in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readable {
    /// Text without control characters.
    Text(String),
    /// Anything else.
    Hex(String),
}

impl From<&[u8]> for Readable {
    fn from(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => Self::Text(text.to_owned()),
            Ok(_) | Err(_) => Self::Hex(hex::encode(bytes)),
        }
    }
}

impl Readable {
    /// On one line: text in quotes, hexadecimal digits after `0x`; what is beyond `max` characters is cut off.
    pub fn line(&self, max: usize) -> String {
        let cut = |text: &str| {
            let mut chars = text.chars();
            let kept: String = chars.by_ref().take(max).collect();
            match chars.next() {
                Some(_) => (kept, "…"),
                None => (kept, ""),
            }
        };
        match self {
            Self::Text(text) => {
                let (kept, rest) = cut(text);
                format!("{kept:?}{rest}")
            }
            Self::Hex(digits) => {
                let (kept, rest) = cut(digits);
                format!("0x{kept}{rest}")
            }
        }
    }
}

/// A moment in UTC: `2026-01-31T01:02:03.004Z`; the number itself if it is beyond the calendar.
pub fn moment(ms: u64) -> String {
    let known = i64::try_from(ms / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    match known {
        Some(at) => format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            ms % 1000
        ),
        None => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], max: usize, expected: &str) {
        assert_eq!(Readable::from(bytes).line(max), expected);
    }

    #[test]
    fn text_is_quoted_and_everything_else_is_hexadecimal() {
        check(b"order 1", 100, r#""order 1""#);
        check("Tõnu".as_bytes(), 100, r#""Tõnu""#);
        check(b"", 100, r#""""#);
        check(b"a\0b", 100, "0x610062");
        check(&[0xff, 0xfe], 100, "0xfffe");
    }

    #[test]
    fn what_is_long_is_cut_off_between_characters() {
        check(b"abcdef", 3, r#""abc"…"#);
        check("õõõ".as_bytes(), 2, r#""õõ"…"#);
        check(&[0; 4], 4, "0x0000…");
    }

    #[test]
    fn moments_are_written_as_in_iso_8601() {
        assert_eq!(moment(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(moment(1_767_225_599_004), "2025-12-31T23:59:59.004Z");
        assert_eq!(moment(u64::MAX), "18446744073709551615 ms");
    }
}
