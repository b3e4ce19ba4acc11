//! Questions of other hosts about the replicas of this one.

use super::{FIRST_MESSAGE_TIMEOUT, Incoming, malformed};
use crate::call_error::CallError;
use crate::os::clock::{Elapsed, timeout};
use crate::payload::Body;
use crate::replica::network::{ChunkError, ChunkRequest};
use crate::transport::message;
use crate::transport::replicas::{REQUEST_BYTES_MAX, SNAPSHOT_PATH, seal};
use crate::transport::unread::Unread;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Arriving;

impl Incoming {
    /// A part of a snapshot.
    pub(super) async fn chunk(
        &self,
        request: Request<Arriving>,
        unread: &Unread,
    ) -> Result<Response<Body>, CallError> {
        let Some(sources) = &self.replicas else {
            return Ok(refusal(ChunkError::NotServing));
        };
        let service = request.uri().path()[SNAPSHOT_PATH.len()..].to_owned();
        unread.check(&service)?;
        let bytes = self.question(request).await?;
        let request = ChunkRequest::from_bytes(bytes).map_err(|error| {
            malformed(format!("the question for a snapshot is not one: {error}"))
        })?;
        match sources.snapshots.chunk(&service, request).await {
            Ok(part) => answer(unread, seal(&part), &service),
            Err(error) => Ok(refusal(error)),
        }
    }

    /// What this host answers to those that have not met it yet.
    pub(super) async fn hello(
        &self,
        peer: usize,
        request: Request<Arriving>,
        unread: &Unread,
    ) -> Result<Response<Body>, CallError> {
        let Some(sources) = &self.replicas else {
            return Ok(refusal(ChunkError::NotServing));
        };
        let question = self.question(request).await?;
        let from = self.peers.get(peer).name.clone();
        answer(unread, sources.hello.hello(from, question).await, "host")
    }

    async fn question(&self, request: Request<Arriving>) -> Result<Bytes, CallError> {
        let read = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect();
        let read = timeout(self.os.clock.as_ref(), FIRST_MESSAGE_TIMEOUT, read).await;
        let read =
            read.map_err(|Elapsed| malformed("a question about replicas does not end".into()))?;
        let read = read.map_err(|error| {
            malformed(format!("a question about replicas cannot be read: {error}"))
        })?;
        Ok(read.to_bytes())
    }
}

fn answer(unread: &Unread, bytes: Bytes, service: &str) -> Result<Response<Body>, CallError> {
    let answer = unread.answer(bytes, service)?;
    let answer = answer.map_err(|never| match never {}).boxed_unsync();
    Ok(Response::new(answer))
}

fn refusal(error: ChunkError) -> Response<Body> {
    let mut response = Response::new(message::full(Bytes::new()));
    *response.status_mut() = match error {
        ChunkError::Gone => StatusCode::GONE,
        ChunkError::NotServing => StatusCode::NOT_FOUND,
    };
    response
}
