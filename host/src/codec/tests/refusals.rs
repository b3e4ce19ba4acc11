//! What is no message: each refusal says where and why.

use super::*;

/// The limit of these tests, in bytes of values.
const BYTES_MAX: usize = 1000;

#[track_caller]
fn check(ty: &str, hex: &str, expected: Expect) {
    let (message, _) = message(ty);
    let bytes = hex::decode(hex.replace(' ', "")).expect("hexadecimal");
    let error = message.decode(&bytes, BYTES_MAX).expect_err("no message");
    expected.assert_eq(&error.to_string());
}

#[track_caller]
fn check_value(ty: &str, value: Val, expected: Expect) {
    let (message, _) = message(ty);
    let error = message.encode(&[value]).expect_err("another type");
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_choice_is_0_or_1() {
    check(
        "bool",
        "02",
        expect!["argument value, byte 0: bool begins with 0 or 1, not 2"],
    );
    check(
        "(option u8)",
        "0201",
        expect!["argument value, byte 0: option begins with 0 or 1, not 2"],
    );
    check(
        "(result u8)",
        "ff",
        expect!["argument value, byte 0: result begins with 0 or 1, not 255"],
    );
}

#[test]
fn a_number_fits_its_width() {
    check(
        "u16",
        "ffff04",
        expect!["argument value, byte 0: a number that does not fit into 16 bits"],
    );
    check(
        "u16",
        "80808000",
        expect!["argument value, byte 0: a number of 16 bits with more than 3 bytes"],
    );
    check(
        "u32",
        "ffffffff1f",
        expect!["argument value, byte 0: a number that does not fit into 32 bits"],
    );
    check(
        "u64",
        "80808080808080808002",
        expect!["argument value, byte 0: a number that does not fit into 64 bits"],
    );
    check(
        "u64",
        "8080808080808080808000",
        expect!["argument value, byte 0: a number of 64 bits with more than 10 bytes"],
    );
    check(
        "s16",
        "ffff02",
        expect!["argument value, byte 0: a number that does not fit into 16 bits"],
    );
    check(
        "s64",
        "8080808080808080807e",
        expect!["argument value, byte 0: a number that does not fit into 64 bits"],
    );
    check(
        "s32",
        "808080808000",
        expect!["argument value, byte 0: a number of 32 bits with more than 5 bytes"],
    );
}

#[test]
fn a_nan_is_the_canonical_one() {
    check(
        "f32",
        "0100c07f",
        expect!["argument value, byte 0: a NaN other than the canonical one"],
    );
    check(
        "f32",
        "0000c0ff",
        expect!["argument value, byte 0: a NaN other than the canonical one"],
    );
    check(
        "f64",
        "000000000000f0ff 00",
        expect!["the message, byte 8: bytes behind the last value: 1"],
    );
    check(
        "f64",
        "010000000000f07f",
        expect!["argument value, byte 0: a NaN other than the canonical one"],
    );
}

#[test]
fn text_is_valid_utf8() {
    check(
        "string",
        "03 61 ff 61",
        expect!["argument value, byte 2: not UTF-8"],
    );
    check(
        "string",
        "03 ed a0 80",
        expect!["argument value, byte 1: not UTF-8"],
    );
    check(
        "char",
        "80",
        expect!["argument value, byte 0: not the UTF-8 of a character"],
    );
    check(
        "char",
        "c0 80",
        expect!["argument value, byte 0: not the UTF-8 of a character"],
    );
    check(
        "char",
        "ed a0 80",
        expect!["argument value, byte 0: not the UTF-8 of a character"],
    );
    check(
        "char",
        "f4 90 80 80",
        expect!["argument value, byte 0: not the UTF-8 of a character"],
    );
    check(
        "char",
        "e2 82",
        expect!["argument value, byte 2: the message ends in the middle of a value"],
    );
}

#[test]
fn a_case_is_one_of_the_type() {
    check(
        "$form",
        "03",
        expect!["argument value, byte 0: case 3 of a type that has 3"],
    );
    check(
        "$colour",
        "ffffffff0f",
        expect!["argument value, byte 0: case 4294967295 of a type that has 3"],
    );
}

#[test]
fn flags_are_those_of_the_type() {
    check(
        "$rights",
        "08",
        expect!["argument value, byte 0: a bit is set behind the last of 3 flags"],
    );
    check(
        "$ten",
        "0004",
        expect!["argument value, byte 1: a bit is set behind the last of 10 flags"],
    );
    check(
        "$ten",
        "00",
        expect!["argument value, byte 1: the message ends in the middle of a value"],
    );
}

#[test]
fn a_message_ends_with_its_last_value() {
    check(
        "u8",
        "",
        expect!["argument value, byte 0: the message ends in the middle of a value"],
    );
    check(
        "u8",
        "01 02 03",
        expect!["the message, byte 1: bytes behind the last value: 2"],
    );
    check(
        "u32",
        "80",
        expect!["argument value, byte 1: the message ends in the middle of a value"],
    );
    check(
        "f64",
        "00 00 00",
        expect!["argument value, byte 3: the message ends in the middle of a value"],
    );
    check(
        "string",
        "05 61",
        expect!["argument value, byte 0: too few bytes left for 5 elements: 1"],
    );
}

#[test]
fn a_count_is_compared_with_what_is_left() {
    check(
        "(list u8)",
        "ffffffff0f",
        expect!["argument value, byte 0: too few bytes left for 4294967295 elements: 0"],
    );
    check(
        "(list f64)",
        "02 00 00 00 00 00 00 00 00",
        expect!["argument value, byte 0: too few bytes left for 2 elements: 8"],
    );
    check(
        "(list $item)",
        "02 00 00 00 00 00",
        expect!["argument value, byte 0: too few bytes left for 2 elements: 5"],
    );
    check(
        "(map string u8)",
        "ffffffff07 00",
        expect!["argument value, byte 0: too few bytes left for 2147483647 elements: 1"],
    );
}

#[test]
fn a_list_of_fixed_length_needs_all_its_elements() {
    check(
        "(list u16 3)",
        "01 02",
        expect!["argument value, byte 0: too few bytes left for 3 elements: 2"],
    );
}

#[test]
fn the_place_is_named_to_the_depth_of_the_fault() {
    check(
        "(list $item)",
        "02 00 01 00 00 02 02",
        expect!["argument value, element 1, field note, byte 6: option begins with 0 or 1, not 2"],
    );
    check(
        "(list (tuple u8 $form))",
        "01 00 01",
        expect![
            "argument value, element 0, element 1, case circle, byte 3: the message ends in the middle of a value"
        ],
    );
    check(
        "(result u8 (error $form))",
        "01 02 01 ff",
        expect!["argument value, error, case label, byte 3: not UTF-8"],
    );
    check(
        "(map string bool)",
        "01 00 02",
        expect!["argument value, entry 0, value, byte 2: bool begins with 0 or 1, not 2"],
    );
    check(
        "(map char bool)",
        "01 80 00",
        expect!["argument value, entry 0, key, byte 1: not the UTF-8 of a character"],
    );
    let function = function("(result (list bool))");
    let results = MessageType::results(&function).expect("plain values");
    let error = results.decode(&[2, 1, 7], BYTES_MAX).expect_err("no bool");
    expect!["result, element 1, byte 2: bool begins with 0 or 1, not 7"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_value_of_another_type_is_not_written() {
    let text = || Val::String("x".into());
    let record = |fields: &[(&str, Val)]| {
        let field = |(name, value): &(&str, Val)| ((*name).to_owned(), value.clone());
        Val::Record(fields.iter().map(field).collect())
    };
    check_value(
        "u8",
        text(),
        expect!["argument value: string where the type has u8"],
    );
    check_value(
        "(list u8)",
        Val::List(vec![Val::U8(1), text()]),
        expect!["argument value, element 1: string where the type has u8"],
    );
    check_value(
        "(list u8 2)",
        Val::FixedLengthList(vec![Val::U8(1)]),
        expect!["argument value: elements: 1 where the type has 2"],
    );
    check_value(
        "(list u8)",
        Val::FixedLengthList(vec![Val::U8(1)]),
        expect!["argument value: list of fixed length where the type has list"],
    );
    check_value(
        "(tuple u8 u8)",
        Val::Tuple(vec![Val::U8(1)]),
        expect!["argument value: elements: 1 where the type has 2"],
    );
    check_value(
        "$item",
        record(&[("book-id", text())]),
        expect!["argument value: fields: 1 where the type has 3"],
    );
    let wrong = record(&[("book-id", text()), ("count", Val::U8(1)), ("note", text())]);
    check_value(
        "$item",
        wrong,
        expect!["argument value: a field count where the type has quantity"],
    );
    let wrong = record(&[("book-id", text()), ("quantity", text()), ("note", text())]);
    check_value(
        "$item",
        wrong,
        expect!["argument value, field quantity: string where the type has u8"],
    );
    check_value(
        "$form",
        Val::Variant("line".into(), None),
        expect!["argument value: the type has no case line"],
    );
    check_value(
        "$form",
        Val::Variant("circle".into(), None),
        expect!["argument value, case circle: no payload where the type has u8"],
    );
    check_value(
        "$form",
        Val::Variant("dot".into(), Some(Box::new(text()))),
        expect!["argument value, case dot: a payload (string) where the type has none"],
    );
    check_value(
        "$colour",
        Val::Enum("grey".into()),
        expect!["argument value: the type has no case grey"],
    );
    check_value(
        "$rights",
        Val::Flags(vec!["own".into()]),
        expect!["argument value: the type has no flag own"],
    );
    let err = Val::Result(Err(Some(Box::new(text()))));
    check_value(
        "(result u8 (error u16))",
        err,
        expect!["argument value, error: string where the type has u16"],
    );
    check_value(
        "(option u8)",
        Val::Option(Some(Box::new(text()))),
        expect!["argument value, some: string where the type has u8"],
    );
    check_value(
        "(map string u8)",
        Val::Map(vec![(text(), text())]),
        expect!["argument value, entry 0, value: string where the type has u8"],
    );
}

#[test]
fn as_many_values_as_the_type_has() {
    let (message, _) = message("u8");
    let error = message.encode(&[]).expect_err("one is missing");
    expect!["the message: values: 0 where the type has 1"].assert_eq(&error.to_string());
}

#[test]
fn what_is_bound_to_an_instance_is_refused_by_name() {
    let check = |signature: &str, expected: Expect| {
        let error = FunctionTypes::of(&function(signature)).expect_err("no plain value");
        expected.assert_eq(&error.to_string());
    };
    check(
        r#"(param "f" (own $file))"#,
        expect![
            "argument f: a resource means nothing outside its instance; only plain values can be sent"
        ],
    );
    check(
        r#"(param "a" u8) (param "f" (list (borrow $file)))"#,
        expect![
            "argument f, element: a borrowed resource means nothing outside its instance; only plain values can be sent"
        ],
    );
    check(
        r#"(param "s" (option (stream u8)))"#,
        expect![
            "argument s, some: a stream means nothing outside its instance; only plain values can be sent"
        ],
    );
    check(
        "(result (tuple u8 (option (future u8))))",
        expect![
            "result, element 1, some: a future means nothing outside its instance; only plain values can be sent"
        ],
    );
    let ty = function("(result (list (own $file)))").results().next();
    let error = Shape::of(&ty.expect("a result")).expect_err("no plain value");
    expect!["the value, element: a resource means nothing outside its instance; only plain values can be sent"].assert_eq(&error.to_string());
}
