use super::*;
use crate::simulation::disk::SimDisk;
use crate::state::Store;
use std::path::Path;

fn work(pairs: &[(&str, &str)], data_bytes_max: u64, access: Access) -> Work {
    let store = Store::open(&SimDisk::new(1), Path::new("/state")).expect("an empty disk");
    let id = store.register("service").expect("room");
    let mut view = View::new(store.base(id).expect("readable"));
    let pair = |(key, value): &(&str, &str)| {
        (
            prefixed(DATA, key.as_bytes()),
            Some(Bytes::copy_from_slice(value.as_bytes())),
        )
    };
    view.apply(pairs.iter().map(pair));
    // What is not the service's own is beside it, and must never be seen.
    view.apply([
        (Bytes::from_static(b"m"), Some(Bytes::new())),
        (Bytes::from_static(b"a"), Some(Bytes::new())),
    ]);
    let data_bytes = pairs
        .iter()
        .map(|(key, value)| PAIR_BYTES + (1 + key.len() + value.len()) as u64)
        .sum();
    let meta = Meta {
        data_bytes,
        ..Meta::default()
    };
    Work::new(view, meta, 5_000, data_bytes_max, access)
}

fn scan(work: &Work, low: &str, high: Option<&str>, limit: usize, reverse: bool) -> String {
    let pairs = work
        .scan(low.as_bytes(), high.map(str::as_bytes), limit, reverse)
        .expect("readable");
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
    pairs
        .into_iter()
        .map(|(key, value)| format!("{}={}", text(key), text(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_scan_sees_the_calls_own_writes_in_order() {
    let mut work = work(&[("a", "1"), ("c", "3"), ("e", "5")], 10_000, Access::Write);
    work.set(b"b", "2".into()).expect("room");
    work.set(b"c", "33".into()).expect("room");
    assert!(work.delete(b"e").expect("room"));
    assert!(!work.delete(b"x").expect("room"));
    work.set(b"f", "6".into()).expect("room");
    let check = |low, high, limit, reverse, expected: &str| {
        assert_eq!(scan(&work, low, high, limit, reverse), expected);
    };
    check("", None, 10, false, "a=1 b=2 c=33 f=6");
    check("b", Some("f"), 10, true, "c=33 b=2");
    check("", None, 2, true, "f=6 c=33");
    check("c", Some("c"), 10, false, "");
    check("d", Some("b"), 10, false, "");
    check("", None, 0, false, "");
}

#[test]
fn a_query_may_read_and_nothing_else() {
    let mut work = work(&[("a", "1")], 10_000, Access::Read);
    assert_eq!(work.get(b"a").expect("readable"), Some("1".into()));
    assert!(matches!(work.set(b"a", vec![]), Err(WorkError::ReadOnly)));
    assert!(matches!(work.delete(b"a"), Err(WorkError::ReadOnly)));
    assert!(matches!(
        work.set_timer("t".into(), 0, vec![]),
        Err(WorkError::ReadOnly)
    ));
    assert!(matches!(
        work.cancel_timer("t".into()),
        Err(WorkError::ReadOnly)
    ));
}

#[test]
fn the_quota_counts_what_is_stored_then() {
    let pair = |bytes: usize| PAIR_BYTES + 2 + bytes as u64;
    let mut full = work(&[("a", "1"), ("b", "2")], 2 * pair(1) + 10, Access::Write);
    full.set(b"c", vec![0; 10]).expect("alone it has room");
    assert!(matches!(full.finish(), Err(WorkError::Full(_))));
    let mut work = work(&[("a", "1"), ("b", "2")], 2 * pair(1) + 10, Access::Write);
    work.delete(b"a").expect("room");
    work.set(b"c", vec![0; 10]).expect("the place of a");
    assert_eq!(work.finish().expect("room").data_bytes, pair(1) + pair(10));
}

#[test]
fn a_service_that_has_more_than_it_may_can_still_delete() {
    let mut work = work(&[("a", "1"), ("b", "2")], 10, Access::Write);
    work.delete(b"a").expect("room");
    assert!(work.finish().is_ok());
}

#[test]
fn what_does_not_fit_into_an_entry_is_refused_at_once() {
    let mut work = work(&[], u64::MAX, Access::Write);
    let half = vec![0; ENTRY_BYTES_MAX / 2];
    work.set(b"a", half.clone()).expect("half fits");
    // Written again, it still counts once.
    work.set(b"a", half.clone())
        .expect("it takes its own place");
    assert!(matches!(
        work.set(b"b", half),
        Err(WorkError::TooLarge { .. })
    ));
}

#[test]
fn keys_and_payloads_have_a_longest_length() {
    let mut work = work(&[], u64::MAX, Access::Write);
    let long = vec![b'k'; KEY_BYTES_MAX + 1];
    assert!(matches!(
        work.set(&long, vec![]),
        Err(WorkError::TooLong { .. })
    ));
    let key = "k".repeat(TIMER_KEY_BYTES_MAX + 1);
    assert!(matches!(
        work.set_timer(key, 0, vec![]),
        Err(WorkError::TooLong { .. })
    ));
    let payload = vec![0; TIMER_PAYLOAD_BYTES_MAX + 1];
    assert!(matches!(
        work.set_timer("k".into(), 0, payload),
        Err(WorkError::TooLong { .. })
    ));
}
