//! Runs of cargo, one for each package that is stale.

use crate::cli::build::BuildError;
use crate::cli::progress::Progress;
use crate::os::process::{self, Program};
use crate::os::{Disk, Os};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// What components are compiled to.
const TARGET: &str = "wasm32-wasip2";
/// The profile of the workspace that ships.
const PROFILE: &str = "component";

/// Makes sure that `workspace` can be built to WebAssembly.
///
/// # Errors
/// There is no workspace, or its toolchain cannot compile to WebAssembly.
pub async fn prepare(workspace: &Path, os: &Os, progress: &dyn Progress) -> Result<(), BuildError> {
    if os.disk.modified(&workspace.join("Cargo.toml")).is_err() {
        return Err(BuildError::NoWorkspace {
            folder: workspace.to_owned(),
        });
    }
    ensure_target(workspace, os.disk.as_ref(), progress).await
}

/// Builds `package` of `workspace` into the folder `target`. Whether it compiled: cargo has printed why not.
///
/// One package at a time: cargo joins the features that several packages want of a dependency, so a component's bytes,
/// and with them its digest, would depend on what else was stale.
///
/// # Errors
/// Cargo cannot be run.
pub async fn build(workspace: &Path, target: &Path, package: &str) -> Result<bool, BuildError> {
    let program =
        cargo(workspace, target, package).map_err(|source| BuildError::Cargo { source })?;
    let status = program
        .run_attached()
        .await
        .map_err(|source| BuildError::Cargo { source })?;
    Ok(status.success())
}

fn cargo(workspace: &Path, target: &Path, package: &str) -> io::Result<Program> {
    let mut arguments: Vec<OsString> = [
        "build",
        "--target",
        TARGET,
        "--profile",
        PROFILE,
        "--target-dir",
    ]
    .map(OsString::from)
    .into();
    // Cargo runs in another folder, where a relative path would mean something else.
    arguments.push(std::path::absolute(target)?.into());
    arguments.extend(["-p".into(), package.into()]);
    // Set by a cargo that runs this program; the one on the path may be of another toolchain.
    let cargo = process::variable("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    Ok(Program {
        folder: Some(workspace.to_owned()),
        ..Program::new(cargo, arguments)
    })
}

async fn ensure_target(
    workspace: &Path,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let rustc = program(
        "rustc",
        ["--print", "target-libdir", "--target", TARGET],
        workspace,
    );
    let folder = output(&rustc)
        .await
        .map_err(|source| BuildError::Rustc { source })?;
    // The compiler says where the target's library would be, whether it is there or not.
    if folder.is_some_and(|folder| {
        disk.list(Path::new(folder.trim()))
            .is_ok_and(|files| !files.is_empty())
    }) {
        return Ok(());
    }
    progress.say(&format!(
        "the Rust target {TARGET} is missing: running `rustup target add {TARGET}`"
    ));
    let reason = match program("rustup", ["target", "add", TARGET], workspace)
        .run()
        .await
    {
        Ok((status, _)) if status.success() => return Ok(()),
        Ok((_, message)) => message
            .trim()
            .lines()
            .last()
            .unwrap_or("no reason given")
            .to_owned(),
        Err(error) => format!("rustup cannot be run: {error}"),
    };
    Err(BuildError::Target {
        target: TARGET,
        reason,
    })
}

fn program<const N: usize>(name: &str, arguments: [&str; N], folder: &Path) -> Program {
    Program {
        folder: Some(folder.to_owned()),
        ..Program::new(name, arguments)
    }
}

/// What a program prints to standard output; `None` if it fails.
async fn output(program: &Program) -> io::Result<Option<String>> {
    let output = program.start()?.wait_with_output().await?;
    Ok(output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}
