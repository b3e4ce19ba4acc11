//! One key of the shop's database (`wit/shop/database.wit`), as its clients see it.

use crate::{History, Model, Number, Verdict, check_keys};
use serde_json::Value;
use std::collections::BTreeMap;

/// A value with the revision that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Found {
    value: String,
    revision: u64,
}

/// What a key has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing.
    #[default]
    Absent,
    /// A value.
    Present {
        /// As JSON.
        value: String,
        /// What gave it; none if nobody has been told yet.
        revision: Option<u64>,
    },
}

impl State {
    /// The same, if what somebody found can be that: with the revision that is known now.
    fn refined(&self, found: Option<&Found>) -> Option<Self> {
        match (self, found) {
            (Self::Absent, None) => Some(Self::Absent),
            (Self::Present { value, revision }, Some(found)) => {
                let is_same = *value == found.value
                    && revision.is_none_or(|revision| revision == found.revision);
                is_same.then(|| Self::present(value, Some(found.revision)))
            }
            (Self::Absent, Some(_)) | (Self::Present { .. }, None) => None,
        }
    }

    fn present(value: &str, revision: Option<u64>) -> Self {
        let value = value.to_owned();
        Self::Present { value, revision }
    }

    /// The state after this one, if another value has this revision: no change has that of an earlier one.
    fn changed(&self, value: &str, given: Option<u64>) -> Option<Self> {
        let before = match self {
            Self::Absent => None,
            Self::Present { revision, .. } => *revision,
        };
        let is_later = match (before, given) {
            (Some(before), Some(given)) => before < given,
            (None, _) | (_, None) => true,
        };
        is_later.then(|| Self::present(value, given))
    }

    /// Whether it has this revision; none if that is not known.
    fn has(&self, expected: Option<u64>) -> Option<bool> {
        match self {
            Self::Absent => Some(expected.is_none()),
            Self::Present { revision: None, .. } if expected.is_some() => None,
            Self::Present { revision, .. } => Some(*revision == expected),
        }
    }
}

/// A call of one key. A result is none if it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// What it has.
    Get(Option<Option<Found>>),
    /// Gives it a value, with this revision.
    Set(String, Option<u64>),
    /// Gives it a value if it has one.
    Update(String, Option<Option<u64>>),
    /// Takes its value, if it has one.
    Delete(Option<Option<u64>>),
    /// Gives it a value, or takes that, if it has this revision; otherwise it says what it has.
    Swap {
        /// The revision.
        expected: Option<u64>,
        /// The value.
        value: Option<String>,
        /// The new revision, or what it has instead.
        done: Option<Result<u64, Option<Found>>>,
    },
}

impl Operation {
    /// Reads it from the function's arguments and result, as JSON. None if the function is not one of these, or if the result says that nothing was done.
    #[must_use]
    pub fn read(function: &str, arguments: &Value, result: Option<&Value>) -> Option<Self> {
        let value = || arguments[1].to_string();
        let ok = match result {
            Some(result) => match result.get("ok") {
                Some(ok) => Some(ok),
                None if function == "compare-and-swap" => None,
                None => return None,
            },
            None => None,
        };
        Some(match function {
            "get" => Self::Get(ok.map(found)),
            "set" => Self::Set(value(), ok.and_then(Value::as_u64)),
            "update" => Self::Update(value(), ok.map(Value::as_u64)),
            "delete" => Self::Delete(ok.map(Value::as_u64)),
            "compare-and-swap" => Self::Swap {
                expected: arguments[1].as_u64(),
                value: Some(&arguments[2])
                    .filter(|value| !value.is_null())
                    .map(Value::to_string),
                done: match (ok, result) {
                    (Some(revision), _) => Some(Ok(revision.as_u64()?)),
                    (None, Some(result)) => Some(Err(found(result["err"].get("conflict")?))),
                    (None, None) => None,
                },
            },
            _ => return None,
        })
    }
}

fn found(entry: &Value) -> Option<Found> {
    Some(Found {
        value: entry.get("value")?.to_string(),
        revision: entry.get("revision")?.as_u64()?,
    })
}

/// The model.
#[derive(Debug)]
pub struct Register;

impl Model for Register {
    type State = State;
    type Operation = Operation;

    fn step(state: &State, operation: &Operation) -> Option<State> {
        let is_absent = *state == State::Absent;
        match operation {
            Operation::Get(None) => Some(state.clone()),
            Operation::Get(Some(found)) => state.refined(found.as_ref()),
            Operation::Set(value, revision) => state.changed(value, *revision),
            Operation::Update(_, None) if is_absent => Some(State::Absent),
            Operation::Update(value, None) => state.changed(value, None),
            Operation::Update(_, Some(None)) => is_absent.then_some(State::Absent),
            Operation::Update(value, Some(revision)) => {
                let changed = state.changed(value, *revision);
                changed.filter(|_| !is_absent)
            }
            Operation::Delete(None) => Some(State::Absent),
            Operation::Delete(Some(revision)) => {
                (is_absent == revision.is_none()).then_some(State::Absent)
            }
            Operation::Swap {
                expected,
                value,
                done,
            } => match (done, state.has(*expected)) {
                (Some(Err(other)), None | Some(false)) => {
                    let is_other = other.as_ref().map(|found| found.revision) != *expected;
                    state.refined(other.as_ref()).filter(|_| is_other)
                }
                (Some(Err(_)), Some(true)) | (Some(Ok(_)), Some(false)) => None,
                // Whether it changed anything is not known; that it did not is the same as if it never took place.
                (None, Some(false)) => Some(state.clone()),
                (done, _) => {
                    let revision = done.as_ref().and_then(|done| done.clone().ok());
                    match value {
                        Some(value) => state.changed(value, revision),
                        None => Some(State::Absent),
                    }
                }
            },
        }
    }
}

/// Histories of keys, of clients that call each function of [`Operation`] with one of them.
#[derive(Debug, Default)]
pub struct Registers {
    histories: BTreeMap<String, History<Operation>>,
}

/// A call of a key that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    key: String,
    number: Number,
    function: String,
    arguments: Value,
}

impl Registers {
    /// A call begins; none if the function is not one of those.
    pub fn begin(&mut self, function: &str, arguments: &Value) -> Option<Begun> {
        let operation = Operation::read(function, arguments, None)?;
        let key = arguments[0].as_str()?.to_owned();
        let number = self
            .histories
            .entry(key.clone())
            .or_default()
            .begin(operation);
        Some(Begun {
            key,
            number,
            function: function.to_owned(),
            arguments: arguments.clone(),
        })
    }

    /// It has a result.
    pub fn end(&mut self, begun: &Begun, result: &Value) {
        let history = self.histories.entry(begun.key.clone()).or_default();
        match Operation::read(&begun.function, &begun.arguments, Some(result)) {
            Some(operation) => history.end(begun.number, operation),
            None => history.forget(begun.number),
        }
    }

    /// It was not carried out.
    pub fn forget(&mut self, begun: &Begun) {
        self.histories
            .entry(begun.key.clone())
            .or_default()
            .forget(begun.number);
    }

    /// How many calls have a result.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.histories.values().map(History::ended).sum()
    }

    /// Checks all of them.
    ///
    /// # Errors
    /// See [`check_keys`].
    pub fn check(&self) -> Result<(), (String, Verdict<Operation>)> {
        check_keys::<Register>(&self.histories)
    }
}
