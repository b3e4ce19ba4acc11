//! The part of a group's log that is in memory: everything after the last compaction, so that a leader never reads the disk for its followers.
//!
//! The consensus engine's imports read it. Its bound is the one of the log: checkpoints compact both.

use super::wit::{self, EntryKind};
use bytes::Bytes;
use std::collections::VecDeque;

/// An entry. Its data is shared with the log and the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub index: u64,
    /// The term of the leader that made it.
    pub term: u64,
    /// What it is for.
    pub kind: EntryKind,
    /// What it says.
    pub data: Bytes,
}

/// Entries of a group, without gaps.
#[derive(Debug)]
pub struct Window {
    /// The entry before the first one.
    start: (u64, u64),
    entries: VecDeque<Entry>,
    bytes: usize,
    offered: wit::Snapshot,
}

impl Window {
    /// Without entries, after one that had this index and this term.
    #[must_use]
    pub fn new(index: u64, term: u64) -> Self {
        Self {
            start: (index, term),
            entries: VecDeque::new(),
            bytes: 0,
            offered: wit::Snapshot {
                index,
                term,
                members: super::roster::Roster::empty().members,
            },
        }
    }

    /// The index of the first entry; one more than the last if there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.start.0 + 1
    }

    /// The index of the last entry; of the one before the first if there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.start.0 + self.entries.len() as u64
    }

    /// What the entries' data takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.first())?).ok()
    }

    /// An entry.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<&Entry> {
        self.entries.get(self.position(index)?)
    }

    /// The term of an entry, or of the one before the first.
    #[must_use]
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.start.0 {
            return Some(self.start.1);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// Entries after an index.
    pub fn after(&self, index: u64) -> impl Iterator<Item = &Entry> {
        let skipped = index.saturating_sub(self.start.0);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.entries.iter().skip(skipped)
    }

    /// Adds an entry. It takes the place of the one with its index and of all after that.
    ///
    /// # Panics
    /// Entries between would be missing, or it was compacted: bugs of the host.
    pub fn push(&mut self, entry: Entry) {
        let kept = self.position(entry.index);
        let kept = kept.filter(|kept| *kept <= self.entries.len());
        let kept = kept.expect("an entry follows the last one or replaces one that is there");
        for dropped in self.entries.drain(kept..) {
            self.bytes -= dropped.data.len();
        }
        self.bytes += entry.data.len();
        self.entries.push_back(entry);
    }

    /// Adds entries of the engine.
    ///
    /// # Panics
    /// As [`push`](Self::push).
    pub fn append(&mut self, entries: Vec<wit::Entry>) {
        for entry in entries {
            self.push(Entry {
                index: entry.index,
                term: entry.term,
                kind: entry.kind,
                data: entry.data.into(),
            });
        }
    }

    /// Lets go of everything up to and including an entry.
    ///
    /// # Panics
    /// It has no such entry: a bug of the host.
    pub fn compact(&mut self, through: u64) {
        let term = self.term(through).expect("what is compacted was there");
        let count = through - self.start.0;
        for dropped in self
            .entries
            .drain(..usize::try_from(count).unwrap_or(usize::MAX))
        {
            self.bytes -= dropped.data.len();
        }
        self.start = (through, term);
    }

    /// Begins anew after the state of another replica.
    pub fn restart(&mut self, snapshot: wit::Snapshot) {
        *self = Self::new(snapshot.index, snapshot.term);
        self.offered = snapshot;
    }

    /// Through which entry to compact so that about so many bytes are left; always at least as many, if there are.
    #[must_use]
    pub fn trailing(&self, keep_bytes: usize) -> u64 {
        let mut kept = 0;
        let mut through = self.last();
        for entry in self.entries.iter().rev() {
            if kept >= keep_bytes {
                break;
            }
            kept += entry.data.len();
            through = entry.index - 1;
        }
        through
    }

    /// Entries from `low` on and below `high`, as many as fit into `bytes_max`, at least one.
    #[must_use]
    pub fn slice(&self, low: u64, high: u64, bytes_max: u64) -> Vec<wit::Entry> {
        let mut bytes = 0;
        let mut slice = Vec::new();
        for entry in self
            .after(low.saturating_sub(1))
            .take_while(|entry| entry.index < high)
        {
            bytes += entry.data.len() as u64;
            if bytes > bytes_max && !slice.is_empty() {
                break;
            }
            slice.push(wit::Entry {
                index: entry.index,
                term: entry.term,
                kind: entry.kind,
                data: entry.data.to_vec(),
            });
        }
        slice
    }

    /// The terms of the entries, and of the one before the first.
    #[must_use]
    pub fn runs(&self) -> Vec<wit::TermRun> {
        let (index, term) = self.start;
        let mut runs = vec![wit::TermRun { index, term }];
        for entry in &self.entries {
            if runs.last().is_none_or(|run| run.term != entry.term) {
                runs.push(wit::TermRun {
                    index: entry.index,
                    term: entry.term,
                });
            }
        }
        runs
    }

    /// The state that other replicas are sent now.
    #[must_use]
    pub fn offered(&self) -> &wit::Snapshot {
        &self.offered
    }

    /// Sets the state that other replicas are sent.
    pub fn offer(&mut self, snapshot: wit::Snapshot) {
        self.offered = snapshot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry {
            index,
            term,
            kind: EntryKind::Normal,
            data: vec![0; 10].into(),
        }
    }

    fn window() -> Window {
        let mut window = Window::new(4, 1);
        for (index, term) in [(5, 1), (6, 2), (7, 2), (8, 3)] {
            window.push(entry(index, term));
        }
        window
    }

    fn runs(window: &Window) -> Vec<(u64, u64)> {
        let runs = window.runs();
        runs.iter().map(|run| (run.index, run.term)).collect()
    }

    #[test]
    fn it_knows_its_entries_and_the_term_before_them() {
        let window = window();
        assert_eq!((window.first(), window.last(), window.bytes()), (5, 8, 40));
        assert_eq!(window.term(4), Some(1));
        assert_eq!(window.term(8), Some(3));
        assert_eq!(window.term(9), None);
        assert_eq!(runs(&window), [(4, 1), (6, 2), (8, 3)]);
    }

    #[test]
    fn an_entry_takes_the_place_of_what_follows() {
        let mut window = window();
        window.push(entry(6, 4));
        assert_eq!((window.last(), window.bytes()), (6, 20));
        assert_eq!(runs(&window), [(4, 1), (6, 4)]);
    }

    #[test]
    fn compaction_keeps_what_those_who_lag_may_need() {
        let mut window = window();
        assert_eq!(window.trailing(0), 8);
        assert_eq!(window.trailing(11), 6);
        assert_eq!(window.trailing(1000), 4);
        window.compact(6);
        assert_eq!(
            (window.first(), window.term(6), window.bytes()),
            (7, Some(2), 20)
        );
        window.compact(8);
        assert_eq!((window.first(), window.last()), (9, 8));
    }

    #[test]
    fn a_slice_has_at_least_one_entry() {
        let window = window();
        let indexes = |low, high, bytes| -> Vec<u64> {
            let slice = window.slice(low, high, bytes);
            slice.iter().map(|entry| entry.index).collect()
        };
        assert_eq!(indexes(5, 8, 20), [5, 6]);
        assert_eq!(indexes(7, 100, 0), [7]);
        assert_eq!(indexes(9, 100, 0), [] as [u64; 0]);
    }
}
