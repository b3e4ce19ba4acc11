//! What is done with what hosts keep while they do not run: going on with what one replica has, and beginning from a backup.

use super::backup::{Item, Pairs, Reader, Section, Total};
use super::recovery::opening::Files;
use super::recovery::{LOG_FOLDER, RecoveryError, STATE_FOLDER};
use crate::config::HostName;
use crate::log;
use crate::os::Os;
use crate::replica::group::{self, Group, GroupError};
use crate::replica::identity::{Birth, Identity, Position, next_generation};
use crate::replica::keyspace::ROSTER;
use crate::replica::member::{self, MemberError, RecordError};
use crate::replica::roster::Roster;
use crate::replica::sessions::Bounds;
use crate::replica::wit::{EntryKind, HardState};
use crate::state::{Fold, ReadError, Staging, StoreError, View};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// What the host keeps cannot be used.
    #[error("what host {host} keeps cannot be used")]
    Recovery {
        /// The host.
        host: HostName,
        /// Why.
        #[source]
        source: RecoveryError,
    },
    /// The host has no such replica.
    #[error("host {host} has no replica of {service} that has anything: {what}")]
    Nothing {
        /// The host.
        host: HostName,
        /// The service.
        service: String,
        /// What it has.
        what: &'static str,
    },
    /// The host keeps something already.
    #[error("{} is not empty: move away what host {host} keeps there first (`log` and `state`)", .folder.display())]
    NotEmpty {
        /// The host.
        host: HostName,
        /// Its folder.
        folder: PathBuf,
    },
    /// A state cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A state cannot be understood.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// Its members cannot be understood.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// An entry cannot be understood.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The log takes nothing.
    #[error("the log of host {host} cannot be written: {reason}")]
    Log {
        /// The host.
        host: HostName,
        /// Why.
        reason: String,
    },
    /// The backup.
    #[error(transparent)]
    Backup(#[from] super::backup::BackupError),
}

/// How a replica became the only one of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forced {
    /// The number that it had.
    pub was: u64,
    /// The number that it has now.
    pub id: u64,
    /// The entry up to which it knew that a majority has it.
    pub known: u64,
    /// Its last entry. What is between may be of commands that nobody was answered.
    pub last: u64,
    /// The term of its last entry.
    pub term: u64,
    /// The hosts that had replicas, as far as it knows.
    pub hosts: Vec<HostName>,
}

fn files<'a>(folder: &Path, os: &'a Os) -> Files<'a> {
    Files {
        blocks: &os.blocks,
        log: folder.join(LOG_FOLDER),
        state: folder.join(STATE_FOLDER),
        log_options: log::Options::default(),
    }
}

/// What one host has of a service, and what can be made of it.
pub struct Survivor {
    store: crate::state::Store,
    log: log::Log,
    group: crate::state::GroupId,
    identity: Identity,
    roster: Roster,
    state: Group,
    host: HostName,
    term: u64,
}

impl Survivor {
    /// Looks at what a host has, which must not run.
    ///
    /// # Errors
    /// See [`OfflineError`].
    pub fn open(
        folder: &Path,
        host: &HostName,
        service: &str,
        os: &Os,
    ) -> Result<Self, OfflineError> {
        let opened = files(folder, os).open(&[]);
        let opened = opened.map_err(|source| OfflineError::Recovery {
            host: host.clone(),
            source,
        })?;
        let nothing = |what| OfflineError::Nothing {
            host: host.clone(),
            service: service.to_owned(),
            what,
        };
        let found = opened
            .groups
            .into_iter()
            .find(|group| group.name == service);
        let found = found.ok_or_else(|| nothing("it never had one"))?;
        let identity = found
            .identity
            .ok_or_else(|| nothing("it never took part"))?;
        if identity.birth == Birth::Void {
            return Err(nothing("what it had was given up"));
        }
        let mut view = View::new(opened.store.base(found.id)?);
        let roster = member::roster(&view, &identity)?;
        let mut applied = found.applied;
        if applied == 0 && !identity.first.hosts.is_empty() {
            // Nothing was folded yet, so the state is the one that the group began with.
            applied = 1;
            view.apply([(Bytes::from_static(ROSTER), Some(identity.first.to_bytes()))]);
        }
        if applied == 0 {
            return Err(nothing("it was added, and has not got the state yet"));
        }
        let options = group::Options {
            name: service.to_owned(),
            // Only used by commands, of which there are none.
            sessions: Bounds {
                age_ms: u64::MAX,
                bytes: u64::MAX,
            },
            mutant: None,
        };
        let mut state = Group::recover(options, view, applied)?;
        let mut term = identity.start.term;
        for record in found.records {
            let entry = member::decode_record(record)?;
            term = entry.term;
            if entry.index <= applied {
                continue;
            }
            let data = match entry.kind {
                EntryKind::Normal => entry.data,
                EntryKind::Change => Bytes::new(),
            };
            state.apply(entry.index, &data, &mut Vec::new())?;
        }
        Ok(Self {
            store: opened.store,
            log: opened.log,
            group: found.id,
            identity,
            roster,
            state,
            host: host.clone(),
            term,
        })
    }

    /// The hosts of those that voted, as far as this replica knows.
    #[must_use]
    pub fn voters(&self) -> Vec<HostName> {
        let voters = self.roster.members.voters.iter();
        voters
            .filter_map(|id| self.roster.hosts.get(id).cloned())
            .collect()
    }

    /// Makes it the only member of its group, with all that it has. After a crash amid this it can be done again.
    ///
    /// # Errors
    /// See [`OfflineError`].
    pub fn force(mut self) -> Result<Forced, OfflineError> {
        let (_, _, last) = self.state.committed();
        let was = self.identity.id;
        let id = next_generation(self.roster.next_id.max(was));
        let known = self.identity.hard.commit.min(last);
        let hosts: Vec<HostName> = self.roster.hosts.values().cloned().collect();
        let identity = Identity {
            id,
            birth: Birth::Started,
            hard: HardState {
                term: self.identity.hard.term.max(self.term) + 1,
                vote: 0,
                commit: last,
            },
            installing: None,
            ..self.identity
        };
        let roster = Roster::from_number(id, [&self.host]);
        self.state
            .set(Bytes::from_static(ROSTER), &roster.to_bytes());
        // Under this number it is no member as long as the state does not say so, and then it is the only one.
        let log_error = |reason: String| OfflineError::Log {
            host: self.host.clone(),
            reason,
        };
        self.log
            .set_state(self.group.0, &identity.to_bytes())
            .map_err(|error| log_error(error.to_string()))?;
        self.log
            .sync()
            .map_err(|error| log_error(error.to_string()))?;
        let folds: Vec<Fold> = self
            .state
            .freeze()
            .into_iter()
            .map(|(applied, layer)| Fold {
                group: self.group,
                applied,
                layer,
            })
            .collect();
        self.store.fold(&folds)?;
        Ok(Forced {
            was,
            id,
            known,
            last,
            term: self.term,
            hosts,
        })
    }
}

/// A host that begins from a backup.
pub struct Beginner {
    /// Its name.
    pub host: HostName,
    /// Its folder.
    pub folder: PathBuf,
    /// The services of the backup that it is to have.
    pub services: Vec<String>,
}

impl Beginner {
    /// Whether it keeps nothing yet.
    ///
    /// # Errors
    /// [`OfflineError::NotEmpty`].
    pub fn check(&self, os: &Os) -> Result<(), OfflineError> {
        let are_missing = files(&self.folder, os).are_missing();
        let are_missing = are_missing.map_err(|source| OfflineError::Recovery {
            host: self.host.clone(),
            source,
        })?;
        if are_missing {
            return Ok(());
        }
        Err(OfflineError::NotEmpty {
            host: self.host.clone(),
            folder: self.folder.clone(),
        })
    }
}

/// A host that is being filled.
struct Filling<'a> {
    beginner: &'a Beginner,
    store: crate::state::Store,
    log: log::Log,
}

/// Gives all of them what the backup has, so that they begin as the members of new groups with the same state. Reports each service when it is there.
///
/// # Errors
/// See [`OfflineError`]. What was written has to be removed before it is tried again.
pub fn restore(
    mut backup: Reader,
    beginners: &[Beginner],
    os: &Os,
    told: &mut dyn FnMut(&Section, &Total),
) -> Result<(), OfflineError> {
    let mut hosts = Vec::new();
    for beginner in beginners {
        let services: Vec<&str> = beginner.services.iter().map(String::as_str).collect();
        let opened = files(&beginner.folder, os).open(&services);
        let opened = opened.map_err(|source| OfflineError::Recovery {
            host: beginner.host.clone(),
            source,
        })?;
        hosts.push(Filling {
            beginner,
            store: opened.store,
            log: opened.log,
        });
    }
    loop {
        match backup.item()? {
            Item::Section(section) => {
                let total = restore_service(&mut backup, &section, &mut hosts)?;
                told(&section, &total);
            }
            Item::End => return Ok(()),
            // They are in sections.
            Item::Pairs(_) | Item::Total(_) => {}
        }
    }
}

fn restore_service(
    backup: &mut Reader,
    section: &Section,
    hosts: &mut [Filling<'_>],
) -> Result<Total, OfflineError> {
    let has_it = |host: &&mut Filling<'_>| host.beginner.services.contains(&section.service);
    let mut filled: Vec<_> = hosts.iter_mut().filter(has_it).collect();
    let mut stagings: Vec<Staging> = Vec::new();
    for host in &filled {
        stagings.push(host.store.stage(host.store.register(&section.service)?));
    }
    // The numbers of another generation: a disk that was not there, and comes back, is told from them.
    let members: Vec<HostName> = filled
        .iter()
        .map(|host| host.beginner.host.clone())
        .collect();
    let mut roster = Roster::from_number(next_generation(0), &members);
    let total = loop {
        match backup.item()? {
            Item::Pairs(mut pairs) => {
                let before = pairs.iter().find(|(key, _)| key == ROSTER);
                if let Some((_, before)) = before {
                    let before = Roster::from_bytes(before.clone()).map_err(MemberError::from)?;
                    roster = Roster::from_number(next_generation(before.next_id), &members);
                }
                give_roster(&mut pairs, &roster);
                for staging in &mut stagings {
                    staging.append(&pairs)?;
                }
            }
            Item::Total(total) => break total,
            // Not amid a section: the reader has checked the order.
            Item::Section(_) | Item::End => {}
        }
    };
    for (host, mut staging) in filled.iter_mut().zip(stagings) {
        staging.install(section.index)?;
        let host_name = host.beginner.host.clone();
        let log_error = |reason: String| OfflineError::Log {
            host: host_name.clone(),
            reason,
        };
        let group = host.store.register(&section.service)?;
        let id = roster.id_of(&host_name).expect("it is one of the members");
        let identity = Identity {
            hard: HardState {
                term: section.term.max(1),
                vote: 0,
                commit: section.index,
            },
            start: Position {
                index: section.index,
                term: section.term.max(1),
            },
            ..Identity::first(&section.service, id, roster.clone(), Birth::Started)
        };
        let log = &mut host.log;
        log.restart(group.0, section.index)
            .and_then(|()| log.set_state(group.0, &identity.to_bytes()))
            .map_err(|error| log_error(error.to_string()))?;
        log.sync().map_err(|error| log_error(error.to_string()))?;
    }
    Ok(total)
}

/// Puts who the members are now in the place of who they were.
fn give_roster(pairs: &mut Pairs, roster: &Roster) {
    for (key, value) in pairs {
        if key == ROSTER {
            *value = roster.to_bytes();
        }
    }
}
