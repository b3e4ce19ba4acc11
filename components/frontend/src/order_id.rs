//! The identity of an order.

/// A version 4 UUID (RFC 9562) in lowercase from 128 random bits, six of which it overwrites.
pub fn format(high: u64, low: u64) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Whether a text can be the identity of an order. Others need not be looked for.
pub fn is_possible(text: &str) -> bool {
    let is_at_its_place = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_at_its_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(high: u64, low: u64, expected: &str) {
        assert_eq!(format(high, low), expected);
    }

    #[test]
    fn is_a_version_4_uuid_whatever_the_bits() {
        check(0, 0, "00000000-0000-4000-8000-000000000000");
        check(u64::MAX, u64::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        check(
            0x0123_4567_89ab_cdef,
            0xfedc_ba98_7654_3210,
            "01234567-89ab-4def-bedc-ba9876543210",
        );
    }

    #[test]
    fn only_what_is_formed_like_one_can_be_one() {
        assert!(is_possible(&format(7, 7)));
        for text in [
            "",
            "1-2",
            "01234567-89ab-4def-bedc-ba987654321",
            "01234567-89ab-4def-bedc-ba98765432100",
            "01234567-89AB-4DEF-BEDC-BA9876543210",
            "01234567089ab-4def-bedc-ba9876543210",
            "01234567-89ab-4def-bedc-ba98765432é",
        ] {
            assert!(!is_possible(text), "{text}");
        }
    }
}
