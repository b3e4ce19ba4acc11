//! Clients write and read a few keys, alone and in transactions. Each answer is that of the model at its place in the order of commands.
//!
//! Some keys are only used alone, and what clients hear of those is also checked without any knowledge of that order: it has to be linearizable.

use super::database_model::DatabaseModel;
use super::{choose, request, same};
use bookshop_host::simulation::{Committed, Heard, Look, Looked, Random, Request, Workload};
use linearizability::register::{Begun, Registers};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SERVICE: &str = "database";
const INTERFACE: &str = "bookshop:shop/database";

/// Keys that are used. Few, so that clients meet.
const KEYS: u64 = 12;
/// Keys that are used alone. Fewer still: an order is hard to find if many calls of one key are under way.
const REGISTERS: u64 = 3;

/// The workload.
#[derive(Default)]
pub struct Database {
    model: DatabaseModel,
    next_key: u64,
    registers: Registers,
    /// What clients do with such keys.
    begun: BTreeMap<usize, Begun>,
}

fn key(random: &mut Random) -> String {
    let prefix = choose(random, &["stock/", "stock-", "é/"])
        .copied()
        .unwrap_or_default();
    format!("{prefix}{}", random.below(KEYS / 3))
}

fn value(random: &mut Random) -> Value {
    if random.chance(15) {
        // Longer than what is kept beside its key.
        let byte = random.below(256);
        return json!(vec![byte; 1_100]);
    }
    if random.chance(600) {
        return json!(random.below(20).to_le_bytes());
    }
    let bytes: Vec<u64> = (0..random.below(6)).map(|_| random.below(256)).collect();
    json!(bytes)
}

impl Database {
    /// A call of a key that is used alone.
    fn register(&self, random: &mut Random) -> (&'static str, Value) {
        let key = format!("register/{}", random.below(REGISTERS));
        match random.below(100) {
            0..40 => ("get", json!([key])),
            40..65 => ("set", json!([key, value(random)])),
            65..72 => ("update", json!([key, value(random)])),
            72..80 => ("delete", json!([key])),
            _ => {
                let expected = self.revision(random, &key);
                let value = random.chance(800).then(|| value(random));
                ("compare-and-swap", json!([key, expected, value]))
            }
        }
    }

    /// A revision that a client may believe in.
    fn revision(&self, random: &mut Random, key: &str) -> Option<u64> {
        if random.chance(700) {
            return self.model.revision_of(key);
        }
        Some(random.below(self.model.revision() + 2))
    }

    fn condition(&self, random: &mut Random) -> Value {
        let key = key(random);
        let test = match random.below(5) {
            0 => json!("exists"),
            1 => json!("absent"),
            2 => json!({ "at-revision": self.revision(random, &key).unwrap_or(0) }),
            3 => json!({ "equals": value(random) }),
            _ => json!({ "at-least": random.below(10) }),
        };
        json!({ "key": key, "test": test })
    }

    fn operations(random: &mut Random) -> Value {
        let count = random.below(4);
        let operation = |random: &mut Random| {
            let key = key(random);
            match random.below(5) {
                0 => json!({ "set": { "key": key, "value": value(random) } }),
                1 => json!({ "delete": key }),
                2 => json!({ "get": key }),
                _ => {
                    let amount = random.below(30) as i64 - 10;
                    json!({ "add": { "key": key, "amount": amount } })
                }
            }
        };
        (0..count).map(|_| operation(random)).collect()
    }

    fn selection(random: &mut Random) -> Value {
        match random.below(4) {
            0 => json!({ "prefix": "" }),
            1 => json!({ "prefix": "stock/" }),
            2 => json!({ "range": { "low": key(random), "high": key(random) } }),
            _ => json!({ "range": { "low": key(random), "high": null } }),
        }
    }
}

impl Workload for Database {
    fn services(&self) -> &'static [&'static str] {
        &["database"]
    }

    fn next(&mut self, client: usize, random: &mut Random) -> Option<Request> {
        let key = key(random);
        let (function, arguments) = match random.below(100) {
            _ if random.chance(250) => {
                let (function, arguments) = self.register(random);
                let begun = self.registers.begin(function, &arguments);
                self.begun.extend(begun.map(|begun| (client, begun)));
                (function, arguments)
            }
            0..20 => ("set", json!([key, value(random)])),
            20..28 => ("update", json!([key, value(random)])),
            28..38 => ("delete", json!([key])),
            38..52 => {
                let value = if random.chance(800) {
                    value(random)
                } else {
                    Value::Null
                };
                (
                    "compare-and-swap",
                    json!([key, self.revision(random, &key), value]),
                )
            }
            52..72 => {
                let count = random.below(3);
                let conditions: Vec<Value> = (0..count).map(|_| self.condition(random)).collect();
                let lists = (Self::operations(random), Self::operations(random));
                ("transaction", json!([conditions, lists.0, lists.1]))
            }
            72..75 => {
                let count = random.below(4);
                let pair = |random: &mut Random| json!({ "key": self::key(random), "value": value(random) });
                let pairs: Vec<Value> = (0..count).map(|_| pair(random)).collect();
                ("load", json!([pairs]))
            }
            75..85 => ("get", json!([key])),
            85..92 => {
                let after = random.chance(300).then(|| self::key(random));
                let limit = 1 + random.below(8);
                (
                    "scan",
                    json!([Self::selection(random), after, limit, random.chance(200)]),
                )
            }
            92..98 => {
                let revision = self.model.revision();
                let after = revision.saturating_sub(random.below(40));
                let prefix = choose(random, &["", "stock", "é"]).copied();
                ("changes", json!([after, prefix, 1 + random.below(10)]))
            }
            _ => ("status", json!([])),
        };
        Some(request(
            random,
            SERVICE,
            function,
            arguments,
            &mut self.next_key,
        ))
    }

    fn heard(&mut self, client: usize, request: &Request, heard: &Heard) -> Result<(), String> {
        if let Some(begun) = self.begun.remove(&client) {
            match heard {
                Heard::Result(result) => self.registers.end(&begun, result),
                Heard::Error(_) if request.key.is_none() => self.registers.forget(&begun),
                // It took effect so long ago that its answer is forgotten, or may take effect at any time.
                Heard::Error(_) | Heard::Nothing => {}
            }
        }
        Ok(())
    }

    fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        let Some((_, request)) = committed.request else {
            return Err("the database has an entry that no client caused".into());
        };
        let Request {
            function,
            arguments,
            ..
        } = request;
        let expected = self.model.command(function, arguments)?;
        same(
            || format!("{function}{arguments}"),
            committed.result,
            &expected,
        )
    }

    fn looked(&mut self, looked: &Looked<'_>) -> Result<(), String> {
        let Request {
            function,
            arguments,
            ..
        } = looked.request;
        let what = || format!("{function}{arguments}");
        if looked.is_query {
            return same(what, looked.result, &self.model.query(function, arguments)?);
        }
        let mut model = self.model.clone();
        let expected = model.command(function, arguments)?;
        if model != self.model {
            return Err(format!("{} changed nothing, where it should have", what()));
        }
        same(what, looked.result, &expected)
    }

    fn settled(&mut self, look: &mut dyn Look) -> Result<(), String> {
        let checked = self.registers.check();
        checked.map_err(|(key, verdict)| format!("what clients saw of {key} is {verdict}"))?;
        let mut ask = |function: &str, arguments: Value| {
            let expected = self.model.query(function, &arguments)?;
            let asked = look.ask(SERVICE, INTERFACE, function, arguments.clone());
            let actual = asked.map_err(|error| format!("{function}{arguments}: {error}"))?;
            same(
                || format!("in the end {function}{arguments}"),
                &actual,
                &expected,
            )
        };
        ask("status", json!([]))?;
        ask("scan", json!([{ "prefix": "" }, null, 1000, false]))?;
        ask(
            "changes",
            json!([self.model.revision().saturating_sub(50), "", 1000]),
        )
    }
}
