//! Checks of this repository, run as `cargo xtask COMMAND`.
//!
//! The commands are independent of the host: nothing here depends on its code, so a host that does not compile can still be checked.

mod browser;
mod check_api;
mod command;
mod deny;
mod guests;
mod python;
mod python_guests;
mod shop;
mod simulate;
mod suite;
mod tidy;
mod totals;
mod workspace;

use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  test            format, tidy, lints, guests, page and every test; the last line is `N passed, N failed`
  simulate …      the services that keep state on a simulated host, from seeds: --seeds A..B --faults LIST --mutants --every-action --help
  tidy [--json]   the rules of this repository that no compiler knows
  build-guests    the components, the fixtures and the guests in Python, as WebAssembly (needs Python 3)
  check-api       the shop's HTTP interface against its description (needs Python 3 and the built program)
  test-browser    the shop page in Chromium (needs Node 20 and the built program)
  deny            licences, advisories and sources of all dependencies (needs cargo-deny)";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that was asked for is as it should be.
fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root()?;
    match arguments.as_slice() {
        ["test"] => suite::run(&root),
        ["tidy"] => tidy::run(&root, tidy::Format::Text),
        ["tidy", "--json"] => tidy::run(&root, tidy::Format::Json),
        ["build-guests"] => guests::build(&root),
        ["simulate", arguments @ ..] => simulate::run(&root, arguments),
        ["check-api"] => check_api::run(&root),
        ["test-browser"] => browser::run(&root),
        ["deny"] => deny::run(&root),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(false)
        }
    }
}

/// The folder that this program was built from; `cargo xtask` works in every folder below it.
fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("start it as `cargo xtask`")?;
    let root = PathBuf::from(manifest)
        .ancestors()
        .nth(2)
        .map(PathBuf::from);
    root.context("the folder of xtask is two below the root")
}
