//! What `bookshop:shop/database` promises, in a map.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// As in `shop.toml`.
const HISTORY_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq)]
struct Stored {
    value: Value,
    created: u64,
    revision: u64,
    version: u64,
}

/// The database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatabaseModel {
    keys: BTreeMap<String, Stored>,
    revision: u64,
    /// What each revision changed, the oldest first: whether a key was deleted.
    changes: VecDeque<BTreeMap<String, bool>>,
}

/// What a call is about to do.
struct Draft {
    now: BTreeMap<String, Stored>,
    touched: BTreeSet<String>,
    revision: u64,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn entry(key: &str, stored: &Stored) -> Value {
    json!({
        "key": key,
        "value": stored.value,
        "created-revision": stored.created,
        "revision": stored.revision,
        "version": stored.version,
    })
}

fn length(value: &Value) -> u64 {
    value.as_array().map_or(0, |bytes| bytes.len() as u64)
}

impl Draft {
    fn set(&mut self, key: &str, value: &Value) {
        let revision = self.revision;
        let old = self.now.get(key);
        let stored = Stored {
            value: value.clone(),
            created: old.map_or(revision, |old| old.created),
            revision,
            version: old.map_or(1, |old| old.version + u64::from(old.revision != revision)),
        };
        self.now.insert(key.to_owned(), stored);
        self.touched.insert(key.to_owned());
    }

    fn delete(&mut self, key: &str) -> bool {
        let had = self.now.remove(key).is_some();
        if had {
            self.touched.insert(key.to_owned());
        }
        had
    }

    fn number(&self, key: &str) -> Result<u64, Value> {
        let Some(stored) = self.now.get(key) else {
            return Ok(0);
        };
        let bytes: Vec<u8> = serde_json::from_value(stored.value.clone()).unwrap_or_default();
        let bytes = bytes
            .try_into()
            .map_err(|_| json!({ "not-a-number": key }))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn holds(&self, condition: &Value) -> Result<bool, Value> {
        let key = text(&condition["key"]);
        let stored = self.now.get(key);
        let test = &condition["test"];
        Ok(match test.as_str() {
            Some("exists") => stored.is_some(),
            Some(_) => stored.is_none(),
            None if test.get("at-revision").is_some() => {
                stored.is_some_and(|it| Some(it.revision) == test["at-revision"].as_u64())
            }
            None if test.get("equals").is_some() => {
                stored.is_some_and(|it| it.value == test["equals"])
            }
            None => self.number(key)? >= test["at-least"].as_u64().unwrap_or(0),
        })
    }

    fn perform(&mut self, operation: &Value) -> Result<Value, Value> {
        if let Some(pair) = operation.get("set") {
            self.set(text(&pair["key"]), &pair["value"]);
            return Ok(json!("set"));
        }
        if let Some(key) = operation.get("delete") {
            return Ok(json!({ "deleted": self.delete(text(key)) }));
        }
        if let Some(key) = operation.get("get") {
            let found = self.now.get(text(key));
            return Ok(json!({ "got": found.map(|stored| entry(text(key), stored)) }));
        }
        let (key, amount) = (
            text(&operation["add"]["key"]),
            operation["add"]["amount"].as_i64().unwrap_or(0),
        );
        let number = self.number(key)?;
        let Some(sum) = number.checked_add_signed(amount) else {
            return Err(if amount < 0 {
                json!({ "insufficient": { "key": key, "available": number, "wanted": amount.unsigned_abs() } })
            } else {
                json!({ "overflow": key })
            });
        };
        self.set(key, &json!(sum.to_le_bytes()));
        // Beyond that numbers are texts, since not all readers of JSON have them exactly.
        Ok(json!({ "added": if sum > 1 << 53 { json!(sum.to_string()) } else { json!(sum) } }))
    }
}

impl DatabaseModel {
    fn draft(&self) -> Draft {
        Draft {
            now: self.keys.clone(),
            touched: BTreeSet::new(),
            revision: self.revision + 1,
        }
    }

    /// Takes over what a call did, and returns the revision afterwards.
    fn commit(&mut self, draft: Draft) -> u64 {
        let changed = draft.touched.into_iter().filter_map(|key| {
            let is_there = draft.now.contains_key(&key);
            (is_there || self.keys.contains_key(&key)).then_some((key, !is_there))
        });
        let changed: BTreeMap<String, bool> = changed.collect();
        if changed.is_empty() {
            return self.revision;
        }
        self.revision += 1;
        self.keys = draft.now;
        self.changes.push_back(changed);
        while self.changes.iter().map(BTreeMap::len).sum::<usize>() > HISTORY_MAX
            && self.changes.len() > 1
        {
            self.changes.pop_front();
        }
        self.revision
    }

    /// The first revision whose changes are known.
    fn first(&self) -> u64 {
        self.revision + 1 - self.changes.len() as u64
    }

    /// A command takes effect, and should return this.
    pub fn command(&mut self, function: &str, arguments: &Value) -> Result<Value, String> {
        let key = text(&arguments[0]);
        let mut draft = self.draft();
        Ok(match function {
            "set" => {
                draft.set(key, &arguments[1]);
                json!({ "ok": self.commit(draft) })
            }
            "update" if self.keys.contains_key(key) => {
                draft.set(key, &arguments[1]);
                json!({ "ok": self.commit(draft) })
            }
            "update" => json!({ "ok": null }),
            "delete" => {
                let had = draft.delete(key);
                json!({ "ok": had.then(|| self.commit(draft)) })
            }
            "compare-and-swap" => {
                let found = self.keys.get(key);
                if found.map(|stored| stored.revision) != arguments[1].as_u64() {
                    return Ok(
                        json!({ "err": { "conflict": found.map(|stored| entry(key, stored)) } }),
                    );
                }
                if arguments[2].is_null() {
                    draft.delete(key);
                } else {
                    draft.set(key, &arguments[2]);
                }
                json!({ "ok": self.commit(draft) })
            }
            "transaction" => match self.transaction(draft, arguments) {
                Ok(outcome) => json!({ "ok": outcome }),
                Err(error) => json!({ "err": error }),
            },
            "load" => {
                let mut added = 0;
                for pair in arguments[0].as_array().into_iter().flatten() {
                    if !draft.now.contains_key(text(&pair["key"])) {
                        draft.set(text(&pair["key"]), &pair["value"]);
                        added += 1;
                    }
                }
                json!({ "ok": { "added": added, "revision": self.commit(draft) } })
            }
            other => {
                return Err(format!(
                    "the database has executed {other}, which is no command"
                ));
            }
        })
    }

    fn transaction(&mut self, mut draft: Draft, arguments: &Value) -> Result<Value, Value> {
        let mut held = true;
        for condition in arguments[0].as_array().into_iter().flatten() {
            held = held && draft.holds(condition)?;
        }
        let operations = &arguments[if held { 1 } else { 2 }];
        let operations = operations.as_array().into_iter().flatten();
        let results: Result<Vec<Value>, Value> = operations
            .map(|operation| draft.perform(operation))
            .collect();
        let results = results?;
        Ok(json!({ "held": held, "results": results, "revision": self.commit(draft) }))
    }

    /// What a query should return.
    pub fn query(&self, function: &str, arguments: &Value) -> Result<Value, String> {
        Ok(match function {
            "get" => {
                let key = text(&arguments[0]);
                json!({ "ok": self.keys.get(key).map(|stored| entry(key, stored)) })
            }
            "scan" => json!({ "ok": self.scan(arguments) }),
            "changes" => self.told(arguments),
            "status" => {
                let bytes = self
                    .keys
                    .iter()
                    .map(|(key, stored)| key.len() as u64 + length(&stored.value));
                json!({ "ok": {
                    "revision": self.revision,
                    "keys": self.keys.len(),
                    "bytes": bytes.sum::<u64>(),
                    "first-available": self.first(),
                } })
            }
            other => {
                return Err(format!(
                    "the database has answered {other}, which is no query"
                ));
            }
        })
    }

    fn scan(&self, arguments: &Value) -> Value {
        let (selection, after) = (&arguments[0], arguments[1].as_str());
        let limit = arguments[2].as_u64().unwrap_or(0) as usize;
        let is_selected = |key: &str| match selection.get("prefix") {
            Some(prefix) => key.starts_with(text(prefix)),
            None => {
                let range = &selection["range"];
                key >= text(&range["low"]) && range["high"].as_str().is_none_or(|high| key < high)
            }
        };
        let found: Vec<(&String, &Stored)> = self
            .keys
            .iter()
            .filter(|(key, _)| is_selected(key) && after.is_none_or(|after| key.as_str() > after))
            .collect();
        let mut entries: Vec<Value> = found
            .iter()
            .take(limit)
            .map(|(key, stored)| entry(key, stored))
            .collect();
        if arguments[3] == true {
            for entry in &mut entries {
                entry["value"] = json!([]);
            }
        }
        let next = found
            .get(limit.saturating_sub(1))
            .filter(|_| found.len() > limit);
        json!({ "entries": entries, "next": next.map(|(key, _)| key), "revision": self.revision })
    }

    fn told(&self, arguments: &Value) -> Value {
        let (after, prefix) = (arguments[0].as_u64().unwrap_or(0), text(&arguments[1]));
        let limit = arguments[2].as_u64().unwrap_or(0) as usize;
        if after + 1 < self.first() {
            return json!({ "err": { "compacted": self.first() } });
        }
        let mut changes = Vec::new();
        let mut upto = after;
        let known = self
            .changes
            .iter()
            .skip((after + 1 - self.first()) as usize);
        for (revision, marks) in (after + 1..).zip(known) {
            let marks: Vec<(&String, &bool)> = marks
                .iter()
                .filter(|(key, _)| key.starts_with(prefix))
                .collect();
            if changes.len() + marks.len() > limit && !changes.is_empty() {
                break;
            }
            for (key, is_deleted) in marks {
                let effect = match self.keys.get(key) {
                    _ if *is_deleted => json!("deleted"),
                    Some(stored) if stored.revision == revision => json!({ "set": stored.value }),
                    Some(_) | None => json!("overwritten"),
                };
                changes.push(json!({ "revision": revision, "key": key, "effect": effect }));
            }
            upto = revision;
        }
        json!({ "ok": { "changes": changes, "upto": upto, "revision": self.revision } })
    }

    /// The revision of the database.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision of a key.
    pub fn revision_of(&self, key: &str) -> Option<u64> {
        self.keys.get(key).map(|stored| stored.revision)
    }
}
