//! Views and snapshots, case by case.

use super::{FOLDER, fold, open, text, view, write};
use crate::simulation::disk::SimDisk;
use crate::state::{Base, GroupId, Layer, View, check, dump};
use bytes::Bytes;
use expect_test::{Expect, expect};
use std::path::Path;

/// `a=1 b=2`, and `-c` for a deletion.
fn writes(text: &str) -> Vec<(Bytes, Option<Bytes>)> {
    text.split_whitespace()
        .map(
            |word| match (word.strip_prefix('-'), word.split_once('=')) {
                (Some(key), _) => (Bytes::copy_from_slice(key.as_bytes()), None),
                (None, Some((key, value))) => write(key, value),
                (None, None) => panic!("{word} is no write"),
            },
        )
        .collect()
}

/// What a scan finds with these writes in the store, frozen, and recent.
#[track_caller]
fn check_scan(layers: [&str; 3], low: &str, high: Option<&str>, reverse: bool, expected: Expect) {
    let store = open(&SimDisk::new(1)).unwrap();
    let group = store.register("order-queue").unwrap();
    let layer: Layer = writes(layers[0]).into_iter().collect();
    store.fold(&[fold(group, 1, layer)]).unwrap();
    let mut view = view(&store, group);
    view.apply(writes(layers[1]));
    view.freeze();
    view.apply(writes(layers[2]));
    let found: Vec<String> = view
        .scan(low.as_bytes(), high.map(str::as_bytes), reverse)
        .map(|pair| {
            let (key, value) = pair.unwrap();
            format!("{}={}", key.escape_ascii(), value.escape_ascii())
        })
        .collect();
    expected.assert_eq(&found.join(" "));
}

#[test]
fn newer_writes_hide_older_ones() {
    let layers = ["a=1 b=1 c=1 d=1", "b=2 c=2 -d e=2", "c=3 d=3 -e f=3"];
    check_scan(layers, "", None, false, expect!["a=1 b=2 c=3 d=3 f=3"]);
    check_scan(layers, "", None, true, expect!["f=3 d=3 c=3 b=2 a=1"]);
}

#[test]
fn a_range_has_its_low_end_and_not_its_high_end() {
    let layers = ["a=1 d=1", "b=2 e=2", "c=3 f=3"];
    check_scan(layers, "b", Some("e"), false, expect!["b=2 c=3 d=1"]);
    check_scan(layers, "b", Some("e"), true, expect!["d=1 c=3 b=2"]);
}

#[test]
fn a_range_that_ends_before_it_begins_is_empty() {
    check_scan(["a=1", "b=2", "c=3"], "c", Some("a"), false, expect![""]);
    check_scan(["a=1", "b=2", "c=3"], "c", Some("c"), true, expect![""]);
}

#[test]
fn empty_keys_and_values_are_keys_and_values() {
    check_scan(
        ["=nothing a=", "", ""],
        "",
        None,
        false,
        expect!["=nothing a="],
    );
    check_scan(["=nothing a=", "-", ""], "", None, false, expect!["a="]);
}

#[test]
fn a_clone_does_not_change() {
    let mut view = View::new(Base::empty());
    view.apply([write("a", "1")]);
    let before = view.clone();
    view.apply([write("a", "2"), write("b", "2")]);
    expect!["a=1"].assert_eq(&text(&before));
    expect!["a=2 b=2"].assert_eq(&text(&view));
}

#[test]
fn a_speculative_layer_can_be_dropped() {
    let mut view = View::new(Base::empty());
    view.apply([write("a", "1")]);
    let mut speculative = view.clone();
    speculative.apply([("b".into(), Some("2".into()))]);
    expect!["a=1 b=2"].assert_eq(&text(&speculative));
    expect!["a=1"].assert_eq(&text(&view));
}

#[test]
#[should_panic(expected = "a layer is frozen while another is being folded")]
fn only_one_layer_is_frozen_at_a_time() {
    let mut view = View::new(Base::empty());
    view.apply([write("a", "1")]);
    view.freeze();
    view.freeze();
}

#[test]
fn groups_keep_their_numbers_and_states_apart() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let queue = store.register("order-queue").unwrap();
    let database = store.register("database").unwrap();
    let layer: Layer = [write("a", "queue")].into_iter().collect();
    store.fold(&[fold(queue, 7, layer)]).unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.register("database").unwrap(), database);
    expect!["a=queue"].assert_eq(&text(&view(&store, queue)));
    expect![""].assert_eq(&text(&view(&store, database)));
    let applied: Vec<u64> = store.groups().iter().map(|group| group.applied).collect();
    assert_eq!(applied, [7, 0]);
}

#[test]
#[should_panic(expected = "group order-queue goes back from 7 to 6")]
fn a_group_does_not_go_back() {
    let store = open(&SimDisk::new(1)).unwrap();
    let queue = store.register("order-queue").unwrap();
    store.fold(&[fold(queue, 7, Layer::new())]).unwrap();
    let _ = store.fold(&[fold(queue, 6, Layer::new())]);
}

#[test]
#[should_panic(expected = "group 3 was never registered")]
fn a_group_is_registered_before_it_is_read() {
    let store = open(&SimDisk::new(1)).unwrap();
    let _ = store.base(GroupId(3));
}

#[test]
fn large_keys_and_values_survive() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let group = store.register("database").unwrap();
    let key = Bytes::from(vec![7; 4096]);
    let value = Bytes::from(vec![9; 1 << 20]);
    let layer = Layer::unit(key.clone(), Some(value.clone()));
    store.fold(&[fold(group, 1, layer)]).unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(view(&store, group).get(&key).unwrap(), Some(value));
}

#[test]
fn equal_states_have_equal_hashes_however_they_came_about() {
    let hash = |steps: &[&str]| {
        let store = open(&SimDisk::new(1)).unwrap();
        let group = store.register("database").unwrap();
        for step in steps {
            let layer: Layer = writes(step).into_iter().collect();
            store.fold(&[fold(group, 3, layer)]).unwrap();
        }
        store.hash(group).unwrap()
    };
    assert_eq!(hash(&["a=1 b=2"]), hash(&["b=1 c=3", "a=1 b=2 -c"]));
    assert_ne!(hash(&["a=1 b=2"]), hash(&["a=1 b=3"]));
    assert_ne!(hash(&["ab=c"]), hash(&["a=bc"]));
}

#[test]
fn looking_at_a_store_tells_what_is_in_it_and_changes_nothing() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let group = store.register("order-queue").unwrap();
    let layer: Layer = writes("a=1 b=22").into_iter().collect();
    store.fold(&[fold(group, 5, layer)]).unwrap();
    disk.kill();
    drop(store);
    let path = Path::new(FOLDER).join("state.redb");
    let before = disk.content(&path);
    let report = check(&disk, Path::new(FOLDER)).unwrap();
    assert_eq!(
        Some(report.file_bytes as usize),
        before.as_ref().map(Vec::len)
    );
    assert!(report.problems.is_empty());
    expect![[r#"
        [
            GroupReport {
                group: Group {
                    id: GroupId(
                        0,
                    ),
                    name: "order-queue",
                    applied: 5,
                },
                keys: 2,
                bytes: 5,
            },
        ]
    "#]]
    .assert_debug_eq(&report.groups);
    let mut shown = String::new();
    dump(
        &disk,
        Path::new(FOLDER),
        &|_| true,
        &mut |group, key, value| {
            let line = format!(
                "{} {}={}\n",
                group.name,
                key.escape_ascii(),
                value.escape_ascii()
            );
            shown.push_str(&line);
        },
    )
    .unwrap();
    expect![[r"
        order-queue a=1
        order-queue b=22
    "]]
    .assert_eq(&shown);
    assert_eq!(disk.content(&path), before);
}

/// Takes keys from the front or the back of what is in the store, in the layer being folded, and in the recent one.
#[test]
fn keys_that_were_deleted_one_after_the_other_are_passed_at_once() {
    for reverse in [false, true] {
        let store = open(&SimDisk::new(1)).unwrap();
        let group = store.register("order-queue").unwrap();
        let pairs = |numbers: std::ops::Range<u32>| {
            numbers.map(|number| write(&format!("ready {number:04}"), "order"))
        };
        let layer: Layer = pairs(0..300).collect();
        store.fold(&[fold(group, 1, layer)]).unwrap();
        let mut view = view(&store, group);
        view.apply(pairs(300..600));
        view.freeze();
        view.apply(pairs(600..900));
        view.apply([write("other", "kept")]);
        for left in (0..900_usize).rev() {
            assert!(view.passed(b"ready", reverse) <= 2, "{left} were left");
            let first = view.scan(b"ready", None, reverse).next().unwrap().unwrap();
            view.apply([(first.0, None)]);
            assert!(left % 100 != 0 || view.scan(b"ready", None, false).count() == left);
        }
        assert_eq!(text(&view), "other=kept");
        // A key comes back in the middle of what is empty.
        view.apply([write("ready 0450", "again")]);
        assert_eq!(text(&view), "other=kept ready 0450=again");
    }
}

/// A fold takes many steps on the disk. Another thread reads all the while, and finds either state whole.
#[test]
fn readers_go_on_while_a_fold_is_written() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let group = store.register("database").unwrap();
    let round = |round: u64| -> Layer {
        let pairs = (0..500).map(|key| write(&format!("key {key:03}"), &round.to_string()));
        pairs.collect()
    };
    store.fold(&[fold(group, 0, round(0))]).unwrap();
    let reader = store.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = crate::os::task::thread("reader", move || {
        let mut reads = 0_u64;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) || reads == 0 {
            let base = reader.base(group).unwrap();
            let applied = base.applied().to_string();
            for pair in View::new(base).scan(b"", None, reads.is_multiple_of(2)) {
                assert_eq!(pair.unwrap().1, applied.as_bytes());
            }
            reads += 1;
        }
    })
    .unwrap();
    for applied in 1..=50 {
        store.fold(&[fold(group, applied, round(applied))]).unwrap();
    }
    drop(stop);
    thread.join().unwrap();
}
