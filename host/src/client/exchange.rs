//! One request and its answer over the connection of a client.

use super::{
    CallOptions, Client, ClientError, IDEMPOTENCY_KEY_HEADER, TIMEOUT_HEADER, TYPE_HEADER,
};
use crate::call_error::wire;
use crate::codec::TypeHash;
use crate::envelope::{CONSISTENCY_HEADER, STALE};
use crate::os::clock::timeout;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// The largest answer that is read: the largest result that a service can be configured to give, as text of up to four
/// characters for each byte.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// What a host may take beyond the time of the call, to say that the call is late. It says more than the lack of an answer does.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);
/// Longest for an answer that takes no call.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest limit that a service can have; no call takes longer.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// What a request carries.
pub struct Content {
    media: &'static str,
    type_hash: Option<TypeHash>,
    bytes: Bytes,
}

impl Content {
    /// JSON of some kind.
    pub fn json(media: &'static str, value: &Value) -> Self {
        Self {
            media,
            type_hash: None,
            bytes: value.to_string().into(),
        }
    }

    /// Values, written with the types of this hash.
    pub fn values(type_hash: TypeHash, bytes: Vec<u8>) -> Self {
        Self {
            media: super::VALUES,
            type_hash: Some(type_hash),
            bytes: bytes.into(),
        }
    }
}

/// A successful answer.
pub struct Answered {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// `/{verb}/{target}/{function}`. Names of interfaces stand there as they are, anything else percent-encoded.
pub fn path(verb: &str, target: &str, function: &str) -> String {
    let mut path = format!("/{verb}/");
    encode(&mut path, target, b"-._~:@/");
    path.push('/');
    encode(&mut path, function, b"-._~");
    path
}

fn encode(path: &mut String, text: &str, plain: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push_str(&hex::encode_upper([byte]));
        }
    }
}

impl Client {
    pub(super) async fn get(&self, path: &str) -> Result<Answered, ClientError> {
        let request = self.request(Method::GET, path).body(Full::default());
        let request = request.map_err(|error| malformed(&error))?;
        self.exchange(request, ANSWER_TIMEOUT).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        content: Content,
        options: &CallOptions,
    ) -> Result<Answered, ClientError> {
        let mut builder = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, content.media);
        if let Some(hash) = content.type_hash {
            builder = builder.header(TYPE_HEADER, hash.to_string());
        }
        if let Some(timeout) = options.timeout {
            // A time of zero would be no time; the host wants at least a millisecond.
            let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            builder = builder.header(TIMEOUT_HEADER, milliseconds.max(1));
        }
        if let Some(key) = &options.idempotency_key {
            builder = builder.header(IDEMPOTENCY_KEY_HEADER, &**key);
        }
        if options.is_stale_ok {
            builder = builder.header(CONSISTENCY_HEADER, STALE);
        }
        let request = builder.body(Full::new(content.bytes));
        let request = request.map_err(|error| malformed(&error))?;
        let time = options.timeout.unwrap_or(TIME_MAX);
        self.exchange(request, time.saturating_add(ANSWER_MARGIN))
            .await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("{}://{}{path}", self.0.scheme, self.0.address);
        Request::builder().method(method).uri(uri)
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        within: Duration,
    ) -> Result<Answered, ClientError> {
        let connection = &self.0;
        timeout(connection.os.clock.as_ref(), within, self.send(request))
            .await
            .map_err(|_elapsed| ClientError::Timeout {
                address: connection.address,
                after: within,
            })?
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answered, ClientError> {
        // A handle of this call's own: the connection is shared by all of them.
        let mut sender = self.0.sender.clone();
        let response = sender.try_send_request(request).await.map_err(|failed| {
            // A request that comes back never left.
            let was_sent = failed.message().is_none();
            self.lost(failed.error(), was_sent && !was_refused(failed.error()))
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| self.lost(&*error, true))?.to_bytes();
        if parts.status.is_success() {
            return Ok(Answered {
                headers: parts.headers,
                body,
            });
        }
        Err(self.refusal(parts.status, &body))
    }

    /// The error that the host answered with.
    fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &answer["error"];
        match (wire::from_json(error), error["message"].as_str()) {
            (Ok(error), _) => ClientError::Refused(error),
            (Err(wire::WireError::Code(code)), Some(message)) if !code.is_empty() => {
                ClientError::Rejected {
                    code,
                    message: message.to_owned(),
                }
            }
            (Err(error), _) => self.protocol(&format!("it answers {status}, and {error}")),
        }
    }

    fn lost(&self, error: &(dyn Error + 'static), maybe_executed: bool) -> ClientError {
        ClientError::Lost {
            address: self.0.address,
            // The outer errors only say that there is an inner one.
            reason: root(error).to_string(),
            maybe_executed,
        }
    }

    pub(super) fn protocol(&self, reason: &str) -> ClientError {
        ClientError::Protocol {
            address: self.0.address,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.protocol(&error.to_string()))
    }
}

/// A name or a key with characters that no request can carry.
fn malformed(error: &http::Error) -> ClientError {
    ClientError::Rejected {
        code: "malformed".into(),
        message: format!("the request cannot be written: {error}"),
    }
}

/// Whether the host said that it has not looked at the request (RFC 9113, section 8.7): it refused it, or it is leaving and did not
/// count it among those that it still answers.
fn was_refused(error: &(dyn Error + 'static)) -> bool {
    root(error)
        .downcast_ref::<h2::Error>()
        .is_some_and(|error| {
            let is_leaving = error.is_go_away() && error.is_remote();
            is_leaving || error.reason() == Some(h2::Reason::REFUSED_STREAM)
        })
}

fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, function: &str, expected: &str) {
        assert_eq!(path("call", target, function), expected);
    }

    #[test]
    fn names_stand_in_a_path_as_they_are_and_anything_else_encoded() {
        check(
            "bookshop:shop/suggestions@0.1.0",
            "recommend",
            "/call/bookshop:shop/suggestions@0.1.0/recommend",
        );
        check("a b", "f/ü?#", "/call/a%20b/f%2F%C3%BC%3F%23");
    }
}
