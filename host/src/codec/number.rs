//! Whole numbers as LEB128, by the rules of the WebAssembly core specification, section 5.2.2: `uN` and `sN`. And the NaNs of the format.

/// The only NaN of 32 bits: the sign is clear and of the payload only the highest bit is set.
pub(super) const NAN_32: u32 = 0x7fc0_0000;
/// The only NaN of 64 bits.
pub(super) const NAN_64: u64 = 0x7ff8_0000_0000_0000;

/// Why bytes are not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotANumber {
    /// There are no more bytes.
    Ended,
    /// It has more bytes than a number of this width can need.
    TooLong,
    /// It does not fit into its width.
    TooBig,
}

/// Appends a `uN`, as short as it can be.
pub(super) fn write_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value as u8) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends an `sN`, as short as it can be.
pub(super) fn write_signed(bytes: &mut Vec<u8>, mut value: i64) {
    // One byte has six bits besides the sign.
    while !(-0x40..0x40).contains(&value) {
        bytes.push((value as u8) | 0x80);
        value >>= 7;
    }
    bytes.push((value as u8) & 0x7f);
}

/// Reads a `uN` of `bits` (16, 32 or 64): the number, and how many bytes it has.
pub(super) fn read_unsigned(bytes: &[u8], bits: u32) -> Result<(u64, usize), NotANumber> {
    let (mut value, mut shift) = (0_u64, 0);
    for (index, &byte) in bytes.iter().enumerate() {
        let payload = u64::from(byte & 0x7f);
        if shift + 7 > bits {
            end_of_last(byte, payload >> (bits - shift) == 0)?;
        }
        value |= payload << shift;
        if byte < 0x80 {
            return Ok((value, index + 1));
        }
        shift += 7;
    }
    Err(NotANumber::Ended)
}

/// Reads an `sN` of `bits` (16, 32 or 64): the number, and how many bytes it has.
pub(super) fn read_signed(bytes: &[u8], bits: u32) -> Result<(i64, usize), NotANumber> {
    let (mut value, mut shift) = (0_i64, 0);
    for (index, &byte) in bytes.iter().enumerate() {
        // Seven bits, the highest of them a sign.
        let payload = i64::from(((byte << 1) as i8) >> 1);
        if shift + 7 > bits {
            end_of_last(byte, matches!(payload >> (bits - shift - 1), 0 | -1))?;
        }
        if byte < 0x80 {
            return Ok((value | payload << shift, index + 1));
        }
        value |= (payload & 0x7f) << shift;
        shift += 7;
    }
    Err(NotANumber::Ended)
}

/// The last byte that a number of its width can have must be the last that it has, and hold no more than is left to hold.
fn end_of_last(byte: u8, is_fitting: bool) -> Result<(), NotANumber> {
    if byte >= 0x80 {
        Err(NotANumber::TooLong)
    } else if is_fitting {
        Ok(())
    } else {
        Err(NotANumber::TooBig)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [u64; 16] = [
        0,
        1,
        0x3f,
        0x40,
        0x7f,
        0x80,
        0x3fff,
        0x4000,
        0x7fff,
        0x8000,
        0xffff,
        0x7fff_ffff,
        0xffff_ffff,
        1 << 35,
        i64::MAX as u64,
        u64::MAX,
    ];

    #[test]
    fn every_number_comes_back_and_is_never_longer_than_its_width_needs() {
        for value in NUMBERS {
            let mut bytes = Vec::new();
            write_unsigned(&mut bytes, value);
            assert_eq!(read_unsigned(&bytes, 64), Ok((value, bytes.len())));
            assert!(bytes.len() <= 10);
        }
        for value in NUMBERS {
            for value in [value as i64, (value as i64).wrapping_neg()] {
                let mut bytes = Vec::new();
                write_signed(&mut bytes, value);
                assert_eq!(read_signed(&bytes, 64), Ok((value, bytes.len())), "{value}");
                assert!(bytes.len() <= 10);
            }
        }
    }

    #[test]
    fn the_range_of_each_width_is_read_and_nothing_beyond() {
        for (bits, least, greatest) in [
            (16, i64::from(i16::MIN), i64::from(i16::MAX)),
            (32, i64::from(i32::MIN), i64::from(i32::MAX)),
        ] {
            for value in [least, greatest] {
                let mut bytes = Vec::new();
                write_signed(&mut bytes, value);
                assert_eq!(read_signed(&bytes, bits), Ok((value, bytes.len())));
            }
            for value in [least - 1, greatest + 1] {
                let mut bytes = Vec::new();
                write_signed(&mut bytes, value);
                assert_eq!(read_signed(&bytes, bits), Err(NotANumber::TooBig));
            }
            let greatest = (1 << bits) - 1;
            let mut bytes = Vec::new();
            write_unsigned(&mut bytes, greatest);
            assert_eq!(read_unsigned(&bytes, bits), Ok((greatest, bytes.len())));
            bytes.clear();
            write_unsigned(&mut bytes, greatest + 1);
            assert_eq!(read_unsigned(&bytes, bits), Err(NotANumber::TooBig));
        }
    }

    #[test]
    fn padding_is_allowed_up_to_the_greatest_length() {
        assert_eq!(read_unsigned(&[0x83, 0x80, 0x00], 16), Ok((3, 3)));
        assert_eq!(read_signed(&[0xfe, 0xff, 0x7f], 16), Ok((-2, 3)));
        let too_long = [0x83, 0x80, 0x80, 0x00];
        assert_eq!(read_unsigned(&too_long, 16), Err(NotANumber::TooLong));
        assert_eq!(read_signed(&too_long, 16), Err(NotANumber::TooLong));
        assert_eq!(read_unsigned(&too_long, 32), Ok((3, 4)));
    }

    #[test]
    fn a_number_that_does_not_end_is_none() {
        assert_eq!(read_unsigned(&[], 32), Err(NotANumber::Ended));
        assert_eq!(read_unsigned(&[0x80, 0x80], 32), Err(NotANumber::Ended));
        assert_eq!(read_signed(&[0xff], 32), Err(NotANumber::Ended));
    }
}
