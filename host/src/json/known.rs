//! Fields that a type does not have, taken out of JSON that was written when it had them.

use crate::codec::Shape;
use serde_json::Value;

/// Drops all fields that records of this shape do not have. What does not have the shape otherwise stays, and is refused when it is read.
pub fn keep_known_fields(json: &mut Value, shape: &Shape) {
    match (shape, json) {
        (Shape::Record(fields), Value::Object(object)) => {
            object.retain(|name, _| fields.iter().any(|(field, _)| field == name));
            for (name, shape) in fields {
                if let Some(member) = object.get_mut(name) {
                    keep_known_fields(member, shape);
                }
            }
        }
        (Shape::List(element) | Shape::FixedList(element, _), Value::Array(items)) => {
            for item in items {
                keep_known_fields(item, element);
            }
        }
        (Shape::Tuple(elements), Value::Array(items)) => {
            for (item, element) in items.iter_mut().zip(elements) {
                keep_known_fields(item, element);
            }
        }
        (Shape::Map(_, value), Value::Object(entries)) => {
            for (_, entry) in entries {
                keep_known_fields(entry, value);
            }
        }
        (Shape::Map(key, value), Value::Array(entries)) => {
            for entry in entries.iter_mut().filter_map(Value::as_array_mut) {
                for (part, shape) in entry.iter_mut().zip([key, value]) {
                    keep_known_fields(part, shape);
                }
            }
        }
        (Shape::Option(some), json) => match (&**some, json) {
            (Shape::Option(_), Value::Object(object)) => {
                if let Some(inner) = object.get_mut("some") {
                    keep_known_fields(inner, some);
                }
            }
            (_, json) => keep_known_fields(json, some),
        },
        (Shape::Variant(cases), Value::Object(object)) => {
            for (name, payload) in cases {
                if let (Some(member), Some(payload)) = (object.get_mut(name), payload) {
                    keep_known_fields(member, payload);
                }
            }
        }
        (Shape::Result(ok, error), Value::Object(object)) => {
            for (name, payload) in [("ok", ok), ("err", error)] {
                if let (Some(member), Some(payload)) = (object.get_mut(name), payload) {
                    keep_known_fields(member, payload);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(shape: Value, mut json: Value, expected: Value) {
        let shape: Shape = serde_json::from_value(shape).expect("a shape");
        keep_known_fields(&mut json, &shape);
        assert_eq!(json, expected);
    }

    #[test]
    fn unknown_fields_are_dropped_wherever_they_are() {
        let book = json!({ "record": [["title", "string"]] });
        let (old, new) = (
            json!({ "title": "Emma", "pages": 474 }),
            json!({ "title": "Emma" }),
        );
        check(book.clone(), old.clone(), new.clone());
        check(json!({ "list": book }), json!([old]), json!([new]));
        check(
            json!({ "fixed-list": [book, 1] }),
            json!([old]),
            json!([new]),
        );
        check(
            json!({ "tuple": ["u8", book] }),
            json!([1, old]),
            json!([1, new]),
        );
        check(
            json!({ "map": ["string", book] }),
            json!({ "a": old }),
            json!({ "a": new }),
        );
        check(
            json!({ "map": [book, "u8"] }),
            json!([[old, 1]]),
            json!([[new, 1]]),
        );
        check(json!({ "option": book }), old.clone(), new.clone());
        check(json!({ "option": book }), Value::Null, Value::Null);
        let nested = json!({ "option": { "option": book } });
        check(nested, json!({ "some": old }), json!({ "some": new }));
        check(
            json!({ "result": [null, book] }),
            json!({ "err": old }),
            json!({ "err": new }),
        );
        let payment = json!({ "variant": [["cash", null], ["book", book]] });
        check(
            payment.clone(),
            json!({ "book": old }),
            json!({ "book": new }),
        );
        check(payment, json!("cash"), json!("cash"));
    }

    #[test]
    fn what_is_wrong_otherwise_stays() {
        let book = json!({ "record": [["title", "string"]] });
        check(book.clone(), json!(7), json!(7));
        check(
            json!({ "list": book }),
            json!({ "pages": 1 }),
            json!({ "pages": 1 }),
        );
    }
}
