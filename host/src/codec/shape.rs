//! A type's structure without the engine's handles: it can be compared, sent and kept.

use super::place::name_of;
use serde::{Deserialize, Serialize};
use wasmtime::component::types::Type;

/// A type's structure.
///
/// As JSON, so that a client can be told it: `"u8"`, `{"list": "u8"}`, `{"fixed-list": ["u8", 4]}`, `{"map": ["string", "u8"]}`,
/// `{"record": [["id", "string"]]}`, `{"variant": [["none", null], ["some", "u8"]]}`, `{"enum": ["red"]}`, `{"result": ["u8", null]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is called as it is in WIT")]
pub enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Shape>),
    /// `list<t, n>`.
    FixedList(Box<Shape>, u32),
    /// Key and value.
    Map(Box<Shape>, Box<Shape>),
    Record(Vec<(String, Shape)>),
    Tuple(Vec<Shape>),
    Variant(Vec<(String, Option<Shape>)>),
    Enum(Vec<String>),
    Option(Box<Shape>),
    /// Payload of ok, payload of error.
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Flags(Vec<String>),
}

impl Shape {
    /// The structure of `ty`.
    ///
    /// # Errors
    /// See [`NotAValue`].
    pub fn of(ty: &Type) -> Result<Self, NotAValue> {
        Reader::default()
            .read(ty)
            .map_err(|fault| fault.in_value("the value"))
    }
}

/// Why values of a type cannot be written as bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAValue {
    /// It contains what means something only inside one instance.
    #[error("{place}: {what} means nothing outside its instance; only plain values can be sent")]
    Handle {
        /// The place in the type, for example `argument request, field body`.
        place: String,
        /// What is there, for example `a resource`.
        what: &'static str,
    },
    /// It has more structure than a host wants to keep.
    #[error(
        "{place}: the types of one message have more than {BYTES_MAX} bytes of structure; make them smaller"
    )]
    TooLarge {
        /// Where the bound was reached.
        place: String,
    },
}

/// What the structure of one message may take: its names, and [`NODE_BYTES`] for each type, field and case. A record of a hundred fields
/// takes 10 kB; but a type that names another twice, ten times over, has a thousand parts, and a component may have such types in every function.
const BYTES_MAX: usize = 1 << 20;
/// About what a part of a type takes in memory besides its name.
const NODE_BYTES: usize = 64;

/// Reads the types of one message.
pub(super) struct Reader {
    bytes_left: usize,
}

impl Default for Reader {
    fn default() -> Self {
        let bytes_left = BYTES_MAX;
        Self { bytes_left }
    }
}

/// What is wrong with a type, and the steps to it, the innermost first. Never on a hot path, so the steps are text.
pub(super) struct Fault {
    /// A handle, or too much.
    handle: Option<&'static str>,
    steps: Vec<String>,
}

impl Fault {
    fn within(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// The error in a part of a message.
    pub fn in_part(self, part: &str) -> NotAValue {
        self.in_value(&name_of(part))
    }

    fn in_value(mut self, value: &str) -> NotAValue {
        self.steps.push(value.to_owned());
        self.steps.reverse();
        let place = self.steps.join(", ");
        match self.handle {
            Some(what) => NotAValue::Handle { place, what },
            None => NotAValue::TooLarge { place },
        }
    }
}

impl Reader {
    /// The structure of `ty`.
    pub fn read(&mut self, ty: &Type) -> Result<Shape, Fault> {
        self.spend(0)?;
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::S8,
            Type::U8 => Shape::U8,
            Type::S16 => Shape::S16,
            Type::U16 => Shape::U16,
            Type::S32 => Shape::S32,
            Type::U32 => Shape::U32,
            Type::S64 => Shape::S64,
            Type::U64 => Shape::U64,
            Type::Float32 => Shape::F32,
            Type::Float64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::List(list) => Shape::List(self.inner(&list.ty(), "element")?),
            Type::FixedLengthList(list) => {
                Shape::FixedList(self.inner(&list.ty(), "element")?, list.len())
            }
            Type::Map(map) => Shape::Map(
                self.inner(&map.key(), "key")?,
                self.inner(&map.value(), "value")?,
            ),
            Type::Record(record) => {
                let field = |field: wasmtime::component::types::Field<'_>| {
                    let name = self.name(field.name)?;
                    let shape = self.read(&field.ty);
                    Ok((
                        name,
                        shape.map_err(|fault| fault.within(format!("field {}", field.name)))?,
                    ))
                };
                Shape::Record(record.fields().map(field).collect::<Result<_, Fault>>()?)
            }
            Type::Tuple(tuple) => {
                let element = |(index, ty)| {
                    self.read(&ty)
                        .map_err(|fault| fault.within(format!("element {index}")))
                };
                let elements = tuple.types().enumerate().map(element);
                Shape::Tuple(elements.collect::<Result<_, _>>()?)
            }
            Type::Variant(variant) => {
                let case = |case: wasmtime::component::types::Case<'_>| {
                    let name = self.name(case.name)?;
                    let payload = case.ty.map(|ty| self.read(&ty)).transpose();
                    Ok((
                        name,
                        payload.map_err(|fault| fault.within(format!("case {}", case.name)))?,
                    ))
                };
                Shape::Variant(variant.cases().map(case).collect::<Result<_, Fault>>()?)
            }
            Type::Enum(names) => Shape::Enum(self.names(names.names())?),
            Type::Option(option) => Shape::Option(self.inner(&option.ty(), "some")?),
            Type::Result(result) => Shape::Result(
                self.payload(result.ok(), "ok")?,
                self.payload(result.err(), "error")?,
            ),
            Type::Flags(flags) => Shape::Flags(self.names(flags.names())?),
            Type::Own(_) => return Err(handle("a resource")),
            Type::Borrow(_) => return Err(handle("a borrowed resource")),
            Type::Future(_) => return Err(handle("a future")),
            Type::Stream(_) => return Err(handle("a stream")),
            Type::ErrorContext => return Err(handle("an error-context")),
        })
    }

    fn inner(&mut self, ty: &Type, step: &str) -> Result<Box<Shape>, Fault> {
        let shape = self.read(ty).map_err(|fault| fault.within(step))?;
        Ok(Box::new(shape))
    }

    fn payload(&mut self, ty: Option<Type>, step: &str) -> Result<Option<Box<Shape>>, Fault> {
        ty.map(|ty| self.inner(&ty, step)).transpose()
    }

    fn names<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Fault> {
        names.map(|name| self.name(name)).collect()
    }

    fn name(&mut self, name: &str) -> Result<String, Fault> {
        self.spend(name.len())?;
        Ok(name.to_owned())
    }

    fn spend(&mut self, name_bytes: usize) -> Result<(), Fault> {
        let left = self.bytes_left.checked_sub(NODE_BYTES + name_bytes);
        self.bytes_left = left.ok_or(Fault {
            handle: None,
            steps: Vec::new(),
        })?;
        Ok(())
    }
}

fn handle(what: &'static str) -> Fault {
    Fault {
        handle: Some(what),
        steps: Vec::new(),
    }
}
