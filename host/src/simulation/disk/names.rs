//! The names of a simulated disk: which are there, and which a crash would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::simulation::random::Random;

/// A file, whatever its name.
pub(super) type FileId = u64;

/// A change of names that no sync of its folder has made durable yet.
enum Change {
    Create {
        path: PathBuf,
        id: FileId,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        id: FileId,
    },
    Remove {
        path: PathBuf,
    },
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Create { path, .. } | Self::Remove { path } => path,
            Self::Rename { from, .. } => from,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, FileId>) {
        match self {
            Self::Create { path, id } => {
                names.insert(path.clone(), *id);
            }
            Self::Rename { from, to, id } => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }
}

/// All names.
#[derive(Default)]
pub(super) struct Names {
    visible: BTreeMap<PathBuf, FileId>,
    durable: BTreeMap<PathBuf, FileId>,
    changes: Vec<Change>,
    folders: BTreeSet<PathBuf>,
}

impl Names {
    pub(super) fn find(&self, path: &Path) -> Option<FileId> {
        self.visible.get(path).copied()
    }

    pub(super) fn has_folder(&self, folder: &Path) -> bool {
        folder.as_os_str().is_empty() || self.folders.contains(folder)
    }

    /// Folders are durable at once, as [`BlockDisk::create_folder`](crate::os::BlockDisk::create_folder) promises.
    pub(super) fn create_folder(&mut self, folder: &Path) {
        for folder in folder.ancestors() {
            self.folders.insert(folder.to_path_buf());
        }
    }

    pub(super) fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let inside = self.visible.keys();
        inside
            .filter(|path| path.parent() == Some(folder))
            .cloned()
            .collect()
    }

    pub(super) fn create(&mut self, path: &Path, id: FileId) {
        self.change(Change::Create {
            path: path.to_path_buf(),
            id,
        });
    }

    /// The file that had the name `to` before.
    pub(super) fn rename(&mut self, from: &Path, to: &Path, id: FileId) -> Option<FileId> {
        let replaced = self.find(to).filter(|replaced| *replaced != id);
        self.change(Change::Rename {
            from: from.to_path_buf(),
            to: to.to_path_buf(),
            id,
        });
        replaced
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove {
            path: path.to_path_buf(),
        });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.changes.push(change);
    }

    pub(super) fn sync(&mut self, folder: &Path) {
        let durable = &mut self.durable;
        self.changes.retain(|change| {
            let here = change.path().parent() == Some(folder);
            if here {
                change.apply(durable);
            }
            !here
        });
    }

    /// Each change survives or not, but none without the earlier ones that concern the same names.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let mut lost = BTreeSet::new();
        for change in self.changes.drain(..) {
            let other = match &change {
                Change::Rename { to, .. } => to,
                Change::Create { path, .. } | Change::Remove { path } => path,
            };
            if lost.contains(change.path()) || lost.contains(other) || random.chance(500) {
                lost.insert(change.path().to_path_buf());
                lost.insert(other.clone());
            } else {
                change.apply(&mut self.durable);
            }
        }
        self.visible.clone_from(&self.durable);
    }

    /// Whether a file has a name, or may get one back by a crash.
    pub(super) fn is_named(&self, id: FileId) -> bool {
        self.visible.values().any(|named| *named == id)
            || self.durable.values().any(|named| *named == id)
    }

    /// The files that have names, in the order of these.
    pub(super) fn files(&self) -> impl Iterator<Item = (&PathBuf, FileId)> {
        self.visible.iter().map(|(path, id)| (path, *id))
    }
}
