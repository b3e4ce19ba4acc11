//! Decides whether values written with one type can be read with another.
//!
//! Used when an importer is linked to an exporter. `async` is a calling convention and never part of the question.
//! Today the types have to be equal; a refusal names the function, the place in it and both types.

use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

/// Why two signatures do not fit, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: the caller uses {imported}, the callee {exported}")]
pub struct Mismatch {
    /// The place in the signature, for example `parameter order, field items, element`.
    pub place: String,
    /// The type at that place as the importer sees it.
    pub imported: String,
    /// The type at that place as the exporter sees it.
    pub exported: String,
}

/// Whether a call through `imported` can be served by `exported`.
///
/// # Errors
/// The first place where they differ.
pub fn functions(imported: &ComponentFunc, exported: &ComponentFunc) -> Result<(), Mismatch> {
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (imported.params().collect(), exported.params().collect());
    let count = |count: usize, what: &str| {
        if count == 1 {
            format!("1 {what}")
        } else {
            format!("{count} {what}s")
        }
    };
    if ours.len() != theirs.len() {
        return Err(mismatch(
            "signature",
            count(ours.len(), "parameter"),
            count(theirs.len(), "parameter"),
        ));
    }
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        if name != other {
            return Err(mismatch(
                "signature",
                format!("parameter {name}"),
                format!("parameter {other}"),
            ));
        }
        types(&format!("parameter {name}"), ours, theirs)?;
    }
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (imported.results().collect(), exported.results().collect());
    if ours.len() != theirs.len() {
        return Err(mismatch(
            "signature",
            count(ours.len(), "result"),
            count(theirs.len(), "result"),
        ));
    }
    ours.iter()
        .zip(&theirs)
        .try_for_each(|(ours, theirs)| types("result", ours, theirs))
}

fn mismatch(place: &str, imported: impl Into<String>, exported: impl Into<String>) -> Mismatch {
    Mismatch {
        place: place.into(),
        imported: imported.into(),
        exported: exported.into(),
    }
}

fn types(place: &str, ours: &Type, theirs: &Type) -> Result<(), Mismatch> {
    let different = || Err(mismatch(place, describe(ours), describe(theirs)));
    let optional = |place: &str, ours: Option<Type>, theirs: Option<Type>| match (ours, theirs) {
        (None, None) => Ok(()),
        (Some(ours), Some(theirs)) => types(place, &ours, &theirs),
        (ours, theirs) => {
            let show =
                |ty: Option<Type>| ty.map_or_else(|| "nothing".to_owned(), |ty| describe(&ty));
            Err(mismatch(place, show(ours), show(theirs)))
        }
    };
    match (ours, theirs) {
        (Type::List(ours), Type::List(theirs)) => {
            types(&format!("{place}, element"), &ours.ty(), &theirs.ty())
        }
        (Type::FixedLengthList(ours), Type::FixedLengthList(theirs))
            if ours.len() == theirs.len() =>
        {
            types(&format!("{place}, element"), &ours.ty(), &theirs.ty())
        }
        (Type::Map(ours), Type::Map(theirs)) => {
            types(&format!("{place}, key"), &ours.key(), &theirs.key())?;
            types(&format!("{place}, value"), &ours.value(), &theirs.value())
        }
        (Type::Option(ours), Type::Option(theirs)) => {
            types(&format!("{place}, some"), &ours.ty(), &theirs.ty())
        }
        (Type::Record(ours), Type::Record(theirs)) => {
            let names = ours
                .fields()
                .map(|field| field.name.to_owned())
                .collect::<Vec<_>>();
            let others = theirs
                .fields()
                .map(|field| field.name.to_owned())
                .collect::<Vec<_>>();
            if names != others {
                return Err(mismatch(
                    place,
                    format!("fields {}", names.join(", ")),
                    format!("fields {}", others.join(", ")),
                ));
            }
            ours.fields()
                .zip(theirs.fields())
                .try_for_each(|(ours, theirs)| {
                    types(
                        &format!("{place}, field {}", ours.name),
                        &ours.ty,
                        &theirs.ty,
                    )
                })
        }
        (Type::Tuple(ours), Type::Tuple(theirs)) if ours.types().len() == theirs.types().len() => {
            ours.types()
                .zip(theirs.types())
                .enumerate()
                .try_for_each(|(index, (ours, theirs))| {
                    types(&format!("{place}, element {index}"), &ours, &theirs)
                })
        }
        (Type::Variant(ours), Type::Variant(theirs)) => {
            let names = ours
                .cases()
                .map(|case| case.name.to_owned())
                .collect::<Vec<_>>();
            let others = theirs
                .cases()
                .map(|case| case.name.to_owned())
                .collect::<Vec<_>>();
            if names != others {
                return Err(mismatch(
                    place,
                    format!("cases {}", names.join(", ")),
                    format!("cases {}", others.join(", ")),
                ));
            }
            ours.cases()
                .zip(theirs.cases())
                .try_for_each(|(ours, theirs)| {
                    optional(&format!("{place}, case {}", ours.name), ours.ty, theirs.ty)
                })
        }
        (Type::Enum(ours), Type::Enum(theirs)) if ours.names().eq(theirs.names()) => Ok(()),
        (Type::Flags(ours), Type::Flags(theirs)) if ours.names().eq(theirs.names()) => Ok(()),
        (Type::Result(ours), Type::Result(theirs)) => {
            optional(&format!("{place}, ok"), ours.ok(), theirs.ok())?;
            optional(&format!("{place}, error"), ours.err(), theirs.err())
        }
        (Type::Bool, Type::Bool)
        | (Type::S8, Type::S8)
        | (Type::U8, Type::U8)
        | (Type::S16, Type::S16)
        | (Type::U16, Type::U16)
        | (Type::S32, Type::S32)
        | (Type::U32, Type::U32)
        | (Type::S64, Type::S64)
        | (Type::U64, Type::U64)
        | (Type::Float32, Type::Float32)
        | (Type::Float64, Type::Float64)
        | (Type::Char, Type::Char)
        | (Type::String, Type::String) => Ok(()),
        _ => different(),
    }
}

/// The type as WIT would write it.
#[must_use]
pub fn describe(ty: &Type) -> String {
    let list = |names: Vec<String>| names.join(", ");
    match ty {
        Type::Bool => "bool".into(),
        Type::S8 => "s8".into(),
        Type::U8 => "u8".into(),
        Type::S16 => "s16".into(),
        Type::U16 => "u16".into(),
        Type::S32 => "s32".into(),
        Type::U32 => "u32".into(),
        Type::S64 => "s64".into(),
        Type::U64 => "u64".into(),
        Type::Float32 => "f32".into(),
        Type::Float64 => "f64".into(),
        Type::Char => "char".into(),
        Type::String => "string".into(),
        Type::List(inner) => format!("list<{}>", describe(&inner.ty())),
        Type::FixedLengthList(inner) => format!("list<{}, {}>", describe(&inner.ty()), inner.len()),
        Type::Map(inner) => format!(
            "map<{}, {}>",
            describe(&inner.key()),
            describe(&inner.value())
        ),
        Type::Option(inner) => format!("option<{}>", describe(&inner.ty())),
        Type::Tuple(inner) => format!(
            "tuple<{}>",
            list(inner.types().map(|ty| describe(&ty)).collect())
        ),
        Type::Record(inner) => format!(
            "record {{ {} }}",
            list(
                inner
                    .fields()
                    .map(|field| format!("{}: {}", field.name, describe(&field.ty)))
                    .collect()
            )
        ),
        Type::Variant(inner) => {
            let case = |name: &str, ty: Option<Type>| {
                ty.map_or_else(
                    || name.to_owned(),
                    |ty| format!("{name}({})", describe(&ty)),
                )
            };
            format!(
                "variant {{ {} }}",
                list(
                    inner
                        .cases()
                        .map(|inner| case(inner.name, inner.ty))
                        .collect()
                )
            )
        }
        Type::Enum(inner) => format!(
            "enum {{ {} }}",
            list(inner.names().map(str::to_owned).collect())
        ),
        Type::Flags(inner) => format!(
            "flags {{ {} }}",
            list(inner.names().map(str::to_owned).collect())
        ),
        Type::Result(inner) => match (inner.ok(), inner.err()) {
            (None, None) => "result".into(),
            (Some(ok), None) => format!("result<{}>", describe(&ok)),
            (None, Some(error)) => format!("result<_, {}>", describe(&error)),
            (Some(ok), Some(error)) => format!("result<{}, {}>", describe(&ok), describe(&error)),
        },
        Type::Own(_) => "a resource".into(),
        Type::Borrow(_) => "a borrowed resource".into(),
        Type::Future(_) => "a future".into(),
        Type::Stream(_) => "a stream".into(),
        Type::ErrorContext => "an error-context".into(),
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

/// Whether an interface item is a resource type.
#[must_use]
pub fn is_resource(item: &ComponentItem) -> bool {
    matches!(item, ComponentItem::Resource(_))
}

fn handle_in(ty: &Type) -> Option<String> {
    match ty {
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            Some(describe(ty))
        }
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
