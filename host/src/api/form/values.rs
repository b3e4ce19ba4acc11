//! Arguments and results in the component model's binary value format, for programs that know the types.

use super::super::error::ApiError;
use super::super::find::Found;
use crate::client::{TYPE_HEADER, VALUES};
use crate::codec::{DecodeError, TypeHash};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::Full;
use wasmtime::component::Val;

/// Reads values that were written with the function's own types.
pub fn arguments(
    found: &Found<'_>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<Val>, ApiError> {
    let types = &found.function.types.arguments;
    let hash = headers
        .get(TYPE_HEADER)
        .and_then(|value| value.to_str().ok()?.parse::<TypeHash>().ok())
        .ok_or_else(|| {
            ApiError::Malformed(format!(
                "values need the header {TYPE_HEADER} with the hash of their types, 32 hexadecimal characters; GET /types has it"
            ))
        })?;
    if hash != types.hash() {
        return Err(found.incompatible(format!(
            "the arguments of {} were written with types of hash {hash}, and it takes {}; ask GET /types again",
            found.function.name,
            types.hash()
        )));
    }
    let limit = found.slot.service.config.limits.arguments_bytes;
    let bytes_max = usize::try_from(limit).unwrap_or(usize::MAX);
    types.decode(body, bytes_max).map_err(|error| match error {
        DecodeError::Malformed { .. } => {
            ApiError::Malformed(format!("the body is not the values it should be: {error}"))
        }
        DecodeError::TooLarge { .. } => {
            found.incompatible(format!("{error}; raise limits.arguments"))
        }
        DecodeError::TooMuchMemory { .. } => found.incompatible(error.to_string()),
    })
}

/// The answer with these results and the hash of their types.
pub fn response(found: &Found<'_>, results: &[Val]) -> Result<Response<Full<Bytes>>, ApiError> {
    let types = &found.function.types.results;
    let bytes = types.encode(results).map_err(|error| {
        found.incompatible(format!("the result cannot be written as values: {error}"))
    })?;
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(VALUES));
    if let Ok(hash) = HeaderValue::try_from(types.hash().to_string()) {
        headers.insert(TYPE_HEADER, hash);
    }
    Ok(response)
}
