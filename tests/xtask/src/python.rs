//! Programs from the Python Package Index, each in an environment of its own below the target folder.

use crate::command::{program, succeeds};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The environment `name` with what `requirements`, a file of the repository, asks for. It is made if it is not there.
///
/// # Errors
/// Python 3 or its `venv` is missing; the packages cannot be installed.
pub fn environment(root: &Path, name: &str, requirements: &str) -> Result<PathBuf> {
    let target = std::path::absolute(Workspace::read(root)?.target())?;
    let environment = target.join(name);
    let wanted = fs::read_to_string(root.join(requirements))
        .with_context(|| format!("cannot read {requirements}"))?;
    let installed = environment.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(environment);
    }
    let python = environment.join("bin/python");
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
            requirements,
        ],
    );
    let made = succeeds(make).context("Python 3 is missing; install python3 and python3-venv")?;
    if !made {
        bail!("Python cannot make an environment; install python3-venv");
    }
    if !succeeds(install)? {
        bail!(
            "what {requirements} asks for cannot be installed: {}",
            wanted.trim()
        );
    }
    fs::write(&installed, wanted).context("cannot note what is installed")?;
    Ok(environment)
}

/// A path as an argument.
///
/// # Errors
/// It is not UTF-8.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .context("the path of the repository is not UTF-8")
}
