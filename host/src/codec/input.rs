//! The bytes of a message, and what may still be taken for them: of the message itself, of the limit, and of memory.

use super::number::{NotANumber, read_signed, read_unsigned};
use super::place::At;
use super::plan::{Least, allocation};
use wasmtime::component::Val;

/// Memory for the values of one message, as long as the limit on them is no more than what this is made for: a list of as many bytes
/// as `limits.arguments` allows unless set (1 MiB) becomes 40 MiB of values.
const MEMORY_BYTES: usize = 64 << 20;
/// Beside the values: field names and the like, as the engine is told for the same values between two guests.
const MEMORY_BYTES_BASE: usize = 1 << 20;

/// Where reading stopped, and why.
#[derive(Debug)]
pub(super) struct Stop {
    pub offset: usize,
    pub reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    Malformed(String),
    TooLarge,
    TooMuchMemory,
}

/// What is wrong with the bytes, and where.
pub(super) type Fault<'plan> = At<'plan, Stop>;

pub(super) type Taken<'plan, T> = Result<T, Box<Fault<'plan>>>;

/// What is left to read.
pub(super) struct Input<'bytes> {
    bytes: &'bytes [u8],
    rest: &'bytes [u8],
    pub bytes_max: usize,
    /// Of `bytes_max`.
    counted_left: usize,
    pub memory_bytes_max: usize,
    memory_left: usize,
}

impl<'bytes> Input<'bytes> {
    pub fn new(bytes: &'bytes [u8], bytes_max: usize) -> Self {
        let of_engine = bytes_max
            .saturating_mul(size_of::<Val>())
            .saturating_add(MEMORY_BYTES_BASE);
        let memory_bytes_max = of_engine.max(MEMORY_BYTES);
        Self {
            bytes,
            rest: bytes,
            bytes_max,
            counted_left: bytes_max,
            memory_bytes_max,
            memory_left: memory_bytes_max,
        }
    }

    /// How many bytes were read.
    pub fn offset(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// How many bytes were not.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// What was read from `start` on.
    pub fn since(&self, start: usize) -> &'bytes [u8] {
        &self.bytes[start..self.offset()]
    }

    /// A count of elements that are at least `least` each, all of which can still follow.
    pub fn count<'plan>(&mut self, least: Least) -> Taken<'plan, usize> {
        let start = self.offset();
        let count = self.unsigned(32)? as usize;
        self.demand(count, least, start)?;
        Ok(count)
    }

    /// Checks that `count` times `least` is left.
    pub fn demand<'plan>(&self, count: usize, least: Least, offset: usize) -> Taken<'plan, ()> {
        let left = self.rest.len();
        if least.encoded.saturating_mul(count) > left {
            let what = format!("too few bytes left for {count} elements: {left}");
            return Err(malformed(offset, what));
        }
        if least.counted.saturating_mul(count) > self.counted_left {
            let reason = Reason::TooLarge;
            return Err(At::here(Stop { offset, reason }));
        }
        Ok(())
    }

    pub fn unsigned<'plan>(&mut self, bits: u32) -> Taken<'plan, u64> {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let (value, length) =
            read_unsigned(self.rest, bits).map_err(|error| self.not_a_number(error, bits))?;
        self.rest = &self.rest[length..];
        Ok(value)
    }

    pub fn signed<'plan>(&mut self, bits: u32) -> Taken<'plan, i64> {
        let (value, length) =
            read_signed(self.rest, bits).map_err(|error| self.not_a_number(error, bits))?;
        self.rest = &self.rest[length..];
        Ok(value)
    }

    #[cold]
    fn not_a_number<'plan>(&self, error: NotANumber, bits: u32) -> Box<Fault<'plan>> {
        match error {
            NotANumber::Ended => self.ended(),
            NotANumber::TooLong => {
                let bytes = bits.div_ceil(7);
                malformed(
                    self.offset(),
                    format!("a number of {bits} bits with more than {bytes} bytes"),
                )
            }
            NotANumber::TooBig => malformed(
                self.offset(),
                format!("a number that does not fit into {bits} bits"),
            ),
        }
    }

    pub fn byte<'plan>(&mut self) -> Taken<'plan, u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| self.ended())?;
        self.rest = rest;
        Ok(*byte)
    }

    pub fn array<'plan, const N: usize>(&mut self) -> Taken<'plan, [u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.ended())?;
        self.rest = rest;
        Ok(*array)
    }

    pub fn take<'plan>(&mut self, length: usize) -> Taken<'plan, &'bytes [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.ended())?;
        self.rest = rest;
        Ok(taken)
    }

    /// Counts `bytes` against the limit, in the units of `payload::value_bytes`.
    pub fn spend<'plan>(&mut self, bytes: usize) -> Taken<'plan, ()> {
        let left = self.counted_left.checked_sub(bytes);
        self.counted_left = left.ok_or_else(|| self.stop(Reason::TooLarge))?;
        Ok(())
    }

    /// Counts an allocation that comes next.
    pub fn allocate<'plan>(&mut self, bytes: usize) -> Taken<'plan, ()> {
        let left = self.memory_left.checked_sub(allocation(bytes));
        self.memory_left = left.ok_or_else(|| self.stop(Reason::TooMuchMemory))?;
        Ok(())
    }

    #[cold]
    fn stop<'plan>(&self, reason: Reason) -> Box<Fault<'plan>> {
        let offset = self.offset();
        At::here(Stop { offset, reason })
    }

    #[cold]
    fn ended<'plan>(&self) -> Box<Fault<'plan>> {
        let what = "the message ends in the middle of a value".to_owned();
        malformed(self.bytes.len(), what)
    }
}

#[cold]
pub(super) fn malformed<'plan>(offset: usize, what: String) -> Box<Fault<'plan>> {
    let reason = Reason::Malformed(what);
    At::here(Stop { offset, reason })
}
