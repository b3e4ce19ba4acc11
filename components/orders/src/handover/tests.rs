use super::*;
use crate::bindings::exports::bookshop::shop::orders::OrderRecord;
use crate::book::tests::{approved, order, rejected};
use checkout::bindings::bookshop::platform::call_error::Failure;
use keys::Memory;
use std::cell::RefCell;

/// An outbox that keeps what is sent, or takes nothing.
#[derive(Default)]
struct Sent {
    messages: RefCell<Vec<[String; 4]>>,
    error: Option<String>,
}

impl Outbox for Sent {
    fn send(
        &self,
        interface: &str,
        function: &str,
        arguments: &str,
        reply_tag: &str,
    ) -> Result<(), String> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let message = [interface, function, arguments, reply_tag].map(str::to_owned);
        self.messages.borrow_mut().push(message);
        Ok(())
    }
}

fn recorded<'a>(keys: &'a Memory, order: &DecidedOrder) -> Book<'a, Memory> {
    let book = Book::open(keys, 1_000);
    assert_eq!(book.record(order), Ok(None));
    book
}

/// The status, the service and the reason of an order's last change.
fn last(book: &Book<'_, Memory>, id: &str) -> (Status, String, Option<String>) {
    let record = book.get(id).expect("it is readable");
    let OrderRecord { history, .. } = record.expect("it was recorded");
    let last = history.into_iter().next_back();
    let last = last.expect("there is the decision");
    (last.status, last.service, last.reason)
}

#[test]
fn an_approved_order_is_sent_as_the_queue_wants_it() {
    let (keys, outbox) = (Memory::default(), Sent::default());
    let order = order("1", approved());
    assert_eq!(send(&recorded(&keys, &order), &outbox, &order), Ok(None));
    let arguments = r#"[{"order-id":"1","items":[{"name":"Book A","quantity":2}],"shipping-method":"express"},"1"]"#;
    let message = ["bookshop:shop/order-queue", "enqueue", arguments, "1"];
    assert_eq!(*outbox.messages.borrow(), [message.map(str::to_owned)]);
}

#[test]
fn a_rejected_order_is_not_sent() {
    let (keys, outbox) = (Memory::default(), Sent::default());
    let order = order("1", rejected());
    assert_eq!(send(&recorded(&keys, &order), &outbox, &order), Ok(None));
    assert!(outbox.messages.borrow().is_empty());
}

#[test]
fn an_order_that_cannot_be_sent_stays_approved_and_is_seen_to_have_failed() {
    let keys = Memory::default();
    let outbox = Sent {
        error: Some("no service exports it".into()),
        ..Sent::default()
    };
    let order = order("1", approved());
    let book = recorded(&keys, &order);
    let reason = "the order cannot be handed to the queue: no service exports it";
    assert_eq!(
        send(&book, &outbox, &order),
        Ok(Some(NotQueued(reason.into())))
    );
    let failed = (Status::Failed, "orders".into(), Some(reason.into()));
    assert_eq!(last(&book, "1"), failed);
    let record = book.get("1").expect("it is readable");
    assert_eq!(record.map(|record| record.order), Some(order));
}

#[track_caller]
fn check(reply: Result<&str, CallError>, expected: Option<&str>) {
    let keys = Memory::default();
    let book = recorded(&keys, &order("1", approved()));
    let not_queued = on_reply(&book, "1", reply.map(str::to_owned));
    let reason = expected.map(str::to_owned);
    assert_eq!(not_queued, Ok(reason.clone().map(NotQueued)));
    let status = if expected.is_none() {
        Status::Queued
    } else {
        Status::Failed
    };
    assert_eq!(last(&book, "1"), (status, "order-queue".into(), reason));
}

#[test]
fn an_order_that_the_queue_has_is_queued() {
    check(Ok(r#"[{"ok":7}]"#), None);
    check(Ok(r#"[{"ok":"9007199254740993"}]"#), None);
    check(Ok(r#"[{"err":{"already-queued":7}}]"#), None);
}

#[test]
fn an_order_that_the_queue_has_not_has_failed_and_says_why() {
    check(
        Ok(r#"[{"err":{"full":100000}}]"#),
        Some("the queue is full"),
    );
    check(
        Ok(r#"[{"err":"key-reused"}]"#),
        Some("the queue has another order under this one's key"),
    );
    check(
        Ok(r#"[{"err":{"misconfigured":"depth-max is odd"}}]"#),
        Some("the queue is misconfigured: depth-max is odd"),
    );
    check(
        Ok(
            r#"[{"err":{"call":{"incompatible":{"service":"order-queue","message":"too large"}}}}]"#,
        ),
        Some("the queue refused the order: too large"),
    );
    check(
        Ok(r#"[{"err":{"call":"cancelled"}}]"#),
        Some(r#"the queue refused the order: "cancelled""#),
    );
    let trapped = CallError::Trapped(Failure {
        service: "order-queue".into(),
        message: "unreachable".into(),
    });
    check(
        Err(trapped),
        Some("the queue did not answer: order-queue: unreachable"),
    );
}

#[test]
fn an_answer_that_is_not_understood_is_not_taken_for_a_good_one() {
    for reply in ["", "[]", r#"[{"err":"later-case"}]"#, r#"[{"ok":1},2]"#] {
        let keys = Memory::default();
        let book = recorded(&keys, &order("1", approved()));
        let not_queued = on_reply(&book, "1", Ok(reply.into()));
        assert!(matches!(not_queued, Ok(Some(_))), "{reply}");
        assert_eq!(last(&book, "1").0, Status::Failed);
    }
}

#[test]
fn an_answer_about_an_order_that_is_gone_changes_nothing() {
    let keys = Memory::default();
    let book = Book::open(&keys, 1_000);
    assert_eq!(on_reply(&book, "1", Ok(r#"[{"ok":7}]"#.into())), Ok(None));
    let full = Ok(r#"[{"err":{"full":1}}]"#.into());
    assert!(matches!(on_reply(&book, "1", full), Ok(Some(_))));
    assert!(keys.0.borrow().is_empty());
}
