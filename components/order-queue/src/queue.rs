//! The queue: orders by state and priority, in ordered keys.
//!
//! | key | value |
//! |---|---|
//! | `t` | the totals |
//! | `e` number | an order that is not dead |
//! | `d` number | a dead order |
//! | `o` order id | the order's number |
//! | `r` rank number | when the order came: of those that are ready |
//! | `l` token | the order's number: of those that are leased |
//! | `k` key, `a` number | the remembered keys |
//!
//! Numbers have eight bytes, the highest first, so keys are in their order. Every operation reads and writes a handful of keys, however long the
//! queue is. An order that is delayed or leased has a timer, by which it becomes ready. Nothing here looks at the time by itself: the queue is opened
//! at the time of a call, and until its timer has gone off a lease is out, and its worker may still acknowledge.

mod look;
mod shelf;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use crate::bindings::exports::bookshop::shop::order_queue::{
    DeadError, EnqueueError, Entry, EntryState, Holding, Lease, LeaseError, QueueError,
    QueuedOrder, Returned,
};
use crate::remembered::{self, Bounds};
use crate::settings::Settings;
use crate::totals::{RANKS, Rank, Totals};
use keys::bytes::{Unreadable, cut};
use keys::{Keys, Timers};

pub use look::PAGE_MAX;
use shelf::{LEASE_TIMER, LIVE, READY, READY_TIMER, numbered, order_key, read_ready, to_bytes};

/// Longest reason that is kept, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// The queue in a service's storage.
pub struct Queue<'a, K, T> {
    keys: &'a K,
    timers: &'a T,
    now_ms: u64,
    remembered: Bounds,
}

/// What a timer that went off did.
#[derive(Debug, PartialEq)]
pub enum WentOff {
    /// The order with this identity may be leased again.
    Ready(String),
    /// The lease of an order ran out.
    RanOut {
        /// The order's identity.
        order_id: String,
        /// Whose lease it was.
        worker: String,
        /// What became of the order.
        returned: Returned,
    },
    /// Nothing: what the timer was for is not so any more.
    Nothing,
}

impl<'a, K: Keys, T: Timers> Queue<'a, K, T> {
    /// Opens the queue at this time.
    pub fn open(keys: &'a K, timers: &'a T, now_ms: u64) -> Self {
        Self {
            keys,
            timers,
            now_ms,
            remembered: Bounds::DEFAULT,
        }
    }

    /// Puts an order at the end, unless `key` did so before, and returns its number.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn enqueue(
        &self,
        settings: &Settings,
        order: QueuedOrder,
        key: &str,
    ) -> Result<u64, EnqueueError> {
        if let Some(known) = remembered::find(self.keys, key, self.now_ms, self.remembered)? {
            return if known.order_id == order.order_id {
                Ok(known.number)
            } else {
                Err(EnqueueError::KeyReused)
            };
        }
        if let Some(number) = self.number_of(&order.order_id)? {
            return Err(EnqueueError::AlreadyQueued(number));
        }
        let mut totals = self.totals()?;
        if totals.all() >= settings.depth_max {
            return Err(EnqueueError::Full(totals.all()));
        }
        let number = totals.next_number;
        totals.next_number += 1;
        let known = (key, number, order.order_id.as_str());
        remembered::add(self.keys, &mut totals, known, self.now_ms, self.remembered)?;
        let order_key = order_key(&order.order_id);
        self.keys.set(&order_key, &to_bytes(number));
        let entry = Entry {
            number,
            order,
            enqueued_at_ms: self.now_ms,
            attempts: 0,
            state: EntryState::Ready,
            reason: None,
        };
        self.enter(&mut totals, &entry);
        totals.write(self.keys);
        Ok(number)
    }

    /// Leases the order that is next. Writes nothing if there is none.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn dequeue(&self, settings: &Settings, worker: &str) -> Result<Option<Lease>, QueueError> {
        let mut totals = self.totals()?;
        if settings.exclusive && totals.leased() > 0 {
            return Ok(None);
        }
        let Some(number) = self.next(settings, &totals)? else {
            return Ok(None);
        };
        let mut entry = self.live(number)?;
        let token = totals.next_token;
        totals.next_token += 1;
        let expires_at_ms = self.now_ms + settings.lease_ms;
        self.leave(&mut totals, &entry)?;
        entry.attempts = entry.attempts.saturating_add(1);
        entry.state = EntryState::Leased(Holding {
            token,
            worker: worker.into(),
            expires_at_ms,
        });
        self.enter(&mut totals, &entry);
        totals.write(self.keys);
        Ok(Some(Lease {
            order: entry.order,
            token,
            attempt: entry.attempts,
            expires_at_ms,
        }))
    }

    /// Makes a lease last from now on, and returns when it runs out.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn extend(&self, settings: &Settings, token: u64) -> Result<u64, LeaseError> {
        let (mut entry, mut holding) = self.leased(token)?;
        let expires_at_ms = holding.expires_at_ms.max(self.now_ms + settings.lease_ms);
        holding.expires_at_ms = expires_at_ms;
        entry.state = EntryState::Leased(holding);
        self.put(&entry);
        self.set_timer(LEASE_TIMER, token, expires_at_ms);
        Ok(expires_at_ms)
    }

    /// Takes an order that is carried out from the queue, and returns its identity.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn ack(&self, token: u64) -> Result<String, LeaseError> {
        let (entry, _) = self.leased(token)?;
        Ok(self.remove(entry)?)
    }

    /// Returns an order that could not be carried out; with its identity.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn nack(
        &self,
        settings: &Settings,
        token: u64,
        reason: &str,
    ) -> Result<(String, Returned), LeaseError> {
        let (entry, _) = self.leased(token)?;
        Ok(self.fail(settings, entry, reason)?)
    }

    /// Makes a dead order ready again.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn redrive(&self, order_id: &str) -> Result<(), DeadError> {
        let mut entry = self.dead_order(order_id)?;
        let mut totals = self.totals()?;
        self.leave(&mut totals, &entry)?;
        entry.attempts = 0;
        entry.state = EntryState::Ready;
        self.enter(&mut totals, &entry);
        totals.write(self.keys);
        Ok(())
    }

    /// Takes a dead order from the queue.
    ///
    /// # Errors
    /// Those of the interface.
    pub fn discard(&self, order_id: &str) -> Result<(), DeadError> {
        let entry = self.dead_order(order_id)?;
        self.remove(entry)?;
        Ok(())
    }

    /// Does what a timer that went off is for.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn went_off(&self, settings: &Settings, timer: &str) -> Result<WentOff, Unreadable> {
        if let Some(token) = numbered(timer, LEASE_TIMER) {
            self.lease_went_off(settings, token)
        } else if let Some(number) = numbered(timer, READY_TIMER) {
            self.wait_went_off(number)
        } else {
            Ok(WentOff::Nothing)
        }
    }

    fn lease_went_off(&self, settings: &Settings, token: u64) -> Result<WentOff, Unreadable> {
        let Some((entry, holding)) = self.lease(token)? else {
            return Ok(WentOff::Nothing);
        };
        if self.now_ms < holding.expires_at_ms {
            self.set_timer(LEASE_TIMER, token, holding.expires_at_ms);
            return Ok(WentOff::Nothing);
        }
        let reason = format!("the lease of {} ran out", holding.worker);
        let (order_id, returned) = self.fail(settings, entry, &reason)?;
        Ok(WentOff::RanOut {
            order_id,
            worker: holding.worker,
            returned,
        })
    }

    fn wait_went_off(&self, number: u64) -> Result<WentOff, Unreadable> {
        let Some(mut entry) = self.load(LIVE, number)? else {
            return Ok(WentOff::Nothing);
        };
        let EntryState::Delayed(until_ms) = entry.state else {
            return Ok(WentOff::Nothing);
        };
        if self.now_ms < until_ms {
            self.set_timer(READY_TIMER, number, until_ms);
            return Ok(WentOff::Nothing);
        }
        let mut totals = self.totals()?;
        self.leave(&mut totals, &entry)?;
        entry.state = EntryState::Ready;
        self.enter(&mut totals, &entry);
        totals.write(self.keys);
        Ok(WentOff::Ready(entry.order.order_id))
    }

    /// The number of the order that is next. Of each rank that is the one that came first, since it is also promoted first.
    fn next(&self, settings: &Settings, totals: &Totals) -> Result<Option<u64>, Unreadable> {
        let mut next: Option<(Rank, u64)> = None;
        for rank in 0..RANKS {
            if totals.ready(rank) == 0 {
                continue;
            }
            let (low, high) = ([READY, rank], [READY, rank + 1]);
            let first = self.keys.first(&low, Some(&high)).ok_or(Unreadable)?;
            let (number, came_at_ms) = read_ready(&first)?;
            let candidate = (promoted(settings, rank, came_at_ms, self.now_ms), number);
            next = Some(next.map_or(candidate, |next| next.min(candidate)));
        }
        Ok(next.map(|(_, number)| number))
    }

    /// Ends an attempt that failed.
    fn fail(
        &self,
        settings: &Settings,
        mut entry: Entry,
        reason: &str,
    ) -> Result<(String, Returned), Unreadable> {
        let mut totals = self.totals()?;
        self.leave(&mut totals, &entry)?;
        let returned = if entry.attempts >= settings.attempts_max {
            entry.state = EntryState::Dead(self.now_ms);
            Returned::Dead
        } else {
            let until_ms = self.now_ms + settings.backoff_after_ms(entry.attempts);
            entry.state = EntryState::Delayed(until_ms);
            Returned::Delayed(until_ms)
        };
        entry.reason = Some(cut(reason, REASON_BYTES_MAX).into());
        self.enter(&mut totals, &entry);
        totals.write(self.keys);
        Ok((entry.order.order_id, returned))
    }

    /// Takes an order from the queue, and returns its identity.
    fn remove(&self, entry: Entry) -> Result<String, Unreadable> {
        let mut totals = self.totals()?;
        self.leave(&mut totals, &entry)?;
        self.keys.delete(&order_key(&entry.order.order_id));
        totals.write(self.keys);
        Ok(entry.order.order_id)
    }
}

/// The rank that an order counts as after waiting since then.
fn promoted(settings: &Settings, rank: Rank, came_at_ms: u64, now_ms: u64) -> Rank {
    let steps = now_ms.saturating_sub(came_at_ms) / settings.promote_after_ms;
    rank.saturating_sub(steps.min(RANKS.into()) as Rank)
}
