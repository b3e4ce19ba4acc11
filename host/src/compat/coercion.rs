//! Values of one type made into those of another that fits it.

use wasmtime::component::Val;

/// How values of a call change on their way.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit {
    pub(super) arguments: Vec<Coercion>,
    pub(super) results: Vec<Coercion>,
}

impl Fit {
    /// The caller's arguments as the callee reads them.
    #[must_use]
    pub fn arguments(&self, values: Vec<Val>) -> Vec<Val> {
        apply(&self.arguments, values)
    }

    /// The callee's results as the caller reads them.
    #[must_use]
    pub fn results(&self, values: Vec<Val>) -> Vec<Val> {
        apply(&self.results, values)
    }
}

/// What becomes of one value. A value that does not have the writer's type stays as it is, and whoever reads it refuses it.
#[derive(Debug, PartialEq, Eq)]
pub enum Coercion {
    /// Nothing.
    Same,
    /// Each element.
    List(Box<Coercion>),
    /// Each key and value.
    Map(Box<(Coercion, Coercion)>),
    /// What is inside, if there is something.
    Option(Box<Coercion>),
    /// Each element.
    Tuple(Vec<Coercion>),
    /// The fields that the reader has, each with its place in the writer's record; none where that does not have it.
    Record(Vec<(String, Option<(usize, Coercion)>)>),
    /// What the case holds.
    Variant(Vec<(String, Coercion)>),
    /// What ok and error hold.
    Result(Box<(Coercion, Coercion)>),
}

impl Coercion {
    pub(super) fn list(element: Self) -> Self {
        element.unless_same(|element| Self::List(Box::new(element)))
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::pair(key, value, Self::Map)
    }

    pub(super) fn option(some: Self) -> Self {
        some.unless_same(|some| Self::Option(Box::new(some)))
    }

    pub(super) fn tuple(elements: Vec<Self>) -> Self {
        match elements.iter().all(|element| *element == Self::Same) {
            true => Self::Same,
            false => Self::Tuple(elements),
        }
    }

    pub(super) fn variant(cases: Vec<(String, Self)>) -> Self {
        match cases.iter().all(|(_, payload)| *payload == Self::Same) {
            true => Self::Same,
            false => Self::Variant(cases),
        }
    }

    pub(super) fn result(ok: Self, error: Self) -> Self {
        Self::pair(ok, error, Self::Result)
    }

    fn pair(one: Self, other: Self, both: impl FnOnce(Box<(Self, Self)>) -> Self) -> Self {
        match (&one, &other) {
            (Self::Same, Self::Same) => Self::Same,
            _ => both(Box::new((one, other))),
        }
    }

    fn unless_same(self, wrap: impl FnOnce(Self) -> Self) -> Self {
        match self {
            Self::Same => Self::Same,
            other => wrap(other),
        }
    }

    fn apply(&self, value: Val) -> Val {
        let each = |one: &Self, values: Vec<Val>| {
            values.into_iter().map(|value| one.apply(value)).collect()
        };
        let inside = |one: &Self, value: Option<Box<Val>>| value.map(|it| Box::new(one.apply(*it)));
        match (self, value) {
            (Self::List(element), Val::List(values)) => Val::List(each(element, values)),
            (Self::List(element), Val::FixedLengthList(values)) => {
                Val::FixedLengthList(each(element, values))
            }
            (Self::Map(both), Val::Map(entries)) => {
                let entry = |(key, value)| (both.0.apply(key), both.1.apply(value));
                Val::Map(entries.into_iter().map(entry).collect())
            }
            (Self::Option(some), Val::Option(value)) => Val::Option(inside(some, value)),
            (Self::Tuple(elements), Val::Tuple(values)) => Val::Tuple(apply(elements, values)),
            (Self::Record(fields), Val::Record(values)) => Val::Record(record(fields, values)),
            (Self::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.iter().find(|(case, _)| *case == name);
                let payload = match case {
                    Some((_, case)) => inside(case, payload),
                    None => payload,
                };
                Val::Variant(name, payload)
            }
            (Self::Result(both), Val::Result(Ok(value))) => Val::Result(Ok(inside(&both.0, value))),
            (Self::Result(both), Val::Result(Err(value))) => {
                Val::Result(Err(inside(&both.1, value)))
            }
            (_, value) => value,
        }
    }
}

fn apply(coercions: &[Coercion], values: Vec<Val>) -> Vec<Val> {
    let pairs = coercions.iter().zip(values);
    pairs
        .map(|(coercion, value)| coercion.apply(value))
        .collect()
}

fn record(
    fields: &[(String, Option<(usize, Coercion)>)],
    values: Vec<(String, Val)>,
) -> Vec<(String, Val)> {
    // Fields keep their order, so each is met on the way; what lies between them is dropped.
    let mut values = values.into_iter().enumerate();
    let field = |(name, from): &(String, Option<(usize, Coercion)>)| {
        let value = from.as_ref().and_then(|(index, coercion)| {
            let (_, (_, value)) = values.find(|(place, _)| place == index)?;
            Some(coercion.apply(value))
        });
        (name.clone(), value.unwrap_or(Val::Option(None)))
    };
    fields.iter().map(field).collect()
}
