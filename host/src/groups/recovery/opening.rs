//! Opens the log and the state store of a host, and makes sure that they belong together.

use super::RecoveryError;
use crate::log::{self, Cut, Log};
use crate::os::BlockDisk;
use crate::state::{self, GroupId, Store};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What a group's state in the log begins with: its format. The service's name follows.
const FORMAT: u8 = 1;

/// Where a host keeps things.
pub(crate) struct Files<'a> {
    pub blocks: &'a Arc<dyn BlockDisk>,
    pub log: PathBuf,
    pub state: PathBuf,
    pub log_options: log::Options,
}

/// What was found.
pub(crate) struct Opened {
    pub store: Store,
    pub log: Log,
    pub groups: Vec<Found>,
    pub cut: Option<Cut>,
}

/// A group as it was left.
pub(crate) struct Found {
    pub id: GroupId,
    pub name: String,
    /// The last entry that the state store has.
    pub applied: u64,
    /// What the log has, in order.
    pub entries: Vec<(u64, Bytes)>,
}

/// What the log says of groups.
#[derive(Default)]
struct Logged {
    entries: BTreeMap<u32, Vec<(u64, Bytes)>>,
    names: BTreeMap<u32, Vec<u8>>,
}

impl Logged {
    fn take(&mut self, record: log::Record<'_>) {
        match record {
            log::Record::Entry {
                group,
                index,
                payload,
            } => {
                let entries = self.entries.entry(group).or_default();
                // It takes the place of all from its index on.
                entries.truncate(entries.partition_point(|(at, _)| *at < index));
                entries.push((index, Bytes::copy_from_slice(payload)));
            }
            log::Record::State { group, bytes } => {
                self.names.insert(group, bytes.to_vec());
            }
        }
    }
}

impl Files<'_> {
    /// Whether nothing was ever kept here.
    pub fn are_missing(&self) -> Result<bool, RecoveryError> {
        for folder in [&self.log, &self.state] {
            let files = self
                .blocks
                .list(folder)
                .map_err(|source| RecoveryError::Look {
                    folder: folder.clone(),
                    source,
                })?;
            if !files.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens both, with a group for each of `services` and for those that were there.
    pub fn open(&self, services: &[&str]) -> Result<Opened, RecoveryError> {
        let store_error = |source| RecoveryError::Store {
            folder: self.state.clone(),
            source,
        };
        let store = Store::open(self.blocks.as_ref(), &self.state).map_err(|source| {
            RecoveryError::State {
                folder: self.state.clone(),
                source,
            }
        })?;
        for service in services {
            store.register(service).map_err(store_error)?;
        }
        let known = store.groups();
        let must_have: Vec<(u32, u64)> = known
            .iter()
            .map(|group| (group.id.0, group.applied))
            .collect();
        let mut logged = Logged::default();
        let (mut log, recovery) = Log::open(
            Arc::clone(self.blocks),
            &self.log,
            &self.log_options,
            &must_have,
            &mut |record| logged.take(record),
        )
        .map_err(|source| RecoveryError::Log {
            folder: self.log.clone(),
            source,
        })?;
        self.compare(&known, &logged, &mut log)?;
        let found = |state::Group { id, name, applied }| Found {
            entries: logged.entries.remove(&id.0).unwrap_or_default(),
            id,
            name,
            applied,
        };
        Ok(Opened {
            groups: known.into_iter().map(found).collect(),
            store,
            log,
            cut: recovery.cut,
        })
    }

    /// The numbers of groups mean something only to one state store: the log says by name whose they are.
    fn compare(
        &self,
        known: &[state::Group],
        logged: &Logged,
        log: &mut Log,
    ) -> Result<(), RecoveryError> {
        let strange = |what| RecoveryError::Strange {
            folder: self.log.clone(),
            what,
        };
        let unknown = logged
            .entries
            .keys()
            .chain(logged.names.keys())
            .find(|group| known.iter().all(|known| known.id.0 != **group));
        if let Some(group) = unknown {
            return Err(strange(format!(
                "it has entries of a service, number {group}, that the state store does not know"
            )));
        }
        for state::Group { id, name, applied } in known {
            let state = [&[FORMAT], name.as_bytes()].concat();
            match logged.names.get(&id.0) {
                Some(logged) if *logged == state => {}
                Some(logged) => {
                    let other = String::from_utf8_lossy(logged.get(1..).unwrap_or_default());
                    return Err(strange(format!(
                        "service number {} is {other:?} in the log and {name:?} in the state store",
                        id.0
                    )));
                }
                None => {
                    log.set_state(id.0, &state)
                        .map_err(|error| strange(format!("it cannot be written: {error}")))?;
                }
            }
            // An old copy of the state store, or one that was made anew, is told by this from one that fits.
            if let Some(first) = log.first(id.0).filter(|first| *first > applied + 1) {
                return Err(strange(format!(
                    "the state of service {name} ends with entry {applied}, and the log begins with entry {first}"
                )));
            }
            // The log may not know of the last checkpoint.
            log.compact(id.0, *applied);
        }
        log.sync()
            .map_err(|error| strange(format!("it cannot be written: {error}")))
    }
}
