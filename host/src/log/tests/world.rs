//! A log, the disk it is on, and the model it is compared with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use expect_test::Expect;

use super::super::segment::path_of;
use super::super::{AppendError, Log, Mutant, OpenError, Options, ReadError, Record, SyncError};
use super::model::{Change, Model, Observed, Payload};
use crate::os::BlockDisk;
use crate::simulation::disk::SimDisk;
use crate::simulation::random::Random;

pub(super) const FOLDER: &str = "data/log";

/// Groups are numbered below this.
pub(super) const GROUPS: u32 = 3;

/// Why a run ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The log does what it must not do.
    Wrong(String),
    /// The log says that the disk has damaged it.
    Damage(String),
}

pub(super) struct World {
    pub(super) disk: SimDisk,
    pub(super) options: Options,
    pub(super) log: Option<Log>,
    pub(super) random: Random,
    /// What must be there after a crash, whatever the disk did.
    base: Model,
    /// What may be there, on top of that.
    changes: Vec<Change>,
    /// Those that were there when the log was last opened.
    kept: Vec<Change>,
    /// Everything.
    pub(super) now: Model,
    /// What was acknowledged of each group; no more than that is compacted.
    pub(super) acknowledged: BTreeMap<u32, u64>,
    must_have: BTreeMap<u32, u64>,
    /// Lost and misdirected writes at the last look.
    lies: u64,
}

impl World {
    pub(super) fn new(seed: u64, segment_bytes: u64, mutant: Option<Mutant>) -> Self {
        Self {
            disk: SimDisk::new(seed),
            options: Options {
                segment_bytes,
                mutant,
                ..Options::default()
            },
            log: None,
            random: Random::new(seed ^ 0x1234_5678),
            base: Model::default(),
            changes: Vec::new(),
            kept: Vec::new(),
            now: Model::default(),
            acknowledged: BTreeMap::new(),
            must_have: BTreeMap::new(),
            lies: 0,
        }
    }

    /// Opens the log and compares it with the model.
    pub(super) fn open(&mut self) -> Result<(), Stop> {
        let disk: Arc<dyn BlockDisk> = Arc::new(self.disk.clone());
        let must_have: Vec<_> = self
            .must_have
            .iter()
            .map(|(id, last)| (*id, *last))
            .collect();
        let mut replayed: BTreeMap<u32, BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
        let opened = Log::open(
            disk,
            Path::new(FOLDER),
            &self.options,
            &must_have,
            &mut |record| match record {
                Record::Entry {
                    group,
                    index,
                    payload,
                } => {
                    let entries = replayed.entry(group).or_default();
                    entries.split_off(&index);
                    entries.insert(index, payload.to_vec());
                }
                Record::State { .. } => {}
            },
        );
        let (log, _) = match opened {
            Ok(opened) => opened,
            Err(error @ (OpenError::Corrupt { .. } | OpenError::NewerFormat { .. })) => {
                return Err(Stop::Damage(error.to_string()));
            }
            Err(OpenError::Full { .. } | OpenError::Io { .. }) => return Ok(()),
        };
        let found = match Observed::of(&log, GROUPS) {
            Ok(found) => found,
            Err(ReadError::Io { .. }) => return Ok(()),
            Err(error) => return Err(Stop::Damage(error.to_string())),
        };
        for (id, group) in &found.0 {
            for (index, payload) in &group.entries {
                if replayed.get(id).and_then(|entries| entries.get(index)) != Some(payload) {
                    return Err(Stop::Wrong(format!(
                        "entry {index} of group {id} was not replayed"
                    )));
                }
            }
        }
        let mut model = self.base.clone();
        let mut first_difference = None;
        let mut changes = self.changes.iter();
        while let Some(difference) = model.difference(&found) {
            first_difference.get_or_insert(difference);
            let Some(change) = changes.next() else {
                let what = first_difference.unwrap_or_default();
                return Err(Stop::Wrong(format!("after a restart: {what}")));
            };
            model.apply(change);
        }
        self.now = model;
        let kept = self.changes.len() - changes.len();
        self.kept = self.changes.drain(..).take(kept).collect();
        self.log = Some(log);
        self.base = self.now.clone();
        self.lies = self.count_lies();
        self.note_acknowledged();
        // As a host does: what the log had not noted yet is still not needed.
        for (group, through) in self.must_have.clone() {
            if through > self.now.0[&group].compacted {
                self.compact(group, through);
            }
        }
        Ok(())
    }

    /// As [`open`](Self::open), on a disk that may lie: what was made durable while opening may not be.
    pub(super) fn open_on_liar(&mut self) -> Result<(), Stop> {
        let base = self.base.clone();
        let before = self.count_lies();
        self.open()?;
        if self.count_lies() != before {
            let since = std::mem::take(&mut self.changes);
            self.base = base;
            self.changes.append(&mut self.kept);
            self.changes.extend(since);
        }
        Ok(())
    }

    fn count_lies(&self) -> u64 {
        let injected = self.disk.injected();
        injected.lost_writes + injected.misdirected_writes
    }

    fn note_acknowledged(&mut self) {
        self.acknowledged = (self.now.0.iter())
            .map(|(id, group)| (*id, group.last))
            .collect();
    }

    fn changed(&mut self, change: Change) {
        self.now.apply(&change);
        self.changes.push(change);
    }

    pub(super) fn payload(&mut self, bytes: usize) -> Payload {
        Payload {
            salt: self.random.next(),
            bytes,
        }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("the log is open")
    }

    pub(super) fn append(
        &mut self,
        group: u32,
        index: u64,
        bytes: usize,
    ) -> Result<(), AppendError> {
        let payload = self.payload(bytes);
        self.log().append(group, index, &payload.make())?;
        self.changed(Change::Entry {
            group,
            index,
            payload,
        });
        if let Some(acknowledged) = self.acknowledged.get_mut(&group) {
            *acknowledged = (index - 1).min(*acknowledged);
        }
        Ok(())
    }

    /// Appends the entry that comes next in its group.
    pub(super) fn append_next(&mut self, group: u32, bytes: usize) -> Result<(), AppendError> {
        let last = self.now.0.get(&group).map_or(0, |group| group.last);
        self.append(group, last + 1, bytes)
    }

    pub(super) fn set_state(&mut self, group: u32, bytes: usize) -> Result<(), AppendError> {
        let payload = self.payload(bytes);
        self.log().set_state(group, &payload.make())?;
        self.changed(Change::State { group, payload });
        Ok(())
    }

    pub(super) fn restart(&mut self, group: u32, through: u64) -> Result<(), AppendError> {
        self.log().restart(group, through)?;
        self.changed(Change::Restart { group, through });
        self.acknowledged.insert(group, 0);
        Ok(())
    }

    pub(super) fn compact(&mut self, group: u32, through: u64) {
        self.log().compact(group, through);
        self.changed(Change::Compact { group, through });
        let known = self.must_have.entry(group).or_default();
        *known = through.max(*known);
    }

    pub(super) fn sync(&mut self) -> Result<(), SyncError> {
        let sequence = self.log().next_sequence;
        self.log().sync()?;
        self.note_acknowledged();
        self.proved(sequence);
        Ok(())
    }

    pub(super) fn mark(&mut self) -> Result<(), SyncError> {
        let sequence = self.log().next_sequence;
        let is_pending = self.log().is_pending();
        self.log().mark()?;
        if !is_pending {
            self.proved(sequence);
        }
        Ok(())
    }

    /// Everything so far is on the disk, if something was written just now, after `sequence`, and the disk did not lie about it.
    fn proved(&mut self, sequence: u64) {
        let lies = self.count_lies();
        if lies == self.lies && self.log().next_sequence > sequence {
            self.base = self.now.clone();
            self.changes.clear();
        }
        self.lies = lies;
    }

    /// Compares what the running log has with the model.
    pub(super) fn compare(&self) -> Result<(), Stop> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let found = match Observed::of(log, GROUPS) {
            Ok(found) => found,
            // The machine is down.
            Err(ReadError::Io { .. }) => return Ok(()),
            Err(error) => return Err(Stop::Damage(error.to_string())),
        };
        match self.now.difference(&found) {
            Some(what) => Err(Stop::Wrong(format!("while running: {what}"))),
            None => Ok(()),
        }
    }
}

pub(super) const SEGMENT_BYTES: u64 = 16 << 10;

pub(super) fn world() -> World {
    let mut world = World::new(1, SEGMENT_BYTES, None);
    world.open().unwrap();
    world
}

pub(super) fn segment(number: u32) -> PathBuf {
    path_of(Path::new(FOLDER), number)
}

/// Entries of 1000 bytes, each synced, until there are this many segments.
pub(super) fn fill(world: &mut World, segments: usize) {
    while world.log.as_ref().unwrap().segments.len() < segments {
        world.append_next(0, 1000).unwrap();
        world.sync().unwrap();
    }
}

pub(super) fn restart(world: &mut World) {
    world.log = None;
    world.disk.crash();
    world.open().unwrap();
}

/// Why the log cannot be opened.
#[track_caller]
pub(super) fn check_damage(world: &World, must_have: &[(u32, u64)], expected: &Expect) {
    let disk: Arc<dyn BlockDisk> = Arc::new(world.disk.clone());
    let folder = Path::new(FOLDER);
    let opened = Log::open(disk, folder, &world.options, must_have, &mut |_| {});
    let error = opened.map(|_| ()).unwrap_err();
    expected.assert_eq(&error.to_string());
}
