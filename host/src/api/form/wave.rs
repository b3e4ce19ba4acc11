//! Arguments and results as WAVE texts, which people write on the command line.

use super::super::error::ApiError;
use super::super::find::Found;
use super::{short, text, wrong_count};
use crate::json::to_json;
use serde::Deserialize;
use serde_json::{Value, json};
use wasmtime::component::Val;

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// One text for each parameter.
    #[serde(default)]
    arguments: Vec<String>,
}

/// Reads one text for each parameter.
pub fn arguments(found: &Found<'_>, body: &[u8]) -> Result<Vec<Val>, ApiError> {
    let Arguments { arguments } = serde_json::from_slice(body).map_err(|error| {
        ApiError::Malformed(format!(
            "the body is not {{\"arguments\": [\"WAVE text\", …]}}: {error}"
        ))
    })?;
    let function = &found.function;
    if function.ty.params().len() != arguments.len() {
        return Err(wrong_count(found, arguments.len()));
    }
    function
        .ty
        .params()
        .zip(&arguments)
        .map(|((name, ty), written)| {
            text::read(&ty, written).map_err(|error| {
                found.incompatible(format!(
                    "argument {name} of {} is not WAVE text of type {}: {error:#}",
                    function.name,
                    short(&ty)
                ))
            })
        })
        .collect()
}

/// The results as text, and as JSON for those who would rather have that.
pub fn results(found: &Found<'_>, results: &[Val]) -> Result<Value, ApiError> {
    let result = |(ty, value): (wasmtime::component::types::Type, &Val)| {
        let wave = text::shown(value).to_wave().map_err(|error| {
            found.incompatible(format!("the result cannot be written as WAVE: {error:#}"))
        })?;
        Ok(json!({ "wave": wave, "json": to_json(value, &ty) }))
    };
    let results = found.function.ty.results().zip(results).map(result);
    Ok(json!({ "results": results.collect::<Result<Vec<_>, ApiError>>()? }))
}
