//! Clients of a simulation: each has one call at a time, and tries again, anywhere, where it may.

use super::calls::Reply;
use super::events::{Happening, Local};
use super::workload::{Heard, Request};
use super::world::{Step, Stop, World, violated};
use crate::call_error::CallError;
use std::sync::Arc;
use std::time::Duration;

/// How long a client waits for an answer before it tries again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits, at most, when nobody leads.
const AGAIN_US: u64 = 60_000;

impl World<'_> {
    pub(super) fn begin(&mut self, client: usize) -> Step {
        if self.begun >= self.plan.calls || self.clients[client].request.is_some() {
            return Ok(());
        }
        match self.workload.next(client, &mut self.random) {
            Some(request) => {
                self.count_begun();
                self.tell(|| {
                    format!(
                        "client {client} calls {}.{}{} key {:?}",
                        request.service, request.function, request.arguments, request.key
                    )
                });
                self.clients[client].call = self.begun;
                // Now and then another host, so that those that only follow are asked too.
                if self.random.chance(200) {
                    self.clients[client].host = self.any_host();
                }
                self.send(client, Arc::new(request));
            }
            None => self.soon(50_000, Happening::Client(client)),
        }
        Ok(())
    }

    /// A client sends its request, once more perhaps.
    pub(super) fn send(&mut self, client: usize, request: Arc<Request>) {
        let state = &mut self.clients[client];
        state.attempt += 1;
        state.request = Some(Arc::clone(&request));
        let (attempt, caller, host) = (state.attempt, (client, state.call), state.host);
        let is_faulty = self.plan.faults.network && !self.is_settling;
        let arrive = || Local::Arrive {
            caller,
            attempt,
            request: Arc::clone(&request),
        };
        if !(is_faulty && self.random.chance(10)) {
            self.soon_on(host, 400, arrive());
        }
        // Only what may be repeated is: no host sends another call twice.
        if is_faulty && request.key.is_some() && self.random.chance(30) {
            let within_us = if self.random.chance(200) {
                20_000_000
            } else {
                200_000
            };
            let host = self.any_host();
            self.soon_on(host, within_us, arrive());
        }
        self.after(PATIENCE, Happening::Impatient(client, attempt));
    }

    pub(super) fn impatient(&mut self, client: usize, attempt: u64) -> Step {
        if self.clients[client].attempt != attempt {
            return Ok(());
        }
        match self.clients[client].request.clone() {
            Some(request) if request.key.is_some() => {
                self.clients[client].host = self.any_host();
                self.send(client, request);
                Ok(())
            }
            Some(_) => self.hear(client, attempt, &Heard::Nothing),
            None => Ok(()),
        }
    }

    pub(super) fn again(&mut self, client: usize, attempt: u64) -> Step {
        if self.clients[client].attempt == attempt
            && let Some(request) = self.clients[client].request.clone()
        {
            self.send(client, request);
        }
        Ok(())
    }

    /// Something comes back to a client.
    pub(super) fn answered(&mut self, client: usize, attempt: u64, reply: Reply) -> Step {
        if self.clients[client].attempt != attempt {
            return Ok(());
        }
        let Some(request) = self.clients[client].request.clone() else {
            return Ok(());
        };
        match reply {
            Reply::Heard(heard) => self.hear(client, attempt, &heard),
            Reply::Elsewhere(leader) => {
                if request.key.is_none() {
                    self.deny(client, attempt, &request, "to ask elsewhere")?;
                }
                let any = self.any_host();
                self.clients[client].host = leader.unwrap_or(any);
                let within_us = if leader.is_some() { 500 } else { AGAIN_US };
                self.soon(within_us, Happening::Again(client, attempt));
                Ok(())
            }
            Reply::Unsure if request.key.is_some() => {
                self.clients[client].host = self.any_host();
                self.soon(AGAIN_US, Happening::Again(client, attempt));
                Ok(())
            }
            Reply::Unsure => self.hear(client, attempt, &Heard::Nothing),
        }
    }

    /// A client is told that its attempt, which had no key, had no effect.
    fn deny(&mut self, client: usize, attempt: u64, request: &Request, told: &str) -> Step {
        if self.effects.contains(&(client, attempt)) {
            return violated(format!(
                "client {client} hears {told} of {}, which took effect",
                request.function
            ));
        }
        self.denied.insert((client, attempt));
        Ok(())
    }

    pub(super) fn hear(&mut self, client: usize, attempt: u64, heard: &Heard) -> Step {
        if self.clients[client].attempt != attempt {
            return Ok(());
        }
        let Some(request) = self.clients[client].request.take() else {
            return Ok(());
        };
        if let Heard::Error(CallError::Unavailable { .. }) = heard
            && request.key.is_some()
        {
            // Nothing was executed; it is asked again after a while, since the attempt is the same.
            self.clients[client].request = Some(request);
            return Ok(());
        }
        let caller = (client, self.clients[client].call);
        let results = self.results.remove(&caller).unwrap_or_default();
        match heard {
            Heard::Result(heard) if results.contains(heard) => {}
            Heard::Result(heard) => {
                return violated(format!(
                    "client {client} hears {heard} of {}, whose results were {results:?}",
                    request.function
                ));
            }
            Heard::Error(error) if request.key.is_none() => {
                self.deny(client, attempt, &request, &error.to_string())?;
            }
            Heard::Error(_) | Heard::Nothing => {}
        }
        self.report.answered += 1;
        self.tell(|| format!("client {client} hears {heard}"));
        self.workload
            .heard(client, &request, heard)
            .map_err(Stop::Violated)?;
        // Now and then a pause, in which timers go off.
        let pause_us = if self.random.chance(40) {
            3_000_000
        } else {
            30_000
        };
        self.soon(pause_us, Happening::Client(client));
        Ok(())
    }
}
