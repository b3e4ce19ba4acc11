//! Two functions that may be linked have the same hashes, any others do not.

use super::*;
use std::collections::BTreeMap;

fn hashes(signature: &str) -> (TypeHash, TypeHash) {
    let types = FunctionTypes::of(&function(signature)).expect("plain values");
    (types.arguments.hash(), types.results.hash())
}

#[test]
fn async_is_no_part_of_the_type() {
    let signature = r#"(param "a" $item) (result (list u8))"#;
    assert_eq!(hashes(signature), hashes(&format!("async {signature}")));
}

#[test]
fn whatever_a_reader_could_notice_changes_the_hash() {
    let signatures = [
        "",
        r#"(param "a" u8)"#,
        r#"(param "b" u8)"#,
        r#"(param "a" s8)"#,
        r#"(param "a" u8) (param "b" u8)"#,
        r#"(param "b" u8) (param "a" u8)"#,
        r#"(param "a" (list u8))"#,
        r#"(param "a" (list u8 4))"#,
        r#"(param "a" (list u8 5))"#,
        r#"(param "a" (option u8))"#,
        r#"(param "a" (tuple u8))"#,
        r#"(param "a" (tuple u8 u8))"#,
        r#"(param "a" (tuple (tuple u8 u8)))"#,
        r#"(param "a" (tuple (tuple u8) u8))"#,
        r#"(param "a" (map string u8))"#,
        r#"(param "a" (list (tuple string u8)))"#,
        r#"(param "a" (result))"#,
        r#"(param "a" (result u8))"#,
        r#"(param "a" (result (error u8)))"#,
        r#"(param "a" (result u8 (error u8)))"#,
        r#"(param "a" $item)"#,
        r#"(param "a" $form)"#,
        r#"(param "a" $colour)"#,
        r#"(param "a" $rights)"#,
        r#"(param "a" $ten)"#,
        r#"(param "a" f32)"#,
        r#"(param "a" f64)"#,
        r#"(param "a" char)"#,
        r#"(param "a" string)"#,
    ];
    let mut seen = BTreeMap::new();
    for signature in signatures {
        let (arguments, _) = hashes(signature);
        let before = seen.insert(arguments, signature);
        assert_eq!(before, None, "{signature} has the same hash");
    }
    assert_ne!(hashes("(result u8)"), hashes("(result s8)"));
}

#[test]
fn names_of_fields_cases_and_flags_count_and_their_order_does() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let record = |fields: &[&str]| {
        Shape::Record(
            names(fields)
                .into_iter()
                .map(|name| (name, Shape::U8))
                .collect(),
        )
    };
    let variant = |cases: &[&str]| {
        Shape::Variant(names(cases).into_iter().map(|name| (name, None)).collect())
    };
    let shapes = [
        record(&["a", "b"]),
        record(&["b", "a"]),
        record(&["a", "c"]),
        variant(&["a", "b"]),
        variant(&["b", "a"]),
        Shape::Enum(names(&["a", "b"])),
        Shape::Enum(names(&["a", "b", "c"])),
        // Names may hold anything in a description from elsewhere.
        Shape::Enum(names(&["a=,1:b"])),
        Shape::Flags(names(&["a", "b"])),
        Shape::Flags(names(&["ab"])),
    ];
    let hash = |shape: &Shape| MessageType::new(vec![("x".into(), shape.clone())]).hash();
    for (index, shape) in shapes.iter().enumerate() {
        for other in &shapes[..index] {
            assert_ne!(hash(shape), hash(other), "{shape:?} {other:?}");
        }
    }
}

#[test]
fn a_hash_is_written_as_32_characters() {
    let (hash, _) = hashes(r#"(param "order" $item)"#);
    // Hosts of different versions compare it: it may only change together with the format.
    expect!["77a14c5d6ab6ff5096f4287e64ca76a7"].assert_eq(&hash.to_string());
    assert_eq!(hash.to_string().parse(), Ok(hash));
    for text in [
        "",
        "0123",
        "0123456789abcdef0123456789abcdeg",
        "0123456789abcdef0123456789abcdef00",
    ] {
        assert_eq!(text.parse::<TypeHash>(), Err(InvalidTypeHash));
    }
}
