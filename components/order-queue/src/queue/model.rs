//! The queue against a plain model of it: lists that are gone through from end to end.

use super::*;
use crate::bindings::exports::bookshop::shop::order_queue::{Counts, Depths, Page};
use checkout::bindings::bookshop::shop::types::{Item, ShippingMethod};
use keys::{Alarms, Memory};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Everything is small, so that runs meet every bound.
fn settings(exclusive: bool) -> Settings {
    Settings {
        lease_ms: 1_000,
        attempts_max: 3,
        backoff_ms: 100,
        depth_max: 6,
        exclusive,
        promote_after_ms: 2_000,
    }
}

struct Model {
    settings: Settings,
    now_ms: u64,
    /// All orders by number.
    entries: BTreeMap<u64, Entry>,
    /// Key, order, number, and when it came.
    known: Vec<(String, String, u64, u64)>,
    next_number: u64,
    next_token: u64,
}

impl Model {
    fn enqueue(&mut self, order: QueuedOrder, key: &str) -> Result<u64, EnqueueError> {
        let mut known = self.known.iter().rev();
        if let Some((_, order_id, number, at_ms)) = known.find(|known| known.0 == key)
            && self.now_ms - at_ms < Bounds::DEFAULT.age_max_ms
        {
            return if *order_id == order.order_id {
                Ok(*number)
            } else {
                Err(EnqueueError::KeyReused)
            };
        }
        if let Some(entry) = self.find(&order.order_id) {
            return Err(EnqueueError::AlreadyQueued(entry.number));
        }
        if self.entries.len() as u64 == self.settings.depth_max {
            return Err(EnqueueError::Full(self.settings.depth_max));
        }
        let number = self.next_number;
        self.next_number += 1;
        let known = (key.into(), order.order_id.clone(), number, self.now_ms);
        self.known.push(known);
        let entry = Entry {
            number,
            order,
            enqueued_at_ms: self.now_ms,
            attempts: 0,
            state: EntryState::Ready,
            reason: None,
        };
        self.entries.insert(number, entry);
        Ok(number)
    }

    /// The orders that are ready, the next first.
    fn ready(&self) -> Vec<Entry> {
        let ready = |entry: &&Entry| entry.state == EntryState::Ready;
        let mut ready: Vec<_> = self.entries.values().filter(ready).cloned().collect();
        ready.sort_by_key(|entry| {
            let rank = match entry.order.shipping_method {
                ShippingMethod::NextDay => 0,
                ShippingMethod::Express => 1,
                ShippingMethod::Standard => 2,
            };
            let waited_ms = self.now_ms - entry.enqueued_at_ms;
            let steps = waited_ms / self.settings.promote_after_ms;
            (0.max(rank - steps as i64), entry.number)
        });
        ready
    }

    fn dequeue(&mut self, worker: &str) -> Option<Lease> {
        if self.settings.exclusive && !self.leases().is_empty() {
            return None;
        }
        let number = self.ready().first()?.number;
        let expires_at_ms = self.now_ms + self.settings.lease_ms;
        let token = self.next_token;
        self.next_token += 1;
        let entry = self.entries.get_mut(&number).expect("it is ready");
        entry.attempts += 1;
        entry.state = EntryState::Leased(Holding {
            token,
            worker: worker.into(),
            expires_at_ms,
        });
        Some(Lease {
            order: entry.order.clone(),
            token,
            attempt: entry.attempts,
            expires_at_ms,
        })
    }

    /// The leases that are out: the token, the number and when it runs out.
    fn leases(&self) -> BTreeMap<u64, (u64, u64)> {
        let leases = self
            .entries
            .values()
            .filter_map(|entry| match &entry.state {
                EntryState::Leased(holding) => {
                    Some((holding.token, (entry.number, holding.expires_at_ms)))
                }
                EntryState::Ready | EntryState::Delayed(_) | EntryState::Dead(_) => None,
            });
        leases.collect()
    }

    fn leased(&mut self, token: u64) -> Result<&mut Entry, LeaseError> {
        let leases = self.leases();
        let (number, _) = leases.get(&token).ok_or(LeaseError::StaleToken)?;
        Ok(self.entries.get_mut(number).expect("it is leased"))
    }

    fn extend(&mut self, token: u64) -> Result<u64, LeaseError> {
        let until_ms = self.now_ms + self.settings.lease_ms;
        match &mut self.leased(token)?.state {
            EntryState::Leased(holding) => holding.expires_at_ms = until_ms,
            EntryState::Ready | EntryState::Delayed(_) | EntryState::Dead(_) => unreachable!(),
        }
        Ok(until_ms)
    }

    fn ack(&mut self, token: u64) -> Result<String, LeaseError> {
        let number = self.leased(token)?.number;
        let entry = self.entries.remove(&number).expect("it is leased");
        Ok(entry.order.order_id)
    }

    fn nack(&mut self, token: u64, reason: &str) -> Result<(String, Returned), LeaseError> {
        let (now_ms, settings) = (self.now_ms, self.settings);
        let entry = self.leased(token)?;
        entry.reason = Some(reason.into());
        let returned = if entry.attempts == settings.attempts_max {
            entry.state = EntryState::Dead(now_ms);
            Returned::Dead
        } else {
            let until_ms = now_ms + settings.backoff_ms * 2u64.pow(entry.attempts - 1);
            entry.state = EntryState::Delayed(until_ms);
            Returned::Delayed(until_ms)
        };
        Ok((entry.order.order_id.clone(), returned))
    }

    fn dead_order(&mut self, order_id: &str) -> Result<&mut Entry, DeadError> {
        let mut dead = self.entries.values_mut();
        let is_it = |entry: &&mut Entry| {
            entry.order.order_id == order_id && matches!(entry.state, EntryState::Dead(_))
        };
        dead.find(is_it).ok_or(DeadError::NotDead)
    }

    fn went_off(&mut self, timer: &str) -> WentOff {
        let (kind, number) = timer.split_once('/').expect("it has a number");
        let number = number.parse().expect("it is a number");
        if kind == "ready" {
            let now_ms = self.now_ms;
            return match self.entries.get_mut(&number) {
                Some(entry) if matches!(entry.state, EntryState::Delayed(at) if at <= now_ms) => {
                    entry.state = EntryState::Ready;
                    WentOff::Ready(entry.order.order_id.clone())
                }
                Some(_) | None => WentOff::Nothing,
            };
        }
        match self.leases().get(&number) {
            Some((_, expires_at_ms)) if *expires_at_ms <= self.now_ms => {
                let worker = "worker".to_owned();
                let reason = format!("the lease of {worker} ran out");
                let (order_id, returned) = self.nack(number, &reason).expect("it is out");
                WentOff::RanOut {
                    order_id,
                    worker,
                    returned,
                }
            }
            Some(_) | None => WentOff::Nothing,
        }
    }

    fn find(&self, order_id: &str) -> Option<&Entry> {
        let mut entries = self.entries.values();
        entries.find(|entry| entry.order.order_id == order_id)
    }

    fn alarms(&self) -> BTreeMap<String, (u64, Vec<u8>)> {
        let alarms = self
            .entries
            .values()
            .filter_map(|entry| match &entry.state {
                EntryState::Ready | EntryState::Dead(_) => None,
                EntryState::Delayed(until_ms) => {
                    Some((format!("ready/{}", entry.number), *until_ms))
                }
                EntryState::Leased(holding) => {
                    Some((format!("lease/{}", holding.token), holding.expires_at_ms))
                }
            });
        alarms.map(|(key, at)| (key, (at, Vec::new()))).collect()
    }

    fn depths(&self) -> Depths {
        let counts = |method| {
            let count = |is_there: fn(&EntryState) -> bool| {
                let entries = self.entries.values().filter(|entry| {
                    entry.order.shipping_method == method && is_there(&entry.state)
                });
                entries.count() as u64
            };
            Counts {
                ready: count(|state| matches!(state, EntryState::Ready)),
                delayed: count(|state| matches!(state, EntryState::Delayed(_))),
                leased: count(|state| matches!(state, EntryState::Leased(_))),
                dead: count(|state| matches!(state, EntryState::Dead(_))),
            }
        };
        Depths {
            next_day: counts(ShippingMethod::NextDay),
            express: counts(ShippingMethod::Express),
            standard: counts(ShippingMethod::Standard),
            total: self.entries.len() as u64,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enqueue(u8, ShippingMethod, u8),
    Dequeue,
    Extend(u64),
    Ack(u64),
    Nack(u64),
    Redrive(u8),
    Discard(u8),
    /// Time passes, and no timer goes off.
    Pass(u64),
    /// So many of the timers that are due go off.
    GoOff(usize),
    /// The timers of this token and this number go off, whether there are any or not.
    Stray(u64),
}

/// How many different orders and keys there are: more than have room, and few enough to meet again.
const NAMES: u8 = 9;

fn steps() -> impl Strategy<Value = Step> {
    let method = prop_oneof![
        Just(ShippingMethod::Standard),
        Just(ShippingMethod::Express),
        Just(ShippingMethod::NextDay),
    ];
    // Tokens count backward from the newest, so most of them are of leases that are out.
    prop_oneof![
        6 => (0..NAMES, method, 0..NAMES).prop_map(|(id, method, key)| Step::Enqueue(id, method, key)),
        8 => Just(Step::Dequeue),
        2 => (0..4u64).prop_map(Step::Extend),
        2 => (0..4u64).prop_map(Step::Ack),
        5 => (0..4u64).prop_map(Step::Nack),
        1 => (0..NAMES).prop_map(Step::Redrive),
        1 => (0..NAMES).prop_map(Step::Discard),
        4 => (0..1_500u64).prop_map(Step::Pass),
        1 => Just(Step::Pass(Bounds::DEFAULT.age_max_ms)),
        4 => (1..4usize).prop_map(Step::GoOff),
        1 => (0..4u64).prop_map(Step::Stray),
    ]
}

fn name(number: u8) -> String {
    format!("name {number}")
}

struct Pair {
    keys: Memory,
    alarms: Alarms,
    model: Model,
}

impl Pair {
    fn new(exclusive: bool) -> Self {
        let model = Model {
            settings: settings(exclusive),
            now_ms: 1,
            entries: BTreeMap::new(),
            known: Vec::new(),
            next_number: 1,
            next_token: 1,
        };
        Self {
            keys: Memory::default(),
            alarms: Alarms::default(),
            model,
        }
    }

    fn step(&mut self, step: Step) {
        let Self {
            keys,
            alarms,
            model,
        } = self;
        alarms.now_ms.set(model.now_ms);
        let queue = Queue::open(&*keys, &*alarms, model.now_ms);
        let settings = model.settings;
        let token_before = |back: u64| model.next_token.saturating_sub(back + 1);
        match step {
            Step::Enqueue(id, shipping_method, key) => {
                let order = QueuedOrder {
                    order_id: name(id),
                    items: vec![Item {
                        name: "Emma".into(),
                        quantity: i32::from(key) * 100 + 1,
                    }],
                    shipping_method,
                };
                let number = queue.enqueue(&settings, order.clone(), &name(key));
                assert_eq!(number, model.enqueue(order, &name(key)));
            }
            Step::Dequeue => {
                let before = keys.clone();
                let lease = queue.dequeue(&settings, "worker").expect("it is readable");
                assert!(
                    lease.is_some() || *keys == before,
                    "nothing is written for nothing"
                );
                assert_eq!(lease, model.dequeue("worker"));
            }
            Step::Extend(back) => {
                let token = token_before(back);
                assert_eq!(queue.extend(&settings, token), model.extend(token));
            }
            Step::Ack(back) => {
                let token = token_before(back);
                assert_eq!(queue.ack(token), model.ack(token));
            }
            Step::Nack(back) => {
                let token = token_before(back);
                let nacked = queue.nack(&settings, token, "no");
                assert_eq!(nacked, model.nack(token, "no"));
            }
            Step::Redrive(id) => {
                let redriven = model.dead_order(&name(id)).map(|entry| {
                    entry.attempts = 0;
                    entry.state = EntryState::Ready;
                });
                assert_eq!(queue.redrive(&name(id)), redriven);
            }
            Step::Discard(id) => {
                let number = model.dead_order(&name(id)).map(|entry| entry.number);
                let discarded = number.map(|number| {
                    model.entries.remove(&number);
                });
                assert_eq!(queue.discard(&name(id)), discarded);
            }
            Step::Pass(ms) => model.now_ms += ms,
            Step::GoOff(count) => {
                for _ in 0..count {
                    let Some((timer, _)) = alarms.take_due() else {
                        break;
                    };
                    let went_off = queue.went_off(&settings, &timer);
                    assert_ne!(went_off, Ok(WentOff::Nothing), "{timer} is for something");
                    assert_eq!(went_off, Ok(model.went_off(&timer)));
                }
            }
            Step::Stray(back) => {
                let number = model.next_number.saturating_sub(back + 1);
                let timers = [
                    format!("lease/{}", token_before(back)),
                    format!("ready/{number}"),
                ];
                for timer in timers {
                    let went_off = queue.went_off(&settings, &timer);
                    assert_eq!(went_off, Ok(model.went_off(&timer)));
                }
            }
        }
    }

    /// Whatever can be asked gets the model's answer, and nothing is stored that belongs to nothing.
    fn check(&self) {
        let Self {
            keys,
            alarms,
            model,
        } = self;
        let before = keys.clone();
        let queue = Queue::open(keys, alarms, model.now_ms);
        assert_eq!(*alarms.set.borrow(), model.alarms());
        assert_eq!(queue.depth(), Ok(model.depths()));
        let is_dead = |entry: &&Entry| matches!(entry.state, EntryState::Dead(_));
        let dead: Vec<_> = model.entries.values().filter(is_dead).cloned().collect();
        assert_eq!(all(|after| queue.dead(after, 2)), dead);
        let leases = model.leases();
        let leased: Vec<_> = leases
            .values()
            .map(|(number, _)| model.entries[number].clone())
            .collect();
        assert_eq!(all(|after| queue.in_flight(after, 2)), leased);
        let mut ready = model.ready();
        assert_eq!(queue.peek(&model.settings, PAGE_MAX), Ok(ready.clone()));
        ready.truncate(2);
        assert_eq!(queue.peek(&model.settings, 2), Ok(ready));
        for id in (0..NAMES).map(name) {
            assert_eq!(queue.find(&id), Ok(model.find(&id).cloned()));
        }
        let oldest = model.entries.values().find(|entry| !is_dead(entry));
        let age_ms = oldest.map(|entry| model.now_ms - entry.enqueued_at_ms);
        assert_eq!(queue.oldest_age_ms(), Ok(age_ms));
        assert_eq!(*keys, before, "a question writes nothing");

        let remembered = queue.totals().expect("they are readable").remembered as usize;
        let ready = model.ready().len();
        let stored = 2 * model.entries.len() + ready + leases.len() + 2 * remembered;
        let has_totals = usize::from(model.next_number > 1);
        assert_eq!(keys.0.borrow().len(), stored + has_totals);
    }
}

fn all(page: impl Fn(Option<u64>) -> Result<Page, Unreadable>) -> Vec<Entry> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let part = page(after).expect("it is readable");
        entries.extend(part.entries);
        after = part.next;
        if after.is_none() {
            return entries;
        }
    }
}

proptest! {
    #[test]
    fn the_queue_does_what_the_model_does(exclusive: bool, steps in prop::collection::vec(steps(), 1..120)) {
        let mut pair = Pair::new(exclusive);
        for step in steps {
            pair.step(step);
            pair.check();
        }
    }
}
