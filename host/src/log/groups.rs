//! Where the entries of each group are, and which of them are needed.

use std::collections::{BTreeMap, VecDeque};

use super::record::{HEADER_BYTES, Stored};

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) segment: u32,
    /// The sector where its batch begins.
    pub(super) batch: u32,
    /// Where in its batch its payload begins, in bytes.
    pub(super) start: u32,
    pub(super) bytes: u32,
}

/// One group.
#[derive(Default)]
pub(super) struct Group {
    /// Its last index; 0 if it never had an entry.
    pub(super) last: u64,
    /// Everything up to here is not needed.
    pub(super) compacted: u64,
    /// What the log says of that.
    pub(super) logged: u64,
    /// Those after `last - entries.len()`.
    entries: VecDeque<Location>,
    pub(super) state: Option<Vec<u8>>,
}

impl Group {
    /// The index of the first entry whose place is known; one more than the last if there is none.
    pub(super) fn first(&self) -> u64 {
        self.last + 1 - self.entries.len() as u64
    }

    /// Where an entry is.
    pub(super) fn location(&self, index: u64) -> Option<Location> {
        let position = usize::try_from(index.checked_sub(self.first())?).ok()?;
        self.entries.get(position).copied()
    }

    /// Adds an entry, which may be the group's first or replace others.
    pub(super) fn push(&mut self, index: u64, location: Location) {
        if self.last == 0 {
            self.compacted = index - 1;
            self.logged = index - 1;
        }
        let kept = index.saturating_sub(self.first());
        self.entries
            .truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        self.entries.push_back(location);
        self.last = index;
    }

    /// Forgets entries that are not needed.
    pub(super) fn compact(&mut self, through: u64) {
        self.compacted = self.compacted.max(through);
        while self.first() <= self.compacted && !self.entries.is_empty() {
            self.entries.pop_front();
        }
    }

    /// Forgets all entries; the next one is `through + 1`.
    pub(super) fn restart(&mut self, through: u64) {
        self.entries.clear();
        self.last = through;
        self.compacted = through;
        self.logged = through;
    }

    /// What the group takes at the beginning of each segment, in bytes.
    pub(super) fn carried_bytes(&self) -> usize {
        let state = self.state.as_ref();
        POSITIONS_BYTES + state.map_or(0, |state| HEADER_BYTES + state.len())
    }
}

/// What the positions of one group take in a batch, in bytes.
pub(super) const POSITIONS_BYTES: usize = HEADER_BYTES + 8;

/// All groups.
#[derive(Default)]
pub(super) struct Groups(pub(super) BTreeMap<u32, Group>);

impl Groups {
    /// Takes in a record as it is read from the disk.
    ///
    /// # Errors
    /// It does not follow from those before it: what is wrong.
    pub(super) fn replay(&mut self, record: Stored<'_>, location: Location) -> Result<(), String> {
        match record {
            Stored::Entry { group, index, .. } => {
                let known = self.0.entry(group).or_default();
                if known.last > 0 && (index > known.last + 1 || index <= known.logged) {
                    return Err(format!(
                        "entry {index} of group {group}, which is at {}",
                        known.last
                    ));
                }
                known.push(index, location);
            }
            Stored::State { group, bytes } => {
                self.0.entry(group).or_default().state = Some(bytes.to_vec());
            }
            Stored::Compacted { group, through } => {
                let known = self.0.entry(group).or_default();
                if through > known.last {
                    return Err(format!("group {group} is compacted beyond its last entry"));
                }
                known.compact(through);
                known.logged = known.compacted;
            }
            Stored::Restarted { group, through } => {
                self.0.entry(group).or_default().restart(through);
            }
            Stored::Positions {
                group,
                last,
                compacted,
            } => {
                let known = self.0.entry(group).or_default();
                if known.last == 0 {
                    known.last = last;
                }
                if known.last != last || compacted > last {
                    return Err(format!(
                        "group {group} should be at {last} and is at {}",
                        known.last
                    ));
                }
                known.compact(compacted);
                known.logged = known.compacted;
            }
        }
        Ok(())
    }

    /// A group of which entries are missing at the beginning of the log, and the first of them.
    pub(super) fn missing(&self) -> Option<(u32, u64)> {
        let mut groups = self.0.iter();
        groups.find_map(|(id, group)| {
            let needed = group.logged + 1;
            (needed < group.first()).then_some((*id, needed))
        })
    }

    /// Adds what a segment has to begin with, so that none before it is needed for it.
    pub(super) fn carry(&mut self, batch: &mut Vec<u8>) {
        for (id, group) in &mut self.0 {
            Stored::Positions {
                group: *id,
                last: group.last,
                compacted: group.compacted,
            }
            .encode(batch);
            if let Some(bytes) = &group.state {
                Stored::State { group: *id, bytes }.encode(batch);
            }
            group.logged = group.compacted;
        }
    }
}
