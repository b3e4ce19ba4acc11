//! Requests and responses as `wasi:http` has them: the only file that touches its resources.

use crate::bindings::wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::refusal::Refusal;
use serde::Serialize;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Bytes asked for in one read.
const READ_BYTES: u64 = 64 << 10;

/// Bytes that `wasi:io` takes in one blocking write.
const WRITE_BYTES_MAX: usize = 4096;

/// A response. Pages served from elsewhere may read every one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lowercase, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Reply {
    /// A response with a body.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let length = body.len().to_string();
        let headers = vec![
            ("access-control-allow-origin", "*".to_owned()),
            ("content-type", content_type.to_owned()),
            ("content-length", length),
        ];
        Self {
            status,
            headers,
            body,
        }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("answers have text keys and finite numbers");
        Self::new(status, "application/json", body)
    }

    /// The answer to a browser that asks whether a page from elsewhere may send a request with one of `methods`.
    pub fn preflight(methods: &str) -> Self {
        let headers = vec![
            ("access-control-allow-origin", "*".to_owned()),
            ("access-control-allow-methods", methods.to_owned()),
            ("access-control-allow-headers", "*".to_owned()),
            ("access-control-max-age", "86400".to_owned()),
            ("allow", methods.to_owned()),
        ];
        Self {
            status: 204,
            headers,
            body: Vec::new(),
        }
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same without a body, and without its length, which would have to be true.
    pub fn without_body(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "content-length");
        self.body.clear();
        self
    }
}

/// The request's method in capitals.
pub fn method(request: &IncomingRequest) -> String {
    match request.method() {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    }
    .to_owned()
}

/// Reads the whole body.
///
/// # Errors
/// - [`Refusal::BodyTooLarge`]: it is longer than 1 MiB, or says so; the rest is not read.
/// - [`Refusal::InvalidRequest`]: it broke off.
pub fn read_body(request: &IncomingRequest) -> Result<Vec<u8>, Refusal> {
    let lengths = request.headers().get("content-length");
    let announced = lengths
        .first()
        .and_then(|length| str::from_utf8(length).ok()?.parse().ok())
        .unwrap_or(0_usize);
    if announced > BODY_BYTES_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    let incoming = request.consume().expect("the body is taken once");
    let stream = incoming.stream().expect("the stream is taken once");
    read_all(&stream, announced)
}

fn read_all(stream: &InputStream, announced: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::with_capacity(announced);
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(bytes) if body.is_empty() && announced == bytes.len() => body = bytes,
            Ok(bytes) => body.extend_from_slice(&bytes),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(Refusal::InvalidRequest("the body broke off".into()));
            }
        }
        if body.len() > BODY_BYTES_MAX {
            return Err(Refusal::BodyTooLarge);
        }
    }
}

/// Answers the request.
pub fn send(reply: Reply, out: ResponseOutparam) {
    let headers = Fields::new();
    for (name, value) in reply.headers {
        headers
            .append(name, value.as_bytes())
            .expect("names and values here are well-formed");
    }
    let response = OutgoingResponse::new(headers);
    response
        .set_status_code(reply.status)
        .expect("status codes here have three digits");
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    // A client that went away gets no answer; there is nobody left to tell.
    if !reply.body.is_empty() && write(&outgoing, &reply.body).is_err() {
        return;
    }
    let _ = OutgoingBody::finish(outgoing, None);
}

fn write(outgoing: &OutgoingBody, body: &[u8]) -> Result<(), StreamError> {
    let stream: OutputStream = outgoing.write().expect("the stream is taken once");
    body.chunks(WRITE_BYTES_MAX)
        .try_for_each(|bytes| stream.blocking_write_and_flush(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &Reply, expected: &[(&str, &str)]) {
        let headers: Vec<(&str, &str)> = reply
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(headers, expected);
    }

    #[test]
    fn every_reply_may_be_read_from_elsewhere_and_knows_its_length() {
        let origin = ("access-control-allow-origin", "*");
        let json = Reply::json(200, &[1, 2]);
        check(
            &json,
            &[
                origin,
                ("content-type", "application/json"),
                ("content-length", "5"),
            ],
        );
        check(
            &json.without_body(),
            &[origin, ("content-type", "application/json")],
        );
    }

    #[test]
    fn a_preflight_allows_every_header() {
        let reply = Reply::preflight("POST, OPTIONS");
        let headers = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "POST, OPTIONS"),
            ("access-control-allow-headers", "*"),
            ("access-control-max-age", "86400"),
            ("allow", "POST, OPTIONS"),
        ];
        check(&reply, &headers);
        assert_eq!((reply.status, reply.body.len()), (204, 0));
    }
}
