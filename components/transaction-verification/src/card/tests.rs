use super::*;
use proptest::prelude::*;

const NOVEMBER: Month = Month {
    year: 2026,
    month: 11,
};

#[track_caller]
fn check(number: &str, expiration_date: &str, cvv: &str, expected: Result<(), Reason>) {
    let card = Card {
        number,
        expiration_date,
        cvv,
    };
    assert_eq!(verify(&card, NOVEMBER), expected);
}

#[track_caller]
fn check_number(number: &str, expected: Result<(), Reason>) {
    check(number, "12/30", "123", expected);
}

#[track_caller]
fn check_expiry(date: &str, expected: Result<(), Reason>) {
    check("4111111111111111", date, "123", expected);
}

#[test]
fn a_number_may_have_spaces_and_dashes() {
    check_number("4111111111111111", Ok(()));
    check_number("4111 1111 1111 1111", Ok(()));
    check_number("4111-1111-1111-1111", Ok(()));
    check_number("378282246310005", Ok(()));
    check_number("4111x1111x1111x1111", Err(Reason::InvalidCardNumber));
    check_number(
        "４１１１１１１１１１１１１１１１",
        Err(Reason::InvalidCardNumber),
    );
}

#[test]
fn a_number_has_a_check_digit() {
    check_number("4111111111111112", Err(Reason::InvalidCardNumber));
    check_number("1411111111111111", Err(Reason::InvalidCardNumber));
}

#[test]
fn a_number_has_12_to_19_digits() {
    check_number("", Err(Reason::InvalidCardNumber));
    check_number("00000000000", Err(Reason::InvalidCardNumber));
    check_number("000000000000", Ok(()));
    check_number("0000000000000000000", Ok(()));
    check_number("00000000000000000000", Err(Reason::InvalidCardNumber));
}

#[test]
fn a_date_is_a_month_and_a_year() {
    check_expiry("12/30", Ok(()));
    check_expiry("12/2030", Ok(()));
    for date in [
        "", "12", "12/", "/30", "1/30", "00/30", "13/30", "12/3", "12/030", "12/30/01", "12-30",
        "ab/cd", "+1/30", "2030/12",
    ] {
        check_expiry(date, Err(Reason::InvalidExpiry));
    }
}

#[test]
fn a_card_is_valid_through_its_last_month() {
    check_expiry("11/26", Ok(()));
    check_expiry("10/26", Err(Reason::CardExpired));
    check_expiry("12/2025", Err(Reason::CardExpired));
    check_expiry("01/27", Ok(()));
}

#[test]
fn a_cvv_has_3_or_4_digits() {
    check("4111111111111111", "12/30", "1234", Ok(()));
    for cvv in ["", "12", "12345", "12a", "１"] {
        check("4111111111111111", "12/30", cvv, Err(Reason::InvalidCvv));
    }
}

/// The number that these digits and their check digit make, found by trying.
fn with_check_digit(digits: &str) -> String {
    let numbers = (0..10).map(|check| format!("{digits}{check}"));
    let mut valid = numbers.filter(|number| is_number(number));
    let number = valid.next().expect("one of ten check digits is right");
    assert_eq!(valid.next(), None, "and no other");
    number
}

/// A number with another digit at a place, counted around.
fn with_digit_changed(number: &str, place: usize, by: u8) -> String {
    let mut digits = number.as_bytes().to_vec();
    let place = place % digits.len();
    digits[place] = (digits[place] - b'0' + by) % 10 + b'0';
    String::from_utf8(digits).expect("digits are text")
}

proptest! {
    #[test]
    fn every_number_has_exactly_one_check_digit(digits in "[0-9]{11,18}") {
        with_check_digit(&digits);
    }

    #[test]
    fn one_wrong_digit_is_always_found(digits in "[0-9]{11,18}", place: usize, by in 1..10u8) {
        let number = with_check_digit(&digits);
        prop_assert!(!is_number(&with_digit_changed(&number, place, by)));
    }

    #[test]
    fn two_digits_that_changed_places_are_found_unless_they_are_0_and_9(digits in "[0-9]{11,18}", place in 0..11usize) {
        let mut number = with_check_digit(&digits).into_bytes();
        let (left, right) = (number[place], number[place + 1]);
        number.swap(place, place + 1);
        let hidden = left == right || matches!((left, right), (b'0', b'9') | (b'9', b'0'));
        let number = String::from_utf8(number).expect("digits are text");
        prop_assert_eq!(is_number(&number), hidden);
    }

    #[test]
    fn spaces_and_dashes_mean_nothing(digits in "[0-9]{11,18}", gaps in prop::collection::vec((0..12usize, "[ -]"), 0..6)) {
        let mut number = with_check_digit(&digits);
        for (place, gap) in gaps {
            number.insert_str(place, &gap);
        }
        prop_assert!(is_number(&number));
    }

    #[test]
    fn no_text_makes_a_card_panic(number: String, date: String, cvv: String) {
        let _ = verify(&Card { number: &number, expiration_date: &date, cvv: &cvv }, NOVEMBER);
    }

    #[test]
    fn both_ways_to_write_a_month_of_this_century_mean_the_same(month in 1..=12u64, year in 2000..2100u64) {
        let (short, long) = (format!("{month:02}/{:02}", year % 100), format!("{month:02}/{year}"));
        prop_assert_eq!(expiry(&short), Some(Month { year, month }));
        prop_assert_eq!(expiry(&long), expiry(&short));
    }

    #[test]
    fn a_card_expires_when_its_last_month_is_over(seconds in 0..10_000_000_000u64, ahead in 0..10_000_000_000u64) {
        let (last_month, now) = (Month::of_unix_time(seconds), Month::of_unix_time(seconds + ahead));
        let date = format!("{:02}/{}", last_month.month, last_month.year);
        let card = Card { number: "4111111111111111", expiration_date: &date, cvv: "123" };
        let expected = if last_month == now { Ok(()) } else { Err(Reason::CardExpired) };
        prop_assert_eq!(verify(&card, now), expected);
    }
}
