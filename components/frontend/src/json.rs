//! Reads JSON field by field and says where something has the wrong type.
//!
//! Messages name types and places, never values: a request holds a card.

use crate::refusal::Refusal;
use serde_json::Value;

/// Objects and arrays within each other. Parsing recurses, and the component's stack is small.
const DEPTH_MAX: usize = 32;

/// Values in one body, ignored ones too. A parsed value can take a hundred times the memory of its text.
const VALUES_MAX: usize = 10_000;

/// Parses a body whose outermost value has to be an object.
///
/// # Errors
/// [`Refusal::InvalidRequest`]: it is not JSON, not an object, nested deeper than 32 levels, or has more than 10,000 values.
pub fn parse(body: &[u8]) -> Result<Value, Refusal> {
    let shape = Shape::of(body);
    if shape.depth > DEPTH_MAX {
        return Err(Refusal::InvalidRequest(format!(
            "the body is nested deeper than {DEPTH_MAX} levels"
        )));
    }
    if shape.values > VALUES_MAX {
        return Err(Refusal::InvalidRequest(format!(
            "the body has more than {VALUES_MAX} values"
        )));
    }
    let value = serde_json::from_slice(body)
        .map_err(|error| Refusal::InvalidRequest(format!("the body is not JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(value),
        other => Err(Field::of(&other).wrong_type("an object")),
    }
}

/// What a body would become if it was parsed. Means nothing after the first place where the body is not JSON; parsing ends there.
#[derive(Debug, Default)]
struct Shape {
    /// How deep brackets are nested outside texts.
    depth: usize,
    /// At least as many as there are values inside the outermost: each comes first in an object or array, or after a comma.
    values: usize,
}

impl Shape {
    fn of(body: &[u8]) -> Self {
        let mut shape = Self::default();
        let (mut open, mut in_text, mut is_escaped) = (0_usize, false, false);
        for byte in body {
            match (in_text, byte) {
                (true, _) if is_escaped => is_escaped = false,
                (true, b'\\') => is_escaped = true,
                (_, b'"') => in_text = !in_text,
                (false, b'{' | b'[') => {
                    open += 1;
                    shape.values += 1;
                    shape.depth = shape.depth.max(open);
                }
                (false, b'}' | b']') => open = open.saturating_sub(1),
                (false, b',') => shape.values += 1,
                (_, _) => {}
            }
        }
        shape
    }
}

/// A value and the way to it. What is missing and what is `null` are the same: absent.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    value: Option<&'a Value>,
    step: Step<'a>,
    parent: Option<&'a Field<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Element(usize),
}

impl<'a> Field<'a> {
    /// The outermost value.
    pub fn of(value: &'a Value) -> Self {
        Self {
            value: Some(value),
            step: Step::Root,
            parent: None,
        }
    }

    /// Whether there is something here.
    pub fn is_present(&self) -> bool {
        self.value.is_some()
    }

    /// The member `name` of this object; absent if this is.
    pub fn member(&'a self, name: &'a str) -> Result<Field<'a>, Refusal> {
        let value = match self.value {
            None => None,
            Some(Value::Object(members)) => members.get(name).filter(|value| !value.is_null()),
            Some(_) => return Err(self.wrong_type("an object")),
        };
        Ok(Self {
            value,
            step: Step::Member(name),
            parent: Some(self),
        })
    }

    /// The elements of this array; none if it is absent.
    pub fn elements(&'a self) -> Result<impl Iterator<Item = Field<'a>>, Refusal> {
        let values = match self.value {
            None => [].as_slice(),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(self.wrong_type("an array")),
        };
        Ok(values.iter().enumerate().map(|(index, value)| Self {
            value: Some(value),
            step: Step::Element(index),
            parent: Some(self),
        }))
    }

    /// This text, if there is one.
    pub fn text(&self) -> Result<Option<&'a str>, Refusal> {
        self.read("a string", Value::as_str)
    }

    /// This number, if there is one.
    pub fn integer(&self) -> Result<Option<i32>, Refusal> {
        self.read("an integer of at most 32 bits", |value| {
            value.as_i64()?.try_into().ok()
        })
    }

    /// This truth, if there is one.
    pub fn boolean(&self) -> Result<Option<bool>, Refusal> {
        self.read("true or false", Value::as_bool)
    }

    /// The error that something else is here than `expected`.
    pub fn wrong_type(&self, expected: &str) -> Refusal {
        let actual = match self.value {
            None | Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "a string",
            Some(Value::Array(_)) => "an array",
            Some(Value::Object(_)) => "an object",
        };
        Refusal::InvalidRequest(format!(
            "{} must be {expected}, but is {actual}",
            self.path()
        ))
    }

    fn read<T>(
        &self,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        self.value
            .map(|value| convert(value).ok_or_else(|| self.wrong_type(expected)))
            .transpose()
    }

    /// The way here as a JSON path, such as `$.items[0].quantity`.
    pub fn path(&self) -> String {
        let parent = self.parent.map(Field::path).unwrap_or_default();
        match self.step {
            Step::Root => "$".to_owned(),
            Step::Member(name) => format!("{parent}.{name}"),
            Step::Element(index) => format!("{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<(), &str>) {
        let expected = expected.map_err(|message| Refusal::InvalidRequest(message.into()));
        assert_eq!(parse(body.as_bytes()).map(drop), expected);
    }

    #[test]
    fn a_body_is_a_json_object() {
        check(r#"{"a": [1, {"b": null}]}"#, Ok(()));
        check(
            "",
            Err("the body is not JSON: EOF while parsing a value at line 1 column 0"),
        );
        check(
            "{",
            Err("the body is not JSON: EOF while parsing an object at line 1 column 1"),
        );
        check(
            "{} {}",
            Err("the body is not JSON: trailing characters at line 1 column 4"),
        );
        check("[]", Err("$ must be an object, but is an array"));
        check("null", Err("$ must be an object, but is null"));
    }

    #[test]
    fn a_body_is_nested_at_most_32_levels() {
        let nested = |levels: usize| {
            format!(
                "{{\"a\": {}1{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        check(&nested(32), Ok(()));
        check(&nested(33), Err("the body is nested deeper than 32 levels"));
        check(
            &nested(400_000),
            Err("the body is nested deeper than 32 levels"),
        );
    }

    #[test]
    fn a_body_has_at_most_10000_values() {
        check(&format!("{{\"a\": [{}1]}}", "1,".repeat(9_998)), Ok(()));
        check(
            &format!("{{\"a\": [{}1]}}", "1,".repeat(9_999)),
            Err("the body has more than 10000 values"),
        );
        check(
            &format!("{{\"a\": [{}{{}}]}}", "{},".repeat(5_000)),
            Err("the body has more than 10000 values"),
        );
        check(&format!(r#"{{"a": "{}"}}"#, ",".repeat(20_000)), Ok(()));
    }

    #[test]
    fn brackets_in_texts_and_beside_each_other_are_not_nested() {
        check(&format!(r#"{{"a": "{}\"\\"}}"#, "[".repeat(100)), Ok(()));
        check(&format!(r#"{{"a": [{}1]}}"#, "[],".repeat(100)), Ok(()));
    }
}
