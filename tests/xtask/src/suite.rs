//! `cargo xtask test`: every check of this repository, the quick ones first.

use crate::command::{Stream, cargo, output, succeeds, watch};
use crate::totals::Totals;
use crate::workspace::{PROGRAM, Workspace};
use crate::{browser, guests, simulate, tidy};
use anyhow::Result;
use std::path::Path;

/// Runs all checks, those after a failed one too, and prints how many tests passed and failed as the last line.
///
/// A check that is not a test counts there only when it fails, as one.
///
/// # Errors
/// The WebAssembly target is missing and cannot be added; a manifest is wrong.
pub fn run(root: &Path) -> Result<bool> {
    guests::ensure_targets(root)?;
    let workspace = Workspace::read(root)?;
    let mut failed = Vec::new();
    let mut step = |name: &str, result: Result<bool>| match result {
        Ok(true) => {}
        Ok(false) => failed.push(name.to_owned()),
        Err(error) => failed.push(format!("{name} ({error:#})")),
    };
    step(
        "format",
        succeeds(cargo(root, &["fmt", "--all", "--check"])),
    );
    step("tidy", tidy::run(root, tidy::Format::Text));
    step("guests", guests::build(root));
    // The tests start it as a user would.
    step(
        "program",
        succeeds(cargo(root, &["build", "--release", "--package", PROGRAM])),
    );
    for packages in workspace.groups() {
        let mut arguments = of(&["clippy", "--release", "--all-targets"], &packages);
        arguments.extend(["--", "--deny", "warnings"]);
        step("lints", succeeds(cargo(root, &arguments)));
    }
    // Uses the built program as people do; quick beside the lints, and finds what no Rust test can.
    step("page", browser::run(root));
    let mut totals = Totals {
        passed: 0,
        failed: failed.len() as u64,
    };
    for packages in workspace.groups() {
        let tests = tests(root, &packages)?;
        totals += tests;
    }
    totals += simulate::test(root)?;
    for failed in failed {
        println!("failed: {failed}");
    }
    println!("{totals}");
    Ok(totals.failed == 0)
}

/// Runs the tests with cargo-nextest if it is there, with cargo's own runner if it is not.
fn tests(root: &Path, packages: &[&str]) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut add = |found: Option<Totals>| totals += found.unwrap_or_default();
    let ok = if output(cargo(root, &["nextest", "--version"])).is_some() {
        let run = [
            "nextest",
            "run",
            "--cargo-profile",
            "release",
            "--no-fail-fast",
            "--no-tests",
            "pass",
            "--color",
            "never",
        ];
        watch(cargo(root, &of(&run, packages)), Stream::Error, |line| {
            add(Totals::of_nextest(line))
        })?
    } else {
        let run = ["test", "--release", "--no-fail-fast", "--color", "never"];
        watch(cargo(root, &of(&run, packages)), Stream::Output, |line| {
            add(Totals::of_cargo_test(line))
        })?
    };
    if !ok && totals.failed == 0 {
        // They did not compile, or a test took its whole process down.
        totals.failed = 1;
    }
    Ok(totals)
}

/// A cargo command for some packages.
fn of<'text>(command: &[&'text str], packages: &[&'text str]) -> Vec<&'text str> {
    command
        .iter()
        .copied()
        .chain(packages.iter().flat_map(|package| ["--package", package]))
        .collect()
}
