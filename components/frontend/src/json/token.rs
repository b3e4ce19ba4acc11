//! The words of JSON: texts, numbers, names, punctuation and the space between them, as RFC 8259 has them.

use super::{Problem, Reader};
use std::borrow::Cow;

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `sign` if it is next.
    pub(super) fn is_next(&mut self, sign: u8) -> bool {
        self.space();
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn punctuation(&mut self, sign: u8) -> Result<(), Problem> {
        if self.is_next(sign) {
            Ok(())
        } else {
            Err(self.syntax())
        }
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Problem> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.syntax());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// A number as it is written.
    pub(super) fn number(&mut self) -> Result<&'a str, Problem> {
        let begin = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[begin..self.at])
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Problem> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == begin {
            return Err(self.syntax());
        }
        Ok(())
    }

    /// A text with its quotes; borrowed where nothing in it is escaped.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>, Problem> {
        self.punctuation(b'"')?;
        let text = self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut whole = text.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(whole));
                }
                Some(b'\\') => {
                    whole.push(self.escaped()?);
                    whole.push_str(self.plain());
                }
                _ => return Err(self.syntax()),
            }
        }
    }

    /// What comes before the next quote, backslash or control character.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn escaped(&mut self) -> Result<char, Problem> {
        let begin = self.at;
        self.at += 1;
        let escaped = match self.peek() {
            Some(sign @ (b'"' | b'\\' | b'/')) => char::from(sign),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(begin),
            _ => return Err(self.syntax()),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// A character written as one code unit of UTF-16 or as two. Half a pair is no character.
    fn code_point(&mut self, begin: usize) -> Result<char, Problem> {
        let high = self.code_unit()?;
        let units = if (0xd800..0xdc00).contains(&high) {
            self.word("\\")?;
            [high, self.code_unit()?]
        } else {
            [high, 0]
        };
        char::decode_utf16(units)
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| {
                self.at = begin;
                self.syntax()
            })
    }

    /// `u` and four digits.
    fn code_unit(&mut self) -> Result<u16, Problem> {
        self.word("u")?;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let digit = digit.ok_or_else(|| self.syntax())?;
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// The integer that a number with a fraction or an exponent is, if it is one of at most 32 bits.
pub(super) fn whole(number: &str) -> Option<i32> {
    let value: f64 = number.parse().ok()?;
    let is_whole = value.trunc() == value;
    let fits = f64::from(i32::MIN) <= value && value <= f64::from(i32::MAX);
    // Without a fraction and within the bounds, nothing is lost.
    (is_whole && fits).then_some(value as i32)
}
