//! Where the build leaves what is measured, and where measurements may write.

use crate::Outcome;
use std::path::PathBuf;

/// The repository.
#[must_use]
pub fn repository() -> PathBuf {
    let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crate_folder
        .ancestors()
        .nth(2)
        .expect("tests/bench is two folders deep")
        .to_path_buf()
}

/// The target folder: this program runs from its `release`, or from `release/deps`.
///
/// # Errors
/// This program was built in another profile, so its numbers would say nothing.
pub fn target() -> Outcome<PathBuf> {
    let program = std::env::current_exe()?;
    let release = program
        .ancestors()
        .find(|folder| folder.ends_with("release"));
    let target = release.and_then(std::path::Path::parent).map(PathBuf::from);
    Ok(target.ok_or("measurements need the release profile: cargo run --release -p bench")?)
}

/// The host, unless `--program` names another.
///
/// # Errors
/// It is not built.
pub fn program() -> Outcome<PathBuf> {
    existing(
        target()?.join("release/bookshop-host"),
        "cargo build --release -p bookshop-host",
    )
}

/// A component by the name of its crate.
///
/// # Errors
/// It is not built.
pub fn guest(name: &str) -> Outcome<PathBuf> {
    let file = format!("{}.wasm", name.replace('-', "_"));
    existing(
        target()?.join("wasm32-wasip2/component").join(file),
        "cargo xtask build-guests",
    )
}

/// What is sent.
#[must_use]
pub fn load(file: &str) -> PathBuf {
    repository().join("tests/bench/load").join(file)
}

/// The data root of measured hosts. It is kept, so that compiled code is there the next time.
///
/// # Errors
/// See [`target`].
pub fn data() -> Outcome<PathBuf> {
    Ok(target()?.join("bench-data"))
}

/// The certificates of measured hosts. They name their cluster, so each has its own.
///
/// # Errors
/// See [`target`].
pub fn certificates(cluster: &str) -> Outcome<PathBuf> {
    Ok(data()?.join(format!("certificates-{cluster}")))
}

fn existing(path: PathBuf, command: &str) -> Outcome<PathBuf> {
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{} is missing: run `{command}`", path.display()).into())
    }
}
