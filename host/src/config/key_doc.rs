//! What is to be known of one key of a cluster file.

use std::fmt;

use serde::Serialize;

use super::kind::Kind;

/// What happens when a key is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absent {
    /// The file is refused; this is what could be written.
    Refused(&'static str),
    /// This value is used.
    Default(&'static str),
    /// The feature is not used.
    Unused,
}

/// One key of a cluster file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeyDoc {
    /// Dotted path. Parts in capitals are chosen by the file: `service.NAME.limits.memory`.
    pub key: &'static str,
    /// Type and unit.
    pub kind: Kind,
    /// Default, or that there is none.
    pub absent: Absent,
    /// Least and greatest value that are accepted, as they would be written; none where any value of the type is.
    pub range: Option<(&'static str, &'static str)>,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
}

impl KeyDoc {
    pub(super) const fn required(
        key: &'static str,
        kind: Kind,
        example: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            key,
            kind,
            absent: Absent::Refused(example),
            range: None,
            meaning,
        }
    }

    pub(super) const fn optional(key: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self {
            key,
            kind,
            absent: Absent::Unused,
            range: None,
            meaning,
        }
    }

    pub(super) const fn default(
        key: &'static str,
        kind: Kind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            key,
            kind,
            absent: Absent::Default(default),
            range: None,
            meaning,
        }
    }

    pub(super) const fn within(self, least: &'static str, greatest: &'static str) -> Self {
        Self {
            range: Some((least, greatest)),
            ..self
        }
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }
}

/// The key on one line, then its facts and its meaning, indented.
impl fmt::Display for KeyDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let literal = |value| self.kind.literal(value);
        write!(f, "{}\n    {}", self.key, self.kind.describe())?;
        match self.absent {
            Absent::Refused(_) => write!(f, ", required")?,
            Absent::Default(default) => write!(f, ", default {}", literal(default))?,
            Absent::Unused => write!(f, ", optional")?,
        }
        if let Some((least, greatest)) = self.range {
            write!(f, ", from {} to {}", literal(least), literal(greatest))?;
        }
        write!(f, "\n    {}", self.meaning)
    }
}
