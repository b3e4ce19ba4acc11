//! Bytes to values. Nothing here trusts the bytes: every bound of the module is checked before memory is taken for what they claim.

use super::input::{Fault, Input, Reason, Taken, malformed};
use super::number::{NAN_32, NAN_64};
use super::place::Step;
use super::plan::{Least, Plan, Record};
use wasmtime::component::Val;

/// Bytes that are not what they should be, with the place in the message and the byte from which on they are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are no values of these types: the writer is broken, or meant other types.
    #[error("{place}, byte {offset}: {what}")]
    Malformed {
        /// The place in the message, for example `argument order, field items, element 3`.
        place: String,
        /// Counted from 0.
        offset: usize,
        /// What is wrong there.
        what: String,
    },
    /// They may be values, but larger ones than the limit allows: raise the limit or send less.
    #[error(
        "{place}, byte {offset}: the values take more than {bytes_max} bytes; send less, or raise the limit"
    )]
    TooLarge {
        /// The place where the limit was exceeded.
        place: String,
        /// Counted from 0.
        offset: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// They may be values within the limit, but so many small ones that they need too much memory: send less at once.
    #[error(
        "{place}, byte {offset}: the values need more than {memory_bytes_max} bytes of memory; send less at once"
    )]
    TooMuchMemory {
        /// The place where the bound was exceeded.
        place: String,
        /// Counted from 0.
        offset: usize,
        /// The bound.
        memory_bytes_max: usize,
    },
}

/// Reads values one after the other.
pub(super) struct Decoder<'bytes> {
    input: Input<'bytes>,
}

impl<'bytes> Decoder<'bytes> {
    pub fn new(bytes: &'bytes [u8], bytes_max: usize) -> Self {
        let input = Input::new(bytes, bytes_max);
        Self { input }
    }

    /// All bytes must have been read.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.input.left() {
            0 => Ok(()),
            left => Err(DecodeError::Malformed {
                place: "the message".to_owned(),
                offset: self.input.offset(),
                what: format!("bytes behind the last value: {left}"),
            }),
        }
    }

    /// A fault in words.
    pub fn error(&self, fault: Fault<'_>, part: &str) -> DecodeError {
        let (place, offset) = (fault.place(part), fault.what.offset);
        match fault.what.reason {
            Reason::Malformed(what) => DecodeError::Malformed {
                place,
                offset,
                what,
            },
            Reason::TooLarge => DecodeError::TooLarge {
                place,
                offset,
                bytes_max: self.input.bytes_max,
            },
            Reason::TooMuchMemory => DecodeError::TooMuchMemory {
                place,
                offset,
                memory_bytes_max: self.input.memory_bytes_max,
            },
        }
    }

    /// Reads a value of the type of `plan`.
    pub fn value<'plan>(&mut self, plan: &'plan Plan) -> Taken<'plan, Val> {
        Ok(match plan {
            Plan::Bool => Val::Bool(self.choice("bool")?),
            Plan::U8 => {
                self.input.spend(1)?;
                Val::U8(self.input.byte()?)
            }
            Plan::S8 => {
                self.input.spend(1)?;
                Val::S8(self.input.byte()?.cast_signed())
            }
            Plan::U16 => {
                self.input.spend(2)?;
                Val::U16(self.input.unsigned(16)? as u16)
            }
            Plan::U32 => {
                self.input.spend(4)?;
                Val::U32(self.input.unsigned(32)? as u32)
            }
            Plan::U64 => {
                self.input.spend(8)?;
                Val::U64(self.input.unsigned(64)?)
            }
            Plan::S16 => {
                self.input.spend(2)?;
                Val::S16(self.input.signed(16)? as i16)
            }
            Plan::S32 => {
                self.input.spend(4)?;
                Val::S32(self.input.signed(32)? as i32)
            }
            Plan::S64 => {
                self.input.spend(8)?;
                Val::S64(self.input.signed(64)?)
            }
            Plan::F32 => {
                self.input.spend(4)?;
                let value = f32::from_le_bytes(self.input.array()?);
                self.canonical(value.is_nan(), value.to_bits() == NAN_32, 4)?;
                Val::Float32(value)
            }
            Plan::F64 => {
                self.input.spend(8)?;
                let value = f64::from_le_bytes(self.input.array()?);
                self.canonical(value.is_nan(), value.to_bits() == NAN_64, 8)?;
                Val::Float64(value)
            }
            Plan::Char => Val::Char(self.character()?),
            Plan::String => Val::String(self.text()?),
            Plan::Bytes => {
                self.input.spend(8)?;
                let count = self.input.count(Least {
                    encoded: 1,
                    counted: 1,
                })?;
                self.input.spend(count)?;
                self.input
                    .allocate(size_of::<Val>().saturating_mul(count))?;
                Val::List(
                    self.input
                        .take(count)?
                        .iter()
                        .copied()
                        .map(Val::U8)
                        .collect(),
                )
            }
            Plan::List(element) => {
                self.input.spend(8)?;
                let count = self.input.count(element.least)?;
                Val::List(self.elements(&element.plan, count)?)
            }
            Plan::FixedList(element, count) => {
                let count = *count as usize;
                self.input
                    .demand(count, element.least, self.input.offset())?;
                Val::FixedLengthList(self.elements(&element.plan, count)?)
            }
            Plan::Map(entry) => {
                self.input.spend(8)?;
                let count = self.input.count(entry.least)?;
                self.input
                    .allocate(size_of::<(Val, Val)>().saturating_mul(count))?;
                let mut entries = Vec::with_capacity(count);
                for index in 0..count {
                    let key = self.value(&entry.key);
                    let key = key.map_err(|fault| fault.within(Step::Key(index)))?;
                    let value = self.value(&entry.value);
                    let value = value.map_err(|fault| fault.within(Step::Value(index)))?;
                    entries.push((key, value));
                }
                Val::Map(entries)
            }
            Plan::Record(record) => Val::Record(self.fields(record)?),
            Plan::Tuple(plans) => {
                self.input
                    .allocate(size_of::<Val>().saturating_mul(plans.len()))?;
                let mut values = Vec::with_capacity(plans.len());
                for (index, plan) in plans.iter().enumerate() {
                    let value = self.value(plan);
                    values.push(value.map_err(|fault| fault.within(Step::Element(index)))?);
                }
                Val::Tuple(values)
            }
            Plan::Variant(cases) => {
                self.input.spend(1)?;
                let (name, plan) = self.case(cases)?;
                self.input.allocate(name.len())?;
                let payload = self.payload(plan.as_ref(), Step::Case(name))?;
                Val::Variant(name.clone(), payload)
            }
            Plan::Enum(names) => {
                self.input.spend(4)?;
                let name = self.case(names)?;
                self.input.allocate(name.len())?;
                Val::Enum(name.clone())
            }
            Plan::Option(some) => {
                let is_some = self.choice("option")?;
                let plan = is_some.then_some(&**some);
                Val::Option(self.payload(plan, Step::Some)?)
            }
            Plan::Result(ok, error) => Val::Result(if self.choice("result")? {
                Err(self.payload(error.as_deref(), Step::Error)?)
            } else {
                Ok(self.payload(ok.as_deref(), Step::Ok)?)
            }),
            Plan::Flags(names) => Val::Flags(self.flags(names)?),
        })
    }

    fn elements<'plan>(&mut self, plan: &'plan Plan, count: usize) -> Taken<'plan, Vec<Val>> {
        self.input
            .allocate(size_of::<Val>().saturating_mul(count))?;
        let mut items = Vec::with_capacity(count);
        for index in 0..count {
            let item = self.value(plan);
            items.push(item.map_err(|fault| fault.within(Step::Element(index)))?);
        }
        Ok(items)
    }

    fn fields<'plan>(&mut self, record: &'plan Record) -> Taken<'plan, Vec<(String, Val)>> {
        self.input.allocate(record.memory_bytes)?;
        let mut fields = Vec::with_capacity(record.fields.len());
        for (name, plan) in &record.fields {
            let value = self.value(plan);
            let value = value.map_err(|fault| fault.within(Step::Field(name)))?;
            fields.push((name.clone(), value));
        }
        Ok(fields)
    }

    fn payload<'plan>(
        &mut self,
        plan: Option<&'plan Plan>,
        step: Step<'plan>,
    ) -> Taken<'plan, Option<Box<Val>>> {
        let Some(plan) = plan else { return Ok(None) };
        let boxed = self
            .input
            .allocate(size_of::<Val>())
            .and_then(|()| self.value(plan));
        let value = boxed.map_err(|fault| fault.within(step))?;
        Ok(Some(Box::new(value)))
    }

    fn character<'plan>(&mut self) -> Taken<'plan, char> {
        self.input.spend(4)?;
        let start = self.input.offset();
        let lead = self.input.byte()?;
        let more = match lead {
            0..0x80 => return Ok(char::from(lead)),
            0x80..0xc0 => 0,
            0xc0..0xe0 => 1,
            0xe0..0xf0 => 2,
            0xf0.. => 3,
        };
        self.input.take(more)?;
        let utf8 = self.input.since(start);
        let character = str::from_utf8(utf8)
            .ok()
            .and_then(|text| text.chars().next());
        character.ok_or_else(|| malformed(start, "not the UTF-8 of a character".to_owned()))
    }

    fn text<'plan>(&mut self) -> Taken<'plan, String> {
        self.input.spend(8)?;
        let length = self.input.count(Least {
            encoded: 1,
            counted: 1,
        })?;
        self.input.spend(length)?;
        self.input.allocate(length)?;
        let start = self.input.offset();
        match str::from_utf8(self.input.take(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(malformed(
                start + error.valid_up_to(),
                "not UTF-8".to_owned(),
            )),
        }
    }

    /// The case that the next number stands for.
    fn case<'plan, C>(&mut self, cases: &'plan [C]) -> Taken<'plan, &'plan C> {
        let start = self.input.offset();
        let index = self.input.unsigned(32)?;
        cases.get(index as usize).ok_or_else(|| {
            let count = cases.len();
            malformed(start, format!("case {index} of a type that has {count}"))
        })
    }

    /// A byte that is 0 or 1, and counts as one.
    fn choice<'plan>(&mut self, kind: &str) -> Taken<'plan, bool> {
        self.input.spend(1)?;
        match self.input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(malformed(
                self.input.offset() - 1,
                format!("{kind} begins with 0 or 1, not {other}"),
            )),
        }
    }

    fn flags<'plan>(&mut self, names: &'plan [String]) -> Taken<'plan, Vec<String>> {
        self.input.spend(4)?;
        let start = self.input.offset();
        let bytes = self.input.take(names.len().div_ceil(8))?;
        let beyond = names.len() % 8;
        if let Some(last) = bytes.last()
            && beyond != 0
            && last >> beyond != 0
        {
            let count = names.len();
            return Err(malformed(
                start + bytes.len() - 1,
                format!("a bit is set behind the last of {count} flags"),
            ));
        }
        let count = bytes.iter().map(|byte| byte.count_ones() as usize).sum();
        self.input.spend(count / 8)?;
        self.input
            .allocate(size_of::<String>().saturating_mul(count))?;
        let mut set = Vec::with_capacity(count);
        for (index, name) in names.iter().enumerate() {
            if bytes[index / 8] >> (index % 8) & 1 == 1 {
                self.input.allocate(name.len())?;
                set.push(name.clone());
            }
        }
        Ok(set)
    }

    /// The format has one NaN; `bytes` were just read.
    fn canonical<'plan>(&self, is_nan: bool, is_canonical: bool, bytes: usize) -> Taken<'plan, ()> {
        if is_nan && !is_canonical {
            let what = "a NaN other than the canonical one".to_owned();
            return Err(malformed(self.input.offset() - bytes, what));
        }
        Ok(())
    }
}
