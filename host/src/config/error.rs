//! What is wrong with a cluster file, and where: one [`Problem`] for each mistake, all of them in one [`ConfigError`].
//!
//! [`Report`] collects them while the file is read, so that an operator sees every mistake at once and not one a run.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One mistake in a cluster file, with the place to go to and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named on the command line.
    pub file: PathBuf,
    /// Line in the file, from 1; none if the file could not be read at all.
    pub line: Option<usize>,
    /// Column in the line in characters, from 1; none if the file could not be read at all.
    pub column: Option<usize>,
    /// Dotted path of the key, such as `service.fraud-detection.limits.memory`; none for a mistake of the file as a whole.
    pub key: Option<String>,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{}:{line}:{column}: ", self.file.display())?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a cluster file, in the order of the file. Displays as one line for each problem.
#[derive(Debug)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// The problems, at least one, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The file could not be read.
    pub(super) fn unreadable(file: &Path, cause: &io::Error) -> Self {
        let remedy = match cause.kind() {
            io::ErrorKind::PermissionDenied => "let this user read it",
            io::ErrorKind::InvalidData => "save it as UTF-8 text",
            _ => "give the path of a cluster file, for example config/cluster.toml",
        };
        let message = format!("cannot read {}: {cause}; {remedy}", file.display());
        Self {
            problems: vec![Problem {
                file: file.to_owned(),
                line: None,
                column: None,
                key: None,
                message,
            }],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A value that cannot be what it should be. Displays as what is wrong and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub(super) String);

/// Where something stands in the file, and under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Dotted path of the key; empty for the file as a whole.
    pub key: String,
    /// Bytes of the file.
    pub span: Range<usize>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    pub value: T,
    pub place: Place,
}

/// The problems found so far in one file.
pub(super) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Report<'a> {
    pub fn new(file: &'a Path, text: &'a str) -> Self {
        Self {
            file,
            text,
            problems: RefCell::default(),
        }
    }

    /// Notes a problem: what is wrong, a semicolon, what to do.
    pub fn add(&self, place: &Place, message: impl Into<String>) {
        let (line, column) = self.position(place.span.start);
        self.problems.borrow_mut().push(Problem {
            file: self.file.to_owned(),
            line: Some(line),
            column: Some(column),
            key: (!place.key.is_empty()).then(|| place.key.clone()),
            message: message.into(),
        });
    }

    /// The line of a place, from 1.
    pub fn line(&self, place: &Place) -> usize {
        self.position(place.span.start).0
    }

    /// The text of a place as it was typed, cut to what fits into a message.
    pub fn source(&self, span: &Range<usize>) -> String {
        /// Longer values would hide the message around them.
        const CHARACTERS_MAX: usize = 48;
        let first = self
            .text
            .get(span.clone())
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let mut shown: String = first.chars().take(CHARACTERS_MAX).collect();
        if shown.len() < span.len() {
            shown.push('…');
        }
        shown
    }

    /// All problems in the order of the file.
    ///
    /// # Errors
    /// There was one.
    pub fn finish(&self) -> Result<(), ConfigError> {
        let mut problems = self.problems.take();
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(ConfigError { problems })
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}
