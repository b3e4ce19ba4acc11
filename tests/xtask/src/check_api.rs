//! `cargo xtask check-api`: asks the running shop everything that its OpenAPI description allows and forbids.
//!
//! The asking is schemathesis's, from the Python Package Index, in an environment of its own below the target folder.

use crate::command::{program, succeeds};
use crate::python::{environment, text};
use crate::shop::Shop;
use anyhow::Result;
use std::path::Path;

/// Which version, and what it needs to know.
const FOLDER: &str = "tests/api";

/// What it checks the shop against.
const DESCRIPTION: &str = "components/frontend/openapi.yaml";

/// How long it asks, in seconds. Everything that it tries once takes less; the rest are random requests.
const TIME: &str = "60";

/// Whether the shop does what its description says.
///
/// # Errors
/// Python 3 or the program is missing; schemathesis cannot be installed.
pub fn run(root: &Path) -> Result<bool> {
    let environment = environment(root, "check-api", &format!("{FOLDER}/requirements.txt"))?;
    let shop = Shop::start(root)?;
    let schemathesis = environment.join("bin/schemathesis");
    let [config, description] =
        [&format!("{FOLDER}/schemathesis.toml"), DESCRIPTION].map(|path| root.join(path));
    let arguments = [
        "--config-file",
        text(&config)?,
        "run",
        text(&description)?,
        "--url",
        &shop.url(),
        "--checks",
        "all",
        "--max-time",
        TIME,
        "--continue-on-failure",
    ];
    // It keeps notes where it runs.
    succeeds(program(&environment, text(&schemathesis)?, &arguments))
}
