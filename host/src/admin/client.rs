//! One request to the admin interface of a host.

use crate::os::Os;
use crate::os::clock::timeout;
use crate::os::task;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Where components are handed over, and what they are then.
pub const COMPONENTS_PATH: &str = "/v1/control/components";
/// Media type of a component.
pub const COMPONENT_MEDIA: &str = "application/wasm";
/// The largest answer that is read: a log request may return all lines that are kept.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error(
        "no host answers at {address}; is it running? (`bookshop-host run`, or give another --admin)"
    )]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The answer did not come in time.
    #[error("the host at {address} did not answer within {} ms", .after.as_millis())]
    Timeout {
        /// The address.
        address: SocketAddr,
        /// The time waited.
        after: Duration,
    },
    /// What listens there is no admin interface, or it went away in the middle.
    #[error("the answer of {address} cannot be read: {reason}; is it the admin address of a host?")]
    Protocol {
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: String,
    },
}

/// Sends a request and reads the answer. A body makes it a POST.
///
/// # Errors
/// See [`ClientError`]. An answer with an error status is an answer.
pub async fn request(
    os: &Os,
    address: SocketAddr,
    path: &str,
    body: Option<&Value>,
    within: Duration,
) -> Result<(StatusCode, Value), ClientError> {
    let content = body.map(|body| ("application/json", Bytes::from(body.to_string())));
    send(os, address, path, content, within).await
}

/// Hands a component over, and reads the answer.
///
/// # Errors
/// As for [`request`].
pub async fn hand_over(
    os: &Os,
    address: SocketAddr,
    component: Bytes,
    within: Duration,
) -> Result<(StatusCode, Value), ClientError> {
    let content = Some((COMPONENT_MEDIA, component));
    send(os, address, COMPONENTS_PATH, content, within).await
}

async fn send(
    os: &Os,
    address: SocketAddr,
    path: &str,
    content: Option<(&'static str, Bytes)>,
    within: Duration,
) -> Result<(StatusCode, Value), ClientError> {
    let exchange = exchange(os, address, path, content);
    timeout(os.clock.as_ref(), within, exchange)
        .await
        .map_err(|_| ClientError::Timeout {
            address,
            after: within,
        })?
}

/// The reason that an answer with an error status gives.
#[must_use]
pub fn reason(answer: &Value) -> String {
    let message = answer["error"]["message"].as_str();
    message.unwrap_or("no reason given").to_owned()
}

async fn exchange(
    os: &Os,
    address: SocketAddr,
    path: &str,
    content: Option<(&'static str, Bytes)>,
) -> Result<(StatusCode, Value), ClientError> {
    let protocol = |reason: String| ClientError::Protocol { address, reason };
    let stream = os
        .network
        .connect(address)
        .await
        .map_err(|source| ClientError::Connect { address, source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| protocol(error.to_string()))?;
    // Drives the connection; ends with this function.
    let _connection = task::spawn(async move { drop(connection.await) });
    let builder = Request::builder()
        .method(if content.is_some() {
            Method::POST
        } else {
            Method::GET
        })
        .uri(path)
        .header(header::HOST, address.to_string());
    let request = match content {
        Some((media, bytes)) => builder
            .header(header::CONTENT_TYPE, media)
            .body(Full::new(bytes)),
        None => builder.body(Full::default()),
    };
    let request = request.map_err(|error| protocol(error.to_string()))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| protocol(error.to_string()))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| protocol(error.to_string()))?
        .to_bytes();
    let value = serde_json::from_slice(&body).map_err(|error| protocol(error.to_string()))?;
    Ok((status, value))
}
