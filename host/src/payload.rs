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
        Val::List(items) => 8 + items.iter().map(value_bytes).sum::<usize>(),
        Val::Map(items) => {
            8 + items
                .iter()
                .map(|(key, value)| value_bytes(key) + value_bytes(value))
                .sum::<usize>()
        }
        Val::Tuple(items) | Val::FixedLengthList(items) => items.iter().map(value_bytes).sum(),
        Val::Record(fields) => fields.iter().map(|(_, value)| value_bytes(value)).sum(),
        Val::Variant(_, value) | Val::Option(value) => 1 + value.as_deref().map_or(0, value_bytes),
        Val::Result(Ok(value) | Err(value)) => 1 + value.as_deref().map_or(0, value_bytes),
        Val::Flags(names) => 4 + names.len() / 8,
        // Refused when the component is loaded, so a handle never gets here; it would be an index.
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => 4,
    }
}

/// [`value_bytes`] of several.
#[must_use]
pub fn values_bytes(values: &[Val]) -> usize {
    values.iter().map(value_bytes).sum()
}
