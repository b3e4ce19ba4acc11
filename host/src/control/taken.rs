//! What a host has taken up of the cluster's state, in a file of its own: what it runs when it starts, whoever else can be reached then.
//!
//! A new value is on trial until the host has served with it. A host that cannot goes back to what it ran before, so that a file which no host
//! can run stops one host for a moment, and no more. Every change is written before anything follows from it.

use crate::config::{Config, ConfigError, Pinned};
use crate::control::registry::Value;
use crate::depot;
use crate::os::Os;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The file, below the folder of the host.
const FILE: &str = "taken.json";
/// How many processes begin with a value that none of them serves with. A host that is stopped or killed meanwhile is no reason to go back; one
/// that dies of the value does so each time.
const BEGINNINGS_MAX: u32 = 3;

/// Why a host does not know what to run.
#[derive(Debug, thiserror::Error)]
pub enum TakenError {
    /// The disk does not do it.
    #[error("cannot read or write {}, which says what of the cluster's state this host has taken up", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It was changed by something else.
    #[error("{} is not as this program wrote it ({reason}); remove it to start with the cluster file alone", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An older program cannot read what a newer one took up.
    #[error(
        "this version of bookshop-host cannot read revision {revision} of the cluster file, which this host runs; start it with the version that it ran with"
    )]
    Config {
        /// The revision.
        revision: u64,
        /// What is wrong with it.
        #[source]
        source: ConfigError,
    },
}

/// What a host has taken up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// What it runs, or goes back to; none for the file that it is started with.
    pub value: Option<Value>,
    /// What it tries.
    pub trial: Option<Trial>,
    /// The last that it could not run; the next value replaces it.
    pub failed: Option<Failed>,
}

/// A value that the host has not served with yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The value.
    pub value: Value,
    /// How many processes have begun with it.
    pub beginnings: u32,
    /// What was well before it.
    pub before: Before,
}

/// What was well on a host before it tried something: only that can be worse after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Services that did not run.
    pub ailing: Vec<String>,
    /// Services whose replica here knew who leads. A new replica knows it only once the other hosts know of it.
    pub led: Vec<String>,
}

/// A value that the host could not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Its revision.
    pub revision: u64,
    /// Why.
    pub reason: String,
    /// Whether this host puts what was before in force for all: while it serves, it has seen what it tried.
    #[serde(default)]
    pub goes_back: bool,
}

impl Taken {
    /// The revision that the host runs, or tries; 0 for the file that it was started with.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.running().map_or(0, |value| value.revision)
    }

    /// What the host runs, or tries; none for the file that it was started with.
    #[must_use]
    pub fn running(&self) -> Option<&Value> {
        let trial = self.trial.as_ref().map(|trial| &trial.value);
        trial.or(self.value.as_ref())
    }

    /// A process begins, with what [`Taken::running`] says then. Returns whether something changed.
    fn begin(&mut self) -> bool {
        let Some(trial) = &mut self.trial else {
            return false;
        };
        if trial.beginnings < BEGINNINGS_MAX {
            trial.beginnings += 1;
        } else {
            let reason = format!(
                "the host ended before it served with it, {BEGINNINGS_MAX} times one after the other"
            );
            self.fail(reason);
        }
        true
    }

    /// The next process begins with this.
    pub fn try_out(&mut self, value: Value, before: Before) {
        self.failed = None;
        self.trial = Some(Trial {
            value,
            beginnings: 0,
            before,
        });
    }

    /// The host runs this, and goes on to. The value on trial is no more.
    pub fn settle(&mut self, value: Value) {
        *self = Self {
            value: Some(value),
            trial: None,
            failed: None,
        };
    }

    /// What is on trial cannot be run; the next process begins with what was before.
    pub fn fail(&mut self, reason: String) {
        if let Some(trial) = self.trial.take() {
            self.failed = Some(Failed {
                revision: trial.value.revision,
                reason,
                goes_back: false,
            });
        }
    }
}

/// What a host has taken up, and where it is written.
pub struct TakenFile {
    path: PathBuf,
    os: Os,
    /// What is in it.
    pub taken: Taken,
}

impl TakenFile {
    /// Reads what the host with this folder has taken up; nothing if there is no file.
    ///
    /// # Errors
    /// [`TakenError::Disk`], [`TakenError::Damaged`].
    pub fn read(host_folder: &Path, os: &Os) -> Result<Self, TakenError> {
        let path = host_folder.join(FILE);
        let taken = match os.disk.read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| TakenError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Taken::default(),
            Err(source) => return Err(TakenError::Disk { path, source }),
        };
        Ok(Self {
            path,
            os: os.clone(),
            taken,
        })
    }

    /// The same, for the process that runs the host from now on.
    ///
    /// # Errors
    /// See [`TakenError`].
    pub fn begin(host_folder: &Path, os: &Os) -> Result<Self, TakenError> {
        let mut file = Self::read(host_folder, os)?;
        if file.taken.begin() {
            file.write()?;
        }
        Ok(file)
    }

    /// Makes [`TakenFile::taken`] last.
    ///
    /// # Errors
    /// [`TakenError::Disk`]: what was in the file before is still there.
    pub fn write(&self) -> Result<(), TakenError> {
        let bytes = serde_json::to_vec(&self.taken).expect("it is made of texts and numbers");
        let written = self.os.disk.write_atomic(&self.path, &bytes);
        written.map_err(|source| TakenError::Disk {
            path: self.path.clone(),
            source,
        })
    }
}

/// Ends the trial of the host with this folder, if it has one, since it cannot start; returns whether it had one, and may be started again.
///
/// # Errors
/// [`TakenError::Disk`], [`TakenError::Damaged`].
pub fn give_up_trial(host_folder: &Path, reason: &str, os: &Os) -> Result<bool, TakenError> {
    let mut file = TakenFile::read(host_folder, os)?;
    if file.taken.trial.is_none() {
        return Ok(false);
    }
    file.taken.fail(reason.to_owned());
    file.write()?;
    Ok(true)
}

/// The configuration of the host called `host`, which was started with `file`: that of the value it has taken up, or else the file itself.
///
/// # Errors
/// [`TakenError::Config`].
pub fn effective(file: &Config, host: &str, taken: &Taken) -> Result<Config, TakenError> {
    let Some(value) = taken.running() else {
        return Ok(file.clone());
    };
    // Read as if it were in the file, so that relative paths mean the same.
    let config = Config::parse(&file.path, &value.config);
    let mut config = config.map_err(|source| TakenError::Config {
        revision: value.revision,
        source,
    })?;
    config.keep_in(&file.cluster.data);
    let folder = file.cluster.data.join(host);
    for component in &value.components {
        let pinned = Pinned {
            digest: component.digest.clone(),
            path: depot::path(&folder, &component.digest),
        };
        config.pin(&component.service, pinned);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(revision: u64) -> Value {
        Value {
            revision,
            config: String::new(),
            components: Vec::new(),
            applied_by: "ann".into(),
            applied_at_ms: 0,
        }
    }

    /// Begins processes until the host has settled or its value stays the same; what each began with.
    fn begun(taken: &mut Taken, processes: usize) -> Vec<u64> {
        let begin = |_| {
            taken.begin();
            taken.revision()
        };
        (0..processes).map(begin).collect()
    }

    #[test]
    fn what_was_settled_stays() {
        let mut taken = Taken::default();
        assert_eq!(begun(&mut taken, 2), [0, 0]);
        taken.settle(value(1));
        assert_eq!(begun(&mut taken, 2), [1, 1]);
    }

    #[test]
    fn a_trial_that_no_process_survives_ends() {
        let mut taken = Taken::default();
        taken.settle(value(1));
        taken.try_out(value(2), Before::default());
        assert_eq!(begun(&mut taken, 5), [2, 2, 2, 1, 1]);
        let failed = taken.failed.expect("it says so");
        assert_eq!(failed.revision, 2);
    }

    #[test]
    fn a_trial_that_is_served_with_is_settled() {
        let mut taken = Taken::default();
        taken.settle(value(1));
        taken.try_out(value(2), Before::default());
        assert_eq!(begun(&mut taken, 1), [2]);
        taken.settle(value(2));
        assert_eq!(begun(&mut taken, 2), [2, 2]);
        assert_eq!(taken.failed, None);
    }

    #[test]
    fn a_trial_that_fails_ends_at_once_and_the_next_may_be_tried() {
        let mut taken = Taken::default();
        taken.try_out(value(2), Before::default());
        assert_eq!(begun(&mut taken, 1), [2]);
        taken.fail("no such import".into());
        assert_eq!(begun(&mut taken, 2), [0, 0]);
        assert_eq!(taken.failed.as_ref().map(|it| it.revision), Some(2));
        taken.try_out(value(3), Before::default());
        assert_eq!(taken.failed, None);
        assert_eq!(begun(&mut taken, 1), [3]);
    }
}
