//! Types come from the text of a component that contains no code, so nothing is compiled.

use super::*;
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, Val};
use wasmtime::{Config, Engine};

/// Types that need a name in a component; `check` uses them by it.
const NAMED: &[(&str, &str)] = &[
    (
        "item",
        r#"(record (field "book-id" string) (field "quantity" u8) (field "note" (option string)))"#,
    ),
    (
        "shape",
        r#"(variant (case "dot") (case "circle" u8) (case "maybe" (option u8)))"#,
    ),
    ("colour", r#"(enum "red" "light-green")"#),
    ("rights", r#"(flags "read" "write" "run-it")"#),
];

/// The type that the text of a component calls `ty`.
fn type_of(ty: &str) -> Type {
    let named: String = NAMED
        .iter()
        .map(|(name, definition)| format!(r#"(type ${name}-definition {definition}) (import "{name}" (type ${name} (eq ${name}-definition)))"#))
        .collect();
    let (definition, used) = if ty.starts_with('$') {
        (String::new(), ty)
    } else {
        (format!("(type $t {ty})"), "$t")
    };
    let text =
        format!(r#"(component {named} {definition} (import "f" (func (param "value" {used}))))"#);
    let mut config = Config::new();
    config
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true);
    let engine = Engine::new(&config).expect("an engine");
    let component = Component::new(&engine, wat::parse_str(text).expect("a component's text"))
        .expect("a component");
    let ty = component.component_type();
    let function = ty.get_import(&engine, "f").expect("imported");
    let ComponentItem::ComponentFunc(function) = function.ty else {
        panic!("not a function")
    };
    function.params().next().expect("a parameter").1
}

/// Reads JSON, shows it as WAVE, and demands that writing it gives the same JSON again. An error is shown instead.
#[track_caller]
fn check(ty: &str, json: &str, expected: Expect) {
    let ty = type_of(ty);
    let json: Value = serde_json::from_str(json).expect("JSON");
    match from_json(&json, &ty) {
        Ok(value) => {
            assert_eq!(to_json(&value, &ty), json, "written");
            expected.assert_eq(&value.to_wave().expect("WAVE"));
        }
        Err(error) => expected.assert_eq(&error.to_string()),
    }
}

#[test]
fn numbers_and_their_ranges() {
    check("bool", "true", expect!["true"]);
    check("u8", "255", expect!["255"]);
    check(
        "u8",
        "256",
        expect!["$: expected a whole number (u8), found the number 256"],
    );
    check("s8", "-128", expect!["-128"]);
    check(
        "u32",
        "-1",
        expect!["$: expected a whole number (u32), found the number -1"],
    );
    check(
        "s32",
        "1.5",
        expect!["$: expected a whole number (s32), found the number 1.5"],
    );
    check(
        "u16",
        "\"1\"",
        expect![[r#"$: expected a whole number (u16), found the text "1""#]],
    );
}

#[test]
fn wide_numbers_are_text_where_other_programs_would_lose_digits() {
    check("u64", "9007199254740992", expect!["9007199254740992"]);
    check(
        "u64",
        "\"18446744073709551615\"",
        expect!["18446744073709551615"],
    );
    check(
        "s64",
        "\"-9223372036854775808\"",
        expect!["-9223372036854775808"],
    );
    check(
        "u64",
        "\"18446744073709551616\"",
        expect![[
            r#"$: expected a whole number (u64), as a number or as text, found the text "18446744073709551616""#
        ]],
    );
    let ty = type_of("u64");
    let read =
        |json: &str| from_json(&serde_json::from_str(json).expect("JSON"), &ty).expect("read");
    assert_eq!(read("18446744073709551615"), Val::U64(u64::MAX));
    assert_eq!(read("\"7\""), Val::U64(7));
}

#[test]
fn floats_keep_their_digits_and_the_three_without_any() {
    check("f32", "0.1", expect!["0.1"]);
    check("f64", "0.1", expect!["0.1"]);
    check("f64", "\"nan\"", expect!["nan"]);
    check("f32", "\"inf\"", expect!["inf"]);
    check("f64", "\"-inf\"", expect!["-inf"]);
    check(
        "f64",
        "\"much\"",
        expect![[r#"$: expected a number (f64), "nan", "inf" or "-inf", found the text "much""#]],
    );
}

#[test]
fn text() {
    check("string", r#""größe \"x\"""#, expect![[r#""größe \"x\"""#]]);
    check("char", "\"ß\"", expect!["'ß'"]);
    check(
        "char",
        "\"ab\"",
        expect![[r#"$: expected a text of one character, found the text "ab""#]],
    );
    check(
        "string",
        "7",
        expect!["$: expected a text, found the number 7"],
    );
}

#[test]
fn lists_and_tuples() {
    check("(list u8)", "[1, 2, 255]", expect!["[1, 2, 255]"]);
    check(
        "(list u8)",
        "[1, 256]",
        expect!["$[1]: expected a whole number (u8), found the number 256"],
    );
    check("(list u8 2)", "[1, 2]", expect!["[1, 2]"]);
    check(
        "(list u8 2)",
        "[1]",
        expect!["$: expected an array of 2, found an array of 1"],
    );
    check("(tuple string u8)", r#"["a", 1]"#, expect![[r#"("a", 1)"#]]);
    check(
        "(tuple string u8)",
        r#"["a"]"#,
        expect!["$: expected an array of 2, found an array of 1"],
    );
}

#[test]
fn maps_are_objects_if_their_keys_are_text() {
    let check = |ty: &str, json: Value| {
        let ty = type_of(ty);
        assert_eq!(to_json(&from_json(&json, &ty).expect("read"), &ty), json);
    };
    // There is no WAVE for maps.
    check("(map string u8)", json!({ "a": 1, "b": 2 }));
    check("(map u8 string)", json!([[1, "a"], [2, "b"]]));
    refuse(
        "(map string u8)",
        json!({ "a b": "x" }),
        expect![[r#"$["a b"]: expected a whole number (u8), found the text "x""#]],
    );
    refuse(
        "(map u8 string)",
        json!([[1]]),
        expect!["$[0]: expected [key, value], found an array of 1"],
    );
}

#[track_caller]
fn refuse(ty: &str, json: Value, expected: Expect) {
    expected.assert_eq(
        &from_json(&json, &type_of(ty))
            .expect_err("refused")
            .to_string(),
    );
}

#[test]
fn records_have_the_names_of_their_fields() {
    check(
        "$item",
        r#"{"book-id": "b1", "quantity": 2, "note": "gift"}"#,
        expect![[r#"{book-id: "b1", quantity: 2, note: some("gift")}"#]],
    );
    check(
        "$item",
        r#"{"book-id": "b1", "quantity": 2, "note": null}"#,
        expect![[r#"{book-id: "b1", quantity: 2}"#]],
    );
    check(
        "$item",
        r#"{"book-id": "b1"}"#,
        expect!["$.quantity: the field is missing"],
    );
    check(
        "$item",
        r#"{"bookId": "b1"}"#,
        expect!["$.bookId: there is no such field; there are book-id, quantity, note"],
    );
    check(
        "$item",
        "[]",
        expect![
            "$: expected an object with the fields book-id, quantity, note, found an array of 0"
        ],
    );
    check(
        "(list $item)",
        r#"[{"book-id": "b1", "quantity": "two"}]"#,
        expect![[r#"$[0].quantity: expected a whole number (u8), found the text "two""#]],
    );
}

#[test]
fn an_option_field_may_be_left_out() {
    let ty = type_of("$item");
    let json = json!({ "book-id": "b1", "quantity": 1 });
    expect![[r#"{book-id: "b1", quantity: 1}"#]].assert_eq(
        &from_json(&json, &ty)
            .expect("read")
            .to_wave()
            .expect("WAVE"),
    );
}

#[test]
fn options_are_null_or_the_value() {
    check("(option u8)", "null", expect!["none"]);
    check("(option u8)", "1", expect!["some(1)"]);
    check("(option (option u8))", "null", expect!["none"]);
    // The wrapper keeps these apart from the one above.
    check(
        "(option (option u8))",
        r#"{"some": null}"#,
        expect!["some(none)"],
    );
    check(
        "(option (option u8))",
        r#"{"some": 1}"#,
        expect!["some(some(1))"],
    );
    check(
        "(option (option u8))",
        "1",
        expect![[r#"$: expected null or {"some": …}, found the number 1"#]],
    );
}

#[test]
fn results_say_which_they_are() {
    check(
        "(result u8 (error string))",
        r#"{"ok": 1}"#,
        expect!["ok(1)"],
    );
    check(
        "(result u8 (error string))",
        r#"{"err": "no"}"#,
        expect![[r#"err("no")"#]],
    );
    check("(result)", r#"{"ok": null}"#, expect!["ok"]);
    check("(result)", r#"{"err": null}"#, expect!["err"]);
    check(
        "(result)",
        r#"{"err": 1}"#,
        expect!["$.err: this case has no payload"],
    );
    check(
        "(result u8 (error string))",
        "1",
        expect![[r#"$: expected {"ok": …} or {"err": …}, found the number 1"#]],
    );
}

#[test]
fn variants_enums_and_flags_use_names() {
    check("$shape", "\"dot\"", expect!["dot"]);
    check("$shape", r#"{"circle": 2}"#, expect!["circle(2)"]);
    check("$shape", r#"{"maybe": null}"#, expect!["maybe(none)"]);
    check(
        "$shape",
        "\"circle\"",
        expect![[r#"$.circle: this case has a payload; write {"case": payload}"#]],
    );
    check(
        "$shape",
        "\"square\"",
        expect![[r#"$: expected "dot" or "circle" or "maybe", found the text "square""#]],
    );
    check("$colour", "\"light-green\"", expect!["light-green"]);
    check(
        "$colour",
        "\"blue\"",
        expect![[r#"$: expected "red" or "light-green", found the text "blue""#]],
    );
    check(
        "$rights",
        r#"["read", "run-it"]"#,
        expect!["{read, run-it}"],
    );
    check(
        "$rights",
        r#"["fly"]"#,
        expect![[r#"$[0]: expected "read" or "write" or "run-it", found the text "fly""#]],
    );
}
