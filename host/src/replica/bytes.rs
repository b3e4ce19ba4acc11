//! Numbers and byte strings as they are kept in entries and in a group's own records.
//!
//! Numbers are LEB128 in as few bytes as they need, byte strings have their length before them. What reads gets slices of what it was
//! given, without a copy, and never takes memory for a length before it has seen that so many bytes are there.

use bytes::Bytes;

/// What was read is not what was written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record is damaged")]
pub struct Unreadable;

/// Appends to a record.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty record with room for about `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Bytes with their number before them.
    pub fn text(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    /// The record.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.0.into()
    }
}

/// Reads a record from its start.
pub struct Reader(Bytes);

impl Reader {
    /// Reads `record`.
    #[must_use]
    pub fn new(record: Bytes) -> Self {
        Self(record)
    }

    /// A byte.
    ///
    /// # Errors
    /// [`Unreadable`]: there is none.
    pub fn byte(&mut self) -> Result<u8, Unreadable> {
        let byte = *self.0.first().ok_or(Unreadable)?;
        let _ = self.0.split_to(1);
        Ok(byte)
    }

    /// A number.
    ///
    /// # Errors
    /// [`Unreadable`]: it has no end, or more than 64 bits.
    pub fn number(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(Unreadable);
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unreadable)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`Unreadable`]: there are fewer.
    pub fn raw(&mut self, bytes: usize) -> Result<Bytes, Unreadable> {
        if bytes > self.0.len() {
            return Err(Unreadable);
        }
        Ok(self.0.split_to(bytes))
    }

    /// So many bytes, as an array.
    ///
    /// # Errors
    /// [`Unreadable`]: there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let bytes = self.raw(N)?;
        bytes.as_ref().try_into().map_err(|_| Unreadable)
    }

    /// Bytes with their number before them.
    ///
    /// # Errors
    /// [`Unreadable`]: there are fewer.
    pub fn text(&mut self) -> Result<Bytes, Unreadable> {
        let bytes = usize::try_from(self.number()?).map_err(|_| Unreadable)?;
        self.raw(bytes)
    }

    /// A text.
    ///
    /// # Errors
    /// [`Unreadable`]: there are fewer bytes, or they are no text.
    pub fn string(&mut self) -> Result<String, Unreadable> {
        String::from_utf8(self.text()?.into()).map_err(|_| Unreadable)
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(self) -> Bytes {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let mut writer = Writer::default();
        for number in numbers {
            writer.number(number);
        }
        writer.text("text");
        writer.raw(&[1, 2, 3]);
        let mut reader = Reader::new(writer.finish());
        for number in numbers {
            assert_eq!(reader.number(), Ok(number));
        }
        assert_eq!(reader.string(), Ok("text".to_owned()));
        assert_eq!(reader.array(), Ok([1, 2, 3]));
        assert!(reader.is_at_end());
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        let check = |bytes: &[u8]| {
            assert_eq!(
                Reader::new(Bytes::copy_from_slice(bytes)).text(),
                Err(Unreadable)
            );
        };
        check(&[]);
        check(&[5, 1, 2]);
        check(&[0x80]);
        check(&[0xff; 11]);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]);
    }
}
