//! Builds everything that runs inside the host: `components/*`, `tests/fixtures/*` and `tests/python/*`.

use crate::command::{cargo, output, program, succeeds};
use crate::python_guests;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::path::Path;

/// What guests are compiled to.
const TARGET: &str = "wasm32-wasip2";
/// That of the consensus engine, which is built as part of the host.
const ENGINE_TARGET: &str = "wasm32-unknown-unknown";

/// How they are compiled.
const PROFILE: &str = "component";

/// Builds every guest; whether all of them compiled.
///
/// # Errors
/// The target is missing and cannot be added; cargo cannot be run; Python 3 is missing.
pub fn build(root: &Path) -> Result<bool> {
    ensure_targets(root)?;
    let workspace = Workspace::read(root)?;
    for guest in workspace.guests() {
        if !build_one(root, guest)? {
            return Ok(false);
        }
    }
    let target = std::path::absolute(workspace.target())?;
    python_guests::build(root, &target, &target.join(TARGET).join(PROFILE))
}

/// Builds one guest in Rust; whether it compiled.
///
/// # Errors
/// Cargo cannot be run.
pub fn build_one(root: &Path, guest: &str) -> Result<bool> {
    // One at a time: what is built together shares the features of its dependencies, so the bytes of a component,
    // and with them its digest, would depend on what else is built.
    let arguments = [
        "build",
        "--target",
        TARGET,
        "--profile",
        PROFILE,
        "--package",
        guest,
    ];
    succeeds(cargo(root, &arguments))
}

/// Adds the WebAssembly targets to the toolchain if they are not there.
///
/// # Errors
/// One is missing and rustup is not there or fails.
pub fn ensure_targets(root: &Path) -> Result<()> {
    [TARGET, ENGINE_TARGET]
        .into_iter()
        .try_for_each(|target| ensure_target(root, target))
}

fn ensure_target(root: &Path, target: &str) -> Result<()> {
    let folder = output(program(
        root,
        "rustc",
        &["--print", "target-libdir", "--target", target],
    ));
    if folder.is_some_and(|folder| Path::new(folder.trim()).is_dir()) {
        return Ok(());
    }
    match succeeds(program(root, "rustup", &["target", "add", target])) {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the target {target} is missing; run `rustup target add {target}`"),
        Err(error) => Err(error.context(format!(
            "the target {target} is missing and rustup cannot add it; install it by hand"
        ))),
    }
}
