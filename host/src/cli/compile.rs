//! `bookshop-host compile-component`: what a host runs as a child process, so that a runaway compiler takes down nobody.

use crate::cli::failure::Failure;
use crate::compile;
use crate::os::Os;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The component
    pub wasm: PathBuf,
    /// Its SHA-256 in hexadecimal
    pub digest: String,
    /// Where the compiled code goes
    pub output: PathBuf,
}

/// Compiles one component in this process.
///
/// # Errors
/// The component is not valid, or the output cannot be written.
pub fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    compile::compile_component(
        os.disk.as_ref(),
        &arguments.wasm,
        &arguments.digest,
        &arguments.output,
    )
    .map_err(|error| Failure::operation(&error))
}
