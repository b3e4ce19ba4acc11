//! Components that other hosts ask for, or hand over.

use super::{Incoming, malformed};
use crate::call_error::CallError;
use crate::depot::{COMPONENT_BYTES_MAX, DepotError, SharedDepot, is_digest};
use crate::os::clock::{Elapsed, timeout};
use crate::payload::Body;
use crate::transport::components::{CARRY_TIMEOUT, COMPONENT_PATH};
use crate::transport::message;
use crate::transport::unread::Unread;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Arriving;

/// Whose answers these are, where a service is named.
const HOST: &str = "host";

impl Incoming {
    pub(super) async fn component(
        &self,
        request: Request<Arriving>,
        unread: &Unread,
    ) -> Result<Response<Body>, CallError> {
        // A cluster that keeps no state of its own has no use for them.
        let Some(depot) = &self.components else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        let digest = request.uri().path()[COMPONENT_PATH.len()..].to_owned();
        if !is_digest(&digest) {
            return Err(malformed(format!("{digest:?} is no sha256 digest")));
        }
        match *request.method() {
            Method::HEAD => match depot.has(&digest).await {
                Ok(true) => Ok(empty(StatusCode::OK)),
                Ok(false) => Ok(empty(StatusCode::NOT_FOUND)),
                Err(error) => Err(unavailable(&error)),
            },
            Method::GET => read(depot, &digest, unread).await,
            Method::PUT => self.keep(depot, &digest, request).await,
            _ => Err(malformed("components are asked for or handed over".into())),
        }
    }

    async fn keep(
        &self,
        depot: &SharedDepot,
        digest: &str,
        request: Request<Arriving>,
    ) -> Result<Response<Body>, CallError> {
        let _room = depot.room().await.map_err(|error| unavailable(&error))?;
        let read = Limited::new(request.into_body(), COMPONENT_BYTES_MAX).collect();
        let read = timeout(self.os.clock.as_ref(), CARRY_TIMEOUT, read).await;
        let read = read.map_err(|Elapsed| malformed("a component does not end".into()))?;
        let read =
            read.map_err(|error| malformed(format!("a component cannot be read: {error}")))?;
        let bytes = read.to_bytes();
        match depot.put(bytes).await {
            Ok(kept) if kept == digest => Ok(empty(StatusCode::OK)),
            // What came is kept under its own digest, and goes when it is not wanted.
            Ok(kept) => Err(malformed(format!("the component {digest} came as {kept}"))),
            Err(DepotError::Full { .. }) => Ok(empty(StatusCode::INSUFFICIENT_STORAGE)),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

async fn read(
    depot: &SharedDepot,
    digest: &str,
    unread: &Unread,
) -> Result<Response<Body>, CallError> {
    unread.check(HOST)?;
    let _room = depot.room().await.map_err(|error| unavailable(&error))?;
    let bytes = match depot.read(digest).await {
        Ok(bytes) => bytes,
        Err(DepotError::Missing(_)) => return Ok(empty(StatusCode::NOT_FOUND)),
        Err(error) => return Err(unavailable(&error)),
    };
    let answer = unread.answer(bytes, HOST)?;
    Ok(Response::new(
        answer.map_err(|never| match never {}).boxed_unsync(),
    ))
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(message::full(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn unavailable(error: &DepotError) -> CallError {
    CallError::Unavailable {
        service: HOST.into(),
        message: error.to_string(),
        maybe_executed: false,
    }
}
