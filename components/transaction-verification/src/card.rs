//! Which credit cards can be charged, as far as their own text shows.

use crate::bindings::bookshop::shop::types::CreditCard;
use crate::calendar::Month;
use crate::reason::Reason;
use std::ops::RangeInclusive;

/// Digits of a card number (ISO/IEC 7812).
const NUMBER_DIGITS: RangeInclusive<usize> = 12..=19;

/// Refuses cards with an impossible number, expiration date or CVV, and cards that have expired before `this_month`.
pub fn verify(card: &CreditCard, this_month: Month) -> Result<(), Reason> {
    if !is_number(&card.number) {
        return Err(Reason::InvalidCardNumber);
    }
    let last_month = expiry(&card.expiration_date).ok_or(Reason::InvalidExpiry)?;
    if last_month < this_month {
        return Err(Reason::CardExpired);
    }
    if !(matches!(card.cvv.len(), 3 | 4) && card.cvv.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Reason::InvalidCvv);
    }
    Ok(())
}

/// Whether `text` has the right number of digits, a right check digit, and nothing else but spaces and dashes.
fn is_number(text: &str) -> bool {
    let digits = || text.bytes().filter(u8::is_ascii_digit);
    let clean = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
    clean && NUMBER_DIGITS.contains(&digits().count()) && luhn_sum(digits().rev()) % 10 == 0
}

/// The sum of Luhn's formula over digits given from the last to the first: every second one counts double, as the sum of
/// its own digits.
fn luhn_sum(digits_from_last: impl Iterator<Item = u8>) -> u32 {
    let values = digits_from_last.map(|digit| u32::from(digit - b'0'));
    values
        .enumerate()
        .map(|(place, digit)| {
            if place % 2 == 0 {
                digit
            } else {
                digit * 2 / 10 + digit * 2 % 10
            }
        })
        .sum()
}

/// The month that `MM/YY` or `MM/YYYY` names. Two digits mean a year of this century.
fn expiry(text: &str) -> Option<Month> {
    let (month, year) = text.trim().split_once('/')?;
    let digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    let (month, value): (u64, u64) = (digits(month).filter(|_| month.len() == 2)?, digits(year)?);
    let year = match year.len() {
        2 => 2000 + value,
        4 => value,
        _ => return None,
    };
    (1..=12).contains(&month).then_some(Month { year, month })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOVEMBER: Month = Month {
        year: 2026,
        month: 11,
    };

    #[track_caller]
    fn check(number: &str, expiration_date: &str, cvv: &str, expected: Result<(), Reason>) {
        let card = CreditCard {
            number: number.into(),
            expiration_date: expiration_date.into(),
            cvv: cvv.into(),
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
            "", "12", "12/", "/30", "1/30", "00/30", "13/30", "12/3", "12/030", "12/30/01",
            "12-30", "ab/cd", "+1/30", "2030/12",
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
}
