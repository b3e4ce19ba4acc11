//! A type as WIT would write it, with the structure of its types in place of their names, which compiled code does not have.

use super::Shape;
use std::fmt::{self, Display, Formatter};

impl Display for Shape {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => formatter.write_str("bool"),
            Self::S8 => formatter.write_str("s8"),
            Self::U8 => formatter.write_str("u8"),
            Self::S16 => formatter.write_str("s16"),
            Self::U16 => formatter.write_str("u16"),
            Self::S32 => formatter.write_str("s32"),
            Self::U32 => formatter.write_str("u32"),
            Self::S64 => formatter.write_str("s64"),
            Self::U64 => formatter.write_str("u64"),
            Self::F32 => formatter.write_str("f32"),
            Self::F64 => formatter.write_str("f64"),
            Self::Char => formatter.write_str("char"),
            Self::String => formatter.write_str("string"),
            Self::List(element) => write!(formatter, "list<{element}>"),
            Self::FixedList(element, count) => write!(formatter, "list<{element}, {count}>"),
            Self::Map(key, value) => write!(formatter, "map<{key}, {value}>"),
            Self::Option(some) => write!(formatter, "option<{some}>"),
            Self::Tuple(elements) => {
                formatter.write_str("tuple<")?;
                list(formatter, elements, |formatter, element| {
                    write!(formatter, "{element}")
                })?;
                formatter.write_str(">")
            }
            Self::Record(fields) => {
                named(formatter, "record", fields, |formatter, (name, field)| {
                    write!(formatter, "{name}: {field}")
                })
            }
            Self::Variant(cases) => {
                named(formatter, "variant", cases, |formatter, case| match case {
                    (name, None) => formatter.write_str(name),
                    (name, Some(payload)) => write!(formatter, "{name}({payload})"),
                })
            }
            Self::Enum(names) => named(formatter, "enum", names, |formatter, name| {
                formatter.write_str(name)
            }),
            Self::Flags(names) => named(formatter, "flags", names, |formatter, name| {
                formatter.write_str(name)
            }),
            Self::Result(None, None) => formatter.write_str("result"),
            Self::Result(Some(ok), None) => write!(formatter, "result<{ok}>"),
            Self::Result(None, Some(error)) => write!(formatter, "result<_, {error}>"),
            Self::Result(Some(ok), Some(error)) => write!(formatter, "result<{ok}, {error}>"),
        }
    }
}

fn named<T>(
    formatter: &mut Formatter<'_>,
    keyword: &str,
    parts: &[T],
    part: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    write!(formatter, "{keyword} {{ ")?;
    list(formatter, parts, part)?;
    formatter.write_str(" }")
}

fn list<T>(
    formatter: &mut Formatter<'_>,
    parts: &[T],
    part: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, one) in parts.iter().enumerate() {
        if index > 0 {
            formatter.write_str(", ")?;
        }
        part(formatter, one)?;
    }
    Ok(())
}
