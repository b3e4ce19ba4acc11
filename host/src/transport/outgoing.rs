//! Calls of this host to services that run on others.
//!
//! Called by the router when a service does not run here. Chooses the host, and another one when the first cannot have done anything, or when
//! doing it twice does no harm because the call carries an idempotency key. Every failure says which host it was.

use crate::call_error::{CallError, wire as error_wire};
use crate::config::Limits;
use crate::dispatch::FunctionName;
use crate::envelope::Envelope;
use crate::os::Os;
use crate::os::clock::{Elapsed, timeout_at};
use crate::payload::Body;
use crate::services::foreign::Told;
use crate::services::{Slot, State};
use crate::signature::{CALL_PATH, Signature};
use crate::transport::lane::Lane;
use crate::transport::message::{self, ERROR, TYPE, TYPES_PATH, UNKNOWN_TYPES, VALUES};
use crate::transport::peers::Peers;
use crate::transport::peers::leads::Led;
use crate::transport::wire::{ExchangeError, Wire};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use wasmtime::component::Val;

pub mod leading;
mod waiting;

/// What a host that has too much under way asks its callers to wait: about one round of calls.
const BUSY_RETRY_AFTER: Duration = Duration::from_millis(50);
/// Bytes of an error that a peer answers with.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// One thread's way to the services of other hosts.
pub struct Outgoing {
    peers: Arc<Peers>,
    wire: Arc<Wire>,
    /// Waits for changes that are under way.
    waits: AtomicU32,
    os: Os,
}

/// One attempt on one host failed.
struct Failed {
    error: CallError,
    /// Whether the host can have done nothing, so that another may be asked.
    did_nothing: bool,
    /// Who leads the service, if the host said so.
    led: Option<Led>,
}

impl Failed {
    /// Whether the call may be made again on another host: nothing happened, or a key (`has_key`) keeps it from happening twice.
    fn may_be_repeated(&self, has_key: bool) -> bool {
        !self.error.is_final_for_key() && (self.did_nothing || has_key)
    }
}

impl Outgoing {
    /// Calls by way of `wire`, to `peers`.
    #[must_use]
    pub fn new(peers: Arc<Peers>, wire: Arc<Wire>, os: Os) -> Self {
        Self {
            peers,
            wire,
            waits: AtomicU32::new(0),
            os,
        }
    }

    /// Whether other hosts should run this service.
    #[must_use]
    pub fn has_places(&self, slot: &Slot) -> bool {
        self.peers.has_places(slot.service.id)
    }

    /// Calls a function on another host. The deadline in the envelope holds for all attempts together; `started` is when the caller asked.
    ///
    /// # Errors
    /// As a local call. [`CallError::Unavailable`] and [`CallError::DeadlineExceeded`] name the host and say whether it may have acted.
    pub async fn call(
        &self,
        slot: &Slot,
        function: &Signature,
        envelope: &Envelope,
        arguments: &[Val],
        started: Duration,
    ) -> Result<Vec<Val>, CallError> {
        let encoded = function.types.arguments.encode(arguments);
        let body = Bytes::from(encoded.map_err(|error| CallError::Incompatible {
            service: slot.service.name.to_string(),
            message: error.to_string(),
        })?);
        let has_key = envelope.idempotency_key.is_some();
        let (mut tried, mut last) = (Vec::new(), None);
        while let Some(index) = self.next(slot, envelope, &tried) {
            tried.push(index);
            let attempted = timeout_at(
                self.os.clock.as_ref(),
                envelope.deadline,
                self.attempt(index, slot, function, envelope, body.clone()),
            )
            .await;
            match attempted {
                Ok(Ok(values)) => return Ok(values),
                Ok(Err(failed)) if failed.may_be_repeated(has_key) => last = Some(failed.error),
                Ok(Err(failed)) => return Err(failed.error),
                Err(Elapsed) => return Err(self.late(index, slot, envelope, started)),
            }
        }
        Err(last.unwrap_or_else(|| self.nowhere(slot)))
    }

    /// Hands an HTTP request to a handler on another host. It is tried elsewhere only as long as nothing of it was sent.
    ///
    /// # Errors
    /// As for a call.
    pub async fn serve(
        &self,
        slot: &Slot,
        envelope: &Envelope,
        mut request: Request<Body>,
        started: Duration,
    ) -> Result<Response<Body>, CallError> {
        message::prepare_forward(&mut request, &slot.service.name);
        crate::transport::head::write(envelope, self.os.clock.monotonic(), request.headers_mut());
        let (mut tried, mut last) = (Vec::new(), None);
        while let Some(index) = self.next(slot, envelope, &tried) {
            tried.push(index);
            let exchange = self.wire.exchange(index, Lane::Bulk, request);
            let exchanged = timeout_at(self.os.clock.as_ref(), envelope.deadline, exchange)
                .await
                .map_err(|Elapsed| self.late(index, slot, envelope, started))?;
            match exchanged {
                Ok(response) if response.headers().contains_key(ERROR) => {
                    return Err(self.refusal(index, slot, response).await.error);
                }
                Ok(response) => {
                    return Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()));
                }
                Err(ExchangeError::NotSent {
                    reason,
                    request: unsent,
                }) => {
                    self.peers.failed(index, &reason);
                    last = Some(self.unavailable(index, slot, &reason, false));
                    request = *unsent;
                }
                Err(error) => return Err(self.failed(index, slot, error).error),
            }
        }
        Err(last.unwrap_or_else(|| self.nowhere(slot)))
    }

    /// The best host that was not tried. Looked up anew each time, since a host that failed is left out for everybody at once.
    fn next(&self, slot: &Slot, envelope: &Envelope, tried: &[usize]) -> Option<usize> {
        let is_new = |index: &usize| !tried.contains(index);
        // A leader answers queries without asking anybody else how far they have to see.
        if slot.service.config.has_several_replicas() && !envelope.is_stale_ok {
            let leader = self.peers.lead(slot.service.id).borrow().leader;
            let may_serve = |index: &usize| self.peers.get(*index).may_serve(slot.service.id);
            if let Some(leader) = leader.filter(is_new)
                && leader != self.peers.own()
                && may_serve(&leader)
            {
                return Some(leader);
            }
        }
        let candidates = self.peers.candidates(slot.service.id, envelope.trace_id);
        candidates.into_iter().find(is_new)
    }

    async fn attempt(
        &self,
        index: usize,
        slot: &Slot,
        function: &Signature,
        envelope: &Envelope,
        body: Bytes,
    ) -> Result<Vec<Val>, Failed> {
        let mut sent = self.send(index, function, envelope, body.clone()).await;
        if matches!(sent, Err(ExchangeError::Refused { .. })) {
            // The peer closed a connection for reasons of its own, such as other certificates; it is there all the same.
            sent = self.send(index, function, envelope, body.clone()).await;
        }
        if matches!(&sent, Ok(response) if response.headers().contains_key(UNKNOWN_TYPES)) {
            // It runs another version, and nothing was done. Should it not take the types, it says the same again.
            let _ = self.tell(index, function).await;
            sent = self.send(index, function, envelope, body).await;
        }
        let response = sent.map_err(|error| self.failed(index, slot, error))?;
        if !response.status().is_success() {
            return Err(self.refusal(index, slot, response).await);
        }
        self.results(index, slot, function, response).await
    }

    /// Tells a peer with which types this host calls a function.
    async fn tell(&self, index: usize, function: &Signature) -> Result<(), ExchangeError> {
        let told = json!(Told::of(&function.types)).to_string();
        let path = function.uri.path().trim_start_matches(CALL_PATH);
        let mut request = Request::new(message::full(told.into()));
        *request.method_mut() = http::Method::POST;
        if let Ok(uri) = format!("https://peer{TYPES_PATH}{path}").parse() {
            *request.uri_mut() = uri;
        }
        let response = self.wire.exchange(index, Lane::Bulk, request).await?;
        // The answer says nothing more than that it came.
        let _ = message::read(response.into_body(), ERROR_BYTES_MAX as u64).await;
        Ok(())
    }

    async fn send(
        &self,
        index: usize,
        function: &Signature,
        envelope: &Envelope,
        body: Bytes,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let lane = Lane::of_call(body.len());
        let mut request = Request::new(message::full(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = function.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(VALUES));
        headers.insert(TYPE, function.hash.clone());
        crate::transport::head::write(envelope, self.os.clock.monotonic(), headers);
        self.wire.exchange(index, lane, request).await
    }

    /// Reads the results of a function.
    async fn results(
        &self,
        index: usize,
        slot: &Slot,
        function: &Signature,
        response: Response<Incoming>,
    ) -> Result<Vec<Val>, Failed> {
        let limits: &Limits = &slot.service.config.limits;
        let results = &function.types.results;
        // The call was carried out: whatever is wrong with its answer, it must not be made again.
        let unreadable = |message: String| Failed {
            error: CallError::Incompatible {
                service: slot.service.name.to_string(),
                message: format!("on {}: {message}", self.peers.get(index).name),
            },
            did_nothing: false,
            led: None,
        };
        if response.headers().get(TYPE) != Some(&function.hash) {
            return Err(unreadable(format!(
                "its {} answers with another type than the one known here; run the same version on all hosts",
                function.name
            )));
        }
        let bytes = message::read(response.into_body(), limits.result_bytes)
            .await
            .map_err(|error| match error {
                message::ReadError::TooLarge(_) => unreadable(format!(
                    "its result is larger than limits.result, {} bytes",
                    limits.result_bytes
                )),
                message::ReadError::BrokenOff(reason) => {
                    let reason = format!("broke off its answer: {reason}");
                    Failed {
                        error: self.unavailable(index, slot, &reason, true),
                        did_nothing: false,
                        led: None,
                    }
                }
            })?;
        let bytes_max = usize::try_from(limits.result_bytes).unwrap_or(usize::MAX);
        results
            .decode(&bytes, bytes_max)
            .map_err(|error| unreadable(format!("its result cannot be read: {error}")))
    }

    /// Reads the error that a peer answered with.
    async fn refusal(&self, index: usize, slot: &Slot, response: Response<Incoming>) -> Failed {
        let status = response.status();
        let read = message::read(response.into_body(), ERROR_BYTES_MAX as u64).await;
        let said = read.ok().and_then(|bytes| {
            let mut value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            let error = error_wire::from_json(&value["error"]).ok()?;
            // Hosts of an older version do not say it.
            let led = serde_json::from_value(value["led"].take()).unwrap_or_default();
            Some((error, led))
        });
        let Some((error, led)): Option<(CallError, Option<Led>)> = said else {
            return Failed {
                error: self.unavailable(
                    index,
                    slot,
                    &format!("answered {status} and no reason"),
                    true,
                ),
                did_nothing: false,
                led: None,
            };
        };
        // The same errors about another service come from further down: this one was executed.
        let did_nothing = error.service() == Some(&*slot.service.name)
            && matches!(
                error,
                CallError::Overloaded { .. }
                    | CallError::Unavailable {
                        maybe_executed: false,
                        ..
                    }
            );
        if let Some(led) = &led {
            self.peers
                .learn(slot.service.id, led.term, led.leader.as_deref());
        }
        Failed {
            error: error.on_host(self.peers.get(index).name.as_str()),
            did_nothing,
            led,
        }
    }

    /// Turns a failed exchange into the caller's terms, and leaves the peer out if it is to blame.
    fn failed(&self, index: usize, slot: &Slot, error: ExchangeError) -> Failed {
        match error {
            ExchangeError::NotSent { reason, .. } => {
                self.peers.failed(index, &reason);
                Failed {
                    error: self.unavailable(index, slot, &reason, false),
                    did_nothing: true,
                    led: None,
                }
            }
            ExchangeError::Lost { reason } => {
                self.peers.failed(index, &reason);
                self.peers.get(index).probe_now();
                Failed {
                    error: self.unavailable(index, slot, &reason, true),
                    did_nothing: false,
                    led: None,
                }
            }
            ExchangeError::Refused { reason } => Failed {
                error: self.unavailable(index, slot, &reason, false),
                did_nothing: true,
                led: None,
            },
            // One exchange says nothing about the others: only a probe decides whether the peer is left out.
            ExchangeError::Reset { reason } => {
                self.peers.get(index).probe_now();
                Failed {
                    error: self.unavailable(index, slot, &reason, true),
                    did_nothing: false,
                    led: None,
                }
            }
            ExchangeError::Busy => Failed {
                error: CallError::Overloaded {
                    service: slot.service.name.to_string(),
                    retry_after: BUSY_RETRY_AFTER,
                },
                did_nothing: true,
                led: None,
            },
        }
    }

    fn unavailable(
        &self,
        index: usize,
        slot: &Slot,
        reason: &str,
        maybe_executed: bool,
    ) -> CallError {
        let name = &self.peers.get(index).name;
        let executed = if maybe_executed {
            "; the call may have been executed"
        } else {
            ""
        };
        CallError::Unavailable {
            service: slot.service.name.to_string(),
            message: format!("host {name} {reason}{executed}"),
            maybe_executed,
        }
    }

    fn late(&self, index: usize, slot: &Slot, envelope: &Envelope, started: Duration) -> CallError {
        let time = envelope.deadline.saturating_sub(started);
        CallError::DeadlineExceeded {
            service: slot.service.name.to_string(),
            message: format!(
                "host {} did not answer within {} ms; the call may have been executed",
                self.peers.get(index).name,
                time.as_micros().div_ceil(1_000)
            ),
        }
    }

    fn nowhere(&self, slot: &Slot) -> CallError {
        let name = &slot.service.name;
        let state = slot.state();
        let here = match &*state {
            State::Elsewhere => String::new(),
            State::Starting
            | State::Running(_)
            | State::Stopped
            | State::Failed { .. }
            | State::Stopping => format!("on this host it is {}; ", state.name()),
        };
        let why = format!("{here}{}", self.peers.why_not(slot.service.id));
        let remedy = if why.contains("it is stopped") {
            format!("; start it with `bookshop-host start {name}`")
        } else {
            String::new()
        };
        CallError::Unavailable {
            service: name.to_string(),
            message: format!("it runs on no host that can be reached: {why}{remedy}"),
            maybe_executed: false,
        }
    }
}

/// A function of a service as this host knows it.
///
/// # Errors
/// [`CallError::NotFound`]; [`CallError::Unavailable`]: its types are not known here.
pub fn find(slot: &Slot, function: &FunctionName) -> Result<Arc<Signature>, CallError> {
    let Some(types) = slot.types() else {
        return Err(CallError::Unavailable {
            service: slot.service.name.to_string(),
            message:
                "its component could not be loaded on this host, so its types are not known here"
                    .into(),
            maybe_executed: false,
        });
    };
    let found = types
        .get(function)
        .map(|found| Arc::clone(&found.signature));
    found.ok_or_else(|| CallError::NotFound {
        service: slot.service.name.to_string(),
        message: format!("it has no function {function}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: CallError, did_nothing: bool, expected: [bool; 2]) {
        let failed = Failed {
            error,
            did_nothing,
            led: None,
        };
        assert_eq!(
            [false, true].map(|has_key| failed.may_be_repeated(has_key)),
            expected,
            "without and with a key: {}",
            failed.error
        );
    }

    #[test]
    fn a_call_is_repeated_only_where_that_can_neither_harm_nor_be_in_vain() {
        let (service, message) = (|| "orders".to_owned(), || "why".to_owned());
        let trapped = CallError::Trapped {
            service: service(),
            message: message(),
        };
        check(trapped.clone(), false, [false, true]);
        check(trapped, true, [true, true]);
        let reused = CallError::KeyReused {
            service: service(),
            message: message(),
        };
        check(reused, false, [false, false]);
        let expired = CallError::KeyExpired {
            service: service(),
            message: message(),
        };
        check(expired, false, [false, false]);
    }
}
