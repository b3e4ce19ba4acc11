//! What a log should hold, as plain maps.

use std::collections::BTreeMap;

use super::super::Log;

/// Something the log was asked to keep, in order.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Entry {
        group: u32,
        index: u64,
        payload: Payload,
    },
    State {
        group: u32,
        payload: Payload,
    },
    Compact {
        group: u32,
        through: u64,
    },
    Restart {
        group: u32,
        through: u64,
    },
}

/// Bytes that can be made again from a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) salt: u64,
    pub(super) bytes: usize,
}

impl Payload {
    pub(super) fn make(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes + 8);
        let mut value = self.salt;
        while bytes.len() < self.bytes {
            bytes.extend_from_slice(&value.to_le_bytes());
            value = value
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
        }
        bytes.truncate(self.bytes);
        bytes
    }
}

/// A group of the model, or of a log that was read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) last: u64,
    pub(super) compacted: u64,
    pub(super) entries: BTreeMap<u64, Payload>,
    pub(super) state: Option<Payload>,
}

/// All groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model(pub(super) BTreeMap<u32, Group>);

impl Model {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Entry {
                group,
                index,
                payload,
            } => {
                let group = self.0.entry(*group).or_default();
                group.entries.split_off(index);
                group.entries.insert(*index, *payload);
                if group.last == 0 {
                    group.compacted = index - 1;
                }
                group.last = *index;
            }
            Change::State { group, payload } => {
                self.0.entry(*group).or_default().state = Some(*payload);
            }
            Change::Compact { group, through } => {
                let group = self.0.entry(*group).or_default();
                group.compacted = group.compacted.max(*through);
                group.entries = group.entries.split_off(&(group.compacted + 1));
            }
            Change::Restart { group, through } => {
                let group = self.0.entry(*group).or_default();
                group.entries.clear();
                (group.last, group.compacted) = (*through, *through);
            }
        }
    }

    /// What differs between this and what was read; nothing, if that has all of this and at most more that was compacted.
    pub(super) fn difference(&self, found: &Observed) -> Option<String> {
        for id in self.0.keys().chain(found.0.keys()) {
            let expected = self.0.get(id).cloned().unwrap_or_default();
            let Some(group) = found.0.get(id) else {
                if expected == Group::default() {
                    continue;
                }
                return Some(format!("group {id} is missing"));
            };
            if (expected.last, expected.state.map(Payload::make))
                != (group.last, group.state.clone())
            {
                return Some(format!(
                    "group {id} is at {} instead of {}, or its state differs",
                    group.last, expected.last
                ));
            }
            for (index, payload) in &expected.entries {
                if group.entries.get(index) != Some(&payload.make()) {
                    return Some(format!("entry {index} of group {id} differs"));
                }
            }
        }
        None
    }
}

/// What was read of a log.
#[derive(Debug, Default)]
pub(super) struct Observed(pub(super) BTreeMap<u32, ObservedGroup>);

#[derive(Debug, Default)]
pub(super) struct ObservedGroup {
    last: u64,
    state: Option<Vec<u8>>,
    pub(super) entries: BTreeMap<u64, Vec<u8>>,
}

impl Observed {
    /// Everything that can be read of these groups.
    pub(super) fn of(log: &Log, groups: u32) -> Result<Self, super::super::ReadError> {
        let mut observed = Self::default();
        for id in 0..groups {
            let Some(last) = log.last(id).or(log.state(id).map(|_| 0)) else {
                continue;
            };
            let first = log.first(id).unwrap_or(last + 1);
            let entries = log.read(id, first, last + 1, usize::MAX)?;
            let entries = entries
                .into_iter()
                .map(|(index, bytes)| (index, bytes.to_vec()));
            observed.0.insert(
                id,
                ObservedGroup {
                    last,
                    state: log.state(id).map(<[u8]>::to_vec),
                    entries: entries.collect(),
                },
            );
        }
        Ok(observed)
    }
}
