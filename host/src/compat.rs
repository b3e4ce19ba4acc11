//! Decides whether values written with one type can be read with another, and how.
//!
//! Caller and callee may have been built against different versions of an interface, since either is replaced while the other serves. The component
//! model has no such subtyping; these are the rules, and values are changed on their way by [`coercion`] where they say so:
//!
//! - equal types fit;
//! - a record may lack a field that its reader has, if that is an `option`, which is then none; a field that its reader does not have is dropped;
//! - a variant, an enum or flags may have cases that its writer does not have, and none that its reader does not have;
//! - numbers, names and the order of what both have may not change.
//!
//! The writer of arguments is the caller, and that of results the callee. `async` is a calling convention and never part of the question.

use crate::codec::{FunctionTypes, MessageType, Shape};
use std::fmt;
use wasmtime::component::types::{ComponentFunc, Type};

pub mod coercion;

#[cfg(test)]
mod tests;

use coercion::Coercion;
pub use coercion::Fit;

/// Why two signatures do not fit, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {rule}")]
pub struct Mismatch {
    /// The place in the signature, for example `parameter order, field items, element`.
    pub place: String,
    /// What is not allowed there.
    pub rule: Rule,
}

/// A side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one with the import, or a program outside.
    Caller,
    /// The one with the export.
    Callee,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Caller => "the caller",
            Self::Callee => "the callee",
        })
    }
}

/// What is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Other types.
    #[error("the caller uses {caller}, the callee {callee}")]
    Type {
        /// The type at that place as the caller knows it.
        caller: String,
        /// The type at that place as the callee knows it.
        callee: String,
    },
    /// A field that must be there.
    #[error(
        "{reader} needs the field {field}, which {writer} does not give; only a field of type option may be missing"
    )]
    FieldMissing {
        /// Who needs it.
        reader: Side,
        /// Who does not have it.
        writer: Side,
        /// The field.
        field: String,
    },
    /// A case that nobody could read.
    #[error("{writer} may give the {kind} {name}, which {reader} does not know")]
    Unknown {
        /// Who does not know it.
        reader: Side,
        /// Who may give it.
        writer: Side,
        /// `case` or `flag`.
        kind: &'static str,
        /// The case.
        name: String,
    },
    /// Fields or cases in another order.
    #[error("the {kind}s {first} and {second} have changed places; their order may not change")]
    Order {
        /// `field`, `case` or `flag`.
        kind: &'static str,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

/// How a function is called that its callee has with these types by a caller that knows it with those.
///
/// # Errors
/// The first place where they do not fit.
pub fn fit(caller: &FunctionTypes, callee: &FunctionTypes) -> Result<Fit, Mismatch> {
    let arguments = message(
        &caller.arguments,
        &callee.arguments,
        Way::to_callee(),
        "parameter",
    )?;
    let results = message(&callee.results, &caller.results, Way::to_caller(), "result")?;
    Ok(Fit { arguments, results })
}

/// Which way values go.
#[derive(Debug, Clone, Copy)]
struct Way {
    writer: Side,
    reader: Side,
}

impl Way {
    fn to_callee() -> Self {
        Self {
            writer: Side::Caller,
            reader: Side::Callee,
        }
    }

    fn to_caller() -> Self {
        Self {
            writer: Side::Callee,
            reader: Side::Caller,
        }
    }

    fn different<T>(self, place: &str, writer: String, reader: String) -> Result<T, Mismatch> {
        let (caller, callee) = match self.writer {
            Side::Caller => (writer, reader),
            Side::Callee => (reader, writer),
        };
        let rule = Rule::Type { caller, callee };
        refused(place, rule)
    }
}

fn refused<T>(place: &str, rule: Rule) -> Result<T, Mismatch> {
    Err(Mismatch {
        place: place.to_owned(),
        rule,
    })
}

fn message(
    writer: &MessageType,
    reader: &MessageType,
    way: Way,
    part: &str,
) -> Result<Vec<Coercion>, Mismatch> {
    let (ours, theirs) = (writer.parts(), reader.parts());
    let count = |count: usize| match count {
        1 => format!("1 {part}"),
        count => format!("{count} {part}s"),
    };
    if ours.len() != theirs.len() {
        return way.different("signature", count(ours.len()), count(theirs.len()));
    }
    let one = |((name, ours), (other, theirs)): (&(String, Shape), &(String, Shape))| {
        if name != other {
            let named = |name: &str| format!("{part} {name}");
            return way.different("signature", named(name), named(other));
        }
        // The name of a result is empty.
        let place = format!("{part} {name}");
        shape(place.trim_end(), ours, theirs, way)
    };
    ours.iter().zip(theirs).map(one).collect()
}

fn shape(place: &str, writer: &Shape, reader: &Shape, way: Way) -> Result<Coercion, Mismatch> {
    if writer == reader {
        return Ok(Coercion::Same);
    }
    let inner = |step: &str, writer: &Shape, reader: &Shape| {
        shape(&format!("{place}, {step}"), writer, reader, way)
    };
    Ok(match (writer, reader) {
        (Shape::List(writer), Shape::List(reader)) => {
            Coercion::list(inner("element", writer, reader)?)
        }
        (Shape::FixedList(writer, count), Shape::FixedList(reader, other)) if count == other => {
            Coercion::list(inner("element", writer, reader)?)
        }
        (Shape::Map(key, value), Shape::Map(other_key, other_value)) => Coercion::map(
            inner("key", key, other_key)?,
            inner("value", value, other_value)?,
        ),
        (Shape::Option(writer), Shape::Option(reader)) => {
            Coercion::option(inner("some", writer, reader)?)
        }
        (Shape::Record(writer), Shape::Record(reader)) => record(place, writer, reader, way)?,
        (Shape::Tuple(writer), Shape::Tuple(reader)) if writer.len() == reader.len() => {
            let elements = writer.iter().zip(reader).enumerate();
            let element =
                |(index, (writer, reader))| inner(&format!("element {index}"), writer, reader);
            Coercion::tuple(elements.map(element).collect::<Result<_, _>>()?)
        }
        (Shape::Variant(writer), Shape::Variant(reader)) => variant(place, writer, reader, way)?,
        (Shape::Enum(writer), Shape::Enum(reader)) => names(place, writer, reader, "case", way)?,
        (Shape::Flags(writer), Shape::Flags(reader)) => names(place, writer, reader, "flag", way)?,
        (Shape::Result(ok, error), Shape::Result(other_ok, other_error)) => Coercion::result(
            payload(
                &format!("{place}, ok"),
                ok.as_deref(),
                other_ok.as_deref(),
                way,
            )?,
            payload(
                &format!("{place}, error"),
                error.as_deref(),
                other_error.as_deref(),
                way,
            )?,
        ),
        _ => return way.different(place, writer.to_string(), reader.to_string()),
    })
}

fn record(
    place: &str,
    writer: &[(String, Shape)],
    reader: &[(String, Shape)],
    way: Way,
) -> Result<Coercion, Mismatch> {
    let mut order = Order::new("field");
    let field = |(name, theirs): &(String, Shape)| {
        let found = writer.iter().position(|(other, _)| other == name);
        let Some(index) = found else {
            if matches!(theirs, Shape::Option(_)) {
                return Ok((name.clone(), None));
            }
            let rule = Rule::FieldMissing {
                reader: way.reader,
                writer: way.writer,
                field: name.clone(),
            };
            return refused(place, rule);
        };
        order.next(place, index, name)?;
        let coercion = shape(
            &format!("{place}, field {name}"),
            &writer[index].1,
            theirs,
            way,
        )?;
        Ok((name.clone(), Some((index, coercion))))
    };
    let fields = reader.iter().map(field).collect::<Result<_, _>>()?;
    Ok(Coercion::Record(fields))
}

fn variant(
    place: &str,
    writer: &[(String, Option<Shape>)],
    reader: &[(String, Option<Shape>)],
    way: Way,
) -> Result<Coercion, Mismatch> {
    let mut order = Order::new("case");
    let case = |(name, ours): &(String, Option<Shape>)| {
        let index = known(
            place,
            name,
            reader.iter().map(|(name, _)| name),
            "case",
            way,
        )?;
        order.next(place, index, name)?;
        let theirs = reader[index].1.as_ref();
        let place = format!("{place}, case {name}");
        Ok((name.clone(), payload(&place, ours.as_ref(), theirs, way)?))
    };
    let cases = writer.iter().map(case).collect::<Result<_, _>>()?;
    Ok(Coercion::variant(cases))
}

/// Values of enums and flags say their cases by name, so they stay as they are.
fn names(
    place: &str,
    writer: &[String],
    reader: &[String],
    kind: &'static str,
    way: Way,
) -> Result<Coercion, Mismatch> {
    let mut order = Order::new(kind);
    for name in writer {
        let index = known(place, name, reader.iter(), kind, way)?;
        order.next(place, index, name)?;
    }
    Ok(Coercion::Same)
}

/// Where the reader has a case of the writer.
fn known<'a>(
    place: &str,
    name: &str,
    mut reader: impl Iterator<Item = &'a String>,
    kind: &'static str,
    way: Way,
) -> Result<usize, Mismatch> {
    reader.position(|other| other == name).map_or_else(
        || {
            let rule = Rule::Unknown {
                reader: way.reader,
                writer: way.writer,
                kind,
                name: name.to_owned(),
            };
            refused(place, rule)
        },
        Ok,
    )
}

fn payload(
    place: &str,
    writer: Option<&Shape>,
    reader: Option<&Shape>,
    way: Way,
) -> Result<Coercion, Mismatch> {
    let show = |shape: Option<&Shape>| shape.map_or_else(|| "nothing".to_owned(), Shape::to_string);
    match (writer, reader) {
        (None, None) => Ok(Coercion::Same),
        (Some(writer), Some(reader)) => shape(place, writer, reader, way),
        (writer, reader) => way.different(place, show(writer), show(reader)),
    }
}

/// Sees that what one side has comes in the order in which the other has it.
struct Order {
    kind: &'static str,
    last: Option<(usize, String)>,
}

impl Order {
    fn new(kind: &'static str) -> Self {
        Self { kind, last: None }
    }

    fn next(&mut self, place: &str, index: usize, name: &str) -> Result<(), Mismatch> {
        match self.last.replace((index, name.to_owned())) {
            Some((before, first)) if before > index => {
                let rule = Rule::Order {
                    kind: self.kind,
                    first,
                    second: name.to_owned(),
                };
                refused(place, rule)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The first part of a signature that is not a plain value, in words: such a function cannot be called from another service,
/// since a resource, a stream or a future of one instance means nothing in another.
#[must_use]
pub fn not_a_value(function: &ComponentFunc) -> Option<String> {
    let parameter = function
        .params()
        .find_map(|(name, ty)| handle_in(&ty).map(|what| format!("parameter {name} has {what}")));
    parameter.or_else(|| {
        function
            .results()
            .find_map(|ty| handle_in(&ty).map(|what| format!("the result has {what}")))
    })
}

fn handle_in(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) => Some("a resource"),
        Type::Borrow(_) => Some("a borrowed resource"),
        Type::Future(_) => Some("a future"),
        Type::Stream(_) => Some("a stream"),
        Type::ErrorContext => Some("an error-context"),
        Type::List(inner) => handle_in(&inner.ty()),
        Type::FixedLengthList(inner) => handle_in(&inner.ty()),
        Type::Map(inner) => handle_in(&inner.key()).or_else(|| handle_in(&inner.value())),
        Type::Option(inner) => handle_in(&inner.ty()),
        Type::Tuple(inner) => inner.types().find_map(|ty| handle_in(&ty)),
        Type::Record(inner) => inner.fields().find_map(|field| handle_in(&field.ty)),
        Type::Variant(inner) => inner
            .cases()
            .find_map(|case| case.ty.and_then(|ty| handle_in(&ty))),
        Type::Result(inner) => inner
            .ok()
            .and_then(|ty| handle_in(&ty))
            .or_else(|| inner.err().and_then(|ty| handle_in(&ty))),
        Type::Enum(_)
        | Type::Flags(_)
        | Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::Float32
        | Type::Float64
        | Type::Char
        | Type::String => None,
    }
}
