//! The form of what hosts send one another, beside the envelope.
//!
//! - A call: `POST /call/SERVICE/INTERFACE.FUNCTION`, `content-type: application/vnd.bookshop.values`, `bookshop-type` = hashes of the types that the
//!   caller knows the function with, the arguments in the component model's binary value format. The answer: 200 with the results in the same form,
//!   and of the same types. A host that does not know types of these hashes answers with the header `bookshop-unknown-types` and a failure.
//! - Types of a function, for such a host: `POST /types/SERVICE/INTERFACE.FUNCTION` with [`Told`](crate::services::foreign::Told) as JSON. The answer: 200.
//! - A wait for changes: `POST /changes/SERVICE` with [`Waiting`] as JSON. The answer: 200 with [`Waited`], once there is something to say.
//! - An HTTP request for a handler: as it came, with `bookshop-service` = the handler's service. The answer: as the handler gave it.
//! - A failure: a status above 399 with the header `bookshop-error` and `{"error": …, "led": …}`: the error as [`crate::call_error::wire`] has it, and
//!   of a host that has a replica of the service [`Led`], who leads it.

use crate::call_error::{CallError, wire as error_wire};
use crate::payload::Body;
use crate::transport::head;
use crate::transport::peers::leads::Led;
use bytes::{Bytes, BytesMut};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The hashes of the types that a caller knows a function with: those of the arguments and of the results.
pub const TYPE: HeaderName = HeaderName::from_static("bookshop-type");
/// The service that a forwarded HTTP request is for.
pub const SERVICE: HeaderName = HeaderName::from_static("bookshop-service");
/// Marks an answer of the host itself, not of the handler behind it; its value is the code of the failure.
pub const ERROR: HeaderName = HeaderName::from_static("bookshop-error");
/// How a forwarded HTTP request came in, since HTTP/2 has no other place for it.
const SCHEME: HeaderName = HeaderName::from_static("bookshop-scheme");
/// The media type of values in binary form.
pub const VALUES: &str = "application/vnd.bookshop.values";

/// Marks the answer of a host that does not know the types of a call.
pub const UNKNOWN_TYPES: HeaderName = HeaderName::from_static("bookshop-unknown-types");

/// Where types of functions are told.
pub const TYPES_PATH: &str = "/types/";

/// Where waits for changes begin.
pub const WAIT_PATH: &str = "/changes/";

/// A wait for changes of a service.
#[derive(Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// The position that is known already.
    pub after: u64,
    /// How long to wait.
    pub timeout_ms: u64,
}

/// What a wait came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Waited {
    /// Where the service is; where it was, after the timeout.
    pub position: u64,
}

/// A value of so many bytes as limits count them takes at most this many times that in binary form: a 16-bit number is 2 bytes, and up
/// to 3 when written; everything else gains less.
const ENCODED_BYTES_PER_BYTE: u64 = 2;
/// Room for the few bytes of very small values.
const ENCODED_BYTES_BASE: u64 = 64;

/// Headers that concern one connection only (RFC 9110, section 7.6.1), and are not allowed in HTTP/2.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
];

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is larger than allowed; no more than that was kept.
    #[error("it takes more than {0} bytes")]
    TooLarge(u64),
    /// It ended too early.
    #[error("{0}")]
    BrokenOff(String),
}

/// Reads values that may take `bytes_max` bytes as limits count them. A length that says more is refused before anything is read, and
/// memory is taken only for what has arrived.
///
/// # Errors
/// See [`ReadError`].
pub async fn read(mut body: Incoming, bytes_max: u64) -> Result<Bytes, ReadError> {
    let encoded_max = bytes_max
        .saturating_mul(ENCODED_BYTES_PER_BYTE)
        .saturating_add(ENCODED_BYTES_BASE);
    let hint = http_body::Body::size_hint(&body);
    if hint.lower() > encoded_max {
        return Err(ReadError::TooLarge(encoded_max));
    }
    // Nearly every message is one frame, which is then not copied.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ReadError::BrokenOff(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = (first.len() + all.len() + data.len()) as u64;
        if length > encoded_max {
            return Err(ReadError::TooLarge(encoded_max));
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// The answer to a call of unknown types. Who tells them may call again; others fail with `error`.
#[must_use]
pub fn unknown_types(error: &CallError) -> Response<Body> {
    let mut response = failure(error);
    let headers = response.headers_mut();
    headers.insert(UNKNOWN_TYPES, HeaderValue::from_static("1"));
    response
}

/// An answer that says why there is no other.
#[must_use]
pub fn failure(error: &CallError) -> Response<Body> {
    refusal(error, None)
}

/// The same of a host that has a replica of the service, with who leads it.
#[must_use]
pub fn refusal(error: &CallError, led: Option<&Led>) -> Response<Body> {
    let body = json!({ "error": error_wire::to_json(error), "led": led }).to_string();
    let mut response = Response::new(full(body.into()));
    *response.status_mut() = error_wire::status(error);
    let headers = response.headers_mut();
    headers.insert(ERROR, HeaderValue::from_static(error.code()));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// A body that is there as a whole.
#[must_use]
pub fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Makes an HTTP request that came from outside one that a peer understands. What only hosts may say is taken out of it first.
pub fn prepare_forward(request: &mut Request<Body>, service: &str) {
    let scheme = request.uri().scheme_str().unwrap_or("http").to_owned();
    let authority = authority(request);
    let path = request.uri().path_and_query().cloned();
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Some(authority);
    parts.path_and_query = path.or_else(|| Some(http::uri::PathAndQuery::from_static("/")));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = http::Version::HTTP_2;
    let headers = request.headers_mut();
    strip(headers);
    headers.remove(header::HOST);
    for (name, value) in [(SERVICE, service), (SCHEME, scheme.as_str())] {
        // A service's name is letters, digits and dashes.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// Makes a forwarded request again what came from outside.
pub fn restore_forward(request: &mut Request<Body>) {
    let scheme = request
        .headers()
        .get(SCHEME)
        .and_then(|scheme| Scheme::try_from(scheme.as_bytes()).ok());
    let host = request
        .uri()
        .authority()
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = scheme.or(Some(Scheme::HTTP));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    strip(headers);
    if let Some(host) = host {
        headers.insert(header::HOST, host);
    }
}

/// Whom the request was sent to, by its own word.
fn authority(request: &Request<Body>) -> Authority {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.or_else(|| request.uri().authority().cloned())
        .unwrap_or_else(|| Authority::from_static("localhost"))
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    for name in [TYPE, SERVICE, ERROR, SCHEME] {
        headers.remove(name);
    }
    head::strip(headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
        let mut builder = Request::get(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(full(Bytes::new())).unwrap()
    }

    #[test]
    fn a_forwarded_request_arrives_as_it_came() {
        let mut forwarded = request(
            "/books?page=2",
            &[("host", "shop.example:8080"), ("accept", "*/*")],
        );
        prepare_forward(&mut forwarded, "frontend");
        assert_eq!(forwarded.uri(), "https://shop.example:8080/books?page=2");
        assert_eq!(forwarded.headers()[SERVICE], "frontend");
        restore_forward(&mut forwarded);
        assert_eq!(forwarded.uri(), "http://shop.example:8080/books?page=2");
        let headers: Vec<_> = forwarded.headers().iter().collect();
        assert_eq!(headers.len(), 2, "{headers:?}");
        assert_eq!(forwarded.headers()["host"], "shop.example:8080");
        assert_eq!(forwarded.headers()["accept"], "*/*");
    }

    #[test]
    fn what_only_hosts_may_say_is_not_taken_from_outside() {
        let said = [
            ("bookshop-hops-left", "255"),
            ("bookshop-service", "other"),
            ("bookshop-caller", "admin"),
            ("connection", "close"),
        ];
        let mut forwarded = request("/", &said);
        prepare_forward(&mut forwarded, "frontend");
        assert_eq!(forwarded.headers()[SERVICE], "frontend");
        assert_eq!(forwarded.headers().len(), 2, "{:?}", forwarded.headers());
    }
}
