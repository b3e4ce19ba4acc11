//! How an order lies in storage: itself, what finds it, and its timer. What is entered in one place is taken back in the same.

use super::Queue;
use crate::bindings::exports::bookshop::shop::order_queue::{
    DeadError, Entry, EntryState, Holding, LeaseError,
};
use crate::form;
use crate::totals::{Rank, Totals, rank};
use keys::bytes::{Reader, Unreadable, Writer};
use keys::{Keys, Timers};

/// What keys in storage begin with.
pub const LIVE: u8 = b'e';
pub const DEAD: u8 = b'd';
const ORDER: u8 = b'o';
pub const READY: u8 = b'r';
pub const LEASE: u8 = b'l';

/// What the keys of timers begin with; the number or token follows, as text.
pub const READY_TIMER: &str = "ready/";
pub const LEASE_TIMER: &str = "lease/";

impl<K: Keys, T: Timers> Queue<'_, K, T> {
    /// Writes an order and all that goes with its state.
    pub fn enter(&self, totals: &mut Totals, entry: &Entry) {
        totals.add(entry);
        self.put(entry);
        match &entry.state {
            EntryState::Ready => {
                let key = ready_key(rank(entry.order.shipping_method), entry.number);
                self.keys.set(&key, &to_bytes(entry.enqueued_at_ms));
            }
            EntryState::Delayed(until_ms) => {
                self.set_timer(READY_TIMER, entry.number, *until_ms);
            }
            EntryState::Leased(holding) => {
                let key = numbered_key(LEASE, holding.token);
                self.keys.set(&key, &to_bytes(entry.number));
                self.set_timer(LEASE_TIMER, holding.token, holding.expires_at_ms);
            }
            EntryState::Dead(_) => {}
        }
    }

    /// Takes back what [`Queue::enter`] did.
    pub fn leave(&self, totals: &mut Totals, entry: &Entry) -> Result<(), Unreadable> {
        totals.remove(entry)?;
        self.keys.delete(&place(entry));
        match &entry.state {
            EntryState::Ready => {
                let key = ready_key(rank(entry.order.shipping_method), entry.number);
                self.keys.delete(&key);
            }
            EntryState::Delayed(_) => {
                self.timers.cancel(&timer_key(READY_TIMER, entry.number));
            }
            EntryState::Leased(holding) => {
                self.keys.delete(&numbered_key(LEASE, holding.token));
                self.timers.cancel(&timer_key(LEASE_TIMER, holding.token));
            }
            EntryState::Dead(_) => {}
        }
        Ok(())
    }

    /// Writes an order in the place of its state, which did not change.
    pub fn put(&self, entry: &Entry) {
        self.keys.set(&place(entry), &form::to_bytes(entry));
    }

    /// Sets the timer of an order or lease to a moment.
    pub fn set_timer(&self, prefix: &str, number: u64, at_ms: u64) {
        let after_ms = at_ms.saturating_sub(self.now_ms);
        self.timers.set(&timer_key(prefix, number), after_ms, &[]);
    }

    /// What is known of all orders.
    pub fn totals(&self) -> Result<Totals, Unreadable> {
        Totals::read(self.keys)
    }

    /// The order with this number, in one of its two places.
    pub fn load(&self, prefix: u8, number: u64) -> Result<Option<Entry>, Unreadable> {
        let bytes = self.keys.get(&numbered_key(prefix, number));
        bytes
            .map(|bytes| form::from_bytes(number, &bytes))
            .transpose()
    }

    /// An order that has to be there, since something else says so.
    pub fn live(&self, number: u64) -> Result<Entry, Unreadable> {
        self.load(LIVE, number)?.ok_or(Unreadable)
    }

    /// The order that is leased under a token; none if no such lease is out.
    pub fn lease(&self, token: u64) -> Result<Option<(Entry, Holding)>, Unreadable> {
        let Some(bytes) = self.keys.get(&numbered_key(LEASE, token)) else {
            return Ok(None);
        };
        let entry = self.live(Reader::new(&bytes).number()?)?;
        match entry.state.clone() {
            EntryState::Leased(holding) if holding.token == token => Ok(Some((entry, holding))),
            EntryState::Leased(_)
            | EntryState::Ready
            | EntryState::Delayed(_)
            | EntryState::Dead(_) => Err(Unreadable),
        }
    }

    /// The same for whoever says that it is out.
    pub fn leased(&self, token: u64) -> Result<(Entry, Holding), LeaseError> {
        self.lease(token)?.ok_or(LeaseError::StaleToken)
    }

    /// The dead order with this identity.
    pub fn dead_order(&self, order_id: &str) -> Result<Entry, DeadError> {
        let entry = match self.number_of(order_id)? {
            Some(number) => self.load(DEAD, number)?,
            None => None,
        };
        entry.ok_or(DeadError::NotDead)
    }

    /// The number of the order with this identity; none if it is not in the queue.
    pub fn number_of(&self, order_id: &str) -> Result<Option<u64>, Unreadable> {
        let bytes = self.keys.get(&order_key(order_id));
        bytes.map(|bytes| Reader::new(&bytes).number()).transpose()
    }
}

fn place(entry: &Entry) -> [u8; 9] {
    let prefix = match entry.state {
        EntryState::Ready | EntryState::Delayed(_) | EntryState::Leased(_) => LIVE,
        EntryState::Dead(_) => DEAD,
    };
    numbered_key(prefix, entry.number)
}

/// Keys with this prefix are in the order of their numbers.
pub fn numbered_key(prefix: u8, number: u64) -> [u8; 9] {
    let mut key = [prefix; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn ready_key(rank: Rank, number: u64) -> [u8; 10] {
    let mut key = [READY; 10];
    key[1] = rank;
    key[2..].copy_from_slice(&number.to_be_bytes());
    key
}

/// An order that is ready: its number, and when it came.
pub fn read_ready((key, value): &(Vec<u8>, Vec<u8>)) -> Result<(u64, u64), Unreadable> {
    let number = key.last_chunk().ok_or(Unreadable)?;
    let came_at_ms = Reader::new(value).number()?;
    Ok((u64::from_be_bytes(*number), came_at_ms))
}

/// Where the number of an order is.
pub fn order_key(order_id: &str) -> Vec<u8> {
    [&[ORDER], order_id.as_bytes()].concat()
}

fn timer_key(prefix: &str, number: u64) -> String {
    format!("{prefix}{number}")
}

/// A number as a value.
pub fn to_bytes(number: u64) -> Vec<u8> {
    let mut writer = Writer::with_capacity(10);
    writer.number(number);
    writer.finish()
}

/// The number or token of a timer with this prefix.
pub fn numbered(timer: &str, prefix: &str) -> Option<u64> {
    timer.strip_prefix(prefix)?.parse().ok()
}
