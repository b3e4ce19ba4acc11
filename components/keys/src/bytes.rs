//! A compact form for what the services keep: numbers of variable length, texts and lists with their lengths before them.
//!
//! It has no names and no types, so whoever writes it puts a version in front. Reading never panics: bytes that are not what
//! was expected, from a version that wrote something else, are [`Unreadable`].

/// The bytes do not hold what was expected of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// Appends values to a list of bytes.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty one with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A number: seven bits in each byte, the lowest first, with the eighth set in all but the last.
    pub fn number(&mut self, value: u64) {
        let mut rest = value;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    /// Eight bytes, the lowest first.
    pub fn float(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A byte.
    pub fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    /// Its length, and the bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Its length in bytes, and the text in UTF-8.
    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Whether there is a value, and then the value.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// The number of values, and the values.
    pub fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }

    /// The bytes as they are: the rest of the whole.
    pub fn rest(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// All that was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes values off the front of a list of bytes, in the order in which they were written.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// See [`Writer::number`].
    ///
    /// # Errors
    /// The bytes end, or the number has more than 64 bits.
    pub fn number(&mut self) -> Result<u64, Unreadable> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            value |= bits << shift;
            if byte < 0x80 {
                let fits = value >> shift == bits;
                return if fits { Ok(value) } else { Err(Unreadable) };
            }
        }
        Err(Unreadable)
    }

    /// A [`Reader::number`] of a smaller type.
    ///
    /// # Errors
    /// The bytes end, or the number is too large for the type.
    pub fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Unreadable> {
        self.number()?.try_into().map_err(|_| Unreadable)
    }

    /// See [`Writer::float`].
    ///
    /// # Errors
    /// The bytes end.
    pub fn float(&mut self) -> Result<f64, Unreadable> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    /// See [`Writer::flag`].
    ///
    /// # Errors
    /// The bytes end, or the byte is neither 0 nor 1.
    pub fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable),
        }
    }

    /// See [`Writer::bytes`].
    ///
    /// # Errors
    /// The bytes end.
    pub fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let length = self.small()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// See [`Writer::text`].
    ///
    /// # Errors
    /// The bytes end, or are not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Unreadable> {
        str::from_utf8(self.bytes()?).map_err(|_| Unreadable)
    }

    /// See [`Writer::option`].
    ///
    /// # Errors
    /// Those of the value.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// See [`Writer::list`].
    ///
    /// # Errors
    /// Those of the values.
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let count: usize = self.small()?;
        // A value has at least one byte, so a wrong count cannot ask for more memory than the bytes are worth.
        if count > self.0.len() {
            return Err(Unreadable);
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// What is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        let (&byte, rest) = self.0.split_first().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(byte)
    }
}

/// The beginning of a text that has more than `bytes_max` bytes; never a part of a character.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests;
