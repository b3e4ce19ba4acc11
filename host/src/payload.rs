//! What a call carries: arguments on the way in, results on the way out.
//!
//! The router hands it on without looking inside, so a faster typed path can be added here alone.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime::component::Val;

/// The body of an HTTP message on its way into or out of a component.
pub type Body = UnsyncBoxBody<Bytes, wasmtime_wasi_http::Error>;

/// Arguments or results.
pub enum Payload {
    /// Of a WIT function, in the order of its parameters or results.
    Values(Vec<Val>),
    /// Argument of a `wasi:http` handler.
    Request(http::Request<Body>),
    /// Result of a `wasi:http` handler. Its body may still be produced by the callee.
    Response(http::Response<Body>),
}

/// Bytes that a value takes: of its scalars, of its text, and of what a list or an option adds in the component model's memory layout.
///
/// An estimate made without the type: what limits are counted in, the same for every language.
#[must_use]
pub fn value_bytes(value: &Val) -> usize {
    match value {
        Val::Bool(_) | Val::S8(_) | Val::U8(_) => 1,
        Val::S16(_) | Val::U16(_) => 2,
        Val::S32(_) | Val::U32(_) | Val::Float32(_) | Val::Char(_) | Val::Enum(_) => 4,
        Val::S64(_) | Val::U64(_) | Val::Float64(_) => 8,
        Val::String(text) => 8 + text.len(),
        Val::List(items) => 8 + list_bytes(items),
        Val::Map(items) => {
            8 + items
                .iter()
                .map(|(key, value)| value_bytes(key) + value_bytes(value))
                .sum::<usize>()
        }
        Val::FixedLengthList(items) => list_bytes(items),
        Val::Tuple(items) => items.iter().map(value_bytes).sum(),
        Val::Record(fields) => fields.iter().map(|(_, value)| value_bytes(value)).sum(),
        Val::Variant(_, value) | Val::Option(value) => 1 + value.as_deref().map_or(0, value_bytes),
        Val::Result(Ok(value) | Err(value)) => 1 + value.as_deref().map_or(0, value_bytes),
        Val::Flags(names) => 4 + names.len() / 8,
        // Refused when the component is loaded, so a handle never gets here; it would be an index.
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => 4,
    }
}

/// Of elements, which have one type: scalars are counted by the first, however many there are. Values that are not of one type are refused by whoever
/// knows the type.
fn list_bytes(items: &[Val]) -> usize {
    match items.first() {
        None => 0,
        Some(first) if is_scalar(first) => items.len().saturating_mul(value_bytes(first)),
        Some(_) => items.iter().map(value_bytes).sum(),
    }
}

/// Whether all values of its type take as many bytes.
fn is_scalar(value: &Val) -> bool {
    match value {
        Val::Bool(_)
        | Val::S8(_)
        | Val::U8(_)
        | Val::S16(_)
        | Val::U16(_)
        | Val::S32(_)
        | Val::U32(_)
        | Val::S64(_)
        | Val::U64(_)
        | Val::Float32(_)
        | Val::Float64(_)
        | Val::Char(_)
        | Val::Enum(_) => true,
        Val::String(_)
        | Val::List(_)
        | Val::FixedLengthList(_)
        | Val::Map(_)
        | Val::Tuple(_)
        | Val::Record(_)
        | Val::Variant(..)
        | Val::Option(_)
        | Val::Result(_)
        | Val::Flags(_)
        | Val::Resource(_)
        | Val::Future(_)
        | Val::Stream(_)
        | Val::ErrorContext(_) => false,
    }
}

/// [`value_bytes`] of several.
#[must_use]
pub fn values_bytes(values: &[Val]) -> usize {
    values.iter().map(value_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Val, expected: usize) {
        assert_eq!(value_bytes(&value), expected, "{value:?}");
    }

    #[test]
    fn a_list_takes_what_its_elements_take() {
        let text = |text: &str| Val::String(text.to_owned());
        check(Val::List(Vec::new()), 8);
        check(Val::List(vec![Val::U8(7); 256]), 8 + 256);
        check(Val::List(vec![Val::Float64(0.5); 3]), 8 + 3 * 8);
        check(Val::List(vec![Val::Enum("red".into()); 3]), 8 + 3 * 4);
        check(Val::FixedLengthList(vec![Val::S16(1); 5]), 10);
        check(Val::List(vec![text("a"), text("bcd")]), 8 + 9 + 11);
        check(
            Val::List(vec![Val::List(vec![Val::U8(1); 4]); 2]),
            8 + 2 * 12,
        );
        check(
            Val::List(vec![
                Val::Option(None),
                Val::Option(Some(Box::new(Val::U32(1)))),
            ]),
            8 + 1 + 5,
        );
    }
}
