//! Runs other programs, showing what is run.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The cargo that runs this program, so that nested calls use the same toolchain.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    program(
        root,
        &std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
        arguments,
    )
}

/// A program that runs in `root`.
pub fn program(root: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root);
    // Set for this package by `cargo run`: build scripts of others would see them change and run again.
    command
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_MANIFEST_PATH");
    command
}

/// Runs to the end on this terminal; whether it succeeded.
pub fn succeeds(mut command: Command) -> Result<bool> {
    announce(&command);
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(status.success())
}

/// Which stream [`watch`] looks at. The other one goes to this terminal as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Runs to the end and repeats each line of one stream on this terminal after `each` saw it; whether it succeeded.
pub fn watch(mut command: Command, stream: Stream, mut each: impl FnMut(&str)) -> Result<bool> {
    announce(&command);
    match stream {
        Stream::Output => command.stdout(Stdio::piped()),
        Stream::Error => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let lines: Box<dyn BufRead> = match stream {
        Stream::Output => Box::new(BufReader::new(
            child.stdout.take().expect("it was asked for"),
        )),
        Stream::Error => Box::new(BufReader::new(
            child.stderr.take().expect("it was asked for"),
        )),
    };
    for line in lines.split(b'\n') {
        // A test may print anything, so not every line is UTF-8.
        let line = String::from_utf8_lossy(&line.context("cannot read what the program prints")?)
            .into_owned();
        each(&line);
        println!("{line}");
    }
    Ok(child.wait()?.success())
}

/// What a program prints, if it can be run and succeeds.
pub fn output(mut command: Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn announce(command: &Command) {
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    println!("$ {name} {}", arguments.join(" "));
}
