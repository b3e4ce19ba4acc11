//! `bookshop-host wit`: work on WIT packages. What the sync view is, is decided in [`wit_sync`](super::wit_sync); here are the files.

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::wit_sync::{self, Change};
use crate::os::{Disk, Os};
use clap::Subcommand;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the packages without `async` to wit/sync, for toolchains that do not know it
    #[command(after_help = "Examples:\n  bookshop-host wit sync\n  bookshop-host wit sync --check")]
    Sync {
        /// The folder with the packages
        #[arg(long, value_name = "DIR", default_value = "wit")]
        root: PathBuf,
        /// Change nothing; fail if something would have to be changed
        #[arg(long)]
        check: bool,
    },
}

/// Packages are folders in the WIT folder, with their dependencies in one folder below; more depth is no WIT folder.
const DEPTH_MAX: usize = 8;

/// Carries out the command.
///
/// # Errors
/// A file cannot be read or written, or with `--check` the view is not up to date.
pub fn run(command: &Command, os: &Os) -> Result<(), Failure> {
    let Command::Sync { root, check } = command;
    let disk = os.disk.as_ref();
    let files = read(disk, root).map_err(|error| {
        Failure::usage(format!(
            "cannot read the WIT packages in {}: {error}; name their folder with --root",
            root.display()
        ))
    })?;
    let changes = wit_sync::plan(
        files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    for change in &changes {
        let (verb, path) = match change {
            Change::Write { path, .. } => ("write", path),
            Change::Remove { path } => ("remove", path),
        };
        let file = root.join(path);
        if !check {
            match change {
                Change::Write { text, .. } => disk.write_atomic(&file, text.as_bytes()),
                Change::Remove { .. } => disk.remove(&file),
            }
            .map_err(|error| {
                Failure::failed(format!("cannot {verb} {}: {error}", file.display()))
            })?;
        }
        output::line(&format!("{verb} {}", file.display()))?;
    }
    match (changes.is_empty(), check) {
        (true, _) => Ok(output::line("the sync view is up to date")?),
        (false, true) => Err(Failure::failed(
            "the sync view is not up to date; run `bookshop-host wit sync`",
        )),
        (false, false) => Ok(()),
    }
}

/// All WIT files below `root`: paths relative to it with `/`, and texts.
fn read(disk: &dyn Disk, root: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut entries: Vec<(PathBuf, usize)> =
        disk.list(root)?.into_iter().map(|path| (path, 1)).collect();
    while let Some((path, depth)) = entries.pop() {
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = String::from_utf8(disk.read(&path)?)
                .map_err(|_| io::Error::other(format!("{} is not UTF-8 text", path.display())))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            files.push((
                relative
                    .components()
                    .map(|part| part.as_os_str().to_string_lossy())
                    .collect::<Vec<_>>()
                    .join("/"),
                text,
            ));
            continue;
        }
        match disk.list(&path) {
            Ok(below) if depth < DEPTH_MAX => {
                entries.extend(below.into_iter().map(|path| (path, depth + 1)))
            }
            Ok(_) => {}
            // Notes and licences lie among the packages.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}
