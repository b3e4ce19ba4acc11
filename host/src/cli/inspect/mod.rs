//! `bookshop-host inspect`: what a component is and what it needs, from its bytes alone.

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::component;
use crate::os::Os;
use clap::Args;
use std::path::PathBuf;

mod describe;
mod text;

#[cfg(test)]
mod tests;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Print only the WIT, and all of it
    #[arg(long, conflicts_with = "json")]
    wit: bool,
}

/// Prints what the component is.
///
/// # Errors
/// The file cannot be read or is no component.
pub fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let path = &arguments.file;
    let bytes = os
        .disk
        .read(path)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    component::check_header(path, &bytes).map_err(|error| Failure::operation(&error))?;
    let description = describe::describe(path, &bytes).map_err(|reason| {
        Failure::failed(format!("cannot take {} apart: {reason}", path.display()))
    })?;
    if arguments.json {
        output::json(&description)?;
    } else if arguments.wit {
        output::line(description.wit.trim_end())?;
    } else {
        output::line(&text::text(&description, output::Style::of_stdout()))?;
    }
    Ok(())
}
