//! Lengths of time as text: `250ms`. The smallest unit is the microsecond.

use std::time::Duration;

use super::error::InvalidValue;
use super::kind::Kind;
use super::quantity::Scale;

const SCALE: Scale = Scale {
    units: &[
        ("us", 1),
        ("ms", 1_000),
        ("s", 1_000_000),
        ("min", 60_000_000),
        ("h", 3_600_000_000),
    ],
    mistakes: &[
        ("µs", "us"),
        ("μs", "us"),
        ("usec", "us"),
        ("msec", "ms"),
        ("millis", "ms"),
        ("sec", "s"),
        ("secs", "s"),
        ("second", "s"),
        ("seconds", "s"),
        ("m", "min"),
        ("mins", "min"),
        ("minute", "min"),
        ("minutes", "min"),
        ("hr", "h"),
        ("hour", "h"),
        ("hours", "h"),
    ],
};

/// The time of a text such as `250ms`; a number too large becomes the longest there is.
///
/// # Errors
/// It is not a duration; the error names the units and what was probably meant.
pub fn parse(text: &str) -> Result<Duration, InvalidValue> {
    let microseconds = SCALE
        .parse(text)
        .map_err(|guess| Kind::Duration.invalid(text, guess.as_deref()))?;
    Ok(Duration::from_micros(microseconds))
}

/// The shortest exact text, which [`parse`] reads back: `90s`. What is finer than a microsecond is left out.
#[must_use]
pub fn format(duration: Duration) -> String {
    SCALE.format(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn every_unit_is_read() {
        check("0s", expect!["0ns 0us"]);
        check("250us", expect!["250µs 250us"]);
        check("250ms", expect!["250ms 250ms"]);
        check("90s", expect!["90s 90s"]);
        check("5min", expect!["300s 5min"]);
        check("1h", expect!["3600s 1h"]);
        check("60000ms", expect!["60s 1min"]);
    }

    #[test]
    fn what_was_probably_meant_becomes_the_example() {
        check(
            "5m",
            expect![[
                r#""5m" is not a duration; write a number with us, ms, s, min or h, for example "5min""#
            ]],
        );
        check(
            "5 sec",
            expect![[
                r#""5 sec" is not a duration; write a number with us, ms, s, min or h, for example "5s""#
            ]],
        );
        check(
            "0.25s",
            expect![[
                r#""0.25s" is not a duration; write a number with us, ms, s, min or h, for example "250ms""#
            ]],
        );
        check(
            "7µs",
            expect![[
                r#""7µs" is not a duration; write a number with us, ms, s, min or h, for example "7us""#
            ]],
        );
        check(
            "3MS",
            expect![[
                r#""3MS" is not a duration; write a number with us, ms, s, min or h, for example "3ms""#
            ]],
        );
    }

    #[test]
    fn nonsense_gets_a_general_example() {
        check(
            "100ns",
            expect![[
                r#""100ns" is not a duration; write a number with us, ms, s, min or h, for example "250ms""#
            ]],
        );
        check(
            "5",
            expect![[
                r#""5" is not a duration; write a number with us, ms, s, min or h, for example "250ms""#
            ]],
        );
        check(
            "1min30s",
            expect![[
                r#""1min30s" is not a duration; write a number with us, ms, s, min or h, for example "250ms""#
            ]],
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let actual = match parse(text) {
            Ok(duration) => format!("{duration:?} {}", format(duration)),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&actual);
    }
}
