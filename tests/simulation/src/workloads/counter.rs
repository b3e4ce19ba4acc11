//! Two services that count: when they are called, when a timer goes off, and when the other one sends them a message. Also while others take their place.

use super::{choose, same};
use bookshop_host::simulation::{Committed, Heard, Look, Looked, Random, Request, Workload};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SERVICES: [&str; 2] = ["counter", "keeper"];
const INTERFACE: &str = "fixture:hostile/keeper";

/// Keys that are counted, of each service.
const KEYS: u64 = 6;

/// What one of them has.
#[derive(Debug, Clone, Default, PartialEq)]
struct Counts {
    counts: BTreeMap<String, u64>,
    /// Timers that are set, and when they go off.
    timers: BTreeMap<String, u64>,
    /// Messages that it sent, by their keys, of which the other one got none yet.
    sent: BTreeMap<String, u64>,
}

/// The workload.
#[derive(Default)]
pub struct Counter {
    services: BTreeMap<String, Counts>,
    next_key: u64,
    next_message: u64,
    is_upgraded: bool,
}

impl Counter {
    /// With other versions that take the place of both.
    pub fn upgraded() -> Self {
        Self {
            is_upgraded: true,
            ..Self::default()
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Counts {
    fn count(&mut self, key: &str) -> Value {
        let count = self.counts.entry(key.to_owned()).or_default();
        *count += 1;
        json!(*count)
    }

    fn command(
        &mut self,
        function: &str,
        arguments: &Value,
        time_ms: u64,
    ) -> Result<Value, String> {
        let key = text(&arguments[0]);
        Ok(match function {
            "count" => self.count(key),
            "forget" => json!(self.counts.remove(key).is_some()),
            "fill" => Value::Null,
            "count-later" => {
                self.timers
                    .insert(key.to_owned(), time_ms + arguments[1].as_u64().unwrap_or(0));
                Value::Null
            }
            "count-elsewhere" => {
                *self.sent.entry(text(&arguments[1]).to_owned()).or_default() += 1;
                json!({ "ok": null })
            }
            other => return Err(format!("{other} took effect, and is no command that does")),
        })
    }

    fn timer(&mut self, key: &str, time_ms: u64) -> Result<(), String> {
        match self.timers.remove(key) {
            Some(due_ms) if due_ms <= time_ms => {}
            due => {
                return Err(format!(
                    "timer {key} went off at {time_ms}, where it is {due:?}"
                ));
            }
        }
        self.count(key);
        Ok(())
    }
}

impl Workload for Counter {
    fn services(&self) -> &'static [&'static str] {
        &["counter", "keeper"]
    }

    fn upgrades(&self) -> &'static [(&'static str, &'static str)] {
        match self.is_upgraded {
            true => &[("counter", "keeper-next"), ("keeper", "keeper-next")],
            false => &[],
        }
    }

    fn next(&mut self, _client: usize, random: &mut Random) -> Option<Request> {
        let service = choose(random, &SERVICES).copied().unwrap_or_default();
        let key = format!("key-{}", random.below(KEYS));
        let (function, arguments) = match random.below(100) {
            0..20 => ("count", json!([key])),
            20..50 => ("count-later", json!([key, random.below(1_500)])),
            50..70 => {
                self.next_message += 1;
                let key = if random.chance(500) {
                    key
                } else {
                    format!("message-{}", self.next_message)
                };
                ("count-elsewhere", json!([INTERFACE, key]))
            }
            70..78 => ("forget", json!([key])),
            78..84 => ("count-and-trap", json!([key])),
            84..94 => ("fill", json!(["filled", random.below(20_000)])),
            _ => ("counted", json!([key])),
        };
        let key = random.chance(660).then(|| {
            self.next_key += 1;
            format!("key-{}", self.next_key)
        });
        Some(Request {
            service: service.to_owned(),
            interface: INTERFACE.to_owned(),
            function: function.to_owned(),
            arguments,
            key,
        })
    }

    fn heard(&mut self, _client: usize, request: &Request, heard: &Heard) -> Result<(), String> {
        match heard {
            Heard::Result(result) if request.function == "count-and-trap" => {
                Err(format!("what traps has returned {result}"))
            }
            Heard::Result(_) | Heard::Error(_) | Heard::Nothing => Ok(()),
        }
    }

    fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        if let Some((function, arguments)) = committed.message {
            let arguments: Value =
                serde_json::from_str(arguments).map_err(|error| error.to_string())?;
            let other = SERVICES
                .iter()
                .find(|name| **name != committed.service)
                .copied()
                .unwrap_or_default();
            let sent = self.services.entry(other.to_owned()).or_default();
            match sent.sent.get_mut(text(&arguments[0])) {
                Some(left) if *left > 0 => *left -= 1,
                Some(_) | None => {
                    return Err(format!(
                        "{function}{arguments} was received more often than it was sent"
                    ));
                }
            }
            let counts = self
                .services
                .entry(committed.service.to_owned())
                .or_default();
            let expected = counts.command(function, &arguments, committed.time_ms)?;
            return same(
                || format!("{function}{arguments}"),
                committed.result,
                &expected,
            );
        }
        let counts = self
            .services
            .entry(committed.service.to_owned())
            .or_default();
        match (committed.request, committed.timer, committed.reply) {
            (Some((_, request)), _, _) => {
                let Request {
                    function,
                    arguments,
                    ..
                } = request;
                let expected = counts.command(function, arguments, committed.time_ms)?;
                same(
                    || format!("{function}{arguments}"),
                    committed.result,
                    &expected,
                )
            }
            (None, Some(key), _) => counts.timer(key, committed.time_ms),
            // It has no handler for answers.
            (None, None, Some(_)) => Ok(()),
            (None, None, None) => Err("an entry was made of nothing".into()),
        }
    }

    fn looked(&mut self, looked: &Looked<'_>) -> Result<(), String> {
        let counts = self.services.entry(looked.service.to_owned()).or_default();
        let key = text(&looked.request.arguments[0]);
        let expected = match looked.request.function.as_str() {
            "counted" => json!(counts.counts.get(key).copied().unwrap_or(0)),
            "forget" if !counts.counts.contains_key(key) => json!(false),
            other => {
                return Err(format!(
                    "{other}[{key:?}] changed nothing, where it should have"
                ));
            }
        };
        same(|| looked.request.function.clone(), looked.result, &expected)
    }

    fn settled(&mut self, look: &mut dyn Look) -> Result<(), String> {
        for (service, counts) in &self.services {
            if let Some((key, left)) = counts.sent.iter().find(|(_, left)| **left > 0) {
                return Err(format!(
                    "{left} messages of {service} for {key} were never received"
                ));
            }
            for (key, count) in &counts.counts {
                let asked = look.ask(service, INTERFACE, "counted", json!([key]));
                let actual = asked.map_err(|error| format!("counted {key}: {error}"))?;
                same(
                    || format!("in the end {service} {key}"),
                    &actual,
                    &json!(count),
                )?;
            }
        }
        Ok(())
    }
}
