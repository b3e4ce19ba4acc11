//! Runs cargo-deny, which reads deny.toml.

use crate::command::{cargo, output, succeeds};
use anyhow::{Result, bail};
use std::path::Path;

/// Whether every dependency is allowed.
///
/// # Errors
/// cargo-deny is not installed.
pub fn run(root: &Path) -> Result<bool> {
    if output(cargo(root, &["deny", "--version"])).is_none() {
        bail!(
            "cargo-deny is not installed; run `cargo install --locked cargo-deny`, or take it from its releases page"
        );
    }
    succeeds(cargo(root, &["deny", "check"]))
}
