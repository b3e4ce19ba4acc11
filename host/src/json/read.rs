//! JSON to values. Every refusal names the place in the JSON and what belongs there.

use super::{INFINITY, NEGATIVE_INFINITY, NOT_A_NUMBER};
use serde_json::{Map, Value};
use wasmtime::component::Val;
use wasmtime::component::types::{Flags, Record, Type, Variant};

/// A JSON value does not have the type it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct JsonError {
    /// The place: `$` is the whole, `$.items[0].quantity` a part.
    pub path: String,
    /// What is wrong there and what was expected.
    pub message: String,
}

/// `json` as a value of type `ty`.
///
/// # Errors
/// The first place where `json` is not of that type.
pub fn from_json(json: &Value, ty: &Type) -> Result<Val, JsonError> {
    read(json, ty, &Path::Root)
}

/// The way from the whole to a part; text only once there is something to say about it.
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn text(&self) -> String {
        match self {
            Self::Root => "$".to_owned(),
            Self::Name(parent, name) => {
                // A field of WIT has dashes, and what people type may be anything.
                let is_plain = name.chars().all(|character| {
                    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
                });
                if is_plain {
                    format!("{}.{name}", parent.text())
                } else {
                    format!("{}[{name:?}]", parent.text())
                }
            }
            Self::Index(parent, index) => format!("{}[{index}]", parent.text()),
        }
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, JsonError> {
        Err(JsonError {
            path: self.text(),
            message: message.into(),
        })
    }

    fn expected<T>(&self, what: &str, found: &Value) -> Result<T, JsonError> {
        self.error(format!("expected {what}, found {}", describe(found)))
    }
}

fn describe(json: &Value) -> String {
    match json {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
        Value::String(_) => "a long text".into(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".into(),
    }
}

fn read(json: &Value, ty: &Type, path: &Path<'_>) -> Result<Val, JsonError> {
    match ty {
        Type::Bool => json.as_bool().map_or_else(
            || path.expected("true or false", json),
            |value| Ok(Val::Bool(value)),
        ),
        Type::S8 => whole(json, path, "s8").map(Val::S8),
        Type::U8 => whole(json, path, "u8").map(Val::U8),
        Type::S16 => whole(json, path, "s16").map(Val::S16),
        Type::U16 => whole(json, path, "u16").map(Val::U16),
        Type::S32 => whole(json, path, "s32").map(Val::S32),
        Type::U32 => whole(json, path, "u32").map(Val::U32),
        Type::S64 => wide(json, path, "s64").map(Val::S64),
        Type::U64 => wide(json, path, "u64").map(Val::U64),
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the nearest f32 of a decimal number is what was meant"
        )]
        Type::Float32 => float(json, path, "f32").map(|value| Val::Float32(value as f32)),
        Type::Float64 => float(json, path, "f64").map(Val::Float64),
        Type::Char => match one_character(json) {
            Some(character) => Ok(Val::Char(character)),
            None => path.expected("a text of one character", json),
        },
        Type::String => text(json, path).map(|text| Val::String(text.to_owned())),
        Type::List(list) => items(json, path, &list.ty()).map(Val::List),
        Type::FixedLengthList(list) => {
            let values = items(json, path, &list.ty())?;
            if values.len() == list.len() as usize {
                Ok(Val::FixedLengthList(values))
            } else {
                path.expected(&format!("an array of {}", list.len()), json)
            }
        }
        Type::Map(map) => entries(json, path, &map.key(), &map.value()),
        Type::Record(ty) => record(json, ty, path),
        Type::Tuple(tuple) => {
            let array = array(json, path)?;
            if array.len() != tuple.types().len() {
                return path.expected(&format!("an array of {}", tuple.types().len()), json);
            }
            let values = array
                .iter()
                .zip(tuple.types())
                .enumerate()
                .map(|(index, (item, ty))| read(item, &ty, &Path::Index(path, index)));
            values.collect::<Result<_, _>>().map(Val::Tuple)
        }
        Type::Variant(ty) => variant(json, ty, path),
        Type::Enum(ty) => match json
            .as_str()
            .filter(|name| ty.names().any(|known| known == *name))
        {
            Some(name) => Ok(Val::Enum(name.to_owned())),
            None => path.expected(&one_of(ty.names()), json),
        },
        Type::Option(option) => optional(json, &option.ty(), path),
        Type::Result(result) => {
            let Some((name, payload)) = single(json) else {
                return path.expected(RESULT_FORM, json);
            };
            let place = Path::Name(path, name);
            match name {
                "ok" => payload_of(Some(payload), result.ok().as_ref(), &place)
                    .map(|payload| Val::Result(Ok(payload))),
                "err" => payload_of(Some(payload), result.err().as_ref(), &place)
                    .map(|payload| Val::Result(Err(payload))),
                _ => path.expected(RESULT_FORM, json),
            }
        }
        Type::Flags(ty) => flags(json, ty, path),
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            path.error("resources, streams, futures and error-contexts cannot be written as JSON")
        }
    }
}

const RESULT_FORM: &str = r#"{"ok": …} or {"err": …}"#;

fn whole<T: TryFrom<i64>>(json: &Value, path: &Path<'_>, ty: &str) -> Result<T, JsonError> {
    match json.as_i64().and_then(|value| T::try_from(value).ok()) {
        Some(value) => Ok(value),
        None => path.expected(&format!("a whole number ({ty})"), json),
    }
}

fn wide<T: TryFrom<i128>>(json: &Value, path: &Path<'_>, ty: &str) -> Result<T, JsonError> {
    let number = match json {
        Value::String(text) => text.parse::<i128>().ok(),
        Value::Number(number) => number.as_i128(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match number.and_then(|value| T::try_from(value).ok()) {
        Some(value) => Ok(value),
        None => path.expected(
            &format!("a whole number ({ty}), as a number or as text"),
            json,
        ),
    }
}

fn float(json: &Value, path: &Path<'_>, ty: &str) -> Result<f64, JsonError> {
    match json {
        Value::String(text) if text == NOT_A_NUMBER => Ok(f64::NAN),
        Value::String(text) if text == INFINITY => Ok(f64::INFINITY),
        Value::String(text) if text == NEGATIVE_INFINITY => Ok(f64::NEG_INFINITY),
        _ => match json.as_f64() {
            Some(value) => Ok(value),
            None => path.expected(
                &format!(
                    r#"a number ({ty}), "{NOT_A_NUMBER}", "{INFINITY}" or "{NEGATIVE_INFINITY}""#
                ),
                json,
            ),
        },
    }
}

fn text<'a>(json: &'a Value, path: &Path<'_>) -> Result<&'a str, JsonError> {
    json.as_str()
        .map_or_else(|| path.expected("a text", json), Ok)
}

fn one_character(json: &Value) -> Option<char> {
    let mut characters = json.as_str()?.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn array<'a>(json: &'a Value, path: &Path<'_>) -> Result<&'a [Value], JsonError> {
    json.as_array().map_or_else(
        || path.expected("an array", json),
        |items| Ok(items.as_slice()),
    )
}

fn items(json: &Value, path: &Path<'_>, element: &Type) -> Result<Vec<Val>, JsonError> {
    array(json, path)?
        .iter()
        .enumerate()
        .map(|(index, item)| read(item, element, &Path::Index(path, index)))
        .collect()
}

fn entries(
    json: &Value,
    path: &Path<'_>,
    key_type: &Type,
    value_type: &Type,
) -> Result<Val, JsonError> {
    let entries = match (key_type, json) {
        (Type::String, Value::Object(object)) => {
            let entry = |(key, value): (&String, &Value)| {
                Ok((
                    Val::String(key.clone()),
                    read(value, value_type, &Path::Name(path, key))?,
                ))
            };
            object.iter().map(entry).collect::<Result<_, _>>()?
        }
        (Type::String, _) => return path.expected("an object", json),
        (_, _) => {
            let entry = |(index, entry): (usize, &Value)| {
                let place = Path::Index(path, index);
                let [key, value] = array(entry, &place)? else {
                    return place.expected("[key, value]", entry);
                };
                Ok((
                    read(key, key_type, &Path::Index(&place, 0))?,
                    read(value, value_type, &Path::Index(&place, 1))?,
                ))
            };
            array(json, path)?
                .iter()
                .enumerate()
                .map(entry)
                .collect::<Result<_, _>>()?
        }
    };
    Ok(Val::Map(entries))
}

fn record(json: &Value, ty: &Record, path: &Path<'_>) -> Result<Val, JsonError> {
    let names = || {
        ty.fields()
            .map(|field| field.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Value::Object(object) = json else {
        return path.expected(&format!("an object with the fields {}", names()), json);
    };
    if let Some(unknown) = object
        .keys()
        .find(|name| !ty.fields().any(|field| field.name == name.as_str()))
    {
        return Path::Name(path, unknown)
            .error(format!("there is no such field; there are {}", names()));
    }
    let field = |field: wasmtime::component::types::Field<'_>| {
        let place = Path::Name(path, field.name);
        let value = match object.get(field.name) {
            Some(json) => read(json, &field.ty, &place)?,
            None if matches!(field.ty, Type::Option(_)) => Val::Option(None),
            None => return place.error("the field is missing"),
        };
        Ok((field.name.to_owned(), value))
    };
    ty.fields()
        .map(field)
        .collect::<Result<_, _>>()
        .map(Val::Record)
}

fn variant(json: &Value, ty: &Variant, path: &Path<'_>) -> Result<Val, JsonError> {
    let expected = || one_of(ty.cases().map(|case| case.name));
    let (name, payload) = match json {
        Value::String(name) => (name.as_str(), None),
        _ => match single(json) {
            Some((name, payload)) => (name, Some(payload)),
            None => return path.expected(&expected(), json),
        },
    };
    let Some(case) = ty.cases().find(|case| case.name == name) else {
        return path.expected(&expected(), json);
    };
    let payload = payload_of(payload, case.ty.as_ref(), &Path::Name(path, name))?;
    Ok(Val::Variant(name.to_owned(), payload))
}

fn payload_of(
    json: Option<&Value>,
    ty: Option<&Type>,
    path: &Path<'_>,
) -> Result<Option<Box<Val>>, JsonError> {
    match (json, ty) {
        (Some(json), Some(ty)) => Ok(Some(Box::new(read(json, ty, path)?))),
        (None | Some(Value::Null), None) => Ok(None),
        (Some(_), None) => path.error("this case has no payload"),
        (None, Some(_)) => path.error("this case has a payload; write {\"case\": payload}"),
    }
}

fn optional(json: &Value, inner: &Type, path: &Path<'_>) -> Result<Val, JsonError> {
    if json.is_null() {
        return Ok(Val::Option(None));
    }
    let value = match (inner, single(json)) {
        (Type::Option(_), Some(("some", value))) => read(value, inner, &Path::Name(path, "some"))?,
        (Type::Option(_), _) => return path.expected(r#"null or {"some": …}"#, json),
        (_, _) => read(json, inner, path)?,
    };
    Ok(Val::Option(Some(Box::new(value))))
}

fn flags(json: &Value, ty: &Flags, path: &Path<'_>) -> Result<Val, JsonError> {
    let name = |(index, item): (usize, &Value)| match item
        .as_str()
        .filter(|name| ty.names().any(|known| known == *name))
    {
        Some(name) => Ok(name.to_owned()),
        None => Path::Index(path, index).expected(&one_of(ty.names()), item),
    };
    array(json, path)?
        .iter()
        .enumerate()
        .map(name)
        .collect::<Result<_, _>>()
        .map(Val::Flags)
}

/// The only entry of an object that has one.
fn single(json: &Value) -> Option<(&str, &Value)> {
    let mut entries = json.as_object().map(Map::iter)?;
    let (name, value) = entries.next()?;
    entries.next().is_none().then_some((name.as_str(), value))
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>()
        .join(" or ")
}
