//! Signs that a card shows.

/// Whether the digits start with 999, which no issuer has, or end in 0000, as those of the usual test cards do.
pub fn is_for_tests(number: &str) -> bool {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.starts_with("999") || digits.ends_with("0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: &str, expected: bool) {
        assert_eq!(is_for_tests(number), expected);
    }

    #[test]
    fn recognises_test_cards_whatever_separates_their_digits() {
        check("9991111111111111", true);
        check("99-91 1111", true);
        check("4111111111110000", true);
        check("4111 1111 1111 0 000", true);
        check("4111 1111 1111 1111", false);
        check("4111 9990 0001 1111", false);
    }

    #[test]
    fn leaves_impossible_numbers_to_verification() {
        check("", false);
        check("no digits", false);
    }
}
