//! What a host that does not run keeps: its state store and its log, brought together as at a start, and what is wrong with them.

use crate::cli::failure::Failure;
use crate::config::HostName;
use crate::groups::recovery::{LOG_FOLDER, STATE_FOLDER};
use crate::log::{self, Dumped, Stored};
use crate::os::Os;
use crate::os::disk::FolderLock;
use crate::replica::group::{self, Group};
use crate::replica::member;
use crate::replica::sessions::Bounds;
use crate::replica::wit::EntryKind;
use crate::state::{self, OpenError, Store, View};
use crate::supervisor::chain;
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of a host. While this is there, the host cannot start.
pub struct Folder {
    path: PathBuf,
    os: Os,
    _lock: FolderLock,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file or folder.
    pub file: PathBuf,
    /// Where in the file, in bytes, if that is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What was found in a folder.
pub struct Found {
    /// The log; none if it cannot be read at all.
    pub log: Option<log::Report>,
    /// The length of the state store's file in bytes; none if it cannot be read at all.
    pub state_bytes: Option<u64>,
    /// What services keep, by name.
    pub services: Vec<Service>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// What a service keeps.
pub struct Service {
    /// Its name.
    pub name: String,
    /// The last entry that is in the state store.
    pub checkpoint: u64,
    /// The entries after that, in order.
    pub entries: Vec<(u64, Bytes)>,
    /// The state with all entries applied.
    pub group: Group,
}

/// What the log has of each group, by number.
type Entries = BTreeMap<u32, Vec<(u64, Bytes)>>;

impl Problem {
    /// In the words in which a host refuses to start.
    pub fn text(&self) -> String {
        let file = self.file.display();
        match self.offset {
            Some(offset) => format!("{file} at byte {offset}: {}", self.what),
            None => format!("{file}: {}", self.what),
        }
    }
}

impl Folder {
    /// Locks the folder at `path` of `host`; none if nothing is kept there.
    pub fn lock(path: &Path, host: &HostName, os: &Os) -> Result<Option<Self>, Failure> {
        let keeps = |folder: &str| os.disk.list(&path.join(folder)).is_ok();
        if !keeps(LOG_FOLDER) && !keeps(STATE_FOLDER) {
            return Ok(None);
        }
        let lock = os.disk.lock(path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Failure::failed(format!(
                "host {host} runs: its data folder {} is in use; stop it first (`bookshop-host stop-host {host}`)",
                path.display()
            )),
            _ => Failure::failed(format!("cannot lock {}: {error}", path.display())),
        })?;
        Ok(Some(Self {
            path: path.to_path_buf(),
            os: os.clone(),
            _lock: lock,
        }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads everything. `also_old` entries are those that the state store has too.
    ///
    /// # Errors
    /// The disk failed, or a newer program wrote this.
    pub fn read(&self, also_old: bool) -> Result<Found, Failure> {
        let state_folder = self.path.join(STATE_FOLDER);
        let mut found = Found {
            log: None,
            state_bytes: None,
            services: Vec::new(),
            problems: Vec::new(),
        };
        let store = self.state(&state_folder, &mut found)?;
        let known = store.as_ref().map(Store::groups).unwrap_or_default();
        let keep_from: BTreeMap<u32, u64> = known
            .iter()
            .map(|group| (group.id.0, if also_old { 0 } else { group.applied }))
            .collect();
        let mut entries = self.log(&keep_from, &mut found)?;
        if found.log.is_some() && store.is_some() {
            self.compare(&known, &mut found);
        }
        let Some(store) = store else {
            return Ok(found);
        };
        for group in known {
            let entries = entries.remove(&group.id.0).unwrap_or_default();
            match recover(&store, &group, entries) {
                Ok(service) => found.services.push(service),
                Err(what) => found.problems.push(Problem {
                    file: self.path.clone(),
                    offset: None,
                    what: format!("service {}: {what}", group.name),
                }),
            }
        }
        found.services.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Checks the state store and opens it, if it can be.
    fn state(&self, folder: &Path, found: &mut Found) -> Result<Option<Store>, Failure> {
        let disk = self.os.blocks.as_ref();
        let checked = state::check(disk, folder).and_then(|report| {
            let store = Store::open_to_look(disk, folder)?;
            Ok((report, store))
        });
        match checked {
            Ok((report, store)) => {
                found.state_bytes = Some(report.file_bytes);
                let problem = |what| Problem {
                    file: folder.to_path_buf(),
                    offset: None,
                    what,
                };
                found
                    .problems
                    .extend(report.problems.into_iter().map(problem));
                Ok(Some(store))
            }
            Err(OpenError::Damaged { path, what }) => {
                found.problems.push(Problem {
                    file: path,
                    offset: None,
                    what,
                });
                Ok(None)
            }
            Err(OpenError::Io { path, source }) if source.kind() == io::ErrorKind::NotFound => {
                found.problems.push(Problem {
                    file: path,
                    offset: None,
                    what: "the state store is missing".into(),
                });
                Ok(None)
            }
            Err(error) => Err(Failure::operation(&error)),
        }
    }

    /// Checks the log and reads its entries after those indexes.
    fn log(&self, keep_from: &BTreeMap<u32, u64>, found: &mut Found) -> Result<Entries, Failure> {
        let (disk, folder) = (&self.os.blocks, self.path.join(LOG_FOLDER));
        let failed = |error: log::OpenError| Failure::operation(&error);
        let report = log::check(disk, &folder).map_err(failed)?;
        for problem in &report.problems {
            found.problems.push(Problem {
                file: problem.file.clone(),
                offset: Some(problem.offset),
                what: problem.what.clone(),
            });
        }
        found.log = Some(report);
        let mut entries = Entries::new();
        log::dump(disk, &folder, &mut |dumped| {
            if let Dumped::Record(record) = dumped {
                take(record, keep_from, &mut entries);
            }
        })
        .map_err(failed)?;
        Ok(entries)
    }

    /// Whether log and state store belong together.
    fn compare(&self, known: &[state::Group], found: &mut Found) {
        let Some(report) = &found.log else {
            return;
        };
        let folder = self.path.join(LOG_FOLDER);
        let mut problem = |what| {
            found.problems.push(Problem {
                file: folder.clone(),
                offset: None,
                what,
            });
        };
        for state::Group {
            id, name, applied, ..
        } in known
        {
            let of_group = report.groups.iter().find(|group| group.group == id.0);
            let last = of_group.map_or(0, |group| group.last);
            let first = of_group.and_then(|group| group.first).unwrap_or(last + 1);
            if last < *applied {
                problem(format!(
                    "the log of service {name} ends at entry {last}, and the state store has {applied}: entries that were acknowledged may be missing"
                ));
            } else if first > (*applied).max(1) + 1 {
                problem(format!(
                    "the log of service {name} begins at entry {first}, and the state store ends at {applied}: those between are missing"
                ));
            }
        }
        for group in &report.groups {
            if group.last > 0 && known.iter().all(|known| known.id.0 != group.group) {
                problem(format!(
                    "the log has entries of group {}, which the state store does not know: the two do not belong together",
                    group.group
                ));
            }
        }
    }
}

/// Keeps an entry that counts.
fn take(record: Stored<'_>, keep_from: &BTreeMap<u32, u64>, entries: &mut Entries) {
    match record {
        Stored::Entry {
            group,
            index,
            payload,
        } => {
            let kept = entries.entry(group).or_default();
            // It takes the place of all entries from its index on.
            while kept.last().is_some_and(|(last, _)| *last >= index) {
                kept.pop();
            }
            if keep_from.get(&group).is_some_and(|from| index > *from) {
                kept.push((index, Bytes::copy_from_slice(payload)));
            }
        }
        Stored::Restarted { group, .. } => {
            entries.remove(&group);
        }
        Stored::State { .. } | Stored::Compacted { .. } | Stored::Positions { .. } => {}
    }
}

/// Applies the entries to the state in memory, as a start does.
fn recover(
    store: &Store,
    group: &state::Group,
    entries: Vec<(u64, Bytes)>,
) -> Result<Service, String> {
    let base = store.base(group.id).map_err(|error| chain(&error))?;
    let options = group::Options {
        name: group.name.clone(),
        // Only used by commands, of which there are none.
        sessions: Bounds {
            age_ms: u64::MAX,
            bytes: u64::MAX,
        },
        mutant: None,
    };
    // A group begins at entry 1, which is not in the log.
    let first = entries
        .first()
        .map_or(group.applied, |(index, _)| index - 1);
    let from = group.applied.max(first);
    let failed = |error: &dyn std::error::Error| chain(error);
    let mut recovered =
        Group::recover(options, View::new(base), from).map_err(|error| failed(&error))?;
    for record in &entries {
        let entry = member::decode_record(record.clone()).map_err(|error| failed(&error))?;
        let data = match entry.kind {
            EntryKind::Normal => entry.data,
            EntryKind::Change => Bytes::new(),
        };
        recovered
            .apply(entry.index, &data, &mut Vec::new())
            .map_err(|error| failed(&error))?;
    }
    Ok(Service {
        name: group.name.clone(),
        checkpoint: group.applied,
        entries,
        group: recovered,
    })
}
