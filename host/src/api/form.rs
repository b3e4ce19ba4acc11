//! The forms in which arguments come and results go, by the `Content-Type` of the request.
//!
//! | `Content-Type` | arguments | results |
//! |---|---|---|
//! | any other, `application/json` | JSON array in order, or object by parameter name: [`crate::json`] | `{"result": …}` |
//! | [`WAVE`] | `{"arguments": ["WAVE text", …]}` | `{"results": [{"wave": …, "json": …}]}` |
//! | [`VALUES`] | the component model's binary value format, with the header [`TYPE_HEADER`](crate::client::TYPE_HEADER) | the same |
//!
//! Errors are JSON in all of them.

use super::error::ApiError;
use super::find::Found;
use crate::client::{VALUES, WAVE};
use crate::codec::Shape;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::Full;
use serde_json::Value;
use wasmtime::component::Val;
use wasmtime::component::types::Type;

mod json;
mod text;
mod values;
mod wave;

/// A text may be this many times as large as `limits.arguments`, which counts values: `255, ` and `\u001f` are the longest ways to
/// write one byte, and most take more than one character. The values themselves are counted again when they are called with.
const TEXT_BYTES_PER_BYTE: usize = 8;
/// The same for values: a number may take half as many bytes again as it counts, and a case of a variant with many a byte more.
const VALUE_BYTES_PER_BYTE: usize = 2;

/// How arguments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON of the values.
    Json,
    /// WAVE texts in JSON.
    Wave,
    /// Binary values.
    Values,
}

impl Form {
    /// The form of a request. What does not say one of ours is JSON: `curl -d` calls everything a web form.
    pub fn of(headers: &HeaderMap) -> Self {
        let media = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim();
        if media.eq_ignore_ascii_case(WAVE) {
            Self::Wave
        } else if media.eq_ignore_ascii_case(VALUES) {
            Self::Values
        } else {
            Self::Json
        }
    }

    /// The most bytes that arguments of `arguments_bytes_max` can take in this form.
    pub fn body_bytes_max(self, arguments_bytes_max: u64) -> usize {
        let bytes = usize::try_from(arguments_bytes_max).unwrap_or(usize::MAX);
        match self {
            Self::Json | Self::Wave => bytes.saturating_mul(TEXT_BYTES_PER_BYTE),
            Self::Values => bytes.saturating_mul(VALUE_BYTES_PER_BYTE),
        }
    }

    /// The arguments in `body`.
    ///
    /// # Errors
    /// [`ApiError::Malformed`], with the place; [`CallError::Incompatible`](crate::call_error::CallError::Incompatible) with the
    /// parameter and its type.
    pub fn arguments(
        self,
        found: &Found<'_>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<Val>, ApiError> {
        match self {
            Self::Json => json::arguments(found, body),
            Self::Wave => wave::arguments(found, body),
            Self::Values => values::arguments(found, headers, body),
        }
    }

    /// The answer with these results.
    ///
    /// # Errors
    /// The results cannot be written in this form.
    pub fn response(
        self,
        found: &Found<'_>,
        results: &[Val],
    ) -> Result<Response<Full<Bytes>>, ApiError> {
        match self {
            Self::Json => Ok(json_response(&json::result(found, results))),
            Self::Wave => wave::results(found, results).map(|results| json_response(&results)),
            Self::Values => values::response(found, results),
        }
    }
}

/// An answer of 200 with a JSON value.
pub fn json_response(value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The number of arguments is wrong.
fn wrong_count(found: &Found<'_>, given: usize) -> ApiError {
    let parameters: Vec<String> = found
        .function
        .ty
        .params()
        .map(|(name, ty)| format!("{name}: {}", short(&ty)))
        .collect();
    found.incompatible(format!(
        "{} takes {} arguments ({}), but {given} were given",
        found.function.name,
        parameters.len(),
        parameters.join(", "),
    ))
}

/// The beginning of a type: a large record in full would hide what is wrong.
fn short(ty: &Type) -> String {
    const CHARACTERS_MAX: usize = 120;
    let shape = Shape::of(ty);
    let text = shape.map_or_else(|error| error.to_string(), |shape| shape.to_string());
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
