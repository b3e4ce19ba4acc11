//! The shop's book of orders: decisions, and the keys that stand for orders.

use crate::bindings::exports::bookshop::shop::orders::{
    Change, Claimed, DecidedOrder, OrderRecord, Page, Status,
};
use crate::form;
use crate::ledger::Ledger;
use checkout::Service;
use checkout::bindings::bookshop::shop::types::{Decision, Outcome};
use keys::Keys;
use keys::bytes::{Reader, Unreadable, Writer, cut};

/// Room for all orders and keys. Less than the service's default limit of storage, which counts a little differently.
const BYTES_MAX: u64 = 48 << 20;

/// How long a key stands for its order.
const KEY_AGE_MAX_MS: u64 = 24 * 3_600_000;

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;

/// Longest fingerprint, in bytes.
pub const FINGERPRINT_BYTES_MAX: usize = 128;

/// Longest identity of an order, in bytes.
pub const ORDER_ID_BYTES_MAX: usize = 64;

/// The most orders that one list has.
pub const PAGE_MAX: u32 = 100;

/// Longest reason of a change, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// What keys in storage begin with.
const ORDER: u8 = b'o';
const KEY: u8 = b'k';

/// The form in which keys are kept.
const KEY_FORM: u64 = 1;

/// The book in a service's storage.
pub struct Book<'a, K> {
    ledger: Ledger<'a, K>,
    now_ms: u64,
}

impl<'a, K: Keys> Book<'a, K> {
    /// Opens the book at this time.
    pub fn open(keys: &'a K, now_ms: u64) -> Self {
        Self {
            ledger: Ledger::new(keys, BYTES_MAX),
            now_ms,
        }
    }

    /// Records a decision unless there is one for this order, which it then returns.
    ///
    /// # Errors
    /// There is one, in a form that something else wrote.
    pub fn record(&self, order: &DecidedOrder) -> Result<Option<Decision>, Unreadable> {
        let key = prefixed(ORDER, &order.decision.order_id);
        if let Some(bytes) = self.ledger.get(&key) {
            return form::decision(&bytes).map(Some);
        }
        let status = match order.decision.outcome {
            Outcome::Approved(_) => Status::Approved,
            Outcome::Rejected(_) => Status::Rejected,
        };
        let change = Change {
            status,
            at_ms: self.now_ms,
            service: Service::Orchestrator.name().into(),
            clock: order.decision.clock,
            reason: None,
        };
        let record = OrderRecord {
            order: order.clone(),
            history: vec![change],
        };
        self.ledger.add(&key, &form::to_bytes(&record));
        Ok(None)
    }

    /// Adds to an order's history what `service`, which has no clock, has done. Returns whether the order is still known.
    ///
    /// # Errors
    /// Something else wrote the order.
    pub fn change(
        &self,
        order_id: &str,
        status: Status,
        service: &str,
        reason: Option<&str>,
    ) -> Result<bool, Unreadable> {
        let Some(mut record) = self.get(order_id)? else {
            return Ok(false);
        };
        record.history.push(Change {
            status,
            at_ms: self.now_ms,
            service: service.into(),
            clock: record.order.decision.clock,
            reason: reason.map(|reason| cut(reason, REASON_BYTES_MAX).into()),
        });
        let key = prefixed(ORDER, order_id);
        self.ledger.replace(&key, &form::to_bytes(&record));
        Ok(true)
    }

    /// What is known of an order.
    ///
    /// # Errors
    /// Something else wrote it.
    pub fn get(&self, order_id: &str) -> Result<Option<OrderRecord>, Unreadable> {
        let bytes = self.ledger.get(&prefixed(ORDER, order_id));
        bytes.map(|bytes| form::from_bytes(&bytes)).transpose()
    }

    /// Up to `limit` of the newest orders.
    ///
    /// # Errors
    /// Something else wrote one of them.
    pub fn newest(&self, before: Option<u64>, limit: u32) -> Result<Page, Unreadable> {
        let (keys, next) = self.ledger.newest(ORDER, before, limit as usize);
        let records = keys.iter().filter_map(|key| self.ledger.get(key));
        let orders = records.map(|bytes| form::from_bytes(&bytes));
        Ok(Page {
            orders: orders.collect::<Result<_, _>>()?,
            next,
        })
    }

    /// Finds the order that a key stands for, or makes it stand for this one.
    ///
    /// # Errors
    /// Something else wrote what the key stands for.
    pub fn claim(
        &self,
        key: &str,
        fingerprint: &str,
        order_id: &str,
    ) -> Result<Claimed, Unreadable> {
        let key = prefixed(KEY, key);
        if let Some(bytes) = self.ledger.get(&key) {
            let holder = Holder::from_bytes(&bytes)?;
            if self.now_ms.saturating_sub(holder.at_ms) < KEY_AGE_MAX_MS {
                return self.held(&holder, fingerprint);
            }
            self.ledger.remove(holder.number);
        }
        let holder = Holder {
            number: self.ledger.next_number(),
            at_ms: self.now_ms,
            fingerprint,
            order_id,
        };
        self.ledger.add(&key, &holder.to_bytes());
        Ok(Claimed::Undecided(order_id.into()))
    }

    /// The key is older than the decision, so the ledger has thrown it away by the time it throws away the decision.
    fn held(&self, holder: &Holder, fingerprint: &str) -> Result<Claimed, Unreadable> {
        if holder.fingerprint != fingerprint {
            return Ok(Claimed::OtherRequest);
        }
        let bytes = self.ledger.get(&prefixed(ORDER, holder.order_id));
        Ok(match bytes {
            Some(bytes) => Claimed::Decided(form::decision(&bytes)?),
            None => Claimed::Undecided(holder.order_id.into()),
        })
    }
}

/// What a key stands for.
struct Holder<'a> {
    /// Its own number in the ledger.
    number: u64,
    /// When it came.
    at_ms: u64,
    fingerprint: &'a str,
    order_id: &'a str,
}

impl<'a> Holder<'a> {
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(128);
        writer.number(KEY_FORM);
        writer.number(self.number);
        writer.number(self.at_ms);
        writer.text(self.fingerprint);
        writer.text(self.order_id);
        writer.finish()
    }

    fn from_bytes(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != KEY_FORM {
            return Err(Unreadable);
        }
        Ok(Self {
            number: reader.number()?,
            at_ms: reader.number()?,
            fingerprint: reader.text()?,
            order_id: reader.text()?,
        })
    }
}

fn prefixed(prefix: u8, name: &str) -> Vec<u8> {
    [&[prefix], name.as_bytes()].concat()
}

#[cfg(test)]
pub mod tests;
