//! Where a card was issued.
//!
//! Full tables of issuers are sold, not published. This one has what is public: the schemes that belong to one country, and
//! the test cards of payment providers, which carry their country as digits seven to nine.

use super::country;

/// Digits that tell: six of the issuer, and three of the country in a test card.
const PREFIX_DIGITS: usize = 9;

/// Test cards begin so; the number of their country in ISO 3166 follows.
const TEST_PREFIX: u32 = 400_000;

/// Ranges of the first six digits, with the country. The first that fits holds.
const SCHEMES: [(u32, u32, &str); 16] = [
    (220_000, 220_499, "RU"), // Mir
    (340_000, 349_999, "US"), // American Express
    (352_800, 358_999, "JP"), // JCB
    (370_000, 379_999, "US"), // American Express
    (411_111, 411_111, "US"), // The test card of every shop.
    (424_242, 424_242, "US"), // Test card.
    (501_900, 501_999, "DK"), // Dankort
    (506_099, 506_198, "NG"), // Verve
    (506_699, 506_778, "BR"), // Elo
    (508_500, 508_999, "IN"), // RuPay
    (555_555, 555_555, "US"), // Test card.
    (601_100, 601_199, "US"), // Discover
    (606_282, 606_282, "BR"), // Hipercard
    (607_000, 608_999, "IN"), // RuPay
    (620_000, 629_999, "CN"), // UnionPay
    (979_200, 979_289, "TR"), // Troy
];

/// The code of the country (ISO 3166, two letters) whose bank issued the card; `None` if its number does not tell.
pub fn issuing_country(number: &str) -> Option<&'static str> {
    let mut digits = [0; PREFIX_DIGITS];
    let mut found = number.bytes().filter(u8::is_ascii_digit);
    for digit in &mut digits {
        *digit = u32::from(found.next()? - b'0');
    }
    let (issuer, country) = digits.split_at(6);
    let issuer = value(issuer);
    if issuer == TEST_PREFIX {
        return country::by_number(value(country)).map(|country| country.code);
    }
    let scheme = SCHEMES
        .iter()
        .find(|(low, high, _)| (*low..=*high).contains(&issuer))?;
    Some(scheme.2)
}

fn value(digits: &[u32]) -> u32 {
    digits.iter().fold(0, |value, digit| value * 10 + digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: &str, expected: Option<&str>) {
        assert_eq!(issuing_country(number), expected);
    }

    #[test]
    fn schemes_of_one_country_tell() {
        check("4111 1111 1111 1111", Some("US"));
        check("6200-0000-0000-0005", Some("CN"));
        check("3530111333300000", Some("JP"));
        check("2200 0000 0000 0004", Some("RU"));
    }

    #[test]
    fn test_cards_carry_their_country() {
        check("4000 0027 6000 0016", Some("DE"));
        check("4000 0023 3000 0009", Some("EE"));
        check("4000 0000 0000 0002", None);
    }

    #[test]
    fn most_cards_do_not_tell() {
        check("4539 1488 0343 6467", None);
        check("4111 1111", None);
        check("", None);
    }
}
