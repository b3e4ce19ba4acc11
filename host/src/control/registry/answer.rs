//! Refusals of the registry, as they come in JSON and as callers get them.

use super::RegistryError;
use serde::Deserialize;

/// A `result` in JSON.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer<T, E> {
    Ok(T),
    Err(E),
}

impl<T, E> Answer<T, E> {
    pub fn into_result<F: From<E>>(self) -> Result<T, F> {
        match self {
            Self::Ok(value) => Ok(value),
            Self::Err(error) => Err(error.into()),
        }
    }
}

/// `refusal` of the registry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Refusal {
    Superseded(u64),
    Unchanged(u64),
    Invalid(String),
    TooLarge(Excess),
    NotAllowed(String),
}

#[derive(Debug, Deserialize)]
pub(super) struct Excess {
    what: String,
    actual: u64,
    most: u64,
}

/// `turn-refusal` of the registry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TurnRefusal {
    Busy(String),
    Superseded(u64),
    Failed(String),
    NotAllowed(String),
}

/// Why a file was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Another revision is in force than the one that was to be replaced: compare with it and decide anew.
    #[error(
        "somebody else was faster: revision {0} is in force now; look at what it changed and apply again"
    )]
    Superseded(u64),
    /// It is in force already, as this revision.
    #[error("nothing changes: revision {0} is the same")]
    Unchanged(u64),
    /// It can never be applied.
    #[error("{0}")]
    Invalid(String),
    /// It is larger than allowed.
    #[error("too large: {what} is {actual}, at most {most} are kept")]
    TooLarge {
        /// What is.
        what: String,
        /// What it was.
        actual: u64,
        /// What it may be.
        most: u64,
    },
    /// The registry takes the caller for no host.
    #[error("{0} is no host, and only hosts may")]
    NotAllowed(String),
    /// There was no answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<Refusal> for ApplyError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Superseded(revision) => Self::Superseded(revision),
            Refusal::Unchanged(revision) => Self::Unchanged(revision),
            Refusal::Invalid(message) => Self::Invalid(message),
            Refusal::TooLarge(Excess { what, actual, most }) => {
                Self::TooLarge { what, actual, most }
            }
            Refusal::NotAllowed(caller) => Self::NotAllowed(caller),
        }
    }
}

/// Why a host does not get the turn.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// This host has it: ask again later.
    #[error("{0} has the turn")]
    Busy(String),
    /// Another revision is in force: take that one.
    #[error("revision {0} is in force now")]
    Superseded(u64),
    /// This host could not run the revision: wait for a newer one.
    #[error("{0} could not run this revision")]
    Failed(String),
    /// The registry takes the caller for no host.
    #[error("{0} is no host, and only hosts may")]
    NotAllowed(String),
    /// There was no answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<TurnRefusal> for TurnError {
    fn from(refusal: TurnRefusal) -> Self {
        match refusal {
            TurnRefusal::Busy(host) => Self::Busy(host),
            TurnRefusal::Superseded(revision) => Self::Superseded(revision),
            TurnRefusal::Failed(host) => Self::Failed(host),
            TurnRefusal::NotAllowed(caller) => Self::NotAllowed(caller),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn applied(answer: Value, expected: &str) {
        let answer: Answer<u64, Refusal> = serde_json::from_value(answer).expect("an answer");
        let said = match answer.into_result::<ApplyError>() {
            Ok(revision) => revision.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn answers_to_apply_are_understood() {
        applied(json!({ "ok": 7 }), "7");
        applied(
            json!({ "err": { "superseded": 3 } }),
            "somebody else was faster: revision 3 is in force now; look at what it changed and apply again",
        );
        applied(
            json!({ "err": { "unchanged": 3 } }),
            "nothing changes: revision 3 is the same",
        );
        applied(json!({ "err": { "invalid": "no" } }), "no");
        applied(
            json!({ "err": { "too-large": { "what": "config-bytes", "actual": 9, "most": 8 } } }),
            "too large: config-bytes is 9, at most 8 are kept",
        );
        applied(
            json!({ "err": { "not-allowed": "api" } }),
            "api is no host, and only hosts may",
        );
    }

    #[track_caller]
    fn taken(answer: Value, expected: &str) {
        let answer: Answer<(), TurnRefusal> = serde_json::from_value(answer).expect("an answer");
        let said = match answer.into_result::<TurnError>() {
            Ok(()) => "taken".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn answers_to_take_turn_are_understood() {
        taken(json!({ "ok": null }), "taken");
        taken(json!({ "err": { "busy": "beta" } }), "beta has the turn");
        taken(
            json!({ "err": { "superseded": 3 } }),
            "revision 3 is in force now",
        );
        taken(
            json!({ "err": { "failed": "beta" } }),
            "beta could not run this revision",
        );
        taken(
            json!({ "err": { "not-allowed": "api" } }),
            "api is no host, and only hosts may",
        );
    }
}
