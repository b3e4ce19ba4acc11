//! One key of the database: which results are possible, one after the other and at the same time.

use linearizability::Verdict;
use linearizability::register::Registers;
use serde_json::{Value, json};

/// Calls one after the other, with their results.
fn one_by_one(calls: &[(&str, Value, Value)]) -> bool {
    let mut registers = Registers::default();
    for (function, arguments, result) in calls {
        let begun = registers.begin(function, arguments);
        registers.end(&begun.expect("a function of one key"), result);
    }
    registers.check().is_ok()
}

fn entry(value: u8, revision: u64) -> Value {
    json!({ "key": "key", "value": [value], "revision": revision })
}

fn set(value: u8, revision: u64) -> (&'static str, Value, Value) {
    ("set", json!(["key", [value]]), json!({ "ok": revision }))
}

fn get(found: &Value) -> (&'static str, Value, Value) {
    ("get", json!(["key"]), json!({ "ok": found }))
}

fn swap(expected: Option<u64>, result: Value) -> (&'static str, Value, Value) {
    ("compare-and-swap", json!(["key", expected, [9]]), result)
}

#[test]
fn results_of_one_client_are_those_of_the_calls_before() {
    assert!(one_by_one(&[
        get(&Value::Null),
        set(1, 3),
        get(&entry(1, 3))
    ]));
    assert!(
        !one_by_one(&[set(1, 3), get(&Value::Null)]),
        "the value is lost"
    );
    assert!(
        !one_by_one(&[set(1, 3), get(&entry(2, 3))]),
        "another value"
    );
    assert!(
        !one_by_one(&[set(1, 3), get(&entry(1, 4))]),
        "another revision"
    );
    assert!(
        !one_by_one(&[set(1, 3), set(2, 3)]),
        "a revision comes twice"
    );
    let delete = |result: Value| ("delete", json!(["key"]), json!({ "ok": result }));
    assert!(one_by_one(&[
        set(1, 3),
        delete(json!(4)),
        delete(Value::Null),
        get(&Value::Null)
    ]));
    assert!(
        !one_by_one(&[set(1, 3), delete(Value::Null)]),
        "there was something"
    );
    let update = |result: Value| ("update", json!(["key", [5]]), json!({ "ok": result }));
    assert!(one_by_one(&[
        update(Value::Null),
        set(1, 3),
        update(json!(4)),
        get(&entry(5, 4))
    ]));
    assert!(!one_by_one(&[update(json!(4))]), "there was nothing");
}

#[test]
fn a_value_is_swapped_for_the_one_that_was_expected() {
    let conflict = |found: Value| json!({ "err": { "conflict": found } });
    assert!(one_by_one(&[
        swap(None, json!({ "ok": 1 })),
        swap(Some(1), json!({ "ok": 2 }))
    ]));
    assert!(one_by_one(&[
        set(1, 3),
        swap(None, conflict(entry(1, 3))),
        get(&entry(1, 3))
    ]));
    assert!(
        !one_by_one(&[set(1, 3), swap(Some(2), json!({ "ok": 4 }))]),
        "it has another revision"
    );
    assert!(
        !one_by_one(&[set(1, 3), swap(Some(3), conflict(entry(1, 3)))]),
        "it has that revision"
    );
    assert!(
        !one_by_one(&[set(1, 3), swap(Some(2), conflict(Value::Null))]),
        "it has something"
    );
}

#[test]
fn a_write_whose_end_is_not_known_may_be_seen_from_any_moment_on_and_stays() {
    let check = |seen: &[Value]| {
        let mut registers = Registers::default();
        let write = registers.begin("set", &json!(["key", [1]]));
        assert!(write.is_some());
        for found in seen {
            let begun = registers.begin("get", &json!(["key"]));
            registers.end(
                &begun.expect("a function of one key"),
                &json!({ "ok": found }),
            );
        }
        registers.check()
    };
    assert_eq!(check(&[Value::Null, entry(1, 3), entry(1, 3)]), Ok(()));
    assert_eq!(check(&[Value::Null]), Ok(()));
    let wrong = [&[entry(1, 3), Value::Null][..], &[entry(1, 3), entry(1, 4)]];
    for seen in wrong {
        let (key, verdict) = check(seen).expect_err("it goes back, or changes by itself");
        assert_eq!(key, "key");
        assert!(matches!(verdict, Verdict::Not { .. }), "{verdict}");
    }
}

#[test]
fn keys_have_nothing_to_do_with_each_other_and_what_was_refused_counts_for_nothing() {
    let mut registers = Registers::default();
    let write = registers.begin("set", &json!(["a", [1]]));
    let read = registers.begin("get", &json!(["b"]));
    registers.end(
        &read.expect("a function of one key"),
        &json!({ "ok": null }),
    );
    registers.end(
        &write.expect("a function of one key"),
        &json!({ "err": "out-of-bounds" }),
    );
    let read = registers.begin("get", &json!(["a"]));
    registers.end(
        &read.expect("a function of one key"),
        &json!({ "ok": null }),
    );
    assert_eq!(registers.check(), Ok(()));
    assert_eq!(registers.ended(), 2);
    assert_eq!(registers.begin("scan", &json!([])), None);
}
