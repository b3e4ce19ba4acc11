//! `cargo xtask simulate`: builds the components and the simulation, and runs it.

use crate::command::{Stream, cargo, program, succeeds, watch};
use crate::guests;
use crate::totals::Totals;
use crate::workspace::{PROGRAM, Workspace};
use anyhow::Result;
use std::path::Path;

/// What is simulated unless the command line names something else.
const CONFIG: &str = "tests/simulation/shop.toml";
const COMPONENTS: [&str; 5] = [
    "orders",
    "order-queue",
    "database",
    "fixture-keeper",
    "fixture-neighbour",
];
const PACKAGE: &str = "simulation";

/// What `cargo xtask test` runs: enough to find what breaks often, in a few minutes. Of the seeds a quarter has one host.
const IN_TESTS: [&[&str]; 3] = [&["--seeds", "0..300"], &["--every-action"], &["--mutants"]];

/// Runs it with arguments of the command line, of which `--config FILE` is another application; whether nothing was found.
///
/// # Errors
/// Cargo cannot be run.
pub fn run(root: &Path, arguments: &[&str]) -> Result<bool> {
    let workspace = Workspace::read(root)?;
    if !build(root)? {
        return Ok(false);
    }
    let mut config = CONFIG;
    let mut others = Vec::new();
    let mut rest = arguments.iter().copied();
    while let Some(argument) = rest.next() {
        match argument {
            "--config" => config = rest.next().unwrap_or(CONFIG),
            other => others.push(other),
        }
    }
    succeeds(simulation(root, &workspace, config, &others))
}

/// What of it every change has to pass. The components are built.
///
/// # Errors
/// Cargo or the simulation cannot be run.
pub fn test(root: &Path) -> Result<Totals> {
    let workspace = Workspace::read(root)?;
    let mut totals = Totals::default();
    if !build_simulation(root)? {
        totals.failed += 1;
        return Ok(totals);
    }
    for arguments in IN_TESTS {
        let mut found = None;
        let command = simulation(root, &workspace, CONFIG, arguments);
        let ok = watch(command, Stream::Output, |line| {
            found = Totals::of_simulation(line).or(found);
        })?;
        let mut found = found.unwrap_or_default();
        if !ok && found.failed == 0 {
            // It ended without saying so.
            found.failed = 1;
        }
        totals += found;
    }
    Ok(totals)
}

fn build(root: &Path) -> Result<bool> {
    for component in COMPONENTS {
        if !guests::build_one(root, component)? {
            return Ok(false);
        }
    }
    build_simulation(root)
}

/// The program too: it compiles components.
fn build_simulation(root: &Path) -> Result<bool> {
    succeeds(cargo(
        root,
        &[
            "build",
            "--release",
            "--package",
            PROGRAM,
            "--package",
            PACKAGE,
        ],
    ))
}

fn simulation(
    root: &Path,
    workspace: &Workspace,
    config: &str,
    arguments: &[&str],
) -> std::process::Command {
    let name = format!("release/{PACKAGE}{}", std::env::consts::EXE_SUFFIX);
    let path = workspace.target().join(name);
    let mut command = program(root, &path.to_string_lossy(), &[config]);
    command
        .args(arguments)
        .arg("--target")
        .arg(workspace.target());
    command
}
