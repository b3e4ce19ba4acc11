use super::*;
use crate::keys::Memory;
use checkout::bindings::bookshop::shop::types::{
    Assessment, Book as Suggested, Done, Event, Item, Rejection, ShippingMethod, VectorClock,
};

fn order(id: &str, outcome: Outcome) -> DecidedOrder {
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

fn approved() -> Outcome {
    Outcome::Approved(vec![Suggested {
        id: "emma".into(),
        title: "Emma".into(),
        author: "Jane Austen".into(),
    }])
}

fn rejected() -> Outcome {
    Outcome::Rejected(Rejection {
        code: "NO".into(),
        message: "No.".into(),
        service: "test".into(),
    })
}

#[test]
fn a_decision_begins_an_orders_history() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    assert!(book.is_new());
    assert_eq!(book.record(order("1", approved())), None);
    assert_eq!(book.record(order("2", rejected())), None);
    assert!(!book.is_new());
    let status = |id| {
        let record = book.get(id).expect("it was recorded");
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
        book.get("1").map(|record| record.order),
        Some(order("1", approved()))
    );
    assert_eq!(
        book.get("2").map(|record| record.order),
        Some(order("2", rejected()))
    );
    assert_eq!(book.get("3"), None);
}

#[test]
fn the_first_decision_stands() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    let first = order("1", rejected());
    assert_eq!(book.record(first.clone()), None);
    assert_eq!(
        book.record(order("1", approved())),
        Some(first.decision.clone())
    );
    assert_eq!(book.get("1").map(|record| record.order), Some(first));
}

#[test]
fn a_key_stands_for_one_order_until_it_is_decided_and_after() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    let undecided = Claimed::Undecided("1".into());
    assert_eq!(book.claim("key", "body", "1"), undecided);
    assert_eq!(book.claim("key", "body", "2"), undecided);
    assert_eq!(book.claim("key", "other body", "3"), Claimed::OtherRequest);
    assert_eq!(
        book.claim("other key", "body", "4"),
        Claimed::Undecided("4".into())
    );
    book.record(order("1", approved()));
    assert_eq!(
        book.claim("key", "body", "5"),
        Claimed::Decided(order("1", approved()).decision)
    );
    assert_eq!(book.claim("key", "other body", "5"), Claimed::OtherRequest);
}

#[test]
fn a_key_is_forgotten_after_a_day() {
    let keys = Memory::default();
    let claim = |now_ms, order_id| Book::open(&keys, now_ms).claim("key", "body", order_id);
    let undecided = |id: &str| Claimed::Undecided(id.into());
    assert_eq!(claim(1_000, "1"), undecided("1"));
    let keys_at_first = keys.0.borrow().len();
    assert_eq!(claim(1_000 + KEY_AGE_MAX_MS - 1, "2"), undecided("1"));
    assert_eq!(claim(1_000 + KEY_AGE_MAX_MS, "3"), undecided("3"));
    assert_eq!(claim(1_000 + KEY_AGE_MAX_MS, "4"), undecided("3"));
    assert_eq!(keys.0.borrow().len(), keys_at_first);
}

#[test]
fn no_part_of_an_order_is_taken_for_the_whole() {
    let keys = Memory::default();
    Book::open(&keys, 1_000).record(order("1", approved()));
    let bytes = keys.get(b"o1").expect("it was recorded");
    for length in 0..bytes.len() {
        assert!(form::from_bytes(&bytes[..length]).is_err());
    }
}
