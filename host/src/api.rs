//! The endpoint for programs outside the cluster, at each host's `api` address: calls by name, and what can be called.
//!
//! | request | answer |
//! |---|---|
//! | `POST /call/{interface or service}/{function}` | calls it; the forms of arguments and results are in [`form`] |
//! | `GET /functions` | everything that can be called, with signatures |
//! | `GET /types/{interface or service}/{function}` | one function: signature, types for the binary form |
//! | `GET /` | what this is |
//!
//! Resolves names and converts values; where a call runs is decided behind [`Dispatch`], so a service need not be placed on this host.
//! [`server`] speaks the protocol and calls [`Api::answer`].

use crate::config::{Config, HostName};
use crate::dispatch::{Dispatch, Invocation, Reach};
use crate::envelope::Envelope;
use crate::envelope::trace;
use crate::origin;
use crate::os::Os;
use crate::os::clock::timeout_at;
use crate::payload::Payload;
use crate::services::Services;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use std::sync::Arc;
use wasmtime::component::Val;

pub mod error;
pub mod form;
pub mod server;

mod body;
mod describe;
mod find;
mod options;
mod path;
mod patience;

use crate::call_error::CallError;
use body::Room;
use error::ApiError;
use find::Found;
use form::Form;
use options::Options;
use path::Path;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A program on this machine, in the clear. It may be a browser, so each request is looked at for signs of a page.
    Local,
    /// Whoever holds a certificate of this cluster, by the name in it.
    Certified(Arc<str>),
}

/// What every request needs.
pub struct Api {
    /// The whole configuration.
    config: Arc<Config>,
    host: HostName,
    services: Arc<Services>,
    dispatch: Arc<dyn Dispatch>,
    /// The name of callers without a certificate.
    local: Arc<str>,
    room: Room,
    os: Os,
}

impl Api {
    /// The endpoint of `host`.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        host: HostName,
        services: Arc<Services>,
        dispatch: Arc<dyn Dispatch>,
        os: Os,
    ) -> Self {
        Self {
            config,
            host,
            services,
            dispatch,
            local: "api".into(),
            room: Room::default(),
            os,
        }
    }

    /// Answers one request of `caller`. Dropping this cancels the call.
    pub async fn answer<B>(&self, request: Request<B>, caller: &Caller) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        if let Caller::Local = caller
            && let Err(error) = origin::check(&request)
        {
            return ApiError::from(error).response();
        }
        let (parts, body) = request.into_parts();
        let answered = match (&parts.method, Path::parse(parts.uri.path())) {
            (_, Err(error)) => Err(error),
            (&Method::GET, Ok(Path::About)) => Ok(describe::about(&self.config, &self.host)),
            (&Method::GET, Ok(Path::Functions)) => Ok(describe::functions(&self.services)),
            (&Method::GET, Ok(Path::Types { target, function })) => {
                find::find(&self.services, &target, &function).map(|found| describe::types(&found))
            }
            (&Method::POST, Ok(Path::Call { target, function })) => {
                match find::find(&self.services, &target, &function) {
                    Ok(found) => return self.call(&found, &parts, body, caller).await,
                    Err(error) => Err(error),
                }
            }
            (_, Ok(Path::Call { .. })) => Err(ApiError::WrongMethod { allowed: "POST" }),
            (_, Ok(Path::About | Path::Functions | Path::Types { .. })) => {
                Err(ApiError::WrongMethod { allowed: "GET" })
            }
        };
        match answered {
            Ok(value) => form::json_response(&value),
            Err(error) => error.response(),
        }
    }

    /// A call and its trace: the answer names it, whether it succeeded or not.
    async fn call<B>(
        &self,
        found: &Found<'_>,
        parts: &http::request::Parts,
        body: B,
        caller: &Caller,
    ) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let envelope = match Options::read(&parts.headers) {
            Ok(options) => self.envelope(found, options, caller),
            Err(error) => return error.response(),
        };
        let trace_parent = envelope.trace_parent().to_string();
        let form = Form::of(&parts.headers);
        let called = match self.carry_out(found, parts, &form, body, envelope).await {
            Ok(results) => form.response(found, &results),
            Err(error) => Err(error),
        };
        let mut response = called.unwrap_or_else(|error| error.response());
        if let Ok(value) = HeaderValue::try_from(trace_parent) {
            response.headers_mut().insert(trace::HEADER, value);
        }
        response
    }

    fn envelope(&self, found: &Found<'_>, options: Options, caller: &Caller) -> Envelope {
        let limit = found.slot.service.config.limits.time;
        let time = options.timeout.map_or(limit, |asked| asked.min(limit));
        let name = match caller {
            Caller::Local => &self.local,
            Caller::Certified(name) => name,
        };
        let mut envelope = Envelope::enter(
            self.os.entropy.as_ref(),
            name,
            self.os.clock.monotonic().saturating_add(time),
            self.config.cluster.hops_max,
        );
        envelope.idempotency_key = options.idempotency_key;
        envelope.is_stale_ok = options.is_stale_ok;
        if let Some(parent) = options.trace {
            envelope.trace_id = parent.trace_id;
        }
        envelope
    }

    async fn carry_out<B>(
        &self,
        found: &Found<'_>,
        parts: &http::request::Parts,
        form: &Form,
        body: B,
        envelope: Envelope,
    ) -> Result<Vec<Val>, ApiError>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let limit = form.body_bytes_max(found.slot.service.config.limits.arguments_bytes);
        let read = body::read(body, limit, &self.room, &found.slot.service.name);
        let clock = self.os.clock.as_ref();
        let read = timeout_at(clock, envelope.deadline, read).await;
        let bytes = read.map_err(|_elapsed| late(found))??;
        let arguments = form.arguments(found, &parts.headers, &bytes)?;
        // The bytes are no longer needed while the call runs, and others may use their room.
        drop(bytes);
        let invocation = Invocation {
            service: found.slot.service.id,
            function: Arc::clone(&found.function.name),
            types: Some(Arc::clone(&found.function.signature)),
            arguments: Payload::Values(arguments),
            envelope,
            reach: Reach::Cluster,
        };
        match Arc::clone(&self.dispatch).dispatch(invocation).await? {
            Payload::Values(results) => Ok(results),
            Payload::Request(_) | Payload::Response(_) => Err(CallError::Incompatible {
                service: found.slot.service.name.to_string(),
                message: "the function does not answer with values".into(),
            }
            .into()),
        }
    }
}

fn late(found: &Found<'_>) -> ApiError {
    CallError::DeadlineExceeded {
        service: found.slot.service.name.to_string(),
        message: "the arguments did not arrive in time; the call was not begun".into(),
    }
    .into()
}
