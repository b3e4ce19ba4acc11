//! Puts the component of the service `control` where hosts load components from: into a file, as any other.

use crate::config::Config;
use crate::config::builtin::COMPONENT;
use crate::os::Os;
use std::io;
use std::path::{Path, PathBuf};

/// The component cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}, which is part of this program", .path.display())]
pub struct CodeError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub source: io::Error,
}

/// Writes the component unless it is there, if the cluster keeps its own state at all. Hosts that start together may all do so.
///
/// # Errors
/// It is neither there nor can it be written.
pub fn write(config: &Config, os: &Os) -> Result<(), CodeError> {
    let builtin = config.services.iter().find(|it| config.is_builtin(it));
    let Some(control) = builtin else {
        return Ok(());
    };
    // Not made by cargo, so its target folder is of no interest.
    let path = control.wasm_path(Path::new(""));
    // Compared as a whole: its name says what it should be, and a damaged one would keep the host from ever running it.
    if os.disk.read(&path).is_ok_and(|bytes| bytes == COMPONENT) {
        return Ok(());
    }
    let written = os.disk.write_atomic(&path, COMPONENT);
    written.map_err(|source| CodeError { path, source })
}
