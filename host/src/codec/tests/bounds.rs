//! Nothing that the bytes say makes a decoder take more than it may.

use super::*;

/// The limit on arguments unless it is set.
const BYTES_MAX: usize = 1 << 20;

fn unnamed(shape: Shape) -> MessageType {
    MessageType::new(vec![("value".into(), shape)])
}

#[track_caller]
fn check(shape: Shape, bytes: &[u8], bytes_max: usize, expected: Expect) {
    let decoded = unnamed(shape).decode(bytes, bytes_max);
    // What was not refused is not printed: it would be long.
    let error = decoded.map(|_| ()).expect_err("refused");
    expected.assert_eq(&error.to_string());
}

/// A count, and as many bytes that are one element each.
fn counted(count: u32, element: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    number::write_unsigned(&mut bytes, u64::from(count));
    bytes.resize(bytes.len() + count as usize, element);
    bytes
}

fn list(shape: Shape) -> Shape {
    Shape::List(Box::new(shape))
}

#[test]
fn the_limit_is_that_of_a_local_call_to_the_byte() {
    let count = BYTES_MAX as u32 - 8;
    let full = counted(count, 7);
    let values = unnamed(list(Shape::U8)).decode(&full, BYTES_MAX);
    assert_eq!(values_bytes(&values.expect("within the limit")), BYTES_MAX);
    check(
        list(Shape::U8),
        &counted(count + 1, 7),
        BYTES_MAX,
        expect![
            "argument value, byte 0: the values take more than 1048576 bytes; send less, or raise the limit"
        ],
    );
    check(
        Shape::String,
        &counted(count + 1, b'a'),
        BYTES_MAX,
        expect![
            "argument value, byte 0: the values take more than 1048576 bytes; send less, or raise the limit"
        ],
    );
}

#[test]
fn a_list_that_exceeds_the_limit_is_refused_by_its_count() {
    check(
        list(Shape::U64),
        &counted(126, 1),
        1000,
        expect![
            "argument value, byte 0: the values take more than 1000 bytes; send less, or raise the limit"
        ],
    );
    let items = list(Shape::Tuple(vec![Shape::Bool, Shape::U32]));
    check(
        items,
        &counted(1000, 1),
        1000,
        expect!["argument value, byte 0: too few bytes left for 1000 elements: 1000"],
    );
}

#[test]
fn elements_that_take_no_bytes_are_bounded_by_memory() {
    let nothing = || Shape::Tuple(Vec::new());
    let mut bytes = Vec::new();
    number::write_unsigned(&mut bytes, u64::from(u32::MAX));
    check(
        list(nothing()),
        &bytes,
        BYTES_MAX,
        expect![
            "argument value, byte 5: the values need more than 67108864 bytes of memory; send less at once"
        ],
    );
    let fixed = Shape::FixedList(Box::new(nothing()), u32::MAX);
    check(
        fixed.clone(),
        &[],
        BYTES_MAX,
        expect![
            "argument value, byte 0: the values need more than 67108864 bytes of memory; send less at once"
        ],
    );
    let fixed = Shape::FixedList(Box::new(fixed), u32::MAX);
    check(
        fixed,
        &[],
        BYTES_MAX,
        expect![
            "argument value, byte 0: the values need more than 67108864 bytes of memory; send less at once"
        ],
    );
    let three = unnamed(list(nothing())).decode(&[3], 8).expect("small");
    assert_eq!(three, [Val::List(vec![Val::Tuple(Vec::new()); 3])]);
}

#[test]
fn small_values_in_large_numbers_are_bounded_by_memory() {
    let names = (0..8).map(|index| format!("a-right-with-a-long-name-{index}"));
    let rights = list(Shape::Flags(names.collect()));
    check(
        rights,
        &counted(200_000, 0xff),
        BYTES_MAX,
        expect![
            "argument value, element 131939, byte 131943: the values need more than 67108864 bytes of memory; send less at once"
        ],
    );
    let record = Shape::Record(vec![("a-name".repeat(20), Shape::U8)]);
    check(
        list(record),
        &counted(1_000_000, 0),
        BYTES_MAX,
        expect![
            "argument value, element 141192, byte 141195: the values need more than 67108864 bytes of memory; send less at once"
        ],
    );
}

#[test]
fn a_higher_limit_brings_the_memory_that_a_local_call_has() {
    let full = counted(4 << 20, 7);
    let values = unnamed(list(Shape::U8)).decode(&full, 8 << 20);
    assert_eq!(values_bytes(&values.expect("within both")), 8 + (4 << 20));
}

#[test]
fn a_variant_without_cases_has_no_values() {
    check(
        Shape::Variant(Vec::new()),
        &[0],
        BYTES_MAX,
        expect!["argument value, byte 0: case 0 of a type that has 0"],
    );
    check(
        Shape::Enum(Vec::new()),
        &[0],
        BYTES_MAX,
        expect!["argument value, byte 0: case 0 of a type that has 0"],
    );
}

#[test]
fn a_type_with_too_much_structure_is_refused() {
    // Each names the one before it twice.
    let mut types = String::from("(type $t0 (tuple u8 u8))");
    for index in 1..16 {
        let before = index - 1;
        types += &format!("(type $t{index} (tuple $t{before} $t{before}))");
    }
    let function = function_with(&types, r#"(param "value" $t15)"#);
    let error = MessageType::arguments(&function).expect_err("65536 numbers");
    assert!(matches!(error, NotAValue::TooLarge { .. }), "{error}");
}
