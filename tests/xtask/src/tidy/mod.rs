//! The rules of this repository that no compiler knows. One file each; each takes the [`Tree`] and answers problems.

mod coverage;
mod folders;
mod layers;
mod lengths;
mod machine;
mod markers;
mod outside;
mod source;
mod tree;

use anyhow::Result;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use tree::Tree;

/// How problems are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One line each, and a sum.
    Text,
    /// One object: `{"files": N, "problems": [{"file", "line", "rule", "message"}]}`.
    Json,
}

/// One breach of one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Problem {
    /// Path below the root, with `/`.
    file: String,
    /// From 1; 0 if it is about the whole file or folder.
    line: usize,
    /// Which rule, by the name of its module.
    rule: &'static str,
    /// What is wrong and what to do.
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            rule,
            message,
        } = self;
        if *line == 0 {
            write!(formatter, "{file}: {message} [{rule}]")
        } else {
            write!(formatter, "{file}:{line}: {message} [{rule}]")
        }
    }
}

/// Checks the whole repository; whether it is tidy.
///
/// # Errors
/// A file cannot be read.
pub fn run(root: &Path, format: Format) -> Result<bool> {
    let tree = Tree::read(root)?;
    let problems = problems(&tree);
    match format {
        Format::Json => println!(
            "{}",
            serde_json::json!({ "files": tree.files.len(), "problems": problems })
        ),
        Format::Text => {
            for problem in &problems {
                println!("{problem}");
            }
            println!(
                "tidy: {} files, {} problems",
                tree.files.len(),
                problems.len()
            );
        }
    }
    Ok(problems.is_empty())
}

fn problems(tree: &Tree) -> Vec<Problem> {
    let rules = [
        coverage::check,
        folders::check,
        layers::check,
        lengths::check,
        machine::check,
        markers::check,
        outside::check,
    ];
    let mut problems: Vec<Problem> = rules.iter().flat_map(|rule| rule(tree)).collect();
    problems.sort();
    problems
}

#[cfg(test)]
mod testing {
    use super::{Problem, Tree};

    /// Runs one rule over a repository written down as (path, text); each expected problem as it prints, without its rule.
    #[track_caller]
    pub fn check(rule: fn(&Tree) -> Vec<Problem>, files: &[(&str, &str)], expected: &[&str]) {
        let mut problems = rule(&Tree::of(files));
        problems.sort();
        let printed: Vec<String> = problems
            .iter()
            .map(|problem| {
                problem
                    .to_string()
                    .replace(&format!(" [{}]", problem.rule), "")
            })
            .collect();
        assert_eq!(printed, expected);
    }
}
