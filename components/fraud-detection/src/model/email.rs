//! What an e-mail address shows.

pub use crate::email::is_disposable;

/// Top-level domains that are given away or sold for next to nothing, and so lead the statistics of abuse.
const CHEAP: [&str; 12] = [
    "buzz", "cf", "click", "cyou", "ga", "gq", "icu", "ml", "rest", "tk", "top", "xyz",
];

/// Letters that a part of a name needs to be looked for in an address: two occur by chance.
const NAME_LETTERS_MIN: usize = 3;

/// Whether the address is in one of those domains.
pub fn is_cheap(contact: &str) -> bool {
    contact.rsplit_once('.').is_some_and(|(_, top)| {
        CHEAP
            .iter()
            .any(|cheap| cheap.eq_ignore_ascii_case(top.trim()))
    })
}

/// How much of the local part is digits, 0 to 1.
pub fn digits_share(contact: &str) -> f64 {
    let local = local_part(contact);
    let digits = local.bytes().filter(u8::is_ascii_digit).count();
    digits as f64 / local.len().max(1) as f64
}

/// Whether the local part has a part of the name. True also of a name without any that could be looked for, such as one that
/// is not written in Latin letters.
pub fn has_name(contact: &str, name: &str) -> bool {
    let local = local_part(contact);
    let mut parts = name
        .split(|character: char| !character.is_ascii_alphabetic())
        .filter(|part| part.len() >= NAME_LETTERS_MIN)
        .peekable();
    parts.peek().is_none() || parts.any(|part| contains(local, part))
}

fn local_part(contact: &str) -> &str {
    let address = contact.trim();
    address.rsplit_once('@').map_or(address, |(local, _)| local)
}

/// Whether `text` has `part` in it, in any case of letters. Neither is copied.
fn contains(text: &str, part: &str) -> bool {
    text.as_bytes()
        .windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_domains_are_known_by_their_end() {
        let check = |contact, expected| assert_eq!(is_cheap(contact), expected, "{contact}");
        check("john@shop.xyz", true);
        check("john@shop.XYZ ", true);
        check("john@xyz.example.com", false);
        check("john.xyz@example.com", false);
        check("xyz", false);
    }

    #[test]
    fn digits_count_before_the_at_sign_only() {
        let check = |contact, expected| assert_eq!(digits_share(contact), expected, "{contact}");
        check("john.doe@example.com", 0.0);
        check("ab12@example.com", 0.5);
        check("1234@example.com", 1.0);
        check("john@163.com", 0.0);
        check("@example.com", 0.0);
        check("", 0.0);
    }

    #[test]
    fn a_name_is_found_in_part() {
        let check =
            |contact, name, expected| assert_eq!(has_name(contact, name), expected, "{contact}");
        check("john.doe@example.com", "John Doe", true);
        check("JDoe@example.com", "John Doe", true);
        check("jd@example.com", "John Doe", false);
        check("x7k2@doe.com", "John Doe", false);
        check("anna@example.com", "Anna-Maria Õun", true);
    }

    #[test]
    fn a_name_that_cannot_be_looked_for_is_not_held_against_anybody() {
        let check = |name| assert!(has_name("x7k2@example.com", name), "{name}");
        check("李小龙");
        check("Al Bo");
        check("");
    }
}
