//! `bookshop-host config-keys`: every key of a cluster file.

use crate::cli::failure::Failure;
use crate::cli::output::{self, Style};
use crate::cli::table::Table;
use crate::config::{Absent, KeyDoc, reference};
use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only keys whose path contains this text
    #[arg(value_name = "TEXT")]
    filter: Option<String>,
    /// Print the keys as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the keys.
///
/// # Errors
/// No key contains the text.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let wanted = |key: &&KeyDoc| {
        arguments
            .filter
            .as_ref()
            .is_none_or(|filter| key.key.contains(filter.as_str()))
    };
    let keys: Vec<&KeyDoc> = reference().iter().filter(wanted).collect();
    if let (Some(filter), true) = (&arguments.filter, keys.is_empty()) {
        return Err(Failure::failed(format!(
            "no key contains {filter:?}; `bookshop-host config-keys` lists all of them"
        )));
    }
    if arguments.json {
        return Ok(output::json(&keys)?);
    }
    Ok(output::line(&text(&keys, Style::of_stdout()))?)
}

/// A line for each key, and below it what it means.
fn text(keys: &[&KeyDoc], style: Style) -> String {
    let mut table = Table::new(&["KEY", "DEFAULT", "RANGE", "TYPE"]);
    for key in keys {
        let literal = |value| key.kind.literal(value);
        let default = match key.absent {
            Absent::Refused(_) => "required".to_owned(),
            Absent::Default(default) => literal(default),
            Absent::Unused => "optional".to_owned(),
        };
        let range = key
            .range
            .map(|(least, greatest)| format!("{} to {}", literal(least), literal(greatest)))
            .unwrap_or_default();
        table.row([
            key.key.into(),
            default.into(),
            range.into(),
            key.kind.describe().into(),
        ]);
    }
    let mut lines = table.lines(style).into_iter();
    let mut text: Vec<String> = lines.next().into_iter().collect();
    for (line, key) in lines.zip(keys) {
        text.extend([line, format!("    {}", key.meaning)]);
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_key_has_a_line_of_facts_and_one_of_meaning() {
        let keys: Vec<&KeyDoc> = reference()
            .iter()
            .filter(|key| matches!(key.key, "cluster.name" | "cluster.drain-timeout"))
            .collect();
        expect![[r#"
            KEY                    DEFAULT   RANGE          TYPE
            cluster.name           required                 name (kebab-case, at most 63 characters)
                Name of the cluster, shown in status and telemetry.
            cluster.drain-timeout  "10s"     "1ms" to "1h"  duration (us, ms, s, min, h)
                How long a stopping host waits for running calls before it ends them."#]]
        .assert_eq(&text(&keys, Style::PLAIN));
    }
}
