//! Waiting for changes of a service whose state is on another host.

use super::Outgoing;
use crate::call_error::CallError;
use crate::dispatch::Wait;
use crate::os::clock::{Elapsed, timeout_at};
use crate::services::Slot;
use crate::services::waits::{Place, RETRY_AFTER};
use crate::transport::lane::Lane;
use crate::transport::message::{self, WAIT_PATH, Waited, Waiting};
use crate::transport::wire::ExchangeError;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use serde_json::json;
use std::time::Duration;

/// Waits of one thread on other hosts at once: half of what a connection takes, so that calls always find room.
const WAITS_MAX: u32 = 1024;
/// Bytes of an answer, which is one number.
const ANSWER_BYTES_MAX: u64 = 1 << 10;

impl Outgoing {
    /// Waits on another host. Where a host cannot be asked or leaves, another one that has the state is.
    ///
    /// # Errors
    /// As of a call. A wait changes nothing, so it may always be begun again.
    pub async fn wait(&self, slot: &Slot, wait: &Wait) -> Result<u64, CallError> {
        let _place = Place::take(&self.waits, WAITS_MAX).ok_or_else(|| CallError::Overloaded {
            service: wait.service.clone(),
            retry_after: RETRY_AFTER,
        })?;
        let clock = self.os.clock.as_ref();
        let started = clock.monotonic();
        let until = started.saturating_add(wait.timeout);
        let (mut tried, mut last) = (Vec::new(), None);
        while let Some(index) = self.next(slot, &wait.envelope, &tried) {
            tried.push(index);
            let left = until.saturating_sub(clock.monotonic());
            let asked = self.ask(index, slot, wait, left);
            match timeout_at(clock, wait.envelope.deadline, asked).await {
                Ok(Ok(position)) => return Ok(position),
                Ok(Err(error @ CallError::Unavailable { .. })) => last = Some(error),
                Ok(Err(error)) => return Err(error),
                Err(Elapsed) => return Err(self.late(index, slot, &wait.envelope, started)),
            }
        }
        Err(last.unwrap_or_else(|| self.nowhere(slot)))
    }

    async fn ask(
        &self,
        index: usize,
        slot: &Slot,
        wait: &Wait,
        left: Duration,
    ) -> Result<u64, CallError> {
        let mut sent = self.send_wait(index, wait, left).await;
        if matches!(sent, Err(ExchangeError::Refused { .. })) {
            // The peer closed a connection for reasons of its own, such as other certificates; it is there all the same.
            sent = self.send_wait(index, wait, left).await;
        }
        let response = sent.map_err(|error| self.failed(index, slot, error).error)?;
        if !response.status().is_success() {
            return Err(self.refusal(index, slot, response).await.error);
        }
        let read = message::read(response.into_body(), ANSWER_BYTES_MAX).await;
        let answer = read.map_err(|error| {
            let reason = format!("broke off its answer: {error}");
            self.unavailable(index, slot, &reason, false)
        })?;
        let answer = serde_json::from_slice::<Waited>(&answer);
        let answer = answer.map_err(|error| CallError::Incompatible {
            service: wait.service.clone(),
            message: format!(
                "the answer of host {} is not what is expected here ({error}); run the same version on all hosts",
                self.peers.get(index).name
            ),
        })?;
        Ok(answer.position)
    }

    async fn send_wait(
        &self,
        index: usize,
        wait: &Wait,
        left: Duration,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let waiting = Waiting {
            after: wait.after,
            timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        };
        let body = json!(waiting).to_string();
        let uri = format!("https://peer{WAIT_PATH}{}", wait.service);
        let mut request = Request::new(message::full(body.into()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri
            .parse()
            .expect("the name of a configured service is letters, digits and dashes");
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        crate::transport::head::write(&wait.envelope, self.os.clock.monotonic(), headers);
        self.wire.exchange(index, Lane::Call, request).await
    }
}
