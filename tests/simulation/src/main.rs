//! Runs the shop on simulated hosts, from many seeds, and says what must never happen and did.
//!
//! `cargo xtask simulate` builds what it needs and starts it.

mod actions;
mod mutants;
mod options;
mod outcome;
mod range;
mod story;
mod workloads;

use anyhow::{Context, Result};
use bookshop_host::config::Config;
use bookshop_host::os::{Os, task};
use bookshop_host::simulation::Guests;
use clap::Parser;
use options::{Mode, Options};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    // A panic of the host ends its simulation only, which tells of it.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulation: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything went well.
fn run(options: &Options) -> Result<bool> {
    let config = Config::read(&options.config, |path| std::fs::read_to_string(path))?;
    let this = std::env::current_exe().context("cannot tell where this program is")?;
    // Cargo puts programs into a folder of its target, and components into another.
    let target = this.ancestors().nth(2).unwrap_or(Path::new("target"));
    let target = options.target.clone().unwrap_or(target.to_owned());
    let name = format!("bookshop-host{}", std::env::consts::EXE_SUFFIX);
    let program = options.program.clone().unwrap_or(this.with_file_name(name));
    let runtime = task::runtime().context("cannot start a runtime")?;
    let guests = runtime
        .block_on(Guests::load(config, program, target, &Os::real()))
        .context("cannot load the components; `cargo xtask simulate` builds them")?;
    match options.mode() {
        Mode::Seeds => range::run(&guests, options),
        Mode::EveryAction => actions::run(&guests, options),
        Mode::Mutants => mutants::run(&guests, options),
    }
}
