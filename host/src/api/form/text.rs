//! Bytes that are text, as people write and read them: `list<u8>` in WAVE may be given as a text, which stands for its bytes in UTF-8, and is
//! shown as one where it is nothing but printable characters.

use std::ops::Range;
use wasmtime::component::types::Type;
use wasmtime::component::wasm_wave::ast::Node;
use wasmtime::component::wasm_wave::untyped::UntypedValue;
use wasmtime::component::{Val, wasm_wave::parser::ParserError};

/// A value of a type.
///
/// # Errors
/// It is not WAVE, or not of this type.
pub fn read(ty: &Type, text: &str) -> wasmtime::Result<Val> {
    match plain(ty, text) {
        Ok(Some(plain)) => Val::from_wave(ty, &plain),
        // The usual reader says what is wrong.
        Ok(None) | Err(_) => Val::from_wave(ty, text),
    }
}

/// The text with numbers instead of texts wherever the type has bytes; none if there is no such place.
fn plain(ty: &Type, text: &str) -> Result<Option<String>, ParserError> {
    let value = UntypedValue::parse(text)?;
    let mut places = Vec::new();
    find(ty, value.node(), text, &mut places);
    if places.is_empty() {
        return Ok(None);
    }
    let (mut plain, mut done) = (String::new(), 0);
    for (place, bytes) in places {
        plain.push_str(&text[done..place.start]);
        plain.push_str(&format!("{bytes:?}"));
        done = place.end;
    }
    plain.push_str(&text[done..]);
    Ok(Some(plain))
}

/// Finds texts that stand where the type has bytes, in the order of the text. What does not fit the type is passed over.
fn find(ty: &Type, node: &Node, source: &str, places: &mut Vec<(Range<usize>, Vec<u8>)>) {
    match ty {
        Type::List(list) if matches!(list.ty(), Type::U8) => {
            if let Ok(text) = node.as_str(source) {
                places.push((node.span(), text.as_bytes().to_vec()));
            }
        }
        Type::List(list) => {
            for item in node.as_list().into_iter().flatten() {
                find(&list.ty(), item, source, places);
            }
        }
        Type::Tuple(tuple) => {
            for (ty, item) in tuple.types().zip(node.as_tuple().into_iter().flatten()) {
                find(&ty, item, source, places);
            }
        }
        Type::Record(record) => {
            for (name, value) in node.as_record(source).into_iter().flatten() {
                let mut fields = record.fields();
                if let Some(field) = fields.find(|field| field.name == name) {
                    find(&field.ty, value, source, places);
                }
            }
        }
        Type::Variant(variant) => {
            if let Ok((label, Some(payload))) = node.as_variant(source)
                && let Some(case) = variant.cases().find(|case| case.name == label)
                && let Some(ty) = case.ty
            {
                find(&ty, payload, source, places);
            }
        }
        Type::Option(option) => match node.as_option() {
            Ok(Some(value)) => find(&option.ty(), value, source, places),
            Ok(None) => {}
            // `some` may be left out.
            Err(_) => find(&option.ty(), node, source, places),
        },
        Type::Result(result) => {
            let (ty, value) = match node.as_result() {
                Ok(Ok(value)) => (result.ok(), value),
                Ok(Err(value)) => (result.err(), value),
                // `ok` may be left out.
                Err(_) => (result.ok(), Some(node)),
            };
            if let (Some(ty), Some(value)) = (ty, value) {
                find(&ty, value, source, places);
            }
        }
        // Nothing else has bytes in it that could be written as text.
        _ => {}
    }
}

/// A value as it is shown.
#[must_use]
pub fn shown(value: &Val) -> Val {
    let all = |values: &[Val]| values.iter().map(shown).collect();
    let payload = |value: &Option<Box<Val>>| value.as_deref().map(|value| Box::new(shown(value)));
    match value {
        Val::List(items) => text(items).map_or_else(|| Val::List(all(items)), Val::String),
        Val::Tuple(items) => Val::Tuple(all(items)),
        Val::Record(fields) => Val::Record(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), shown(value)))
                .collect(),
        ),
        Val::Variant(case, value) => Val::Variant(case.clone(), payload(value)),
        Val::Option(value) => Val::Option(payload(value)),
        Val::Result(Ok(value)) => Val::Result(Ok(payload(value))),
        Val::Result(Err(value)) => Val::Result(Err(payload(value))),
        other => other.clone(),
    }
}

/// The text that bytes are; none if they are something else.
fn text(items: &[Val]) -> Option<String> {
    let byte = |item: &Val| match item {
        Val::U8(byte) => Some(*byte),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
    let text = String::from_utf8(bytes?).ok()?;
    let is_printable = !text.is_empty() && !text.chars().any(char::is_control);
    is_printable.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use wasmtime::component::Component;
    use wasmtime::component::types::ComponentItem;

    /// The type of the only parameter of the only function of a component.
    fn parameter(ty: &str) -> Type {
        let text = format!(
            r#"(component
                (import "f" (func (param "a" {ty}))))"#
        );
        let bytes = wat::parse_str(text).expect("a component's text");
        let engine = engine::compiler().expect("an engine");
        let component = Component::new(&engine, bytes).expect("a component");
        let ty = component.component_type();
        let (_, item) = ty.imports(&engine).next().expect("an import");
        let ComponentItem::ComponentFunc(function) = item.ty else {
            panic!("no function")
        };
        function.params().next().expect("a parameter").1
    }

    #[track_caller]
    fn check(ty: &str, text: &str, expected: &str) {
        let value = read(&parameter(ty), text).expect(text);
        assert_eq!(value.to_wave().expect("printable"), expected);
    }

    #[test]
    fn a_text_stands_for_its_bytes() {
        check("(list u8)", r#""aé""#, "[97, 195, 169]");
        check("(list u8)", "[97]", "[97]");
        check("(list u8)", r#""""#, "[]");
        check("string", r#""a""#, r#""a""#);
        check(
            "(list (list u8))",
            r#"["a", [98], "c"]"#,
            "[[97], [98], [99]]",
        );
        check("(option (list u8))", r#"some("a")"#, "some([97])");
        check("(option (list u8))", r#""a""#, "some([97])");
        check(
            "(result (list u8) (error string))",
            r#"ok("a")"#,
            "ok([97])",
        );
        check(
            "(tuple string (list u8))",
            r#"("a", "a")"#,
            r#"("a", [97])"#,
        );
    }

    #[test]
    fn what_is_no_text_of_bytes_is_refused_as_ever() {
        for text in ["a", r#"["a"]"#, "\"a", "[256]"] {
            assert!(read(&parameter("(list u8)"), text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_printable_are_shown_as_text() {
        let bytes = |bytes: &[u8]| Val::List(bytes.iter().copied().map(Val::U8).collect());
        let check = |value: Val, expected: &str| {
            assert_eq!(shown(&value).to_wave().expect("printable"), expected);
        };
        check(bytes(b"v"), r#""v""#);
        check(bytes(b""), "[]");
        check(bytes(b"a\n"), "[97, 10]");
        check(bytes(&[255]), "[255]");
        check(bytes(&7_u64.to_le_bytes()), "[7, 0, 0, 0, 0, 0, 0, 0]");
        let entry = Val::Record(vec![("value".into(), bytes(b"v"))]);
        let some = Val::Option(Some(Box::new(entry)));
        check(
            Val::Result(Ok(Some(Box::new(some)))),
            r#"ok(some({value: "v"}))"#,
        );
    }
}
