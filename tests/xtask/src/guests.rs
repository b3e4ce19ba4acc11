//! Builds everything that runs inside the host: `components/*` and `tests/fixtures/*`.

use crate::command::{cargo, output, program, succeeds};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::path::Path;

/// What guests are compiled to.
const TARGET: &str = "wasm32-wasip2";

/// Builds every guest; whether all of them compiled.
///
/// # Errors
/// The target is missing and cannot be added; cargo cannot be run.
pub fn build(root: &Path) -> Result<bool> {
    ensure_target(root)?;
    for guest in Workspace::read(root)?.guests() {
        // One at a time: what is built together shares the features of its dependencies, so the bytes of a component,
        // and with them its digest, would depend on what else is built.
        let arguments = [
            "build",
            "--target",
            TARGET,
            "--profile",
            "component",
            "--package",
            guest,
        ];
        if !succeeds(cargo(root, &arguments))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds the WebAssembly target to the toolchain if it is not there.
///
/// # Errors
/// It is missing and rustup is not there or fails.
pub fn ensure_target(root: &Path) -> Result<()> {
    let folder = output(program(
        root,
        "rustc",
        &["--print", "target-libdir", "--target", TARGET],
    ));
    if folder.is_some_and(|folder| Path::new(folder.trim()).is_dir()) {
        return Ok(());
    }
    match succeeds(program(root, "rustup", &["target", "add", TARGET])) {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the target {TARGET} is missing; run `rustup target add {TARGET}`"),
        Err(error) => Err(error.context(format!(
            "the target {TARGET} is missing and rustup cannot add it; install it by hand"
        ))),
    }
}
