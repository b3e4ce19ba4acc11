//! What can be asked of the queue. Nothing here writes.

use super::shelf::{DEAD, LEASE, LIVE, READY, numbered_key, read_ready};
use super::{Queue, promoted};
use crate::bindings::exports::bookshop::shop::order_queue::{Depths, Entry, Page};
use crate::form;
use crate::settings::Settings;
use crate::totals::RANKS;
use keys::bytes::{Reader, Unreadable};
use keys::{Bytes, Direction, Keys, Timers};

/// The most orders that one answer has.
pub const PAGE_MAX: u32 = 100;

impl<K: Keys, T: Timers> Queue<'_, K, T> {
    /// How many orders there are.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn depth(&self) -> Result<Depths, Unreadable> {
        Ok(self.totals()?.depths())
    }

    /// How long the order that came first, and is not dead, has been here.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn oldest_age_ms(&self) -> Result<Option<u64>, Unreadable> {
        let first = self.keys.first(&[LIVE], Some(&[LIVE + 1]));
        let entry = first.map(|first| read_entry(&first)).transpose()?;
        Ok(entry.map(|entry| self.now_ms.saturating_sub(entry.enqueued_at_ms)))
    }

    /// A part of the leases that are out.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn in_flight(&self, after: Option<u64>, limit: u32) -> Result<Page, Unreadable> {
        self.page(LEASE, after, limit, |(_, number)| {
            self.live(Reader::new(number).number()?)
        })
    }

    /// A part of the dead orders.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn dead(&self, after: Option<u64>, limit: u32) -> Result<Page, Unreadable> {
        self.page(DEAD, after, limit, read_entry)
    }

    /// The orders that are next.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn peek(&self, settings: &Settings, limit: u32) -> Result<Vec<Entry>, Unreadable> {
        let mut next = Vec::new();
        for rank in 0..RANKS {
            let (low, high) = ([READY, rank], [READY, rank + 1]);
            for ready in self.keys.scan(&low, Some(&high), limit, Direction::Forward) {
                let (number, came_at_ms) = read_ready(&ready)?;
                next.push((promoted(settings, rank, came_at_ms, self.now_ms), number));
            }
        }
        next.sort_unstable();
        let next = next.into_iter().take(limit as usize);
        next.map(|(_, number)| self.live(number)).collect()
    }

    /// Where an order stands.
    ///
    /// # Errors
    /// Something else wrote what is stored.
    pub fn find(&self, order_id: &str) -> Result<Option<Entry>, Unreadable> {
        let Some(number) = self.number_of(order_id)? else {
            return Ok(None);
        };
        match self.load(LIVE, number)? {
            Some(entry) => Ok(Some(entry)),
            None => self.load(DEAD, number)?.ok_or(Unreadable).map(Some),
        }
    }

    /// Up to `limit` of the numbered keys with this prefix that come after `after`.
    fn page(
        &self,
        prefix: u8,
        after: Option<u64>,
        limit: u32,
        read: impl Fn(&(Bytes, Bytes)) -> Result<Entry, Unreadable>,
    ) -> Result<Page, Unreadable> {
        let Some(low) = after.map_or(Some(0), |after| after.checked_add(1)) else {
            return Ok(Page {
                entries: Vec::new(),
                next: None,
            });
        };
        let low = numbered_key(prefix, low);
        // One more than asked for says whether there is a next part.
        let mut found = self
            .keys
            .scan(&low, Some(&[prefix + 1]), limit + 1, Direction::Forward);
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = match found.last() {
            Some((key, _)) if has_more => {
                let number = key.last_chunk().ok_or(Unreadable)?;
                Some(u64::from_be_bytes(*number))
            }
            Some(_) | None => None,
        };
        Ok(Page {
            entries: found.iter().map(read).collect::<Result<_, _>>()?,
            next,
        })
    }
}

fn read_entry((key, value): &(Bytes, Bytes)) -> Result<Entry, Unreadable> {
    let number = key.last_chunk().ok_or(Unreadable)?;
    form::from_bytes(u64::from_be_bytes(*number), value)
}
