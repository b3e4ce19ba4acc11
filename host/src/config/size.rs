//! Sizes in bytes as text: `64MiB`. Powers of 1024 only, so that a number means one thing.

use super::error::InvalidValue;
use super::kind::Kind;
use super::quantity::Scale;

const SCALE: Scale = Scale {
    units: &[
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ],
    mistakes: &[
        ("byte", "B"),
        ("bytes", "B"),
        ("k", "KiB"),
        ("kb", "KiB"),
        ("ki", "KiB"),
        ("m", "MiB"),
        ("mb", "MiB"),
        ("mi", "MiB"),
        ("g", "GiB"),
        ("gb", "GiB"),
        ("gi", "GiB"),
    ],
};

/// Bytes of a text such as `32MiB`; a number too large for 64 bits becomes the largest there is.
///
/// # Errors
/// It is not a size; the error names the units and what was probably meant.
pub fn parse(text: &str) -> Result<u64, InvalidValue> {
    SCALE
        .parse(text)
        .map_err(|guess| Kind::Size.invalid(text, guess.as_deref()))
}

/// The shortest exact text, which [`parse`] reads back: `1536KiB`.
#[must_use]
pub fn format(bytes: u64) -> String {
    SCALE.format(bytes)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn every_unit_is_read() {
        check("0B", expect!["0 0B"]);
        check("17B", expect!["17 17B"]);
        check("1KiB", expect!["1024 1KiB"]);
        check("32MiB", expect!["33554432 32MiB"]);
        check("4GiB", expect!["4294967296 4GiB"]);
        check("2048KiB", expect!["2097152 2MiB"]);
    }

    #[test]
    fn a_number_beyond_64_bits_is_the_largest() {
        check(
            "99999999999999999999GiB",
            expect!["18446744073709551615 18446744073709551615B"],
        );
    }

    #[test]
    fn decimal_units_are_refused_by_naming_the_right_one() {
        check(
            "32KB",
            expect![[
                r#""32KB" is not a size; write a number with B, KiB, MiB or GiB, for example "32KiB""#
            ]],
        );
        check(
            "32MB",
            expect![[
                r#""32MB" is not a size; write a number with B, KiB, MiB or GiB, for example "32MiB""#
            ]],
        );
        check(
            "2GB",
            expect![[
                r#""2GB" is not a size; write a number with B, KiB, MiB or GiB, for example "2GiB""#
            ]],
        );
    }

    #[test]
    fn what_was_probably_meant_becomes_the_example() {
        check(
            "32 mib",
            expect![[
                r#""32 mib" is not a size; write a number with B, KiB, MiB or GiB, for example "32MiB""#
            ]],
        );
        check(
            "7m",
            expect![[
                r#""7m" is not a size; write a number with B, KiB, MiB or GiB, for example "7MiB""#
            ]],
        );
        check(
            "1.5GiB",
            expect![[
                r#""1.5GiB" is not a size; write a number with B, KiB, MiB or GiB, for example "1536MiB""#
            ]],
        );
    }

    #[test]
    fn nonsense_gets_a_general_example() {
        let general = |text: &str| {
            format!(
                "{text:?} is not a size; write a number with B, KiB, MiB or GiB, for example \"64MiB\""
            )
        };
        for text in [
            "", "MiB", "32", "-1MiB", "1.2.3MiB", "1.3333B", "zwei MiB", "1e3B", "+4KiB", "32TB",
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), general(text));
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let actual = match parse(text) {
            Ok(bytes) => format!("{bytes} {}", format(bytes)),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&actual);
    }
}
