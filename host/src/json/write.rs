//! Values to JSON.

use super::{EXACT_MAX, INFINITY, NEGATIVE_INFINITY, NOT_A_NUMBER};
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// `value`, which is of type `ty`, as JSON.
#[must_use]
pub fn to_json(value: &Val, ty: &Type) -> Value {
    match value {
        Val::Bool(value) => Value::Bool(*value),
        Val::S8(value) => (*value).into(),
        Val::U8(value) => (*value).into(),
        Val::S16(value) => (*value).into(),
        Val::U16(value) => (*value).into(),
        Val::S32(value) => (*value).into(),
        Val::U32(value) => (*value).into(),
        Val::S64(value) if value.unsigned_abs() > EXACT_MAX => value.to_string().into(),
        Val::S64(value) => (*value).into(),
        Val::U64(value) if *value > EXACT_MAX => value.to_string().into(),
        Val::U64(value) => (*value).into(),
        Val::Float32(value) => float((*value).into(), &value.to_string()),
        Val::Float64(value) => float(*value, &value.to_string()),
        Val::Char(value) => value.to_string().into(),
        Val::String(value) => value.as_str().into(),
        Val::List(items) | Val::FixedLengthList(items) => list(items, ty),
        Val::Map(entries) => map(entries, ty),
        Val::Record(fields) => record(fields, ty),
        Val::Tuple(items) => tuple(items, ty),
        Val::Variant(case, payload) => variant(case, payload.as_deref(), ty),
        Val::Enum(case) => case.as_str().into(),
        Val::Option(value) => option(value.as_deref(), ty),
        Val::Result(value) => result(value, ty),
        Val::Flags(names) => names.iter().map(String::as_str).collect(),
        // A component with such a function is refused when it is loaded, so there is nobody who could have sent one.
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => Value::Null,
    }
}

/// The engine made value and type from the same declaration.
const MATCHES: &str = "a value has the type it was made with";

fn float(value: f64, shortest: &str) -> Value {
    if value.is_nan() {
        return NOT_A_NUMBER.into();
    }
    if value.is_infinite() {
        return if value > 0.0 {
            INFINITY
        } else {
            NEGATIVE_INFINITY
        }
        .into();
    }
    // An `f32` of 0.1 is 0.10000000149011612 as an `f64`; its own shortest text has only the digits that matter.
    let shortest = shortest.parse().unwrap_or(value);
    Number::from_f64(shortest).map_or(Value::Null, Value::Number)
}

fn list(items: &[Val], ty: &Type) -> Value {
    let element = match ty {
        Type::List(list) => list.ty(),
        Type::FixedLengthList(list) => list.ty(),
        _ => unreachable!("{MATCHES}"),
    };
    items.iter().map(|item| to_json(item, &element)).collect()
}

fn map(entries: &[(Val, Val)], ty: &Type) -> Value {
    let Type::Map(map) = ty else {
        unreachable!("{MATCHES}")
    };
    let (key_type, value_type) = (map.key(), map.value());
    let is_object = matches!(key_type, Type::String);
    if is_object {
        let entry = |(key, value): &(Val, Val)| match key {
            Val::String(key) => (key.clone(), to_json(value, &value_type)),
            _ => unreachable!("{MATCHES}"),
        };
        return Value::Object(entries.iter().map(entry).collect());
    }
    let pair = |(key, value): &(Val, Val)| {
        Value::Array(vec![to_json(key, &key_type), to_json(value, &value_type)])
    };
    entries.iter().map(pair).collect()
}

fn record(fields: &[(String, Val)], ty: &Type) -> Value {
    let Type::Record(record) = ty else {
        unreachable!("{MATCHES}")
    };
    let field =
        |((name, value), field): (&(String, Val), wasmtime::component::types::Field<'_>)| {
            (name.clone(), to_json(value, &field.ty))
        };
    Value::Object(fields.iter().zip(record.fields()).map(field).collect())
}

fn tuple(items: &[Val], ty: &Type) -> Value {
    let Type::Tuple(tuple) = ty else {
        unreachable!("{MATCHES}")
    };
    items
        .iter()
        .zip(tuple.types())
        .map(|(item, ty)| to_json(item, &ty))
        .collect()
}

fn variant(case: &str, payload: Option<&Val>, ty: &Type) -> Value {
    let Type::Variant(variant) = ty else {
        unreachable!("{MATCHES}")
    };
    let payload_type = variant
        .cases()
        .find(|known| known.name == case)
        .and_then(|known| known.ty);
    match (payload, payload_type) {
        (Some(payload), Some(ty)) => single(case, to_json(payload, &ty)),
        (Some(_), None) | (None, _) => case.into(),
    }
}

fn option(value: Option<&Val>, ty: &Type) -> Value {
    let Type::Option(option) = ty else {
        unreachable!("{MATCHES}")
    };
    let inner = option.ty();
    match value {
        None => Value::Null,
        // Without the wrapper `some(none)` and `none` would both be null.
        Some(value) if matches!(inner, Type::Option(_)) => single("some", to_json(value, &inner)),
        Some(value) => to_json(value, &inner),
    }
}

fn result(value: &Result<Option<Box<Val>>, Option<Box<Val>>>, ty: &Type) -> Value {
    let Type::Result(result) = ty else {
        unreachable!("{MATCHES}")
    };
    let (name, payload, payload_type) = match value {
        Ok(payload) => ("ok", payload, result.ok()),
        Err(payload) => ("err", payload, result.err()),
    };
    let payload = payload
        .as_deref()
        .zip(payload_type)
        .map(|(payload, ty)| to_json(payload, &ty));
    single(name, payload.unwrap_or(Value::Null))
}

fn single(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}
