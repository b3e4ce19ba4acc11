//! Each kind of change of an interface, both ways: the table of `wit/README.md` is what comes out here.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use wasmtime::component::Val;

/// What is between the two types, the one before and the one after.
struct Row {
    change: &'static str,
    before: Shape,
    after: Shape,
    /// What arguments and results come to when the callee is replaced.
    expected: [&'static str; 2],
}

fn parsed(json: &serde_json::Value) -> Shape {
    serde_json::from_value(json.clone()).expect("a shape")
}

fn row(
    change: &'static str,
    before: serde_json::Value,
    after: serde_json::Value,
    expected: [&'static str; 2],
) -> Row {
    Row {
        change,
        before: parsed(&before),
        after: parsed(&after),
        expected,
    }
}

fn rows() -> Vec<Row> {
    const BOTH: [&str; 2] = ["fits", "fits"];
    const NEITHER: [&str; 2] = ["refused", "refused"];
    let record = |fields: serde_json::Value| json!({ "record": fields });
    let title = || json!(["title", "string"]);
    let pages = || json!(["pages", "u32"]);
    let author = || json!(["author", { "option": "string" }]);
    let enumerated = |cases: &[&str]| json!({ "enum": cases });
    let variant = |cases: serde_json::Value| json!({ "variant": cases });
    vec![
        row(
            "a field that is an `option` comes",
            record(json!([title()])),
            record(json!([title(), author()])),
            BOTH,
        ),
        row(
            "a field that is an `option` goes",
            record(json!([title(), author()])),
            record(json!([title()])),
            BOTH,
        ),
        row(
            "a field that is an `option` comes first",
            record(json!([title()])),
            record(json!([author(), title()])),
            BOTH,
        ),
        row(
            "another field comes",
            record(json!([title()])),
            record(json!([title(), pages()])),
            ["refused", "fits"],
        ),
        row(
            "another field goes",
            record(json!([title(), pages()])),
            record(json!([title()])),
            ["fits", "refused"],
        ),
        row(
            "a field gets another name",
            record(json!([title()])),
            record(json!([["name", "string"]])),
            NEITHER,
        ),
        row(
            "fields change places",
            record(json!([title(), pages()])),
            record(json!([pages(), title()])),
            NEITHER,
        ),
        row(
            "a field becomes an `option`",
            record(json!([title()])),
            record(json!([["title", { "option": "string" }]])),
            NEITHER,
        ),
        row(
            "a case comes",
            variant(json!([["card", "string"], ["cash", null]])),
            variant(json!([
                ["card", "string"],
                ["cash", null],
                ["voucher", "u64"]
            ])),
            ["fits", "refused"],
        ),
        row(
            "a case goes",
            variant(json!([["card", "string"], ["cash", null]])),
            variant(json!([["card", "string"]])),
            ["refused", "fits"],
        ),
        row(
            "cases change places",
            variant(json!([["card", "string"], ["cash", null]])),
            variant(json!([["cash", null], ["card", "string"]])),
            NEITHER,
        ),
        row(
            "a case gets something to hold",
            variant(json!([["cash", null]])),
            variant(json!([["cash", "u64"]])),
            NEITHER,
        ),
        row(
            "a case of an enum comes",
            enumerated(&["low", "high"]),
            enumerated(&["low", "medium", "high"]),
            ["fits", "refused"],
        ),
        row(
            "a case of an enum goes",
            enumerated(&["low", "high"]),
            enumerated(&["high"]),
            ["refused", "fits"],
        ),
        row(
            "a flag comes",
            json!({ "flags": ["gift"] }),
            json!({ "flags": ["gift", "express"] }),
            ["fits", "refused"],
        ),
        row(
            "a case of an error comes",
            json!({ "result": ["u32", { "enum": ["absent"] }] }),
            json!({ "result": ["u32", { "enum": ["absent", "locked"] }] }),
            ["fits", "refused"],
        ),
        row("a number gets wider", json!("u32"), json!("u64"), NEITHER),
        row(
            "a value becomes a list",
            json!("string"),
            json!({ "list": "string" }),
            NEITHER,
        ),
        row(
            "a tuple gets longer",
            json!({ "tuple": ["u32"] }),
            json!({ "tuple": ["u32", { "option": "u32" }] }),
            NEITHER,
        ),
        row(
            "any of these inside a list, map, option, tuple, result or case",
            json!({ "list": record(json!([title()])) }),
            json!({ "list": record(json!([title(), author()])) }),
            BOTH,
        ),
    ]
}

fn function(arguments: &[(&str, Shape)], result: Option<Shape>) -> FunctionTypes {
    let parts = |(name, shape): &(&str, Shape)| ((*name).to_owned(), shape.clone());
    FunctionTypes {
        arguments: MessageType::new(arguments.iter().map(parts).collect()),
        results: MessageType::new(
            result
                .map(|shape| (String::new(), shape))
                .into_iter()
                .collect(),
        ),
    }
}

fn verdict(caller: &FunctionTypes, callee: &FunctionTypes) -> &'static str {
    match fit(caller, callee) {
        Ok(_) => "fits",
        Err(_) => "refused",
    }
}

#[test]
fn each_kind_of_change_comes_to_what_the_table_says() {
    let table = include_str!("../../../wit/README.md");
    for Row {
        change,
        before,
        after,
        expected,
    } in rows()
    {
        let takes = |shape: &Shape| function(&[("book", shape.clone())], None);
        let gives = |shape: &Shape| function(&[], Some(shape.clone()));
        let callee_replaced = [
            verdict(&takes(&before), &takes(&after)),
            verdict(&gives(&before), &gives(&after)),
        ];
        assert_eq!(callee_replaced, expected, "{change}");
        // A caller is replaced: it writes arguments as a new callee writes results.
        let caller_replaced = [
            verdict(&takes(&after), &takes(&before)),
            verdict(&gives(&after), &gives(&before)),
        ];
        assert_eq!(caller_replaced, [expected[1], expected[0]], "{change}");
        let line = format!(
            "| {change} | `{before}` | `{after}` | {} | {} |",
            expected[0], expected[1]
        );
        assert!(table.contains(&line), "wit/README.md lacks {line}");
    }
}

#[test]
fn each_row_of_the_table_is_tested() {
    let table = include_str!("../../../wit/README.md");
    let documented = table
        .lines()
        .filter(|line| line.ends_with("| fits |") || line.ends_with("| refused |"));
    assert_eq!(documented.count(), rows().len());
}

#[track_caller]
fn refused_as(caller: &FunctionTypes, callee: &FunctionTypes, expected: &str) {
    let mismatch = fit(caller, callee).expect_err("it does not fit");
    assert_eq!(mismatch.to_string(), expected);
}

#[test]
fn refusals_name_place_and_rule() {
    let shape = |json: serde_json::Value| parsed(&json);
    let takes = |json| function(&[("book", shape(json))], None);
    let gives = |json| function(&[], Some(shape(json)));
    refused_as(
        &takes(json!({ "record": [["title", "string"]] })),
        &takes(json!({ "record": [["title", "string"], ["pages", "u32"]] })),
        "parameter book: the callee needs the field pages, which the caller does not give; only a field of type option may be missing",
    );
    refused_as(
        &gives(json!({ "list": { "record": [["title", "string"]] } })),
        &gives(json!({ "list": { "record": [] } })),
        "result, element: the caller needs the field title, which the callee does not give; only a field of type option may be missing",
    );
    refused_as(
        &gives(json!({ "result": [null, { "enum": ["absent"] }] })),
        &gives(json!({ "result": [null, { "enum": ["absent", "locked"] }] })),
        "result, error: the callee may give the case locked, which the caller does not know",
    );
    refused_as(
        &takes(json!({ "flags": ["gift"] })),
        &takes(json!({ "flags": ["express"] })),
        "parameter book: the caller may give the flag gift, which the callee does not know",
    );
    refused_as(
        &takes(json!({ "record": [["a", "u8"], ["b", "u8"]] })),
        &takes(json!({ "record": [["b", "u8"], ["a", "u8"]] })),
        "parameter book: the fields b and a have changed places; their order may not change",
    );
    refused_as(
        &gives(json!({ "option": "u32" })),
        &gives(json!({ "option": "u64" })),
        "result, some: the caller uses u32, the callee u64",
    );
    refused_as(
        &function(&[("a", Shape::U8), ("b", Shape::U8)], None),
        &function(&[("a", Shape::U8)], None),
        "signature: the caller uses 2 parameters, the callee 1 parameter",
    );
    refused_as(
        &function(&[("a", Shape::U8)], None),
        &function(&[("b", Shape::U8)], None),
        "signature: the caller uses parameter a, the callee parameter b",
    );
    refused_as(
        &function(&[], None),
        &function(&[], Some(Shape::U8)),
        "signature: the caller uses 0 results, the callee 1 result",
    );
}

/// Puts something into something larger.
type Outer<T> = fn(T) -> T;

#[test]
fn values_are_changed_wherever_they_are() {
    let book = |more: &[(&str, Val)]| {
        let title = ("title".to_owned(), Val::String("Emma".into()));
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Val::Record(std::iter::once(title).chain(more).collect())
    };
    let old = json!({ "record": [["title", "string"], ["pages", "u32"]] });
    let new = json!({ "record": [["title", "string"], ["author", { "option": "string" }]] });
    let (before, after) = (
        book(&[("pages", Val::U32(474))]),
        book(&[("author", Val::Option(None))]),
    );
    let nests: [(Outer<serde_json::Value>, Outer<Val>); 8] = [
        (|inner| inner, |inner| inner),
        (
            |inner| json!({ "list": inner }),
            |inner| Val::List(vec![inner.clone(), inner]),
        ),
        (
            |inner| json!({ "fixed-list": [inner, 1] }),
            |inner| Val::FixedLengthList(vec![inner]),
        ),
        (
            |inner| json!({ "map": ["u8", inner] }),
            |inner| Val::Map(vec![(Val::U8(1), inner)]),
        ),
        (
            |inner| json!({ "option": inner }),
            |inner| Val::Option(Some(Box::new(inner))),
        ),
        (
            |inner| json!({ "tuple": ["u8", inner] }),
            |inner| Val::Tuple(vec![Val::U8(1), inner]),
        ),
        (
            |inner| json!({ "result": [inner, "u8"] }),
            |inner| Val::Result(Ok(Some(Box::new(inner)))),
        ),
        (
            |inner| json!({ "variant": [["none", null], ["some", inner]] }),
            |inner| Val::Variant("some".into(), Some(Box::new(inner))),
        ),
    ];
    for (shape, value) in nests {
        let caller = function(&[("book", parsed(&shape(old.clone())))], None);
        let callee = function(&[("book", parsed(&shape(new.clone())))], None);
        let fit = fit(&caller, &callee).expect("it fits");
        let written = value(before.clone());
        assert_eq!(fit.arguments(vec![written]), [value(after.clone())]);
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::U32),
        Just(Shape::String),
        proptest::sample::subsequence(vec!["a", "b", "c"], 1..=3)
            .prop_map(|names| Shape::Enum(names.into_iter().map(str::to_owned).collect())),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let fields = proptest::collection::vec(inner.clone(), 3);
        let chosen = proptest::sample::subsequence(vec![0_usize, 1, 2], 1..=3);
        prop_oneof![
            inner.clone().prop_map(|inner| Shape::List(Box::new(inner))),
            inner
                .clone()
                .prop_map(|inner| Shape::Option(Box::new(inner))),
            (fields, chosen).prop_map(|(fields, chosen)| {
                let field = |index: usize| (format!("f{index}"), fields[index].clone());
                Shape::Record(chosen.into_iter().map(field).collect())
            }),
        ]
    })
}

proptest! {
    /// What is said to fit can be read: values come out as the reader's type has them, or it would not encode them.
    #[test]
    fn what_fits_can_be_read(writer in shapes(), reader in shapes(), seed in any::<u64>()) {
        let (caller, callee) = (
            function(&[("it", writer.clone())], None),
            function(&[("it", reader)], None),
        );
        if let Ok(fit) = fit(&caller, &callee) {
            let value = some_value(&writer, &mut { seed });
            let read = fit.arguments(vec![value]);
            prop_assert!(callee.arguments.encode(&read).is_ok(), "{read:?}");
        }
    }
}

/// A value of a shape; which one, `seed` decides.
fn some_value(shape: &Shape, seed: &mut u64) -> Val {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let choice = (*seed >> 33) as usize;
    match shape {
        Shape::String => Val::String("text".into()),
        Shape::Enum(names) => Val::Enum(names[choice % names.len()].clone()),
        Shape::List(element) => {
            Val::List((0..choice % 3).map(|_| some_value(element, seed)).collect())
        }
        Shape::Option(some) => Val::Option(
            choice
                .is_multiple_of(2)
                .then(|| Box::new(some_value(some, seed))),
        ),
        Shape::Record(fields) => {
            let field = |(name, shape): &(String, Shape)| (name.clone(), some_value(shape, seed));
            Val::Record(fields.iter().map(field).collect())
        }
        _ => Val::U32(7),
    }
}
