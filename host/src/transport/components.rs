//! Components on their way from host to host: `HEAD`, `GET` and `PUT /component/DIGEST`, on the lane for what is large.
//!
//! Whatever comes is compared with its digest before it counts, so neither side has to trust the other, or its memory.

use crate::depot::COMPONENT_BYTES_MAX;
use crate::os::Os;
use crate::os::clock::timeout;
use crate::os::task::TaskError;
use crate::payload::Body;
use crate::transport::lane::Lane;
use crate::transport::message;
use crate::transport::peers::Peers;
use crate::transport::wire::{ExchangeError, Wire};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;

/// Where components are; the digest follows.
pub const COMPONENT_PATH: &str = "/component/";

/// A host that is there says at once whether it has a component: it looked at all of them when it began.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest component over a slow link, and a disk that is slow to make it last.
pub const CARRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a component did not come or go: what the other host did, to be read after its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CarryError(String);

impl From<TaskError> for CarryError {
    fn from(ended: TaskError) -> Self {
        Self(format!("was not asked to the end: {ended}"))
    }
}

/// Asks other hosts for components, and hands them some.
#[derive(Clone)]
pub struct Carrier {
    peers: Arc<Peers>,
    wire: Arc<Wire>,
    os: Os,
}

impl Carrier {
    /// Uses the connections of one thread.
    #[must_use]
    pub fn new(peers: Arc<Peers>, wire: Arc<Wire>, os: Os) -> Self {
        Self { peers, wire, os }
    }

    /// The other hosts of the cluster, by their places among all.
    pub fn others(&self) -> impl Iterator<Item = usize> + use<> {
        self.peers.indexes()
    }

    /// The name of another host.
    #[must_use]
    pub fn name(&self, host: usize) -> &str {
        self.peers.get(host).name.as_str()
    }

    /// Whether another host has a component on its disk.
    ///
    /// # Errors
    /// See [`CarryError`].
    pub async fn has(&self, host: usize, digest: &str) -> Result<bool, CarryError> {
        let asked = self.ask(host, Method::HEAD, digest, Bytes::new());
        let status = within(&self.os, QUESTION_TIMEOUT, asked).await?.status();
        match status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(unexpected(status)),
        }
    }

    /// Hands a component to another host; when this returns it lasts there.
    ///
    /// # Errors
    /// See [`CarryError`].
    pub async fn hand(&self, host: usize, digest: &str, bytes: Bytes) -> Result<(), CarryError> {
        let handed = self.ask(host, Method::PUT, digest, bytes);
        let status = within(&self.os, CARRY_TIMEOUT, handed).await?.status();
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::INSUFFICIENT_STORAGE => Err(CarryError("has no room for it".into())),
            _ => Err(unexpected(status)),
        }
    }

    /// The bytes of a component that another host has; none if it does not have it.
    ///
    /// # Errors
    /// See [`CarryError`].
    pub async fn fetch(&self, host: usize, digest: &str) -> Result<Option<Bytes>, CarryError> {
        let fetched = async {
            let response = self.ask(host, Method::GET, digest, Bytes::new()).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                status => return Err(unexpected(status)),
            }
            let body = Limited::new(response.into_body(), COMPONENT_BYTES_MAX).collect();
            let body = body.await;
            let body = body.map_err(|error| CarryError(format!("broke off: {error}")))?;
            Ok(Some(body.to_bytes()))
        };
        within(&self.os, CARRY_TIMEOUT, fetched).await
    }

    async fn ask(
        &self,
        host: usize,
        method: Method,
        digest: &str,
        bytes: Bytes,
    ) -> Result<Response<Incoming>, CarryError> {
        let request: Request<Body> = Request::builder()
            .method(method)
            .uri(format!("https://peer{COMPONENT_PATH}{digest}"))
            .body(message::full(bytes))
            .map_err(|error| CarryError(format!("cannot be asked: {error}")))?;
        let exchanged = self.wire.exchange(host, Lane::Bulk, request).await;
        exchanged.map_err(|error| match error {
            ExchangeError::NotSent { reason, .. }
            | ExchangeError::Refused { reason }
            | ExchangeError::Lost { reason }
            | ExchangeError::Reset { reason } => CarryError(reason),
            busy @ ExchangeError::Busy => CarryError(busy.to_string()),
        })
    }
}

async fn within<T>(
    os: &Os,
    time: Duration,
    work: impl Future<Output = Result<T, CarryError>>,
) -> Result<T, CarryError> {
    let done = timeout(os.clock.as_ref(), time, work).await;
    done.unwrap_or_else(|_elapsed| {
        let reason = format!("did not answer within {} s", time.as_secs());
        Err(CarryError(reason))
    })
}

fn unexpected(status: StatusCode) -> CarryError {
    CarryError(format!("answers {status}"))
}
