//! What `bookshop:control/registry` promises of cluster files: all that were ever applied, and which part of that is still shown.

use super::control_turns_model::TurnsModel;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As the interface says.
const ENTRIES_MAX: usize = 50;
const FILES_MAX: usize = 16;
const CONFIG_BYTES_MAX: usize = 256 << 10;
const COMPONENTS_MAX: usize = 1_000;
const BY_BYTES_MAX: usize = 128;
const SUMMARY_BYTES_MAX: usize = 2 << 10;
const SERVICE_BYTES: std::ops::RangeInclusive<usize> = 1..=63;
const DIGEST_DIGITS: usize = 64;

/// A file that was applied.
#[derive(Debug, Clone, PartialEq)]
struct Revision {
    config: String,
    /// By their services.
    components: BTreeMap<String, Value>,
    by: String,
    summary: String,
    at_ms: u64,
}

/// The registry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ControlModel {
    /// The first has revision 1. None is ever taken out: what is forgotten is left out of answers.
    revisions: Vec<Revision>,
    turns: TurnsModel,
}

impl ControlModel {
    /// A command of a caller takes effect, and should return this. An `invalid` has no words here: those are for people.
    pub fn command(
        &mut self,
        function: &str,
        arguments: &Value,
        caller: Caller,
        now_ms: u64,
    ) -> Result<Value, String> {
        let text = |place: usize| arguments[place].as_str().unwrap_or_default();
        let number = |place: usize| arguments[place].as_u64().unwrap_or_default();
        let current = self.revision();
        Ok(match (function, caller) {
            ("report", Caller::Other(_)) => json!(false),
            ("apply" | "take-turn", Caller::Other(name)) => {
                json!({ "err": { "not-allowed": name } })
            }
            ("apply", Caller::Host) => match self.apply(arguments, now_ms) {
                Ok(revision) => json!({ "ok": revision }),
                Err(refusal) => json!({ "err": refusal }),
            },
            ("take-turn", Caller::Host) => {
                match self.turns.take(text(0), number(1), current, now_ms) {
                    Ok(()) => json!({ "ok": null }),
                    Err(refusal) => json!({ "err": refusal }),
                }
            }
            ("report", Caller::Host) => {
                json!(self.turns.report(text(0), number(1), &arguments[2], now_ms))
            }
            (other, Caller::Host | Caller::Other(_)) => {
                return Err(format!(
                    "the registry has executed {other}, which is no command"
                ));
            }
        })
    }

    /// What a query should return at this time.
    pub fn query(&self, function: &str, arguments: &Value, now_ms: u64) -> Result<Value, String> {
        let number = arguments[0].as_u64().unwrap_or_default();
        Ok(match function {
            "current" => self.at(self.revision()),
            "at" => self.at(number),
            "history" => self.history(usize::try_from(number).unwrap_or(usize::MAX)),
            "standings" => self.turns.standings(),
            "current-turn" => self.turns.current(now_ms),
            other => {
                return Err(format!(
                    "the registry has answered {other}, which is no query"
                ));
            }
        })
    }

    /// The revision in force; 0 if there is none.
    pub fn revision(&self) -> u64 {
        self.revisions.len() as u64
    }

    /// Whether somebody was given the turn and has not given it back.
    pub fn is_taking_up(&self) -> bool {
        self.turns.is_out()
    }

    fn apply(&mut self, arguments: &Value, now_ms: u64) -> Result<u64, Value> {
        let text = |place: usize| arguments[place].as_str().unwrap_or_default().to_owned();
        let list = arguments[2].as_array().map_or(&[][..], Vec::as_slice);
        let applied = Revision {
            config: text(1),
            components: by_service(list),
            by: text(3),
            summary: text(4),
            at_ms: now_ms,
        };
        let bounds = [
            ("config-bytes", applied.config.len(), CONFIG_BYTES_MAX),
            ("components", list.len(), COMPONENTS_MAX),
            ("by-bytes", applied.by.len(), BY_BYTES_MAX),
            ("summary-bytes", applied.summary.len(), SUMMARY_BYTES_MAX),
        ];
        if let Some((what, actual, most)) = bounds.iter().find(|(_, actual, most)| actual > most) {
            return Err(json!({ "too-large": { "what": what, "actual": actual, "most": most } }));
        }
        let is_doubled = applied.components.len() < list.len();
        if is_doubled || !list.iter().all(is_well_formed) {
            return Err(json!({ "invalid": "" }));
        }
        let current = self.revision();
        let is_same = |newest: &Revision| {
            (&newest.config, &newest.components) == (&applied.config, &applied.components)
        };
        if self.revisions.last().is_some_and(is_same) {
            return Err(json!({ "unchanged": current }));
        }
        if arguments[0].as_u64() != Some(current) {
            return Err(json!({ "superseded": current }));
        }
        self.revisions.push(applied);
        Ok(self.revision())
    }

    /// The newest revisions, with their numbers, the newest first.
    fn newest(&self, most: usize) -> impl Iterator<Item = (usize, &Revision)> {
        let numbered = self.revisions.iter().enumerate();
        let numbered = numbered.map(|(place, revision)| (place + 1, revision));
        numbered.rev().take(most)
    }

    fn at(&self, wanted: u64) -> Value {
        let mut kept = self.newest(FILES_MAX);
        let found = kept.find(|(number, _)| *number as u64 == wanted);
        found.map_or(Value::Null, |(number, revision)| {
            json!({
                "revision": number,
                "config": revision.config,
                "components": revision.components.values().collect::<Vec<_>>(),
                "applied-by": revision.by,
                "applied-at-ms": revision.at_ms,
            })
        })
    }

    fn history(&self, limit: usize) -> Value {
        let entry = |(number, revision): (usize, &Revision)| {
            json!({
                "revision": number,
                "applied-by": revision.by,
                "applied-at-ms": revision.at_ms,
                "summary": revision.summary,
                "has-config": !self.at(number as u64).is_null(),
            })
        };
        self.newest(limit.min(ENTRIES_MAX)).map(entry).collect()
    }
}

/// Who calls, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A host.
    Host,
    /// Somebody else, of this name.
    Other(&'static str),
}

fn service(component: &Value) -> &str {
    component["service"].as_str().unwrap_or_default()
}

fn by_service(components: &[Value]) -> BTreeMap<String, Value> {
    let pair = |component: &Value| (service(component).to_owned(), component.clone());
    components.iter().map(pair).collect()
}

fn is_well_formed(component: &Value) -> bool {
    let digest = component["digest"].as_str().unwrap_or_default();
    SERVICE_BYTES.contains(&service(component).len())
        && digest.len() == DIGEST_DIGITS
        && digest
            .chars()
            .all(|digit| "0123456789abcdef".contains(digit))
        && (component["canary"].is_null() || grows(&component["canary"]))
}

/// Whether the shares of a canary grow.
fn grows(canary: &Value) -> bool {
    let then = canary["then"].as_array().into_iter().flatten();
    let shares = std::iter::once(&canary["percent"]).chain(then);
    let shares: Vec<u64> = shares.filter_map(Value::as_u64).collect();
    shares.windows(2).all(|pair| pair[0] < pair[1])
}
