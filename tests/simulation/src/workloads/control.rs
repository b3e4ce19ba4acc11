//! The cluster's own state: hosts apply files, take turns with them and say what came of it; somebody who is no host tries to, too.

use super::control_files::File;
use super::control_model::{Caller, ControlModel};
use super::{request, same};
use bookshop_host::simulation::{Committed, Heard, Look, Looked, Random, Request, Workload};
use serde_json::{Value, json};

const SERVICE: &str = "control";
const INTERFACE: &str = "bookshop:control/registry";

/// How a host is called, and somebody else.
const HOST: &str = "control:host";
const STRANGER: &str = "orders";

/// The client that is no host.
const STRANGERS_NUMBER: usize = 3;

/// Calls of a mood: 10 to so many more.
const MOOD_CALLS: u64 = 20;

/// Times in a run that everybody falls silent, at most.
const SILENCES_MAX: u32 = 2;

/// How often each client then has nothing to do: it is asked every 25 ms, so for 100 s to 160 s. Turns that nobody gives back run out in that time, or not.
const SILENT_MIN: u64 = 4_000;
const SILENT_MORE: u64 = 2_400;

/// What most calls are for. There are more revisions than are kept only if many are applied, and turns come to anything only if few are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Applying,
    TakingUp,
}

/// What a client believes.
#[derive(Debug, Clone, Copy, Default)]
struct Belief {
    /// The revision in force.
    revision: u64,
    /// The revision that it has the turn for.
    turn: Option<u64>,
    /// How often it has nothing to do.
    silent: u64,
}

/// The workload.
pub struct Control {
    model: ControlModel,
    clients: Vec<Belief>,
    mood: Mood,
    /// Calls before the mood changes.
    mood_calls: u64,
    silences: u32,
    next_file: u64,
    next_key: u64,
}

impl Control {
    /// Nothing has happened.
    pub fn new(clients: usize) -> Self {
        Self {
            model: ControlModel::default(),
            clients: vec![Belief::default(); clients],
            mood: Mood::TakingUp,
            mood_calls: 0,
            silences: 0,
            next_file: 0,
            next_key: 0,
        }
    }

    fn change_mood(&mut self, random: &mut Random) {
        self.mood_calls = match self.mood_calls.checked_sub(1) {
            Some(left) => left,
            None => {
                self.mood = match self.mood {
                    Mood::Applying => Mood::TakingUp,
                    Mood::TakingUp => Mood::Applying,
                };
                10 + random.below(MOOD_CALLS)
            }
        };
    }

    /// Now and then everybody is silent, while somebody has the turn.
    fn falls_silent(&mut self, random: &mut Random) {
        if self.mood == Mood::TakingUp
            && self.silences < SILENCES_MAX
            && self.model.is_taking_up()
            && random.chance(25)
        {
            self.silences += 1;
            let silent = SILENT_MIN + random.below(SILENT_MORE);
            for client in &mut self.clients {
                client.silent = silent;
            }
        }
    }

    /// A revision that a client takes for the one in force: mostly that is it, otherwise what it heard of last, or any.
    fn revision(&self, client: usize, random: &mut Random) -> u64 {
        match random.below(100) {
            0..80 => self.model.revision(),
            80..95 => self.clients[client].revision,
            _ => random.below(self.model.revision() + 3),
        }
    }

    fn apply(&mut self, client: usize, random: &mut Random) -> Value {
        let number = match random.below(100) {
            0..75 => {
                self.next_file += 1;
                self.next_file
            }
            // Once more what was perhaps just applied, or any before it.
            75..88 => self.next_file,
            _ => random.below(self.next_file + 1),
        };
        let mut file = File::new(number, format!("client {client}"), random);
        if random.chance(40) {
            file = file.spoiled(random);
        }
        file.arguments(self.revision(client, random))
    }

    /// The name by which a client speaks of itself, or now and then of somebody else.
    fn host(&self, client: usize, random: &mut Random) -> String {
        let number = match random.below(100) {
            0..96 => client,
            _ => random.below(self.clients.len() as u64) as usize,
        };
        format!("host-{number}")
    }

    fn take_turn(&self, client: usize, random: &mut Random) -> Value {
        json!([self.host(client, random), self.revision(client, random)])
    }

    fn report(&self, client: usize, random: &mut Random) -> Value {
        let host = match random.below(100) {
            0 => String::new(),
            1 => "h".repeat(64),
            _ => self.host(client, random),
        };
        let believed = self.clients[client].turn;
        let revision = believed.unwrap_or_else(|| self.revision(client, random));
        let outcome = match random.below(100) {
            0..40 => json!("running"),
            40..75 => json!("ready"),
            75..97 => json!({ "failed": format!("{host} has no room") }),
            // Cut off in the middle of a character.
            _ => json!({ "failed": format!("!{}", "é".repeat(600)) }),
        };
        json!([host, revision, outcome])
    }

    fn query(&self, random: &mut Random) -> (&'static str, Value) {
        match random.below(5) {
            0 => ("current", json!([])),
            1 => ("history", json!([random.below(60)])),
            2 => {
                let back = random.below(20);
                let revision = (self.model.revision() + 1).saturating_sub(back);
                ("at", json!([revision]))
            }
            3 => ("standings", json!([])),
            _ => ("current-turn", json!([])),
        }
    }
}

/// What a command should return, with the words of the component where there have to be some.
fn with_words(mut expected: Value, actual: &Value) -> Value {
    let words = &actual["err"]["invalid"];
    if let Some(expected) = expected.pointer_mut("/err/invalid")
        && words.as_str().is_some_and(|words| !words.is_empty())
    {
        *expected = words.clone();
    }
    expected
}

fn caller(client: usize) -> Caller {
    match client {
        STRANGERS_NUMBER => Caller::Other(STRANGER),
        _ => Caller::Host,
    }
}

impl Workload for Control {
    fn services(&self) -> &'static [&'static str] {
        &[SERVICE]
    }

    fn caller(&self, client: usize) -> &'static str {
        match caller(client) {
            Caller::Host => HOST,
            Caller::Other(name) => name,
        }
    }

    fn next(&mut self, client: usize, random: &mut Random) -> Option<Request> {
        let silent = &mut self.clients[client].silent;
        if *silent > 0 {
            *silent -= 1;
            return None;
        }
        self.change_mood(random);
        self.falls_silent(random);
        let (applies, takes, reports) = match self.mood {
            Mood::Applying => (80, 84, 86),
            Mood::TakingUp => (3, 50, 78),
        };
        let part = random.below(100);
        let (function, arguments) = if part < applies {
            ("apply", self.apply(client, random))
        } else if part < takes {
            ("take-turn", self.take_turn(client, random))
        } else if part < reports {
            ("report", self.report(client, random))
        } else {
            self.query(random)
        };
        Some(Request {
            interface: INTERFACE.to_owned(),
            ..request(random, SERVICE, function, arguments, &mut self.next_key)
        })
    }

    fn heard(&mut self, client: usize, request: &Request, heard: &Heard) -> Result<(), String> {
        let Heard::Result(result) = heard else {
            return Ok(());
        };
        let belief = &mut self.clients[client];
        match request.function.as_str() {
            "take-turn" => {
                let revision = request.arguments[1].as_u64();
                belief.turn = revision.filter(|_| result.get("ok").is_some());
            }
            "report" => belief.turn = None,
            _ => {}
        }
        let refused = &result["err"];
        let told = [
            &result["ok"],
            &result["revision"],
            &refused["superseded"],
            &refused["unchanged"],
        ];
        if let Some(revision) = told.into_iter().find_map(Value::as_u64) {
            belief.revision = revision;
        }
        Ok(())
    }

    fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        let Some((client, request)) = committed.request else {
            return Err("the registry has an entry that no client caused".into());
        };
        let Request {
            function,
            arguments,
            ..
        } = request;
        let model = &mut self.model;
        let expected = model.command(function, arguments, caller(client), committed.time_ms)?;
        same(
            || format!("{function}{arguments} of {client}"),
            committed.result,
            &with_words(expected, committed.result),
        )
    }

    fn looked(&mut self, looked: &Looked<'_>) -> Result<(), String> {
        let Looked {
            client,
            time_ms,
            result,
            ..
        } = *looked;
        let Request {
            function,
            arguments,
            ..
        } = looked.request;
        let what = || format!("{function}{arguments} of {client} at {time_ms}");
        if looked.is_query {
            let expected = self.model.query(function, arguments, time_ms)?;
            return same(what, result, &expected);
        }
        let mut model = self.model.clone();
        let expected = model.command(function, arguments, caller(client), time_ms)?;
        if model != self.model {
            return Err(format!(
                "{} changed nothing and said {result}, where it should have said {expected}",
                what()
            ));
        }
        same(what, result, &with_words(expected, result))
    }

    fn settled(&mut self, look: &mut dyn Look) -> Result<(), String> {
        let revision = self.model.revision();
        let revisions = (0..=revision + 1).map(|revision| ("at", json!([revision])));
        let limits = [0, 7, 50, 51, u64::from(u32::MAX)];
        let histories = limits.map(|limit| ("history", json!([limit])));
        let others = ["current", "standings", "current-turn"].map(|name| (name, json!([])));
        for (function, arguments) in revisions.chain(histories).chain(others) {
            let expected = self
                .model
                .query(function, &arguments, look.time_ms(SERVICE))?;
            let asked = look.ask(SERVICE, INTERFACE, function, arguments.clone());
            let actual = asked.map_err(|error| format!("{function}{arguments}: {error}"))?;
            same(
                || format!("in the end {function}{arguments}"),
                &actual,
                &expected,
            )?;
        }
        Ok(())
    }
}
