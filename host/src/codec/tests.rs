//! Types come from the text of a component that contains no code, so nothing is compiled.

mod bounds;
mod hashes;
mod refusals;

use super::*;
use crate::payload::values_bytes;
use expect_test::{Expect, expect};
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::{Config, Engine};

/// Types that need a name in a component; the tests use them by it.
const NAMED: &str = r#"
    (type $item' (record (field "book-id" string) (field "quantity" u8) (field "note" (option string))))
    (import "item" (type $item (eq $item')))
    (type $form' (variant (case "dot") (case "circle" u8) (case "label" string)))
    (import "form" (type $form (eq $form')))
    (type $colour' (enum "red" "light-green" "blue"))
    (import "colour" (type $colour (eq $colour')))
    (type $rights' (flags "read" "write" "run-it"))
    (import "rights" (type $rights (eq $rights')))
    (type $ten' (flags "a" "b" "c" "d" "e" "f" "g" "h" "i" "j"))
    (import "ten" (type $ten (eq $ten')))
    (import "file" (type $file (sub resource)))
"#;

/// The function that the text of a component declares as `(func … )`; `SIGNATURE` is what is in the parentheses.
fn function(signature: &str) -> ComponentFunc {
    function_with(NAMED, signature)
}

/// The same where `types` are the types that have names.
fn function_with(types: &str, signature: &str) -> ComponentFunc {
    let text = format!(r#"(component {types} (import "f" (func {signature})))"#);
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true);
    let engine = Engine::new(&config).expect("an engine");
    let component = Component::new(&engine, wat::parse_str(text).expect("a component's text"));
    let component = component.expect("a component");
    let ty = component.component_type();
    let function = ty.get_import(&engine, "f").expect("imported");
    let ComponentItem::ComponentFunc(function) = function.ty else {
        panic!("not a function")
    };
    function
}

/// A message of one argument that is called `value`.
fn message(ty: &str) -> (MessageType, Type) {
    let function = function(&format!(r#"(param "value" {ty})"#));
    let message = MessageType::arguments(&function).expect("plain values");
    let ty = function.params().next().expect("a parameter").1;
    (message, ty)
}

/// Writes a value, given as WAVE, and demands that reading it gives the same, within the limit that a local call would keep and not below.
#[track_caller]
fn check(ty: &str, wave: &str, expected: Expect) {
    let (message, ty) = message(ty);
    let value = Val::from_wave(&ty, wave).expect("WAVE");
    check_value(&message, value, expected);
}

#[track_caller]
fn check_value(message: &MessageType, value: Val, expected: Expect) {
    let values = [value];
    let bytes = message.encode(&values).expect("the value has its type");
    expected.assert_eq(&hex::encode(&bytes));
    let counted = values_bytes(&values);
    assert_eq!(message.decode(&bytes, counted).expect("read"), values);
    let refused = message.decode(&bytes, counted - 1);
    assert!(matches!(refused, Err(DecodeError::TooLarge { .. })));
}

#[test]
fn small_numbers_and_truth_are_a_byte() {
    check("bool", "false", expect!["00"]);
    check("bool", "true", expect!["01"]);
    check("u8", "255", expect!["ff"]);
    check("s8", "-1", expect!["ff"]);
    check("s8", "-128", expect!["80"]);
}

#[test]
fn wider_numbers_are_leb128() {
    check("u16", "127", expect!["7f"]);
    check("u16", "128", expect!["8001"]);
    check("u16", "65535", expect!["ffff03"]);
    check("u32", "4294967295", expect!["ffffffff0f"]);
    check("u64", "624485", expect!["e58e26"]);
    check(
        "u64",
        "18446744073709551615",
        expect!["ffffffffffffffffff01"],
    );
    check("s16", "-32768", expect!["80807e"]);
    check("s16", "64", expect!["c000"]);
    check("s32", "-1", expect!["7f"]);
    check("s32", "2147483647", expect!["ffffffff07"]);
    check("s64", "-123456", expect!["c0bb78"]);
    check(
        "s64",
        "-9223372036854775808",
        expect!["8080808080808080807f"],
    );
}

#[test]
fn floats_are_little_endian_and_have_one_nan() {
    check("f32", "1.5", expect!["0000c03f"]);
    check("f32", "-0.0", expect!["00000080"]);
    check("f32", "nan", expect!["0000c07f"]);
    check("f64", "-inf", expect!["000000000000f0ff"]);
    check("f64", "nan", expect!["000000000000f87f"]);
    let (message, _) = message("f64");
    let odd = Val::Float64(f64::from_bits(0xfff0_0000_0000_0001));
    check_value(&message, odd, expect!["000000000000f87f"]);
}

#[test]
fn text_is_utf8() {
    check("char", "'a'", expect!["61"]);
    check("char", "'õ'", expect!["c3b5"]);
    check("char", "'€'", expect!["e282ac"]);
    check("char", "'🐛'", expect!["f09f909b"]);
    check("string", r#""""#, expect!["00"]);
    check("string", r#""Tõnu""#, expect!["0554c3b56e75"]);
}

#[test]
fn records_and_tuples_are_their_fields() {
    let item = r#"{book-id: "b1", quantity: 2, note: some("!")}"#;
    check("$item", item, expect!["02623102010121"]);
    check("(tuple u8 string)", r#"(7, "x")"#, expect!["070178"]);
}

#[test]
fn lists_have_their_count_before_them() {
    check("(list u8)", "[]", expect!["00"]);
    check("(list u8)", "[1, 2, 255]", expect!["030102ff"]);
    check("(list u16)", "[1, 300]", expect!["0201ac02"]);
    check("(list string)", r#"["a", ""]"#, expect!["02016100"]);
    check("(list (list u8))", "[[1], []]", expect!["02010100"]);
}

#[test]
fn cases_are_their_index() {
    check("$form", "dot", expect!["00"]);
    check("$form", "circle(9)", expect!["0109"]);
    check("$form", r#"label("x")"#, expect!["020178"]);
    check("$colour", "blue", expect!["02"]);
    check("(option u8)", "none", expect!["00"]);
    check("(option u8)", "some(5)", expect!["0105"]);
    check("(option (option u8))", "some(none)", expect!["0100"]);
    check("(result)", "ok", expect!["00"]);
    check("(result)", "err", expect!["01"]);
    check("(result u8)", "ok(3)", expect!["0003"]);
    check("(result u8)", "err", expect!["01"]);
    check(
        "(result (error string))",
        r#"err("no")"#,
        expect!["01026e6f"],
    );
    check("(result u8 (error u16))", "err(300)", expect!["01ac02"]);
}

#[test]
fn flags_are_bits_from_the_lowest() {
    check("$rights", "{}", expect!["00"]);
    check("$rights", "{read, run-it}", expect!["05"]);
    check("$ten", "{a, h, i, j}", expect!["8103"]);
    check("$ten", "{a, b, c, d, e, f, g, h, i, j}", expect!["ff03"]);
}

#[test]
fn what_the_section_does_not_name_yet_is_written_as_what_it_stands_for() {
    let (map, _) = message("(map string u8)");
    let entry = |key: &str, value| (Val::String(key.to_owned()), Val::U8(value));
    let value = Val::Map(vec![entry("a", 1), entry("b", 2)]);
    check_value(&map, value, expect!["02016101016202"]);
    let (fixed, _) = message("(list u16 3)");
    let value = Val::FixedLengthList(vec![Val::U16(1), Val::U16(300), Val::U16(3)]);
    check_value(&fixed, value, expect!["01ac0203"]);
}

#[test]
fn a_message_is_its_values_one_after_the_other() {
    let function = function(r#"(param "a" u8) (param "b" string) (result u16)"#);
    let types = FunctionTypes::of(&function).expect("plain values");
    let values = [Val::U8(1), Val::String("x".into())];
    let bytes = types
        .arguments
        .encode(&values)
        .expect("they have their types");
    assert_eq!(hex::encode(&bytes), "010178");
    assert_eq!(types.arguments.decode(&bytes, 100), Ok(values.to_vec()));
    assert_eq!(types.results.encode(&[Val::U16(300)]), Ok(vec![0xac, 2]));
    assert_eq!(types.results.parts(), [(String::new(), Shape::U16)]);
    let nothing = MessageType::new(Vec::new());
    assert_eq!(nothing.encode(&[]), Ok(Vec::new()));
    assert_eq!(nothing.decode(&[], 0), Ok(Vec::new()));
}

#[test]
fn a_description_that_was_sent_makes_the_same_message_type() {
    let signature = r#"(param "a" $item) (param "b" (list $form)) (param "c" (result u8 (error $rights)))
        (param "d" (map string (list u8 4))) (param "e" $colour) (param "f" (tuple (option char) f32))"#;
    let ours = MessageType::arguments(&function(signature)).expect("plain values");
    let json = serde_json::to_string(ours.parts()).expect("JSON");
    expect![[r#"[["a",{"record":[["book-id","string"],["quantity","u8"],["note",{"option":"string"}]]}],["b",{"list":{"variant":[["dot",null],["circle","u8"],["label","string"]]}}],["c",{"result":["u8",{"flags":["read","write","run-it"]}]}],["d",{"map":["string",{"fixed-list":["u8",4]}]}],["e",{"enum":["red","light-green","blue"]}],["f",{"tuple":[{"option":"char"},"f32"]}]]"#]].assert_eq(&json);
    let theirs = MessageType::new(serde_json::from_str(&json).expect("shapes"));
    assert_eq!(theirs.parts(), ours.parts());
    assert_eq!(theirs.hash(), ours.hash());
}
