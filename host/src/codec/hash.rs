//! A short name for the types of a message, so that reader and writer notice when theirs differ.

use super::Shape;
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// 16 bytes of SHA-256 over the canonical text of a message's types: different types have different hashes for all practical purposes.
///
/// Names of parameters, fields, cases and flags are part of it, and their order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeHash([u8; BYTES]);

const BYTES: usize = 16;

/// Changes when the text or the format of values does, so that hosts of both kinds notice.
const VERSION: &str = "component model values, 1";

impl TypeHash {
    /// The hash of these parts, in this order.
    pub(super) fn of(parts: &[(String, Shape)]) -> Self {
        let mut text = String::from(VERSION);
        list(&mut text, "message", parts, |text, (part, shape)| {
            name(text, part);
            write(text, shape);
        });
        let digest = Sha256::digest(text);
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&digest[..BYTES]);
        Self(bytes)
    }

    /// The hash itself, for keeping.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BYTES] {
        self.0
    }
}

impl fmt::Display for TypeHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A text that is not a [`TypeHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a type hash is 32 hexadecimal characters")]
pub struct InvalidTypeHash;

impl FromStr for TypeHash {
    type Err = InvalidTypeHash;

    fn from_str(text: &str) -> Result<Self, InvalidTypeHash> {
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidTypeHash)?;
        Ok(Self(bytes))
    }
}

/// Writes the canonical text: a keyword, and what belongs to it in parentheses. Names have their length before them, so that no name can
/// look like a piece of another type.
fn write(text: &mut String, shape: &Shape) {
    match shape {
        Shape::Bool => text.push_str("bool"),
        Shape::S8 => text.push_str("s8"),
        Shape::U8 => text.push_str("u8"),
        Shape::S16 => text.push_str("s16"),
        Shape::U16 => text.push_str("u16"),
        Shape::S32 => text.push_str("s32"),
        Shape::U32 => text.push_str("u32"),
        Shape::S64 => text.push_str("s64"),
        Shape::U64 => text.push_str("u64"),
        Shape::F32 => text.push_str("f32"),
        Shape::F64 => text.push_str("f64"),
        Shape::Char => text.push_str("char"),
        Shape::String => text.push_str("string"),
        Shape::List(element) => list(text, "list", [element], |text, shape| write(text, shape)),
        Shape::FixedList(element, count) => {
            let keyword = format!("list {count}");
            list(text, &keyword, [element], |text, shape| write(text, shape));
        }
        Shape::Map(key, value) => list(text, "map", [key, value], |text, shape| write(text, shape)),
        Shape::Record(fields) => list(text, "record", fields, |text, (field, shape)| {
            name(text, field);
            write(text, shape);
        }),
        Shape::Tuple(elements) => list(text, "tuple", elements, write),
        Shape::Variant(cases) => list(text, "variant", cases, |text, (case, payload)| {
            name(text, case);
            optional(text, payload.as_ref());
        }),
        Shape::Enum(names) => list(text, "enum", names, |text, case| name(text, case)),
        Shape::Option(some) => list(text, "option", [some], |text, shape| write(text, shape)),
        Shape::Result(ok, error) => list(text, "result", [ok, error], |text, payload| {
            optional(text, payload.as_deref());
        }),
        Shape::Flags(names) => list(text, "flags", names, |text, flag| name(text, flag)),
    }
}

fn optional(text: &mut String, payload: Option<&Shape>) {
    match payload {
        Some(shape) => write(text, shape),
        None => text.push('_'),
    }
}

fn name(text: &mut String, name: &str) {
    // Writing to a text cannot fail.
    let _ = write!(text, "{}:{name}=", name.len());
}

fn list<T>(
    text: &mut String,
    keyword: &str,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut String, T),
) {
    text.push_str(keyword);
    text.push('(');
    for one in items {
        item(text, one);
        text.push(',');
    }
    text.push(')');
}
