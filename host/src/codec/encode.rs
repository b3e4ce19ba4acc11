//! Values to bytes.

use super::number::{NAN_32, NAN_64, write_signed, write_unsigned};
use super::place::{At, Step};
use super::plan::Plan;
use wasmtime::component::Val;

/// A value does not have its type. Whoever made it is wrong; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct EncodeError {
    /// The place in the message, for example `argument order, field items, element 3`.
    pub place: String,
    /// What is there and what should be.
    pub what: String,
}

impl EncodeError {
    pub(super) fn new(misfit: Misfit<'_>, part: &str) -> Self {
        Self {
            place: misfit.place(part),
            what: misfit.what,
        }
    }

    pub(super) fn count(values: usize, parts: usize) -> Self {
        Self {
            place: "the message".to_owned(),
            what: format!("values: {values} where the type has {parts}"),
        }
    }
}

/// What is wrong with a value, and where.
pub(super) type Misfit<'plan> = At<'plan, String>;

type Encoded<'plan> = Result<(), Box<Misfit<'plan>>>;

/// Room for the arguments of most calls: an order of the bookshop takes 450 bytes. What needs more grows by doubling.
const CAPACITY: usize = 1024;

/// Writes values one after the other.
pub(super) struct Encoder {
    pub bytes: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        let bytes = Vec::with_capacity(CAPACITY);
        Self { bytes }
    }
}

impl Encoder {
    /// Appends `value`, which has the type of `plan`.
    pub fn value<'plan>(&mut self, plan: &'plan Plan, value: &Val) -> Encoded<'plan> {
        match (plan, value) {
            (Plan::Bool, Val::Bool(value)) => self.bytes.push(u8::from(*value)),
            (Plan::U8, Val::U8(value)) => self.bytes.push(*value),
            (Plan::S8, Val::S8(value)) => self.bytes.push(value.cast_unsigned()),
            (Plan::U16, Val::U16(value)) => write_unsigned(&mut self.bytes, u64::from(*value)),
            (Plan::U32, Val::U32(value)) => write_unsigned(&mut self.bytes, u64::from(*value)),
            (Plan::U64, Val::U64(value)) => write_unsigned(&mut self.bytes, *value),
            (Plan::S16, Val::S16(value)) => write_signed(&mut self.bytes, i64::from(*value)),
            (Plan::S32, Val::S32(value)) => write_signed(&mut self.bytes, i64::from(*value)),
            (Plan::S64, Val::S64(value)) => write_signed(&mut self.bytes, *value),
            (Plan::F32, Val::Float32(value)) => {
                let bits = if value.is_nan() {
                    NAN_32
                } else {
                    value.to_bits()
                };
                self.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            (Plan::F64, Val::Float64(value)) => {
                let bits = if value.is_nan() {
                    NAN_64
                } else {
                    value.to_bits()
                };
                self.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            (Plan::Char, Val::Char(value)) => {
                let mut utf8 = [0; 4];
                let utf8 = value.encode_utf8(&mut utf8);
                self.bytes.extend_from_slice(utf8.as_bytes());
            }
            (Plan::String, Val::String(text)) => {
                self.count(text.len())?;
                self.bytes.extend_from_slice(text.as_bytes());
            }
            (Plan::Bytes, Val::List(items)) => return self.byte_list(items),
            (Plan::List(element), Val::List(items)) => {
                self.count(items.len())?;
                return self.elements(&element.plan, items);
            }
            (Plan::FixedList(element, count), Val::FixedLengthList(items)) => {
                if items.len() != *count as usize {
                    return Err(misfit(format!(
                        "elements: {} where the type has {count}",
                        items.len()
                    )));
                }
                return self.elements(&element.plan, items);
            }
            (Plan::Map(entry), Val::Map(items)) => {
                self.count(items.len())?;
                for (index, (key, value)) in items.iter().enumerate() {
                    self.value(&entry.key, key)
                        .map_err(|misfit| misfit.within(Step::Key(index)))?;
                    self.value(&entry.value, value)
                        .map_err(|misfit| misfit.within(Step::Value(index)))?;
                }
            }
            (Plan::Record(record), Val::Record(values)) => {
                return self.fields(&record.fields, values);
            }
            (Plan::Tuple(plans), Val::Tuple(values)) => {
                if plans.len() != values.len() {
                    return Err(misfit(format!(
                        "elements: {} where the type has {}",
                        values.len(),
                        plans.len()
                    )));
                }
                for (index, (plan, value)) in plans.iter().zip(values).enumerate() {
                    self.value(plan, value)
                        .map_err(|misfit| misfit.within(Step::Element(index)))?;
                }
            }
            (Plan::Variant(cases), Val::Variant(name, payload)) => {
                let Some(index) = cases.iter().position(|(case, _)| case == name) else {
                    return Err(misfit(format!("the type has no case {name}")));
                };
                write_unsigned(&mut self.bytes, index as u64);
                let (case, plan) = &cases[index];
                return self.payload(plan.as_ref(), payload.as_deref(), Step::Case(case));
            }
            (Plan::Enum(names), Val::Enum(name)) => {
                let Some(index) = names.iter().position(|known| known == name) else {
                    return Err(misfit(format!("the type has no case {name}")));
                };
                write_unsigned(&mut self.bytes, index as u64);
            }
            (Plan::Option(_), Val::Option(None)) => self.bytes.push(0),
            (Plan::Option(some), Val::Option(Some(value))) => {
                self.bytes.push(1);
                return self
                    .value(some, value)
                    .map_err(|misfit| misfit.within(Step::Some));
            }
            (Plan::Result(ok, _), Val::Result(Ok(payload))) => {
                self.bytes.push(0);
                return self.payload(ok.as_deref(), payload.as_deref(), Step::Ok);
            }
            (Plan::Result(_, error), Val::Result(Err(payload))) => {
                self.bytes.push(1);
                return self.payload(error.as_deref(), payload.as_deref(), Step::Error);
            }
            (Plan::Flags(names), Val::Flags(set)) => return self.flags(names, set),
            (plan, value) => {
                let (found, expected) = (kind(value), plan.kind());
                return Err(misfit(format!("{found} where the type has {expected}")));
            }
        }
        Ok(())
    }

    /// The count of a list or a text.
    fn count<'plan>(&mut self, count: usize) -> Encoded<'plan> {
        let count = u32::try_from(count)
            .map_err(|_| misfit(format!("{count} elements; a list has at most {}", u32::MAX)))?;
        write_unsigned(&mut self.bytes, u64::from(count));
        Ok(())
    }

    fn byte_list<'plan>(&mut self, items: &[Val]) -> Encoded<'plan> {
        self.count(items.len())?;
        self.bytes.reserve(items.len());
        for (index, item) in items.iter().enumerate() {
            match item {
                Val::U8(byte) => self.bytes.push(*byte),
                other => {
                    let what = format!("{} where the type has u8", kind(other));
                    return Err(misfit(what).within(Step::Element(index)));
                }
            }
        }
        Ok(())
    }

    fn elements<'plan>(&mut self, plan: &'plan Plan, items: &[Val]) -> Encoded<'plan> {
        for (index, item) in items.iter().enumerate() {
            self.value(plan, item)
                .map_err(|misfit| misfit.within(Step::Element(index)))?;
        }
        Ok(())
    }

    fn fields<'plan>(
        &mut self,
        fields: &'plan [(String, Plan)],
        values: &[(String, Val)],
    ) -> Encoded<'plan> {
        if fields.len() != values.len() {
            return Err(misfit(format!(
                "fields: {} where the type has {}",
                values.len(),
                fields.len()
            )));
        }
        for ((name, plan), (found, value)) in fields.iter().zip(values) {
            if name != found {
                return Err(misfit(format!("a field {found} where the type has {name}")));
            }
            self.value(plan, value)
                .map_err(|misfit| misfit.within(Step::Field(name)))?;
        }
        Ok(())
    }

    fn payload<'plan>(
        &mut self,
        plan: Option<&'plan Plan>,
        value: Option<&Val>,
        step: Step<'plan>,
    ) -> Encoded<'plan> {
        let written = match (plan, value) {
            (None, None) => return Ok(()),
            (Some(plan), Some(value)) => self.value(plan, value),
            (Some(plan), None) => Err(misfit(format!(
                "no payload where the type has {}",
                plan.kind()
            ))),
            (None, Some(value)) => Err(misfit(format!(
                "a payload ({}) where the type has none",
                kind(value)
            ))),
        };
        written.map_err(|misfit| misfit.within(step))
    }

    fn flags<'plan>(&mut self, names: &'plan [String], set: &[String]) -> Encoded<'plan> {
        let start = self.bytes.len();
        self.bytes.resize(start + names.len().div_ceil(8), 0);
        for name in set {
            let Some(index) = names.iter().position(|known| known == name) else {
                return Err(misfit(format!("the type has no flag {name}")));
            };
            self.bytes[start + index / 8] |= 1 << (index % 8);
        }
        Ok(())
    }
}

#[cold]
fn misfit<'plan>(what: String) -> Box<Misfit<'plan>> {
    At::here(what)
}

/// What a value is, as WIT calls it.
fn kind(value: &Val) -> &'static str {
    match value {
        Val::Bool(_) => "bool",
        Val::S8(_) => "s8",
        Val::U8(_) => "u8",
        Val::S16(_) => "s16",
        Val::U16(_) => "u16",
        Val::S32(_) => "s32",
        Val::U32(_) => "u32",
        Val::S64(_) => "s64",
        Val::U64(_) => "u64",
        Val::Float32(_) => "f32",
        Val::Float64(_) => "f64",
        Val::Char(_) => "char",
        Val::String(_) => "string",
        Val::List(_) => "list",
        Val::FixedLengthList(_) => "list of fixed length",
        Val::Map(_) => "map",
        Val::Record(_) => "record",
        Val::Tuple(_) => "tuple",
        Val::Variant(..) => "variant",
        Val::Enum(_) => "enum",
        Val::Option(_) => "option",
        Val::Result(_) => "result",
        Val::Flags(_) => "flags",
        Val::Resource(_) => "resource",
        Val::Future(_) => "future",
        Val::Stream(_) => "stream",
        Val::ErrorContext(_) => "error-context",
    }
}
