use super::*;

fn with_keys(names: &[&str]) -> Memory {
    let keys = Memory::default();
    for name in names {
        set(&keys, name, name.as_bytes());
    }
    keys
}

fn prefix(text: &str) -> Selection {
    Selection::Prefix(text.into())
}

fn between(low: &str, high: Option<&str>) -> Selection {
    Selection::Range(KeyRange {
        low: low.into(),
        high: high.map(str::to_owned),
    })
}

#[test]
fn a_page_has_what_was_selected_in_the_order_of_the_keys() {
    let keys = with_keys(&["b", "ab", "a", "é", "abc", "b/1"]);
    let check = |selection: Selection, after: Option<&str>, limit, expected: &str| {
        let page = open(&keys)
            .scan(&selection, after, limit, false)
            .expect("it keeps to all bounds");
        let found: Vec<_> = page.entries.iter().map(|it| it.key.as_str()).collect();
        let next = page
            .next
            .map_or_else(String::new, |key| format!(" > {key}"));
        assert_eq!(found.join(" ") + &next, expected);
        assert_eq!(page.revision, 6);
        assert!(page.entries.iter().all(|it| it.value == it.key.as_bytes()));
    };
    check(prefix(""), None, 10, "a ab abc b b/1 é");
    check(prefix("ab"), None, 10, "ab abc");
    check(prefix("é"), None, 10, "é");
    check(prefix("x"), None, 10, "");
    check(prefix(""), None, 6, "a ab abc b b/1 é");
    check(prefix(""), None, 2, "a ab > ab");
    check(prefix(""), Some("ab"), 2, "abc b > b");
    check(prefix("ab"), Some("ab"), 10, "abc");
    check(prefix("ab"), Some("a"), 10, "ab abc");
    check(prefix("ab"), Some("b"), 10, "");
    check(between("ab", Some("b")), None, 10, "ab abc");
    check(between("", None), None, 10, "a ab abc b b/1 é");
    check(between("b", None), Some("b"), 10, "b/1 é");
    check(between("b", Some("a")), None, 10, "");
    check(between("", Some("")), None, 10, "");
}

#[test]
fn values_may_be_left_out() {
    let keys = with_keys(&["a"]);
    set(&keys, "b", &[1; 2_000]);
    let page = open(&keys).scan(&prefix(""), None, 10, true);
    let entries = vec![entry("a", b"", 1, 1, 1), entry("b", b"", 2, 2, 1)];
    let expected = Page {
        entries,
        next: None,
        revision: 2,
    };
    assert_eq!(page, Ok(expected));
}

#[test]
fn a_page_ends_before_it_is_too_large_for_an_answer() {
    let keys = Memory::default();
    for key in ["a", "b", "c"] {
        set(&keys, key, &[0; 300 << 10]);
    }
    set(&keys, "d", &[0; 512 << 10]);
    let check = |after, expected: &[&str]| {
        let page = open(&keys)
            .scan(&prefix(""), after, 10, false)
            .expect("it keeps to all bounds");
        let found: Vec<_> = page.entries.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(found, expected);
        assert_eq!(page.next.is_none(), expected.contains(&"d"));
    };
    check(None, &["a", "b"]);
    check(Some("b"), &["c"]);
    check(Some("c"), &["d"]);
    let check = |after, upto| {
        let page = open(&keys).changes(after, "", 10);
        assert_eq!(page.map(|it| (it.upto, it.revision)), Ok((upto, 4)));
    };
    check(0, 2);
    check(2, 3);
    check(3, 4);
}

#[test]
fn changes_are_told_in_their_order_and_values_only_while_they_are_kept() {
    let keys = with_keys(&["a", "b"]);
    set(&keys, "a", b"2");
    assert_eq!(open(&keys).delete("b", HISTORY), Ok(Some(4)));
    let change = |revision, key: &str, effect| Change {
        revision,
        key: key.into(),
        effect,
    };
    let all = [
        change(1, "a", Effect::Overwritten),
        change(2, "b", Effect::Overwritten),
        change(3, "a", Effect::Set(b"2".into())),
        change(4, "b", Effect::Deleted),
    ];
    let check = |after, prefix, limit, changes: &[Change], upto| {
        let expected = ChangePage {
            changes: changes.to_vec(),
            upto,
            revision: 4,
        };
        assert_eq!(open(&keys).changes(after, prefix, limit), Ok(expected));
    };
    check(0, "", 10, &all, 4);
    check(0, "", 2, &all[..2], 2);
    check(2, "", 10, &all[2..], 4);
    check(0, "b", 10, &[all[1].clone(), all[3].clone()], 4);
    check(0, "x", 10, &[], 4);
    check(4, "", 10, &[], 4);
    // Whoever is ahead, having asked a replica that knows more, stays there.
    check(9, "", 10, &[], 9);
    check(u64::MAX, "", 10, &[], u64::MAX);
}

#[test]
fn what_changed_together_is_told_together() {
    let keys = Memory::default();
    let pairs = ["a", "b", "c"].map(|key| Pair {
        key: key.into(),
        value: Bytes::new(),
    });
    assert!(open(&keys).load(pairs.to_vec(), HISTORY).is_ok());
    set(&keys, "d", b"");
    let check = |after, limit, count, upto| {
        let page = open(&keys).changes(after, "", limit);
        assert_eq!(
            page.map(|it| (it.changes.len(), it.upto)),
            Ok((count, upto))
        );
    };
    check(0, 1, 3, 1);
    check(0, 3, 3, 1);
    check(0, 4, 4, 2);
    check(1, 1, 1, 2);
}

#[test]
fn the_oldest_changes_are_forgotten() {
    let keys = Memory::default();
    for round in 0..10u8 {
        assert!(open(&keys).set("a", vec![round], 3).is_ok());
    }
    let known = |after| {
        open(&keys)
            .changes(after, "", 10)
            .map(|it| it.changes.len())
    };
    assert_eq!(known(6), Err(ChangesError::Compacted(8)));
    assert_eq!(known(7), Ok(3));
    assert_eq!(open(&keys).status().first_available, 8);
    // A revision with more changes than the history may have is known as long as it is the newest.
    let pairs = ["b", "c", "d", "e"].map(|key| Pair {
        key: key.into(),
        value: Bytes::new(),
    });
    assert!(open(&keys).load(pairs.to_vec(), 3).is_ok());
    let known = |after| {
        open(&keys)
            .changes(after, "", 10)
            .map(|it| it.changes.len())
    };
    assert_eq!(known(9), Err(ChangesError::Compacted(11)));
    assert_eq!(known(10), Ok(4));
    assert!(open(&keys).set("a", Bytes::new(), 3).is_ok());
    let known = |after| {
        open(&keys)
            .changes(after, "", 10)
            .map(|it| it.changes.len())
    };
    assert_eq!(known(10), Err(ChangesError::Compacted(12)));
}

#[test]
fn a_smaller_history_takes_effect_step_by_step() {
    let keys = Memory::default();
    for _ in 0..600 {
        assert!(open(&keys).set("a", Bytes::new(), 1_000).is_ok());
    }
    let first = |()| {
        assert!(open(&keys).set("a", Bytes::new(), 10).is_ok());
        open(&keys).status().first_available
    };
    assert_eq!([first(()), first(()), first(())], [257, 513, 594]);
}

#[test]
fn a_prefix_is_looked_for_in_bounded_steps() {
    let keys = with_keys(&["rare"]);
    for key in ["often"; 5_000].into_iter().chain(["rare"]) {
        assert!(open(&keys).set(key, Bytes::new(), 10_000).is_ok());
    }
    let looked = |after| {
        let page = open(&keys).changes(after, "rare", 10);
        page.map(|it| (it.changes.len(), it.upto))
    };
    assert_eq!(looked(0), Ok((1, 4_096)));
    assert_eq!(looked(1), Ok((0, 4_097)));
    assert_eq!(looked(4_097), Ok((1, 5_002)));
}
