//! `cargo xtask check-api`: asks the running shop everything that its OpenAPI description allows and forbids.
//!
//! The asking is schemathesis's, from the Python Package Index, in an environment of its own below the target folder.

use crate::command::{program, succeeds};
use crate::shop::Shop;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

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
    let environment = std::path::absolute(environment(root)?)?;
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

/// The environment with schemathesis in it, which is made if it is not there.
fn environment(root: &Path) -> Result<PathBuf> {
    let environment = Workspace::read(root)?.target().join("check-api");
    let wanted = fs::read_to_string(root.join(FOLDER).join("requirements.txt"))
        .context("cannot read which schemathesis is wanted")?;
    let installed = environment.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(environment);
    }
    let python = environment.join("bin/python");
    let requirements = format!("{FOLDER}/requirements.txt");
    let make = program(root, "python3", &["-m", "venv", text(&environment)?]);
    let install = program(
        root,
        text(&python)?,
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--requirement",
            &requirements,
        ],
    );
    if !succeeds(make)? || !succeeds(install)? {
        bail!("schemathesis cannot be installed");
    }
    fs::write(&installed, wanted).context("cannot note what is installed")?;
    Ok(environment)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .context("the path of the repository is not UTF-8")
}
