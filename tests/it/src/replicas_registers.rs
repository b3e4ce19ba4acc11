//! Clients that use a few keys all at once, through all hosts while these fail: what they see has to be linearizable, whatever the hosts know of it.

use crate::replicas_load::{Caller, PAUSE};
use linearizability::register::Registers;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Keys that are used.
const KEYS: u64 = 2;

/// What clients did and saw.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Registers>>);

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Registers) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks all of it. How many calls that were.
    ///
    /// # Panics
    /// No order explains what clients saw.
    pub fn check(&self) -> usize {
        self.with(|registers| {
            if let Err((key, verdict)) = registers.check() {
                panic!("what clients saw of {key} is {verdict}");
            }
            registers.ended()
        })
    }

    /// One client. Writes have a key, and are repeated until there is an answer, so that all of them have an end; reads are not.
    pub async fn use_keys(self, mut caller: Caller, host: usize) {
        let (mut turn, mut known) = (host as u64, [Value::Null, Value::Null]);
        while caller.goes_on() {
            turn += 1;
            // Each client has its own order of functions, and goes on from key to key at another time.
            let place = turn / 3 % KEYS;
            let key = format!("register-{place}");
            let known = &mut known[place as usize];
            let value = json!([host, turn % 251]);
            let (function, arguments) = match (turn * (host as u64 + 1)) % 8 {
                0 => ("set", json!([key, value])),
                1 => ("update", json!([key, value])),
                2 => ("delete", json!([key])),
                3 | 4 => ("compare-and-swap", json!([key, known, value])),
                _ => ("get", json!([key])),
            };
            let begun = self.with(|registers| registers.begin(function, &arguments));
            let begun = begun.expect("it is a function of one key");
            let answer = if function == "get" {
                caller.attempt(function, &arguments, None).await
            } else {
                let id = format!("register-{host}-{turn}");
                Some(caller.insist(function, &arguments, &id).await)
            };
            match answer {
                Some(answer) => {
                    self.with(|registers| registers.end(&begun, &answer));
                    let seen = match function {
                        "get" => &answer["ok"]["revision"],
                        "compare-and-swap" if answer["ok"].is_null() => {
                            &answer["err"]["conflict"]["revision"]
                        }
                        "delete" => &Value::Null,
                        _ => &answer["ok"],
                    };
                    *known = seen.clone();
                }
                None => self.with(|registers| registers.forget(&begun)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
