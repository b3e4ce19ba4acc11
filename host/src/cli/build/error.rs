//! Why nothing can be built, and with which exit code that ends.

use crate::cli::failure::Failure;
use crate::control::code::CodeError;
use std::io;
use std::path::PathBuf;

/// Why nothing can be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration has no such service.
    #[error("no service {name} in the configuration; it has {known}")]
    UnknownService {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is nothing that cargo could build.
    #[error("cannot build: there is no Cargo.toml in {}, the folder above that of the cluster file", .folder.display())]
    NoWorkspace {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// There is no compiler.
    #[error("cannot run rustc; install Rust from https://rustup.rs")]
    Rustc {
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The compiler cannot compile to WebAssembly.
    #[error(
        "the Rust target {target} is missing and could not be added ({reason}); run `rustup target add {target}` in the folder of the workspace"
    )]
    Target {
        /// The target.
        target: &'static str,
        /// Why not.
        reason: String,
    },
    /// Cargo cannot be run.
    #[error("cannot run cargo")]
    Cargo {
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The engine does not run here.
    #[error("cannot start the engine: {0}")]
    Engine(String),
    /// What is part of this program cannot be put where hosts load it from.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Components that a cluster is to run cannot be built.
    #[error("cannot build {0}; cargo says why above")]
    Components(String),
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::UnknownService { .. } | BuildError::NoWorkspace { .. } => {
                Self::usage(error.to_string())
            }
            BuildError::Rustc { .. }
            | BuildError::Target { .. }
            | BuildError::Cargo { .. }
            | BuildError::Engine(_)
            | BuildError::Code(_)
            | BuildError::Components(_) => Self::operation(&error),
        }
    }
}
