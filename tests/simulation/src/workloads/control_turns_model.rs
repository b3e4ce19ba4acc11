//! What `bookshop:control/registry` promises of hosts: which of them has the turn, and what each last said.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As the interface says. It remembers 256 hosts, too, which are more than a simulation has.
const TURN_MS: u64 = 120_000;
const HOST_BYTES: std::ops::RangeInclusive<usize> = 1..=63;
const REASON_BYTES_MAX: usize = 1 << 10;

/// What a host said last.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    revision: u64,
    /// Why it could not run that; none if it does, or is about to.
    failure: Option<String>,
    /// Whether it is about to.
    is_ready: bool,
    at_ms: u64,
}

/// Who was given the turn. It is one host's, so nothing else can be known of a second one.
#[derive(Debug, Clone, PartialEq)]
struct Turn {
    host: String,
    revision: u64,
    since_ms: u64,
}

/// Turns and standings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TurnsModel {
    turn: Option<Turn>,
    standings: BTreeMap<String, Standing>,
}

impl Turn {
    fn until_ms(&self) -> u64 {
        self.since_ms + TURN_MS
    }
}

impl TurnsModel {
    /// A host asks for the turn; `current` is the revision in force.
    pub fn take(
        &mut self,
        host: &str,
        revision: u64,
        current: u64,
        now_ms: u64,
    ) -> Result<(), Value> {
        if current == 0 || revision != current {
            return Err(json!({ "superseded": current }));
        }
        let has_failed = |(_, standing): &(&String, &Standing)| {
            standing.revision == current && standing.failure.is_some()
        };
        let mut others = self.standings.iter().filter(|(other, _)| *other != host);
        if let Some((other, _)) = others.find(has_failed) {
            return Err(json!({ "failed": other }));
        }
        match self.held(now_ms) {
            Some(turn) if turn.host != host => return Err(json!({ "busy": turn.host })),
            Some(turn) if turn.revision == revision => return Ok(()),
            Some(_) | None => {}
        }
        self.turn = Some(Turn {
            host: host.to_owned(),
            revision,
            since_ms: now_ms,
        });
        Ok(())
    }

    /// A host says what came of a revision; whether that is noted.
    pub fn report(&mut self, host: &str, revision: u64, outcome: &Value, now_ms: u64) -> bool {
        if !HOST_BYTES.contains(&host.len()) {
            return false;
        }
        let standing = Standing {
            revision,
            failure: outcome["failed"].as_str().map(cut),
            is_ready: *outcome == "ready",
            at_ms: now_ms,
        };
        self.standings.insert(host.to_owned(), standing);
        self.turn.take_if(|turn| turn.host == host);
        true
    }

    /// What hosts said last.
    pub fn standings(&self) -> Value {
        let standing = |(host, standing): (&String, &Standing)| {
            let outcome = match &standing.failure {
                None if standing.is_ready => json!("ready"),
                None => json!("running"),
                Some(reason) => json!({ "failed": reason }),
            };
            json!({
                "host": host,
                "revision": standing.revision,
                "outcome": outcome,
                "at-ms": standing.at_ms,
            })
        };
        self.standings.iter().map(standing).collect()
    }

    /// Who has the turn.
    pub fn current(&self, now_ms: u64) -> Value {
        self.held(now_ms).map_or(Value::Null, |turn| {
            json!({
                "host": turn.host,
                "revision": turn.revision,
                "since-ms": turn.since_ms,
                "until-ms": turn.until_ms(),
            })
        })
    }

    /// Whether somebody was given the turn and has not given it back.
    pub fn is_out(&self) -> bool {
        self.turn.is_some()
    }

    fn held(&self, now_ms: u64) -> Option<&Turn> {
        self.turn.as_ref().filter(|turn| now_ms < turn.until_ms())
    }
}

/// The longest beginning of a reason that is kept, of whole characters.
fn cut(reason: &str) -> String {
    let mut kept = String::new();
    for character in reason.chars() {
        if kept.len() + character.len_utf8() > REASON_BYTES_MAX {
            break;
        }
        kept.push(character);
    }
    kept
}
