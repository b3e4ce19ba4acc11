//! Decides whether a component has to be built again, by the times of its files alone: no cargo, a few thousandths of a second.

use crate::os::Disk;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Why a component has to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is not there.
    Missing,
    /// Cargo's record of what it was made from is not there.
    NoRecord,
    /// Something it was made from is gone.
    Removed(PathBuf),
    /// Something it was made from is newer.
    Changed(PathBuf),
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The workspace is often the current folder.
        let short = |path: &PathBuf| path.strip_prefix(".").unwrap_or(path).display().to_string();
        match self {
            Self::Missing => formatter.write_str("missing"),
            Self::NoRecord => formatter.write_str("cargo's record of it is missing"),
            Self::Removed(path) => write!(formatter, "{} is gone", short(path)),
            Self::Changed(path) => write!(formatter, "{} changed", short(path)),
        }
    }
}

/// Something a component is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Input {
    path: PathBuf,
    modified: Option<SystemTime>,
    /// Whether there has to be such a file.
    is_required: bool,
}

/// Files of a workspace that can change what any of its packages becomes.
const WORKSPACE_FILES: [&str; 4] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
];
/// The same for one package.
const PACKAGE_FILES: [&str; 2] = ["Cargo.toml", "build.rs"];

/// Why the component in `wasm`, which cargo builds in `workspace`, has to be built; `None` if it is up to date.
pub fn reason(disk: &dyn Disk, wasm: &Path, workspace: &Path) -> Option<Reason> {
    let Ok(made) = disk.modified(wasm) else {
        return Some(Reason::Missing);
    };
    match inputs(disk, wasm, workspace) {
        Some(inputs) => decide(made, inputs),
        None => Some(Reason::NoRecord),
    }
}

/// When what the component in `wasm` is made from was last changed; `None` if nobody knows.
pub fn newest_input(disk: &dyn Disk, wasm: &Path, workspace: &Path) -> Option<SystemTime> {
    let inputs = inputs(disk, wasm, workspace)?;
    inputs.into_iter().filter_map(|input| input.modified).max()
}

/// All that a component is made from; `None` without cargo's record of it.
fn inputs(disk: &dyn Disk, wasm: &Path, workspace: &Path) -> Option<Vec<Input>> {
    // Cargo writes it beside every artifact: all files it was made from.
    let record = disk.read(&wasm.with_extension("d")).ok()?;
    let sources: Vec<PathBuf> = record_sources(&String::from_utf8_lossy(&record))
        .into_iter()
        .map(|path| workspace.join(path))
        .collect();
    let optional = WORKSPACE_FILES
        .iter()
        .map(|name| workspace.join(name))
        .chain(package_files(disk, &sources));
    let input = |path: PathBuf, is_required| Input {
        modified: disk.modified(&path).ok(),
        path,
        is_required,
    };
    let optional: Vec<Input> = optional.map(|path| input(path, false)).collect();
    let required = sources.into_iter().map(|path| input(path, true));
    Some(required.chain(optional).collect())
}

/// The decision itself. A file as old as the component was there when it was made.
fn decide(made: SystemTime, inputs: impl IntoIterator<Item = Input>) -> Option<Reason> {
    inputs.into_iter().find_map(|input| match input.modified {
        Some(modified) if modified > made => Some(Reason::Changed(input.path)),
        None if input.is_required => Some(Reason::Removed(input.path)),
        Some(_) | None => None,
    })
}

/// The files after the colon of a line `output: file file`, in which a space of a name is written `\ `.
fn record_sources(record: &str) -> Vec<PathBuf> {
    let Some((_, sources)) = record.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let mut paths = vec![String::new()];
    let mut characters = sources.chars().peekable();
    while let Some(character) = characters.next() {
        let last = paths.last_mut().expect("there is one from the start");
        match character {
            '\\' if characters.next_if_eq(&' ').is_some() => last.push(' '),
            ' ' => paths.push(String::new()),
            other => last.push(other),
        }
    }
    paths
        .into_iter()
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect()
}

/// Manifests and build scripts of the packages that the sources belong to: cargo's record does not have them.
fn package_files(disk: &dyn Disk, sources: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for source in sources {
        for folder in source.ancestors().skip(1) {
            if !seen.insert(folder) {
                break;
            }
            if disk.modified(&folder.join("Cargo.toml")).is_ok() {
                files.extend(PACKAGE_FILES.iter().map(|name| folder.join(name)));
                break;
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::disk::RealDisk;
    use expect_test::{Expect, expect};
    use std::time::{Duration, UNIX_EPOCH};

    /// `made` and the inputs are seconds; `-` is a file that is not there, `?` after a name one that need not be.
    #[track_caller]
    fn check(made: u64, inputs: &str, expected: Expect) {
        let moment = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
        let inputs = inputs.split_whitespace().map(|input| {
            let (name, time) = input.split_once('=').expect("NAME=TIME");
            Input {
                path: name.trim_end_matches('?').into(),
                modified: time.parse().ok().map(moment),
                is_required: !name.ends_with('?'),
            }
        });
        let reason = decide(moment(made), inputs);
        expected.assert_eq(&reason.map_or("up to date".to_owned(), |reason| reason.to_string()));
    }

    #[test]
    fn a_component_is_stale_if_anything_it_was_made_from_changed_since() {
        check(
            10,
            "lib.rs=9 order.wit=10 Cargo.toml?=3",
            expect!["up to date"],
        );
        check(10, "lib.rs=9 order.wit=11", expect!["order.wit changed"]);
        check(10, "lib.rs=9 Cargo.lock?=11", expect!["Cargo.lock changed"]);
        check(10, "lib.rs=9 card.rs=-", expect!["card.rs is gone"]);
        check(10, "lib.rs=9 build.rs?=-", expect!["up to date"]);
        check(10, "", expect!["up to date"]);
    }

    #[test]
    fn the_record_lists_files_with_spaces() {
        let sources =
            record_sources("/t/a.wasm: /w/src/lib.rs /w/my\\ books/a.wit\n\n/w/src/lib.rs:\n");
        assert_eq!(
            sources,
            [
                PathBuf::from("/w/src/lib.rs"),
                PathBuf::from("/w/my books/a.wit")
            ]
        );
        assert_eq!(record_sources("/t/a.wasm:\n"), Vec::<PathBuf>::new());
        assert_eq!(record_sources(""), Vec::<PathBuf>::new());
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "a test of real files makes a folder for them and removes it"
    )]
    fn files_of_a_real_folder_are_found_and_compared() {
        let folder = std::env::temp_dir().join(format!("bookshop-stale-{}", std::process::id()));
        let (wasm, source, manifest) = (
            folder.join("t/a.wasm"),
            folder.join("a/src/lib.rs"),
            folder.join("a/Cargo.toml"),
        );
        let at = |path: &Path, seconds: u64| {
            RealDisk.write_atomic(path, b"x").expect("written");
            RealDisk
                .set_modified(path, UNIX_EPOCH + Duration::from_secs(seconds))
                .expect("dated");
        };
        assert_eq!(reason(&RealDisk, &wasm, &folder), Some(Reason::Missing));
        at(&wasm, 10);
        assert_eq!(reason(&RealDisk, &wasm, &folder), Some(Reason::NoRecord));
        RealDisk
            .write_atomic(
                &wasm.with_extension("d"),
                format!("{}: {}\n", wasm.display(), source.display()).as_bytes(),
            )
            .expect("written");
        assert_eq!(
            reason(&RealDisk, &wasm, &folder),
            Some(Reason::Removed(source.clone()))
        );
        at(&source, 9);
        at(&manifest, 9);
        assert_eq!(reason(&RealDisk, &wasm, &folder), None);
        at(&manifest, 11);
        assert_eq!(
            reason(&RealDisk, &wasm, &folder),
            Some(Reason::Changed(manifest))
        );
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
