//! Clients of a simulation: each has one call at a time, and tries again where it may.

use super::workload::{Heard, Request};
use super::world::{Happening, Step, Stop, World, violated};
use crate::call_error::CallError;
use std::sync::Arc;
use std::time::Duration;

/// How long a client waits for an answer before it tries again.
const PATIENCE: Duration = Duration::from_secs(2);

impl World<'_> {
    pub(super) fn begin(&mut self, client: usize) -> Step {
        if self.begun >= self.plan.calls || self.clients[client].request.is_some() {
            return Ok(());
        }
        match self.workload.next(client, &mut self.random) {
            Some(request) => {
                self.begun += 1;
                self.tell(|| {
                    format!(
                        "client {client} calls {}.{}{} key {:?}",
                        request.service, request.function, request.arguments, request.key
                    )
                });
                self.clients[client].call = self.begun;
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
        let (attempt, caller) = (state.attempt, (client, state.call));
        let is_faulty = self.plan.faults.network && !self.is_settling;
        let arrive = || Happening::Arrive {
            caller,
            attempt,
            request: Arc::clone(&request),
        };
        if !(is_faulty && self.random.chance(10)) {
            self.soon(400, arrive());
        }
        // Only what may be repeated is: no host sends another call twice.
        if is_faulty && request.key.is_some() && self.random.chance(30) {
            let within_us = if self.random.chance(200) {
                20_000_000
            } else {
                200_000
            };
            self.soon(within_us, arrive());
        }
        self.after(PATIENCE, Happening::Impatient(client, attempt));
    }

    pub(super) fn impatient(&mut self, client: usize, attempt: u64) -> Step {
        if self.clients[client].attempt != attempt {
            return Ok(());
        }
        match self.clients[client].request.clone() {
            Some(request) if request.key.is_some() => {
                self.send(client, request);
                Ok(())
            }
            Some(_) => self.hear(client, attempt, &Heard::Nothing),
            None => Ok(()),
        }
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
        let result = self.results.remove(&caller);
        match heard {
            Heard::Result(heard) => match result {
                Some(result) if result == *heard => {}
                Some(result) => {
                    return violated(format!(
                        "client {client} hears {heard} of {}, whose result was {result}",
                        request.function
                    ));
                }
                None => {
                    return violated(format!(
                        "client {client} hears {heard} of {}, which has not happened",
                        request.function
                    ));
                }
            },
            Heard::Error(error) if request.key.is_none() => {
                if result.is_some() {
                    return violated(format!(
                        "client {client} hears {error} of {}, which took effect",
                        request.function
                    ));
                }
                self.denied.insert(caller);
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
