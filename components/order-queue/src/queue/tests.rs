use super::*;
use checkout::bindings::bookshop::shop::types::{Item, ShippingMethod};
use keys::{Alarms, Memory};

/// A queue and the time.
#[derive(Default)]
struct Shop {
    keys: Memory,
    alarms: Alarms,
    settings: Settings,
}

impl Shop {
    fn with(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    fn queue(&self) -> Queue<'_, Memory, Alarms> {
        Queue::open(&self.keys, &self.alarms, self.alarms.now_ms.get())
    }

    fn enqueue(&self, id: &str, method: ShippingMethod) -> Result<u64, EnqueueError> {
        self.queue()
            .enqueue(&self.settings, order(id, method, 1), id)
    }

    fn dequeue(&self) -> Option<Lease> {
        self.dequeue_as("worker")
    }

    fn dequeue_as(&self, worker: &str) -> Option<Lease> {
        let lease = self.queue().dequeue(&self.settings, worker);
        lease.expect("it is readable")
    }

    fn nack(&self, token: u64) -> Result<Returned, LeaseError> {
        let nacked = self.queue().nack(&self.settings, token, "no");
        nacked.map(|(_, returned)| returned)
    }

    /// Time passes, and timers go off as they are due.
    fn pass(&self, ms: u64) {
        let until_ms = self.alarms.now_ms.get() + ms;
        while let Some(due_ms) = self
            .alarms
            .next_due_ms()
            .filter(|due_ms| *due_ms <= until_ms)
        {
            self.alarms.now_ms.set(due_ms);
            let (timer, _) = self.alarms.take_due().expect("one is due");
            let went_off = self.queue().went_off(&self.settings, &timer);
            assert_ne!(went_off, Ok(WentOff::Nothing));
        }
        self.alarms.now_ms.set(until_ms);
    }

    /// The orders in the order in which they are leased; they are done at once.
    fn drain(&self) -> Vec<String> {
        let leases = std::iter::from_fn(|| self.dequeue());
        leases
            .map(|lease| self.queue().ack(lease.token).expect("it is ours"))
            .collect()
    }
}

fn order(id: &str, shipping_method: ShippingMethod, lines: usize) -> QueuedOrder {
    let item = Item {
        name: "Emma".into(),
        quantity: 2,
    };
    QueuedOrder {
        order_id: id.into(),
        items: vec![item; lines],
        shipping_method,
    }
}

use ShippingMethod::{Express, NextDay, Standard};

#[test]
fn the_faster_go_first_and_equals_in_the_order_in_which_they_came() {
    let shop = Shop::default();
    for (id, method) in [
        ("s1", Standard),
        ("e1", Express),
        ("n1", NextDay),
        ("s2", Standard),
        ("n2", NextDay),
        ("e2", Express),
    ] {
        shop.enqueue(id, method).expect("there is room");
    }
    assert_eq!(shop.drain(), ["n1", "n2", "e1", "e2", "s1", "s2"]);
    assert_eq!(shop.drain(), [""; 0]);
}

#[test]
fn the_size_of_a_basket_does_not_matter() {
    let shop = Shop::default();
    for (id, lines) in [("small 1", 1), ("large", 100), ("small 2", 1)] {
        let order = order(id, Standard, lines);
        let queue = shop.queue();
        queue
            .enqueue(&shop.settings, order, id)
            .expect("there is room");
    }
    assert_eq!(shop.drain(), ["small 1", "large", "small 2"]);
}

#[test]
fn an_order_that_waits_counts_as_one_of_the_next_priority_and_does_not_starve() {
    let check = |standard_waits_ms, express_waits_ms, expected: [&str; 3]| {
        let shop = Shop::default();
        shop.enqueue("s", Standard).expect("there is room");
        shop.pass(standard_waits_ms - express_waits_ms);
        shop.enqueue("e", Express).expect("there is room");
        shop.pass(express_waits_ms);
        shop.enqueue("n", NextDay).expect("there is room");
        assert_eq!(
            shop.drain(),
            expected,
            "{standard_waits_ms} {express_waits_ms}"
        );
    };
    check(599_999, 0, ["n", "e", "s"]);
    check(600_000, 0, ["n", "s", "e"]);
    check(1_199_999, 0, ["n", "s", "e"]);
    check(1_200_000, 0, ["s", "n", "e"]);
    check(1_200_000, 600_000, ["s", "e", "n"]);
    check(600_000, 600_000, ["e", "n", "s"]);
}

#[test]
fn a_key_puts_its_order_into_the_queue_once() {
    let shop = Shop::default();
    let enqueue = |id: &str, key| {
        let order = order(id, Standard, 1);
        shop.queue().enqueue(&shop.settings, order, key)
    };
    assert_eq!(enqueue("1", "a"), Ok(1));
    assert_eq!(enqueue("1", "a"), Ok(1));
    assert_eq!(enqueue("2", "a"), Err(EnqueueError::KeyReused));
    assert_eq!(enqueue("1", "b"), Err(EnqueueError::AlreadyQueued(1)));
    assert_eq!(shop.drain(), ["1"]);
    assert_eq!(enqueue("1", "a"), Ok(1));
    assert_eq!(shop.drain(), [""; 0]);
    shop.pass(Bounds::DEFAULT.age_max_ms);
    assert_eq!(enqueue("1", "a"), Ok(2));
    assert_eq!(shop.drain(), ["1"]);
}

#[test]
fn a_full_queue_refuses_until_an_order_is_gone() {
    let shop = Shop::with(Settings {
        depth_max: 2,
        attempts_max: 1,
        ..Settings::default()
    });
    assert_eq!(shop.enqueue("1", NextDay), Ok(1));
    assert_eq!(shop.enqueue("2", Standard), Ok(2));
    assert_eq!(shop.enqueue("3", Standard), Err(EnqueueError::Full(2)));
    let token = shop.dequeue().expect("one is ready").token;
    assert_eq!(shop.nack(token), Ok(Returned::Dead));
    assert_eq!(shop.enqueue("3", Standard), Err(EnqueueError::Full(2)));
    assert_eq!(shop.queue().discard("1"), Ok(()));
    assert_eq!(shop.enqueue("3", Standard), Ok(3));
}

#[test]
fn an_order_whose_worker_is_silent_goes_to_the_next_and_the_first_is_told() {
    let shop = Shop::default();
    shop.enqueue("1", Standard).expect("there is room");
    let first = shop.dequeue_as("one").expect("one is ready");
    assert_eq!((first.attempt, first.expires_at_ms), (1, 30_000));
    shop.pass(30_499);
    assert_eq!(shop.dequeue_as("two"), None);
    shop.pass(1);
    let second = shop.dequeue_as("two").expect("it has returned");
    assert_eq!(second.attempt, 2);
    assert!(second.token > first.token);
    assert_eq!(shop.queue().ack(first.token), Err(LeaseError::StaleToken));
    assert_eq!(shop.nack(first.token), Err(LeaseError::StaleToken));
    let extended = shop.queue().extend(&shop.settings, first.token);
    assert_eq!(extended, Err(LeaseError::StaleToken));
    assert_eq!(shop.queue().ack(second.token), Ok("1".into()));
    assert_eq!(shop.queue().ack(second.token), Err(LeaseError::StaleToken));
}

#[test]
fn a_lease_that_has_run_out_counts_until_its_order_has_returned() {
    let shop = Shop::default();
    shop.enqueue("1", Standard).expect("there is room");
    let lease = shop.dequeue().expect("one is ready");
    shop.alarms.now_ms.set(90_000);
    assert_eq!(shop.dequeue(), None);
    let extended = shop.queue().extend(&shop.settings, lease.token);
    assert_eq!(extended, Ok(120_000));
    assert_eq!(shop.queue().ack(lease.token), Ok("1".into()));
}

#[test]
fn a_lease_is_never_made_shorter() {
    let mut shop = Shop::default();
    shop.enqueue("1", Standard).expect("there is room");
    let lease = shop.dequeue().expect("one is ready");
    shop.settings.lease_ms = 1_000;
    let extend = || shop.queue().extend(&shop.settings, lease.token);
    assert_eq!(extend(), Ok(30_000));
    shop.pass(29_500);
    assert_eq!(extend(), Ok(30_500));
}

#[test]
fn an_order_waits_longer_after_each_failure_and_is_dead_after_the_last() {
    let shop = Shop::default();
    shop.enqueue("1", Standard).expect("there is room");
    let mut waits = Vec::new();
    let dead_at_ms = loop {
        let lease = shop.dequeue().expect("it is ready");
        assert_eq!(lease.attempt as usize, waits.len() + 1);
        let now_ms = shop.alarms.now_ms.get();
        match shop.nack(lease.token).expect("it is ours") {
            Returned::Delayed(until_ms) => waits.push(until_ms - now_ms),
            Returned::Dead => break now_ms,
        }
        shop.pass(waits[waits.len() - 1]);
    };
    assert_eq!(waits, [500, 1_000, 2_000, 4_000]);
    shop.pass(3_600_000);
    assert_eq!(shop.dequeue(), None);
    let dead = shop.queue().find("1").expect("it is readable");
    let dead = dead.expect("it is in the queue");
    assert_eq!(dead.state, EntryState::Dead(dead_at_ms));
    assert_eq!((dead.attempts, dead.reason.as_deref()), (5, Some("no")));
}

#[test]
fn a_dead_order_is_redriven_to_its_place_with_all_attempts_or_discarded() {
    let shop = Shop::with(Settings {
        attempts_max: 1,
        ..Settings::default()
    });
    shop.enqueue("1", Standard).expect("there is room");
    shop.enqueue("2", Standard).expect("there is room");
    assert_eq!(shop.queue().redrive("1"), Err(DeadError::NotDead));
    assert_eq!(shop.queue().redrive("3"), Err(DeadError::NotDead));
    let lease = shop.dequeue().expect("one is ready");
    assert_eq!(shop.nack(lease.token), Ok(Returned::Dead));
    assert_eq!(shop.queue().redrive("1"), Ok(()));
    let again = shop.dequeue().expect("it is ready");
    assert_eq!((again.order.order_id.as_str(), again.attempt), ("1", 1));
    assert_eq!(shop.nack(again.token), Ok(Returned::Dead));
    assert_eq!(shop.queue().discard("1"), Ok(()));
    assert_eq!(shop.queue().discard("1"), Err(DeadError::NotDead));
    assert_eq!(shop.queue().find("1"), Ok(None));
    assert_eq!(shop.drain(), ["2"]);
}

#[test]
fn whoever_has_the_exclusive_queue_has_it_until_the_lease_is_over() {
    let shop = Shop::with(Settings {
        exclusive: true,
        ..Settings::default()
    });
    for id in ["1", "2", "3"] {
        shop.enqueue(id, Standard).expect("there is room");
    }
    let acked = shop.dequeue_as("one").expect("the queue is free");
    assert_eq!(shop.dequeue_as("two"), None);
    assert_eq!(shop.queue().ack(acked.token), Ok("1".into()));
    let nacked = shop.dequeue_as("two").expect("the queue is free");
    assert_eq!(shop.dequeue_as("one"), None);
    shop.nack(nacked.token).expect("it is ours");
    let silent = shop.dequeue_as("one").expect("the queue is free");
    assert_eq!(silent.order.order_id, "3");
    shop.pass(29_999);
    assert_eq!(shop.dequeue_as("two"), None);
    shop.pass(1);
    assert!(shop.dequeue_as("two").is_some());
}

#[test]
fn a_reason_that_is_too_long_is_cut() {
    let shop = Shop::default();
    shop.enqueue("1", Standard).expect("there is room");
    let token = shop.dequeue().expect("one is ready").token;
    let queue = shop.queue();
    queue
        .nack(&shop.settings, token, &"x".repeat(2_000))
        .expect("it is ours");
    let entry = queue.find("1").expect("it is readable");
    let reason = entry.and_then(|entry| entry.reason);
    assert_eq!(reason.map(|reason| reason.len()), Some(REASON_BYTES_MAX));
}

#[test]
fn what_another_version_wrote_is_refused_and_left_alone() {
    let shop = Shop::default();
    shop.enqueue("1", Standard).expect("there is room");
    let lease = shop.dequeue().expect("one is ready");
    let stored = shop.keys.clone();
    for key in stored
        .0
        .borrow()
        .keys()
        .filter(|key| b"te".contains(&key[0]))
    {
        *shop.keys.0.borrow_mut() = stored.0.borrow().clone();
        shop.keys.set(key, b"\x02something else");
        let before = shop.keys.clone();
        assert!(matches!(
            shop.queue().ack(lease.token),
            Err(LeaseError::Call(_))
        ));
        assert_eq!(shop.keys, before);
    }
}
