use super::*;

fn number(keys: &Memory, key: &str) -> Option<u64> {
    let value = get(keys, key)?.value;
    Some(u64::from_le_bytes(value.try_into().expect("it is one")))
}

fn condition(key: &str, test: Test) -> Condition {
    let key = key.into();
    Condition { key, test }
}

fn add(key: &str, amount: i64) -> Operation {
    let key = key.into();
    Operation::Add(Addition { key, amount })
}

fn write(key: &str, value: &[u8]) -> Operation {
    Operation::Set(Pair {
        key: key.into(),
        value: value.into(),
    })
}

fn run(
    keys: &Memory,
    conditions: &[Condition],
    then: Vec<Operation>,
    otherwise: Vec<Operation>,
) -> Result<Outcome, TransactionError> {
    open(keys).transaction(conditions, then, otherwise, HISTORY)
}

#[test]
fn all_conditions_together_decide_which_list_is_carried_out() {
    let keys = Memory::default();
    set(&keys, "text", b"abc");
    set(&keys, "large", &[1; 2_000]);
    set(&keys, "stock", &5u64.to_le_bytes());
    let check = |conditions: &[Condition], expected| {
        let outcome = run(&keys, conditions, Vec::new(), Vec::new());
        assert_eq!(outcome.map(|it| (it.held, it.revision)), Ok((expected, 3)));
    };
    check(&[], true);
    check(&[condition("text", Test::Exists)], true);
    check(&[condition("none", Test::Exists)], false);
    check(&[condition("text", Test::Absent)], false);
    check(&[condition("none", Test::Absent)], true);
    check(&[condition("large", Test::AtRevision(2))], true);
    check(&[condition("large", Test::AtRevision(3))], false);
    check(&[condition("none", Test::AtRevision(0))], false);
    check(&[condition("text", Test::Equals(b"abc".into()))], true);
    check(&[condition("text", Test::Equals(b"abd".into()))], false);
    check(&[condition("large", Test::Equals(vec![1; 2_000]))], true);
    check(&[condition("none", Test::Equals(Bytes::new()))], false);
    check(&[condition("stock", Test::AtLeast(5))], true);
    check(&[condition("stock", Test::AtLeast(6))], false);
    check(&[condition("none", Test::AtLeast(0))], true);
    check(&[condition("none", Test::AtLeast(1))], false);
    let both = [
        condition("text", Test::Exists),
        condition("none", Test::Exists),
    ];
    check(&both, false);
}

#[test]
fn of_two_orders_for_the_last_copy_one_gets_it() {
    let keys = Memory::default();
    set(&keys, "stock/a", &3u64.to_le_bytes());
    set(&keys, "stock/b", &1u64.to_le_bytes());
    let order = || {
        let conditions = ["stock/a", "stock/b"].map(|key| condition(key, Test::AtLeast(1)));
        run(
            &keys,
            &conditions,
            vec![add("stock/a", -1), add("stock/b", -1)],
            vec![Operation::Get("stock/b".into())],
        )
    };
    let first = order().expect("there is enough");
    let reserved = [OperationResult::Added(2), OperationResult::Added(0)];
    assert_eq!((first.held, first.revision), (true, 3));
    assert_eq!(first.results, reserved);
    let second = order().expect("it is refused by a condition");
    assert_eq!((second.held, second.revision), (false, 3));
    let left = entry("stock/b", &[0; 8], 2, 3, 2);
    assert_eq!(second.results, [OperationResult::Got(Some(left))]);
    assert_eq!(number(&keys, "stock/a"), Some(2));
}

#[test]
fn a_number_does_not_go_below_zero_and_nothing_else_happens_either() {
    let keys = Memory::default();
    set(&keys, "a", &3u64.to_le_bytes());
    let before = keys.clone();
    let shortage = |key: &str, available, wanted| {
        let key = key.into();
        TransactionError::Insufficient(Shortage {
            key,
            available,
            wanted,
        })
    };
    let check = |then: Vec<Operation>, expected| {
        assert_eq!(run(&keys, &[], then, Vec::new()), Err(expected));
        assert_eq!(keys, before);
    };
    check(
        vec![write("b", b"1"), add("a", -2), add("a", -2)],
        shortage("a", 1, 2),
    );
    check(vec![add("c", -1)], shortage("c", 0, 1));
    check(vec![add("c", i64::MIN)], shortage("c", 0, 1 << 63));
    check(
        vec![write("b", &[0xff; 8]), add("b", 1)],
        TransactionError::Overflow("b".into()),
    );
    check(
        vec![write("b", b"text"), add("b", 1)],
        TransactionError::NotANumber("b".into()),
    );
    check(
        vec![write("b", &[0; 2_000]), add("b", 1)],
        TransactionError::NotANumber("b".into()),
    );
}

#[test]
fn a_condition_on_what_is_no_number_is_an_error() {
    let keys = Memory::default();
    set(&keys, "large", &[0; 2_000]);
    let outcome = run(
        &keys,
        &[condition("large", Test::AtLeast(1))],
        Vec::new(),
        Vec::new(),
    );
    assert_eq!(outcome, Err(TransactionError::NotANumber("large".into())));
}

#[test]
fn each_step_sees_those_before_it_and_a_key_changes_once() {
    let keys = Memory::default();
    set(&keys, "a", b"old");
    let steps = vec![
        write("a", b"new"),
        Operation::Get("a".into()),
        Operation::Delete("a".into()),
        Operation::Delete("a".into()),
        Operation::Get("a".into()),
        write("a", b"newer"),
        add("n", 2),
        add("n", -1),
        write("gone", b""),
        Operation::Delete("gone".into()),
    ];
    let outcome = run(&keys, &[], steps, Vec::new()).expect("nothing is refused");
    let expected = [
        OperationResult::Set,
        OperationResult::Got(Some(entry("a", b"new", 1, 2, 2))),
        OperationResult::Deleted(true),
        OperationResult::Deleted(false),
        OperationResult::Got(None),
        OperationResult::Set,
        OperationResult::Added(2),
        OperationResult::Added(1),
        OperationResult::Set,
        OperationResult::Deleted(true),
    ];
    assert_eq!(outcome.results, expected);
    assert_eq!(get(&keys, "a"), Some(entry("a", b"newer", 2, 2, 1)));
    let page = open(&keys)
        .changes(1, "", 10)
        .expect("nothing is forgotten");
    let changed: Vec<_> = page.changes.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(changed, ["a", "n"]);
}

#[test]
fn a_transaction_without_effects_is_no_change() {
    let keys = Memory::default();
    let before = keys.clone();
    let steps = vec![
        Operation::Delete("a".into()),
        write("b", b"1"),
        Operation::Delete("b".into()),
    ];
    let outcome = run(&keys, &[], steps, Vec::new());
    assert_eq!(outcome.map(|it| it.revision), Ok(0));
    assert_eq!(keys, before);
}

#[test]
fn what_a_call_writes_and_returns_is_bounded_together() {
    let keys = Memory::default();
    set(&keys, "large", &[0; 512 << 10]);
    let before = keys.clone();
    let check = |then: Vec<Operation>, actual| {
        let breach = Breach {
            what: Bounded::CallBytes,
            actual,
            least: 0,
            most: 768 << 10,
        };
        let outcome = run(&keys, &[], then, Vec::new());
        assert_eq!(outcome, Err(TransactionError::OutOfBounds(breach)));
        assert_eq!(keys, before);
    };
    let half = &[0; 512 << 10];
    check(vec![write("a", half), write("b", half)], (1 << 20) + 6);
    let large = || Operation::Get("large".into());
    check(vec![large(), large()], (1 << 20) + 30);
    check(vec![large(), write("a", half)], (1 << 20) + 18);
}
