//! What `raft` sees of the log. The host has the entries; here are their terms, the changes of membership, and the newest few.
//!
//! An entry that the host was told to save in this step is not in its log before the step ends. So the newest entries are kept until then,
//! and a few of them longer, for a follower that lost a message.

use crate::convert::{entry_in, is_change, members_in, snapshot_in};
use crate::terms::Terms;
use crate::{Boot, Entry, Snapshot};
use raft::prelude as pb;
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

/// What is kept of the newest entries between two steps: a lost message or two.
const RECENT_BYTES_MAX: usize = 64 << 10;

/// What is read for followers in one step; what is beyond waits for the next one. A follower that comes back would otherwise get everything in
/// flight (256 messages of 1 MiB) at once.
const SENT_BYTES_MAX: usize = 8 << 20;

/// What is read at once when all entries of the log are looked at.
const SCAN_BYTES: u64 = 1 << 20;

/// Committed entries that `raft` hands out at once: it makes a list of them.
const COMMITTED_MAX: usize = 4096;

/// What an entry takes beside its data, about.
const ENTRY_BYTES: usize = 32;

/// The host's log.
pub trait Log {
    /// See `log.entries` in the WIT.
    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Vec<Entry>;
    /// See `log.current-snapshot` in the WIT.
    fn snapshot(&self) -> Snapshot;
}

/// The log as `raft` sees it.
pub struct Store<L> {
    log: L,
    state: RaftState,
    first: u64,
    last: u64,
    terms: Terms,
    /// The newest entries, up to `last`.
    recent: VecDeque<pb::Entry>,
    recent_bytes: usize,
    /// Changes of membership that were not applied yet.
    changes: BTreeMap<u64, pb::Entry>,
    /// What may still be read for followers in this step.
    room: Cell<usize>,
    /// Who asked when there was no more room.
    waiting: RefCell<Vec<GetEntriesContext>>,
}

impl<L: Log> Store<L> {
    /// What the host says at the start. Looks through all entries that are to be applied, for changes of membership.
    pub fn new(boot: &Boot, log: L) -> Self {
        assert!(
            boot.first <= boot.last + 1 && boot.first <= boot.applied + 1,
            "the log begins after what was applied"
        );
        assert!(
            boot.applied <= boot.last,
            "more was applied than is in the log"
        );
        let mut hard = pb::HardState {
            term: boot.hard.term,
            vote: boot.hard.vote,
            ..Default::default()
        };
        // It is saved with other things only, so a crash may have left it behind what was applied, or behind a snapshot.
        hard.commit = boot.hard.commit.max(boot.applied).min(boot.last);
        let state = RaftState::new(hard, members_in(&boot.members));
        let base = boot.first - 1;
        let mut store = Self {
            log,
            state,
            first: boot.first,
            last: boot.last,
            terms: Terms::new(base, boot.last, &boot.terms),
            recent: VecDeque::new(),
            recent_bytes: 0,
            changes: BTreeMap::new(),
            room: Cell::new(SENT_BYTES_MAX),
            waiting: RefCell::new(Vec::new()),
        };
        let mut low = boot.applied + 1;
        while low <= boot.last {
            let found = store.read(low, boot.last + 1, SCAN_BYTES);
            assert!(!found.is_empty(), "the log lacks entry {low}");
            low += found.len() as u64;
            let changes = found.into_iter().filter(is_change);
            store
                .changes
                .extend(changes.map(|entry| (entry.index, entry)));
        }
        store
    }

    /// The last entry.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Entries that the host was told to save, in order.
    pub fn append(&mut self, entries: &[pb::Entry]) {
        let Some(first) = entries.first().map(|entry| entry.index) else {
            return;
        };
        while let Some(replaced) = self.recent.pop_back_if(|entry| entry.index >= first) {
            self.recent_bytes -= bytes_of(&replaced);
        }
        self.changes.split_off(&first);
        for entry in entries {
            self.terms.append(entry.index, entry.term);
            self.recent_bytes += bytes_of(entry);
            self.recent.push_back(entry.clone());
            if is_change(entry) {
                self.changes.insert(entry.index, entry.clone());
            }
        }
        self.last = self.terms.last();
    }

    /// Begins again after a snapshot.
    pub fn restart(&mut self, index: u64, term: u64) {
        self.terms.restart(index, term);
        (self.first, self.last) = (index + 1, index);
        self.recent.clear();
        self.recent_bytes = 0;
        self.changes.clear();
    }

    /// The host's log has nothing up to and including `through` any more.
    pub fn compact(&mut self, through: u64) {
        if through >= self.first {
            self.first = through + 1;
            self.terms.compact(through);
        }
    }

    /// Everything up to `index` was applied.
    pub fn applied(&mut self, index: u64) {
        self.changes = self.changes.split_off(&(index + 1));
    }

    /// Changes of membership that were not applied yet.
    pub fn changes(&self) -> impl Iterator<Item = &pb::Entry> {
        self.changes.values()
    }

    /// Who could not be sent anything in the step before, for want of room. There is room again.
    pub fn take_waiting(&mut self) -> Vec<GetEntriesContext> {
        self.room.set(SENT_BYTES_MAX);
        std::mem::take(self.waiting.get_mut())
    }

    /// Whether somebody could not be sent anything, for want of room.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// The step ends: the host has all entries now.
    pub fn end_step(&mut self) {
        while self.recent_bytes > RECENT_BYTES_MAX {
            if let Some(oldest) = self.recent.pop_front() {
                self.recent_bytes -= bytes_of(&oldest);
            }
        }
    }

    /// Entries of the host's log: some from `low` on, none if it has them no more.
    fn read(&self, low: u64, high: u64, bytes_max: u64) -> Vec<pb::Entry> {
        let found = self.log.entries(low, high, bytes_max);
        let is_in_order = (low..high)
            .zip(&found)
            .all(|(index, entry)| entry.index == index)
            && found.len() as u64 <= high - low;
        assert!(is_in_order, "the log answers with other entries than asked");
        found.into_iter().map(entry_in).collect()
    }

    /// Entries with their data, for a follower.
    fn full(&self, low: u64, high: u64, bytes_max: u64) -> Vec<pb::Entry> {
        let kept_from = self.last + 1 - self.recent.len() as u64;
        if low < kept_from {
            return self.read(low, high.min(kept_from), bytes_max);
        }
        let skipped = usize::try_from(low - kept_from).unwrap_or(usize::MAX);
        let wanted = usize::try_from(high - low).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |entry: &&pb::Entry| {
            let is_first = bytes == 0;
            bytes += bytes_of(entry) as u64;
            is_first || bytes <= bytes_max
        };
        let entries = self.recent.iter().skip(skipped).take(wanted);
        entries.take_while(fits).cloned().collect()
    }

    /// Entries without their data, except for changes: that is all that `raft` looks at when it commits or campaigns.
    fn heads(&self, low: u64, high: u64, count_max: Option<usize>) -> Vec<pb::Entry> {
        let Some(count_max) = count_max else {
            // It counts changes before it campaigns. Fewer entries than there are mean that there are no more of interest.
            let changes = self.changes.range(low..high);
            return changes.map(|(_, entry)| entry.clone()).collect();
        };
        let head = |index| {
            let unchanged = || pb::Entry {
                index,
                term: self.terms.of(index).unwrap_or(0),
                ..Default::default()
            };
            self.changes.get(&index).cloned().unwrap_or_else(unchanged)
        };
        (low..high).take(count_max).map(head).collect()
    }
}

fn bytes_of(entry: &pb::Entry) -> usize {
    ENTRY_BYTES + entry.data.len()
}

impl<L: Log> Storage for Store<L> {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.state.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<pb::Entry>> {
        let bytes_max = max_size.into();
        if low < self.first {
            return Err(StorageError::Compacted.into());
        }
        // Only what is sent to followers may be answered later, and only there the data is wanted.
        if !context.can_async() {
            return Ok(self.heads(low, high, bytes_max.map(|_| COMMITTED_MAX)));
        }
        if self.room.get() == 0 {
            self.waiting.borrow_mut().push(context);
            return Err(StorageError::LogTemporarilyUnavailable.into());
        }
        let found = self.full(low, high, bytes_max.unwrap_or(u64::MAX));
        if found.is_empty() {
            return Err(StorageError::Compacted.into());
        }
        let bytes = found.iter().map(bytes_of).sum();
        self.room.set(self.room.get().saturating_sub(bytes));
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let unknown = if index < self.first {
            StorageError::Compacted
        } else {
            StorageError::Unavailable
        };
        self.terms.of(index).ok_or_else(|| unknown.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<pb::Snapshot> {
        let snapshot = self.log.snapshot();
        // `raft` cannot send an empty one, and one that ends before the log begins helps nobody.
        if snapshot.index == 0 || snapshot.index < request_index.max(self.first - 1) {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        Ok(snapshot_in(&snapshot))
    }
}
