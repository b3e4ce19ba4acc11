use super::*;
use proptest::prelude::*;

/// Skips a whole body, as an unknown field is skipped.
fn skip(body: &[u8]) -> Result<(), Refusal> {
    read(body, Reader::skip)
}

#[track_caller]
fn check(body: &str, expected: Result<(), &str>) {
    let expected = expected.map_err(|message| Refusal::InvalidRequest(message.into()));
    assert_eq!(skip(body.as_bytes()), expected);
}

#[track_caller]
fn check_text(body: &str, expected: Option<&str>) {
    let text = read(body.as_bytes(), Reader::text).ok();
    assert_eq!(text.as_deref(), expected, "{body}");
}

#[track_caller]
fn check_integer(body: &str, expected: Option<i32>) {
    assert_eq!(
        read(body.as_bytes(), Reader::integer).ok(),
        expected,
        "{body}"
    );
}

#[test]
fn a_mistake_is_named_by_its_place() {
    check(r#" {"a": [1, {"b": null}], "": -0.5e+7} "#, Ok(()));
    check("", Err("the body is not JSON: it ends too early"));
    check("{", Err("the body is not JSON: it ends too early"));
    check("{} {}", Err("the body is not JSON at line 1, column 4"));
    check(
        "{\n \"a\": ,\n}",
        Err("the body is not JSON at line 2, column 7"),
    );
    check("[1, 2,]", Err("the body is not JSON at line 1, column 7"));
    check("{'a': 1}", Err("the body is not JSON at line 1, column 2"));
    check(
        r#"["é", é]"#,
        Err("the body is not JSON at line 1, column 8"),
    );
}

#[test]
fn a_number_that_is_skipped_may_have_any_size() {
    check("1e501", Ok(()));
    check("[-1e501, 1]", Ok(()));
}

#[test]
fn a_body_is_utf_8() {
    let refusal = skip(b"\"\xff\"");
    assert_eq!(
        refusal,
        Err(Refusal::InvalidRequest("the body is not UTF-8".into()))
    );
}

#[test]
fn a_body_is_nested_at_most_32_levels() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    check(&nested(32), Ok(()));
    let way = "[0]".repeat(32);
    let refusal = format!("${way} is nested deeper than 32 levels");
    check(&nested(33), Err(&refusal));
    check(&nested(400_000), Err(&refusal));
    check(&format!("[{}1]", "[],".repeat(100)), Ok(()));
}

#[test]
fn an_array_that_is_kept_has_at_most_1000_elements() {
    let array = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    let kept = |count: usize| {
        read(array(count).as_bytes(), |reader| {
            reader.array(Reader::integer)
        })
    };
    assert_eq!(kept(1000).map(|kept| kept.len()), Ok(1000));
    let refusal = "$[1000] is more than the 1000 elements that an array may have";
    assert_eq!(kept(1001), Err(Refusal::InvalidRequest(refusal.into())));
    check(&array(5000), Ok(()));
}

#[test]
fn texts_are_unescaped() {
    check_text(r#""""#, Some(""));
    check_text(r#" "aé😀" "#, Some("aé😀"));
    check_text(r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t"));
    check_text(r#""a\u00e9b\ud83d\uDE00c""#, Some("aéb😀c"));
    check_text(r#""\u0000""#, Some("\0"));
}

#[test]
fn half_a_character_and_a_bare_control_character_are_no_text() {
    for body in [
        r#""\ud83d""#,
        r#""\ud83d\n""#,
        r#""\ud83dA""#,
        r#""\ude00""#,
        r#""\u12g4""#,
        r#""\u12""#,
        r#""\x""#,
        "\"a\nb\"",
        r#""a"#,
        r#""a\"#,
    ] {
        check_text(body, None);
    }
}

#[test]
fn an_integer_may_be_written_with_a_fraction_or_an_exponent() {
    check_integer("0", Some(0));
    check_integer("-0", Some(0));
    check_integer("-2147483648", Some(i32::MIN));
    check_integer("2147483647", Some(i32::MAX));
    check_integer("1.0", Some(1));
    check_integer("-2.5e1", Some(-25));
    for body in [
        "2147483648",
        "1.5",
        "1e400",
        "-1e10",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "-",
        "\"1\"",
        "null",
    ] {
        check_integer(body, None);
    }
}

#[test]
fn names_may_be_escaped_and_the_last_of_two_counts() {
    let read = read(br#"{"a": 1, "\u0061": 2, "b": 3}"#, |reader| {
        let mut a = 0;
        reader.object(|reader, name| match name {
            "a" => {
                a = reader.integer()?;
                Ok(())
            }
            _ => reader.skip(),
        })?;
        Ok(a)
    });
    assert_eq!(read, Ok(2));
}

/// What [`nearly_json`] is made of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\"a\"",
    "\"\"",
    "\"\\n\"",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\q\"",
    "\"",
    "\\",
    "0",
    "-1",
    "1.5",
    "1e5",
    "01",
    "-",
    "true",
    "false",
    "null",
    "nul",
    "é",
    "\u{0}",
];

/// Bodies that are nearly JSON, and some that are.
fn nearly_json() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..12)
        .prop_map(|pieces| pieces.concat())
}

/// Values of every type.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            proptest::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_another_parser_on_what_is_json(body in nearly_json()) {
        let other = serde_json::from_str::<serde_json::Value>(&body);
        // The other one keeps numbers in 64 bits. RFC 8259 has no such range, and what is skipped is not kept.
        let too_large = matches!(&other, Err(error) if error.to_string().starts_with("number out of range"));
        prop_assume!(!too_large);
        prop_assert_eq!(skip(body.as_bytes()).is_ok(), other.is_ok(), "{}", body);
    }

    #[test]
    fn reads_what_another_writes(value in value()) {
        prop_assert_eq!(skip(value.to_string().as_bytes()), Ok(()));
        prop_assert_eq!(skip(format!("{value:#}").as_bytes()), Ok(()));
    }

    #[test]
    fn reads_any_text_as_it_was_written(text in any::<String>()) {
        let body = serde_json::Value::from(text.as_str()).to_string();
        prop_assert_eq!(read(body.as_bytes(), Reader::text), Ok(text));
    }

    #[test]
    fn rubbish_never_panics(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = skip(&body);
    }
}
