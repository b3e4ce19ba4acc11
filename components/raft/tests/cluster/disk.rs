//! What one host has written, and what of that would survive now.

use super::super::engine::{
    Boot, Entry, EntryKind, HardState, Log, Members, Save, Snapshot, TermRun,
};
use std::cell::RefCell;
use std::rc::Rc;

/// What a host keeps.
#[derive(Clone)]
pub struct Disk {
    pub hard: HardState,
    /// The entry before the first.
    pub base: (u64, u64),
    pub entries: Vec<Entry>,
    /// Members as of `applied`. The state is written apart from the log, so it may be behind what was applied.
    pub members: Members,
    pub applied: u64,
    /// A checksum of everything that was applied, in order.
    pub state: u64,
}

impl Disk {
    /// As of a virtual snapshot that has the first members.
    pub fn first(members: &Members) -> Self {
        let hard = HardState {
            term: 1,
            vote: 0,
            commit: 1,
        };
        Self {
            hard,
            base: (1, 1),
            entries: vec![],
            members: members.clone(),
            applied: 1,
            state: 0,
        }
    }

    /// Of a replica that is to join.
    pub fn empty() -> Self {
        let hard = HardState {
            term: 0,
            vote: 0,
            commit: 0,
        };
        Self {
            hard,
            base: (0, 0),
            entries: vec![],
            members: super::members(&[]),
            applied: 0,
            state: 0,
        }
    }

    pub fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    fn place(&self, index: u64) -> usize {
        usize::try_from(index - self.base.0 - 1).expect("few entries")
    }

    pub fn entry(&self, index: u64) -> &Entry {
        &self.entries[self.place(index)]
    }

    pub fn term(&self, index: u64) -> u64 {
        if index == self.base.0 {
            self.base.1
        } else {
            self.entry(index).term
        }
    }

    pub fn save(&mut self, save: &Save) {
        if let Some(hard) = save.hard {
            self.hard = hard;
        }
        if let Some(snapshot) = &save.install {
            self.base = (snapshot.index, snapshot.term);
            self.entries.clear();
        }
        if let Some(first) = save.entries.first() {
            let keep = self.place(first.index);
            assert!(keep <= self.entries.len(), "entries are missing");
            self.entries.truncate(keep);
            self.entries.extend(save.entries.iter().cloned());
        }
    }

    pub fn compact(&mut self, through: u64) {
        let term = self.term(through);
        self.entries.drain(..=self.place(through));
        self.base = (through, term);
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            index: self.applied,
            term: self.term(self.applied),
            members: self.members.clone(),
        }
    }

    pub fn boot(&self, id: u64, seed: u64) -> Boot {
        let mut terms = vec![TermRun {
            index: self.base.0,
            term: self.base.1,
        }];
        for entry in &self.entries {
            if terms.last().is_some_and(|run| run.term != entry.term) {
                terms.push(TermRun {
                    index: entry.index,
                    term: entry.term,
                });
            }
        }
        Boot {
            id,
            seed,
            tick_ms: 10,
            election_ticks: 10,
            heartbeat_ticks: 2,
            hard: self.hard,
            members: self.members.clone(),
            applied: self.applied,
            first: self.base.0 + 1,
            last: self.last(),
            terms,
        }
    }
}

/// The log in memory, as the replica reads it.
#[derive(Clone)]
pub struct Shared(pub Rc<RefCell<Disk>>);

impl Log for Shared {
    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Vec<Entry> {
        let disk = self.0.borrow();
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.data.len() as u64;
            entry.index < high && (entry.index == low || bytes <= bytes_max)
        };
        let from = &disk.entries[disk.place(low)..];
        from.iter().take_while(fits).cloned().collect()
    }

    fn snapshot(&self) -> Snapshot {
        self.0.borrow().snapshot()
    }
}

impl Shared {
    /// The entry before the first, and its term.
    pub fn base(&self) -> (u64, u64) {
        self.0.borrow().base
    }
}

/// Goes on with a checksum.
pub fn digest(state: u64, entry: &Entry) -> u64 {
    let mut state = state ^ entry.index ^ (entry.term << 32);
    if entry.kind == EntryKind::Normal {
        for byte in &entry.data {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    state.wrapping_mul(0x0100_0000_01b3)
}
