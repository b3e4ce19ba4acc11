//! Opens the log and the state store of a host, and makes sure that they belong together.

use super::RecoveryError;
use crate::log::{self, Cut, Log};
use crate::os::BlockDisk;
use crate::replica::identity::{self, Birth, Identity, Position};
use crate::replica::member::{Record, decode_record};
use crate::state::{self, GroupId, Store};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// The replica's own record; none if this host has none of the group.
    pub identity: Option<Identity>,
    /// The last entry that the state store has; 0 if there was no checkpoint.
    pub applied: u64,
    /// What the log has, in order.
    pub records: Vec<Record>,
    /// What it had was given up.
    pub is_void: bool,
}

/// What the log says of groups.
#[derive(Default)]
struct Logged {
    entries: BTreeMap<u32, Vec<Record>>,
    identities: BTreeMap<u32, Bytes>,
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
                self.identities.insert(group, Bytes::copy_from_slice(bytes));
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
        let log_options = log::Options {
            elsewhere: identity::elsewhere,
            ..self.log_options.clone()
        };
        let mut logged = Logged::default();
        let (mut log, recovery) = Log::open(
            Arc::clone(self.blocks),
            &self.log,
            &log_options,
            &must_have,
            &mut |record| logged.take(record),
        )
        .map_err(|source| RecoveryError::Log {
            folder: self.log.clone(),
            source,
        })?;
        let groups = known
            .into_iter()
            .map(|group| self.compare(group, &mut logged, &store, &mut log))
            .collect::<Result<_, _>>()?;
        log.sync()
            .map_err(|error| self.strange(format!("it cannot be written: {error}")))?;
        if let Some(group) = logged.identities.keys().chain(logged.entries.keys()).next() {
            return Err(self.strange(format!(
                "it has entries of a service, number {group}, that the state store does not know"
            )));
        }
        Ok(Opened {
            groups,
            store,
            log,
            cut: recovery.cut,
        })
    }

    fn strange(&self, what: String) -> RecoveryError {
        RecoveryError::Strange {
            folder: self.log.clone(),
            what,
        }
    }

    /// The numbers of groups mean something only to one state store: the log says by name whose they are.
    fn compare(
        &self,
        group: state::Group,
        logged: &mut Logged,
        store: &Store,
        log: &mut Log,
    ) -> Result<Found, RecoveryError> {
        let state::Group {
            id, name, applied, ..
        } = group;
        let mut records = logged.entries.remove(&id.0).unwrap_or_default();
        if log.first(id.0).is_none() {
            // They were dropped for a state that came from elsewhere, or are all compacted.
            records.clear();
        }
        let Some(bytes) = logged.identities.remove(&id.0) else {
            if applied > 0 || !records.is_empty() {
                return Err(self.strange(format!(
                    "it does not say whose replica of service {name} this is"
                )));
            }
            return Ok(Found {
                id,
                name,
                identity: None,
                applied,
                records,
                is_void: false,
            });
        };
        let mut identity = Identity::from_bytes(bytes).map_err(|_| {
            self.strange(format!(
                "what it says of service number {} was written by another version of this program",
                id.0
            ))
        })?;
        if identity.service != name {
            return Err(self.strange(format!(
                "service number {} is {:?} in the log and {name:?} in the state store",
                id.0, identity.service
            )));
        }
        if identity.birth == Birth::Void {
            return self.give_up(id, name, identity, store, log);
        }
        if let Some(installing) = identity.installing.take()
            && applied >= installing.index
            && is_foreign(&records, identity.start, installing)
        {
            // The host ended between putting another replica's state in place and telling the log.
            identity.start = installing;
            records.clear();
            log.restart(id.0, installing.index)
                .and_then(|()| log.set_state(id.0, &identity.to_bytes()))
                .map_err(|error| self.strange(format!("it cannot be written: {error}")))?;
        }
        // An old copy of the state store, or one that was made anew, is told by this from one that fits.
        if identity.start.index > applied.max(1) {
            return Err(self.strange(format!(
                "the state of service {name} ends with entry {applied}, and the log begins after entry {}",
                identity.start.index
            )));
        }
        records.retain(|(index, _)| *index > identity.start.index);
        if let Some((first, _)) = records.first()
            && *first > identity.start.index + 1
        {
            return Err(self.strange(format!(
                "the log of service {name} begins with entry {first}, and should begin after {}",
                identity.start.index
            )));
        }
        Ok(Found {
            id,
            name,
            identity: Some(identity),
            applied,
            records,
            is_void: false,
        })
    }

    /// The host ended while a replica gave up what it had, or before it got anything new.
    fn give_up(
        &self,
        id: GroupId,
        name: String,
        identity: Identity,
        store: &Store,
        log: &mut Log,
    ) -> Result<Found, RecoveryError> {
        store.forget(id).map_err(|source| RecoveryError::Store {
            folder: self.state.clone(),
            source,
        })?;
        log.restart(id.0, 0)
            .map_err(|error| self.strange(format!("it cannot be written: {error}")))?;
        Ok(Found {
            id,
            name,
            identity: Some(identity),
            applied: 0,
            records: Vec::new(),
            is_void: true,
        })
    }
}

/// Whether a log does not lead to a state that came from elsewhere: it ends before, or has other entries there.
fn is_foreign(records: &[Record], start: Position, installed: Position) -> bool {
    if start.index >= installed.index {
        return false;
    }
    let found = records.iter().find(|(index, _)| *index == installed.index);
    let entry = found.and_then(|record| decode_record(record.clone()).ok());
    entry.is_none_or(|entry| entry.term != installed.term)
}
