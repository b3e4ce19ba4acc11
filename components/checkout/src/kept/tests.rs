use super::*;
use crate::bindings::bookshop::shop::types::{Done, Verdict};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Scratch in a map. `interrupts` are done, one each, just before a value is replaced: what a call that overlaps did.
#[derive(Default)]
struct Memory {
    values: RefCell<BTreeMap<String, (Vec<u8>, u64)>>,
    last_revision: Cell<u64>,
    interrupts: RefCell<Vec<Interrupt>>,
    is_full: Cell<bool>,
}

type Interrupt = fn(&Memory);

impl Memory {
    fn check(&self, key: &str, revision: Option<u64>) -> Result<(), ScratchError> {
        let now = self.values.borrow().get(key).map(|(_, revision)| *revision);
        if now == revision {
            Ok(())
        } else {
            Err(ScratchError::Conflict(now))
        }
    }
}

impl Store for Memory {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u64)> {
        self.values.borrow().get(key).cloned()
    }

    fn put_if(
        &self,
        key: &str,
        revision: Option<u64>,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<u64, ScratchError> {
        assert_eq!(ttl_ms, TTL_MS);
        let interrupt = self.interrupts.borrow_mut().pop();
        if let Some(interrupt) = interrupt {
            interrupt(self);
        }
        if self.is_full.get() {
            return Err(ScratchError::Full);
        }
        self.check(key, revision)?;
        self.last_revision.update(|last| last + 1);
        let new = (value.to_vec(), self.last_revision.get());
        self.values.borrow_mut().insert(key.into(), new);
        Ok(self.last_revision.get())
    }

    fn delete_if(&self, key: &str, revision: u64) -> Result<(), ScratchError> {
        self.check(key, Some(revision))?;
        self.values.borrow_mut().remove(key);
        Ok(())
    }
}

const SERVICE: Service = Service::TransactionVerification;

fn clock(orchestrator: u32, transaction_verification: u32) -> VectorClock {
    VectorClock::from_counts([orchestrator, transaction_verification, 0, 0])
}

fn progress(clock: VectorClock, done: &[(Event, VectorClock)]) -> Progress {
    let done = done.iter().map(|&(event, clock)| Done { event, clock });
    Progress {
        clock,
        done: done.collect(),
    }
}

fn begin(store: &Memory) -> VectorClock {
    init(store, SERVICE, "1-2", &progress(clock(2, 0), &[]), b"data").expect("there is room")
}

fn verify(
    store: &Memory,
    event: Event,
    progress: &Progress,
) -> Result<Performed<Verdict>, EventError> {
    perform(store, event, "1-2", progress, |data| {
        assert_eq!(data, b"data");
        Ok(Verdict::Accepted)
    })
}

fn performed(clock: VectorClock, is_new: bool) -> Result<Performed<Verdict>, EventError> {
    Ok(Performed {
        answer: Verdict::Accepted,
        clock,
        is_new,
    })
}

#[test]
fn clocks_take_in_what_comes_and_count_each_event() {
    let store = Memory::default();
    assert_eq!(begin(&store), clock(2, 1));
    let first = progress(clock(5, 1), &[]);
    assert_eq!(
        verify(&store, Event::VerifyItems, &first),
        performed(clock(5, 2), true)
    );
    // The sender of this one had not heard of the first.
    let second = progress(clock(4, 1), &[]);
    assert_eq!(
        verify(&store, Event::VerifyUser, &second),
        performed(clock(5, 3), true)
    );
}

#[test]
fn a_repeated_event_gets_the_same_answer_and_changes_nothing() {
    let store = Memory::default();
    begin(&store);
    let early = progress(clock(3, 1), &[]);
    assert_eq!(
        verify(&store, Event::VerifyItems, &early),
        performed(clock(3, 2), true)
    );
    let before = store.get("order/1-2");
    let late = progress(clock(9, 2), &[(Event::VerifyItems, clock(3, 2))]);
    assert_eq!(
        verify(&store, Event::VerifyItems, &late),
        performed(clock(3, 2), false)
    );
    assert_eq!(store.get("order/1-2"), before);
}

#[test]
fn an_event_that_overlaps_is_not_lost() {
    let store = Memory::default();
    begin(&store);
    store.interrupts.borrow_mut().push(|store| {
        let overlapping = progress(clock(4, 1), &[]);
        assert_eq!(
            verify(store, Event::VerifyUser, &overlapping),
            performed(clock(4, 2), true)
        );
    });
    let first = progress(clock(3, 1), &[]);
    assert_eq!(
        verify(&store, Event::VerifyItems, &first),
        performed(clock(4, 3), true)
    );
    assert_eq!(
        verify(&store, Event::VerifyUser, &first),
        performed(clock(4, 2), false)
    );
}

#[test]
fn an_event_out_of_turn_is_refused() {
    let store = Memory::default();
    begin(&store);
    let refused = verify(&store, Event::VerifyCard, &progress(clock(3, 1), &[]));
    let missing = EventOrder {
        event: Event::VerifyCard,
        missing: vec![Event::VerifyItems],
    };
    assert_eq!(refused, Err(EventError::OutOfOrder(missing)));
    let done = [(Event::VerifyItems, clock(3, 2))];
    assert_eq!(
        verify(&store, Event::VerifyCard, &progress(clock(4, 2), &done)),
        performed(clock(4, 3), true)
    );
}

#[test]
fn an_order_that_is_not_here_is_unknown_until_it_is_handed_over_again() {
    let store = Memory::default();
    let done = [(Event::VerifyItems, clock(3, 2))];
    let progress = progress(clock(7, 2), &done);
    let unknown = Err(EventError::UnknownOrder("1-2".into()));
    assert_eq!(verify(&store, Event::VerifyCard, &progress), unknown);
    assert_eq!(
        init(&store, SERVICE, "1-2", &progress, b"data"),
        Ok(clock(7, 3))
    );
    assert_eq!(
        verify(&store, Event::VerifyCard, &progress),
        performed(clock(7, 4), true)
    );
}

#[test]
fn an_order_that_is_handed_over_twice_keeps_its_answers() {
    let store = Memory::default();
    begin(&store);
    let first = progress(clock(3, 1), &[]);
    assert_eq!(
        verify(&store, Event::VerifyItems, &first),
        performed(clock(3, 2), true)
    );
    assert_eq!(
        init(
            &store,
            SERVICE,
            "1-2",
            &progress(clock(2, 0), &[]),
            b"other"
        ),
        Ok(clock(3, 3))
    );
    assert_eq!(
        verify(&store, Event::VerifyItems, &first),
        performed(clock(3, 2), false)
    );
}

#[test]
fn an_order_in_another_form_is_unknown_and_is_replaced() {
    let store = Memory::default();
    let put = |bytes: &[u8]| store.put_if("order/1-2", None, bytes, TTL_MS);
    put(b"\x02something else").expect("there is room");
    let first = progress(clock(3, 0), &[]);
    assert_eq!(
        verify(&store, Event::VerifyItems, &first),
        Err(EventError::UnknownOrder("1-2".into()))
    );
    assert_eq!(begin(&store), clock(2, 1));
    assert_eq!(
        verify(&store, Event::VerifyItems, &first),
        performed(clock(3, 2), true)
    );
}

#[test]
fn an_order_is_cleared_only_by_a_clock_that_covers_its_own() {
    let store = Memory::default();
    begin(&store);
    let ahead = clear(&store, SERVICE, "1-2", clock(9, 0));
    assert_eq!(ahead, Err(ClearError::Ahead(clock(2, 1))));
    assert!(store.get("order/1-2").is_some());
    assert_eq!(clear(&store, SERVICE, "1-2", clock(2, 1)), Ok(()));
    assert!(store.values.borrow().is_empty());
    assert_eq!(clear(&store, SERVICE, "1-2", clock(2, 1)), Ok(()));
}

#[test]
fn without_room_the_caller_is_told_to_come_back() {
    let store = Memory::default();
    begin(&store);
    store.is_full.set(true);
    let overloaded = CallError::Overloaded(Overload {
        service: "transaction-verification".into(),
        retry_after_ms: RETRY_AFTER_MS,
    });
    let progress = progress(clock(3, 1), &[]);
    assert_eq!(
        init(&store, SERVICE, "3-4", &progress, b"data"),
        Err(overloaded.clone())
    );
    assert_eq!(
        verify(&store, Event::VerifyItems, &progress),
        Err(EventError::Call(overloaded))
    );
}

#[test]
fn an_order_that_always_changes_is_given_up() {
    let store = Memory::default();
    begin(&store);
    let touch: Interrupt = |store| {
        let mut values = store.values.borrow_mut();
        let value = values.get_mut("order/1-2").expect("the order is there");
        value.1 += 1_000;
    };
    *store.interrupts.borrow_mut() = vec![touch; ATTEMPTS_MAX as usize];
    let given_up = verify(&store, Event::VerifyItems, &progress(clock(3, 1), &[]));
    assert!(matches!(
        given_up,
        Err(EventError::Call(CallError::Overloaded(_)))
    ));
}
