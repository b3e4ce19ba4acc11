use super::*;
use checkout::bindings::bookshop::shop::types::{
    Assessment, Book as Suggested, Done, Event, Item, Rejection, ShippingMethod, VectorClock,
};
use keys::Memory;

pub fn order(id: &str, outcome: Outcome) -> DecidedOrder {
    let clock = VectorClock::from_counts([9, 4, 3, 2]);
    DecidedOrder {
        decision: Decision {
            order_id: id.into(),
            outcome,
            clock,
            events: vec![Done {
                event: Event::VerifyUser,
                clock,
            }],
        },
        items: vec![Item {
            name: "Book A".into(),
            quantity: 2,
        }],
        shipping_method: ShippingMethod::Express,
        assessment: Some(Assessment {
            score: 0.5,
            reasons: vec!["It is night.".into()],
        }),
    }
}

pub fn approved() -> Outcome {
    Outcome::Approved(vec![Suggested {
        id: "emma".into(),
        title: "Emma".into(),
        author: "Jane Austen".into(),
    }])
}

pub fn rejected() -> Outcome {
    Outcome::Rejected(Rejection {
        code: "NO".into(),
        message: "No.".into(),
        service: "test".into(),
    })
}

fn get(book: &Book<'_, Memory>, id: &str) -> Option<OrderRecord> {
    book.get(id).expect("it is readable")
}

#[test]
fn a_decision_begins_an_orders_history() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    assert_eq!(book.record(&order("1", approved())), Ok(None));
    assert_eq!(book.record(&order("2", rejected())), Ok(None));
    let status = |id| {
        let record = get(&book, id).expect("it was recorded");
        let [change] = record.history.try_into().expect("one change");
        assert_eq!(
            (change.at_ms, change.service.as_str()),
            (1_000, "orchestrator")
        );
        assert_eq!(change.clock, record.order.decision.clock);
        change.status
    };
    assert_eq!(
        [status("1"), status("2")],
        [Status::Approved, Status::Rejected]
    );
    assert_eq!(
        get(&book, "1").map(|record| record.order),
        Some(order("1", approved()))
    );
    assert_eq!(
        get(&book, "2").map(|record| record.order),
        Some(order("2", rejected()))
    );
    assert_eq!(get(&book, "3"), None);
}

#[test]
fn the_first_decision_stands() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    let first = order("1", rejected());
    assert_eq!(book.record(&first), Ok(None));
    assert_eq!(
        book.record(&order("1", approved())),
        Ok(Some(first.decision.clone()))
    );
    assert_eq!(get(&book, "1").map(|record| record.order), Some(first));
}

#[test]
fn a_change_is_added_to_the_history_at_its_time() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    assert_eq!(book.record(&order("1", approved())), Ok(None));
    let later = Book::open(&keys, 2_000);
    let long = "x".repeat(2_000);
    let failed = later.change("1", Status::Failed, "order-queue", Some(&long));
    assert_eq!(failed, Ok(true));
    assert_eq!(
        later.change("2", Status::Queued, "order-queue", None),
        Ok(false)
    );
    assert_eq!(get(&book, "2"), None);
    let record = get(&book, "1").expect("it was recorded");
    assert_eq!(record.order, order("1", approved()));
    let expected = Change {
        status: Status::Failed,
        at_ms: 2_000,
        service: "order-queue".into(),
        clock: record.order.decision.clock,
        reason: Some(long[..REASON_BYTES_MAX].into()),
    };
    assert_eq!((record.history.len(), &record.history[1]), (2, &expected));
}

#[test]
fn the_newest_orders_come_first_and_in_parts() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    for id in ["1", "2", "3"] {
        assert!(book.claim(id, "body", id).is_ok());
        assert_eq!(book.record(&order(id, approved())), Ok(None));
    }
    let list = |before| {
        let page = book.newest(before, 2).expect("it is readable");
        let orders = page.orders.into_iter();
        let ids = orders.map(|record| record.order.decision.order_id);
        (ids.collect::<Vec<_>>(), page.next)
    };
    let (first, next) = list(None);
    assert_eq!(first, ["3", "2"]);
    assert_eq!(
        list(Some(next.expect("there is more"))),
        (vec!["1".into()], None)
    );
}

#[test]
fn a_key_stands_for_one_order_until_it_is_decided_and_after() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    let check = |key, fingerprint, order_id, expected| {
        assert_eq!(book.claim(key, fingerprint, order_id), Ok(expected));
    };
    let undecided = Claimed::Undecided("1".into());
    check("key", "body", "1", undecided.clone());
    check("key", "body", "2", undecided);
    check("key", "other body", "3", Claimed::OtherRequest);
    check("other key", "body", "4", Claimed::Undecided("4".into()));
    assert_eq!(book.record(&order("1", approved())), Ok(None));
    let decided = Claimed::Decided(order("1", approved()).decision);
    check("key", "body", "5", decided);
    check("key", "other body", "5", Claimed::OtherRequest);
}

#[test]
fn a_key_is_forgotten_after_a_day() {
    let keys = Memory::default();
    let check = |now_ms, order_id, expected: &str| {
        let claimed = Book::open(&keys, now_ms).claim("key", "body", order_id);
        assert_eq!(claimed, Ok(Claimed::Undecided(expected.into())));
    };
    check(1_000, "1", "1");
    let keys_at_first = keys.0.borrow().len();
    check(1_000 + KEY_AGE_MAX_MS - 1, "2", "1");
    check(1_000 + KEY_AGE_MAX_MS, "3", "3");
    check(1_000 + KEY_AGE_MAX_MS, "4", "3");
    assert_eq!(keys.0.borrow().len(), keys_at_first);
}

#[test]
fn no_part_of_an_order_is_taken_for_the_whole() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    assert_eq!(book.record(&order("1", approved())), Ok(None));
    let bytes = keys.get(b"o1").expect("it was recorded");
    for length in 0..bytes.len() {
        assert!(form::from_bytes(&bytes[..length]).is_err());
    }
}

#[test]
fn what_another_version_wrote_is_refused_and_left_alone() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    assert_eq!(book.record(&order("1", approved())), Ok(None));
    assert!(book.claim("key", "body", "1").is_ok());
    keys.set(b"o1", b"\x09something else");
    keys.set(b"kother key", b"\x09something else");
    let before = keys.clone();
    assert_eq!(book.record(&order("1", rejected())), Err(Unreadable));
    assert_eq!(book.get("1"), Err(Unreadable));
    assert_eq!(book.newest(None, 9), Err(Unreadable));
    assert_eq!(book.claim("key", "body", "1"), Err(Unreadable));
    assert_eq!(book.claim("other key", "body", "1"), Err(Unreadable));
    let changed = book.change("1", Status::Queued, "order-queue", None);
    assert_eq!(changed, Err(Unreadable));
    assert_eq!(keys, before);
}
