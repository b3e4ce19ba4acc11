//! What the queue knows without looking at its orders: the next numbers, and how many orders stand where.

use crate::bindings::exports::bookshop::shop::order_queue::{Counts, Depths, Entry, EntryState};
use checkout::bindings::bookshop::shop::types::ShippingMethod;
use keys::Keys;
use keys::bytes::{Reader, Unreadable, Writer};

/// The form in which totals are kept.
const FORM: u64 = 1;

/// Where they are.
const KEY: &[u8] = b"t";

/// The highest priority has rank 0.
pub type Rank = u8;

/// How many ranks there are.
pub const RANKS: Rank = 3;

/// The rank of an order that travels like this.
pub fn rank(shipping_method: ShippingMethod) -> Rank {
    match shipping_method {
        ShippingMethod::NextDay => 0,
        ShippingMethod::Express => 1,
        ShippingMethod::Standard => 2,
    }
}

/// The totals of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The number of the next order.
    pub next_number: u64,
    /// The token of the next lease.
    pub next_token: u64,
    /// How many keys are remembered.
    pub remembered: u64,
    /// By rank: how many are ready, delayed, leased and dead.
    counts: [[u64; 4]; RANKS as usize],
}

impl Totals {
    /// Those of an empty queue.
    const NEW: Self = Self {
        next_number: 1,
        next_token: 1,
        remembered: 0,
        counts: [[0; 4]; RANKS as usize],
    };

    /// Reads them.
    ///
    /// # Errors
    /// Something else wrote them.
    pub fn read(keys: &impl Keys) -> Result<Self, Unreadable> {
        let Some(bytes) = keys.get(KEY) else {
            return Ok(Self::NEW);
        };
        let mut reader = Reader::new(&bytes);
        if reader.number()? != FORM {
            return Err(Unreadable);
        }
        let mut totals = Self {
            next_number: reader.number()?,
            next_token: reader.number()?,
            remembered: reader.number()?,
            counts: Self::NEW.counts,
        };
        for count in totals.counts.as_flattened_mut() {
            *count = reader.number()?;
        }
        Ok(totals)
    }

    /// Writes them.
    pub fn write(&self, keys: &impl Keys) {
        let mut writer = Writer::with_capacity(64);
        writer.number(FORM);
        writer.number(self.next_number);
        writer.number(self.next_token);
        writer.number(self.remembered);
        for count in self.counts.as_flattened() {
            writer.number(*count);
        }
        keys.set(KEY, &writer.finish());
    }

    /// Where orders like this one are counted.
    fn count(&mut self, entry: &Entry) -> &mut u64 {
        let rank = rank(entry.order.shipping_method);
        let state = match entry.state {
            EntryState::Ready => 0,
            EntryState::Delayed(_) => 1,
            EntryState::Leased(_) => 2,
            EntryState::Dead(_) => 3,
        };
        &mut self.counts[usize::from(rank)][state]
    }

    /// One more like this.
    pub fn add(&mut self, entry: &Entry) {
        *self.count(entry) += 1;
    }

    /// One less like this.
    ///
    /// # Errors
    /// There was none: the totals are not those of this queue.
    pub fn remove(&mut self, entry: &Entry) -> Result<(), Unreadable> {
        let count = self.count(entry);
        *count = count.checked_sub(1).ok_or(Unreadable)?;
        Ok(())
    }

    /// How many orders of this rank are ready.
    pub fn ready(&self, rank: Rank) -> u64 {
        self.counts[usize::from(rank)][0]
    }

    /// How many orders are leased.
    pub fn leased(&self) -> u64 {
        self.counts.iter().map(|counts| counts[2]).sum()
    }

    /// How many orders there are.
    pub fn all(&self) -> u64 {
        self.counts.as_flattened().iter().sum()
    }

    /// All counts, as the interface has them.
    pub fn depths(&self) -> Depths {
        let [next_day, express, standard] =
            self.counts.map(|[ready, delayed, leased, dead]| Counts {
                ready,
                delayed,
                leased,
                dead,
            });
        Depths {
            next_day,
            express,
            standard,
            total: self.all(),
        }
    }
}
