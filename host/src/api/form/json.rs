//! Arguments and results as JSON.

use super::super::error::ApiError;
use super::super::find::Found;
use super::{short, wrong_count};
use crate::json::{from_json, to_json};
use serde_json::{Map, Value, json};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// Reads an array in the order of the parameters, or an object by their names. Nothing at all stands for no arguments.
pub fn arguments(found: &Found<'_>, body: &[u8]) -> Result<Vec<Val>, ApiError> {
    if body.is_empty() {
        return by_order(found, &[]);
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::Malformed(format!("the body is not JSON: {error}")))?;
    match &value {
        Value::Array(items) => by_order(found, items),
        Value::Object(members) => by_name(found, members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(ApiError::Malformed(
                "the body is neither an array of the arguments in order nor an object by parameter name".into(),
            ))
        }
    }
}

/// The one result, or null.
pub fn result(found: &Found<'_>, results: &[Val]) -> Value {
    let result = found.function.ty.results().zip(results).next();
    json!({ "result": result.map(|(ty, value)| to_json(value, &ty)) })
}

fn by_order(found: &Found<'_>, items: &[Value]) -> Result<Vec<Val>, ApiError> {
    let parameters = found.function.ty.params();
    if parameters.len() != items.len() {
        return Err(wrong_count(found, items.len()));
    }
    parameters
        .zip(items)
        .map(|((name, ty), item)| argument(found, name, &ty, item))
        .collect()
}

fn by_name(found: &Found<'_>, members: &Map<String, Value>) -> Result<Vec<Val>, ApiError> {
    let function = &found.function;
    let names: Vec<&str> = function.ty.params().map(|(name, _)| name).collect();
    if let Some(unknown) = members.keys().find(|key| !names.contains(&key.as_str())) {
        let known = match names.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        return Err(found.incompatible(format!(
            "{} has no parameter {unknown:?}; {known}",
            function.name
        )));
    }
    let member = |(name, ty): (&str, Type)| match (members.get(name), &ty) {
        (Some(member), _) => argument(found, name, &ty, member),
        // As a missing field of a record.
        (None, Type::Option(_)) => Ok(Val::Option(None)),
        (None, _) => Err(found.incompatible(format!(
            "argument {name} of {} is missing; it is of type {}",
            function.name,
            short(&ty)
        ))),
    };
    function.ty.params().map(member).collect()
}

fn argument(found: &Found<'_>, name: &str, ty: &Type, json: &Value) -> Result<Val, ApiError> {
    from_json(json, ty).map_err(|error| {
        found.incompatible(format!(
            "argument {name} of {} is not JSON of type {}: {error}",
            found.function.name,
            short(ty)
        ))
    })
}
