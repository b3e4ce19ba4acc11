//! A [`Shape`] made ready for reading: what a decoder would ask again for every element is worked out once.

use super::Shape;
use wasmtime::component::Val;

/// What to do for a value of a type.
#[derive(Debug, Clone)]
pub(super) enum Plan {
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
    /// `list<u8>`, which is what files and pictures are.
    Bytes,
    List(Box<Element>),
    FixedList(Box<Element>, u32),
    Map(Box<Entry>),
    Record(Record),
    Tuple(Vec<Plan>),
    Variant(Vec<(String, Option<Plan>)>),
    Enum(Vec<String>),
    Option(Box<Plan>),
    Result(Option<Box<Plan>>, Option<Box<Plan>>),
    Flags(Vec<String>),
}

/// What a list holds.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub plan: Plan,
    pub least: Least,
}

/// What a map holds.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Plan,
    pub value: Plan,
    pub least: Least,
}

/// Fields, and the memory that they take in every value, their names included.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub fields: Vec<(String, Plan)>,
    pub memory_bytes: usize,
}

/// The least that a value of a type can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Least {
    /// Bytes in a message.
    pub encoded: usize,
    /// Bytes by the count of `payload::value_bytes`.
    pub counted: usize,
}

impl Least {
    const NOTHING: Self = Self::of(0, 0);

    const fn of(encoded: usize, counted: usize) -> Self {
        Self { encoded, counted }
    }

    fn and(self, other: Self) -> Self {
        Self {
            encoded: self.encoded.saturating_add(other.encoded),
            counted: self.counted.saturating_add(other.counted),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            encoded: self.encoded.min(other.encoded),
            counted: self.counted.min(other.counted),
        }
    }

    fn times(self, count: u32) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            encoded: self.encoded.saturating_mul(count),
            counted: self.counted.saturating_mul(count),
        }
    }
}

/// What an allocation of `bytes` takes, about: allocators hand out multiples.
pub(super) const fn allocation(bytes: usize) -> usize {
    bytes.next_multiple_of(16)
}

impl Plan {
    pub fn of(shape: &Shape) -> Self {
        plan(shape).0
    }

    /// The type's kind as WIT calls it, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Plan::Bool => "bool",
            Plan::S8 => "s8",
            Plan::U8 => "u8",
            Plan::S16 => "s16",
            Plan::U16 => "u16",
            Plan::S32 => "s32",
            Plan::U32 => "u32",
            Plan::S64 => "s64",
            Plan::U64 => "u64",
            Plan::F32 => "f32",
            Plan::F64 => "f64",
            Plan::Char => "char",
            Plan::String => "string",
            Plan::Bytes | Plan::List(_) => "list",
            Plan::FixedList(..) => "list of fixed length",
            Plan::Map(_) => "map",
            Plan::Record(_) => "record",
            Plan::Tuple(_) => "tuple",
            Plan::Variant(_) => "variant",
            Plan::Enum(_) => "enum",
            Plan::Option(_) => "option",
            Plan::Result(..) => "result",
            Plan::Flags(_) => "flags",
        }
    }
}

/// The plan for a shape, and the least that its values can take.
fn plan(shape: &Shape) -> (Plan, Least) {
    match shape {
        Shape::Bool => (Plan::Bool, Least::of(1, 1)),
        Shape::S8 => (Plan::S8, Least::of(1, 1)),
        Shape::U8 => (Plan::U8, Least::of(1, 1)),
        Shape::S16 => (Plan::S16, Least::of(1, 2)),
        Shape::U16 => (Plan::U16, Least::of(1, 2)),
        Shape::S32 => (Plan::S32, Least::of(1, 4)),
        Shape::U32 => (Plan::U32, Least::of(1, 4)),
        Shape::S64 => (Plan::S64, Least::of(1, 8)),
        Shape::U64 => (Plan::U64, Least::of(1, 8)),
        Shape::F32 => (Plan::F32, Least::of(4, 4)),
        Shape::F64 => (Plan::F64, Least::of(8, 8)),
        Shape::Char => (Plan::Char, Least::of(1, 4)),
        Shape::String => (Plan::String, Least::of(1, 8)),
        Shape::List(shape) if **shape == Shape::U8 => (Plan::Bytes, Least::of(1, 8)),
        Shape::List(shape) => (Plan::List(Box::new(element(shape))), Least::of(1, 8)),
        Shape::FixedList(shape, count) => {
            let element = element(shape);
            let least = element.least.times(*count);
            (Plan::FixedList(Box::new(element), *count), least)
        }
        Shape::Map(key, value) => {
            let ((key, of_key), (value, of_value)) = (plan(key), plan(value));
            let least = of_key.and(of_value);
            let entry = Entry { key, value, least };
            (Plan::Map(Box::new(entry)), Least::of(1, 8))
        }
        Shape::Record(fields) => record(fields),
        Shape::Tuple(elements) => {
            let (plans, least): (Vec<_>, Vec<_>) = elements.iter().map(plan).unzip();
            (Plan::Tuple(plans), sum(least))
        }
        Shape::Variant(cases) => {
            let case = |(name, payload): &(String, Option<Shape>)| {
                let (plan, least) = optional(payload.as_ref());
                ((name.clone(), plan), least)
            };
            let (cases, least): (Vec<_>, Vec<_>) = cases.iter().map(case).unzip();
            let least = least.into_iter().reduce(Least::or);
            let least = Least::of(1, 1).and(least.unwrap_or(Least::NOTHING));
            (Plan::Variant(cases), least)
        }
        Shape::Enum(names) => (Plan::Enum(names.clone()), Least::of(1, 4)),
        Shape::Option(some) => (Plan::Option(Box::new(plan(some).0)), Least::of(1, 1)),
        Shape::Result(ok, error) => {
            let (ok, of_ok) = optional(ok.as_deref());
            let (error, of_error) = optional(error.as_deref());
            let least = Least::of(1, 1).and(of_ok.or(of_error));
            (Plan::Result(ok.map(Box::new), error.map(Box::new)), least)
        }
        Shape::Flags(names) => {
            let least = Least::of(names.len().div_ceil(8), 4);
            (Plan::Flags(names.clone()), least)
        }
    }
}

fn element(shape: &Shape) -> Element {
    let (plan, least) = plan(shape);
    Element { plan, least }
}

fn record(fields: &[(String, Shape)]) -> (Plan, Least) {
    let names = fields.iter().map(|(name, _)| allocation(name.len()));
    let memory_bytes = allocation(size_of::<(String, Val)>() * fields.len()) + names.sum::<usize>();
    let field = |(name, shape): &(String, Shape)| {
        let (plan, least) = plan(shape);
        ((name.clone(), plan), least)
    };
    let (fields, least): (Vec<_>, Vec<_>) = fields.iter().map(field).unzip();
    let record = Record {
        fields,
        memory_bytes,
    };
    (Plan::Record(record), sum(least))
}

fn optional(shape: Option<&Shape>) -> (Option<Plan>, Least) {
    shape.map_or((None, Least::NOTHING), |shape| {
        let (plan, least) = plan(shape);
        (Some(plan), least)
    })
}

fn sum(least: Vec<Least>) -> Least {
    least.into_iter().fold(Least::NOTHING, Least::and)
}
