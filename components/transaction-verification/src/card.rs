//! Which credit cards can be charged, as far as their own text shows.

use crate::calendar::Month;
use crate::reason::Reason;
use crate::submission::Card;
use std::ops::RangeInclusive;

/// Digits of a card number (ISO/IEC 7812).
const NUMBER_DIGITS: RangeInclusive<usize> = 12..=19;

/// Refuses cards with an impossible number, expiration date or CVV, and cards that have expired before `this_month`.
pub fn verify(card: &Card, this_month: Month) -> Result<(), Reason> {
    if !is_number(card.number) {
        return Err(Reason::InvalidCardNumber);
    }
    let last_month = expiry(card.expiration_date).ok_or(Reason::InvalidExpiry)?;
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
mod tests;
