//! Requests and responses as `wasi:http` has them: the only file that touches its resources.

use crate::bindings::wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::refusal::Refusal;
use crate::reply::Reply;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Bytes asked for in one read.
const READ_BYTES: u64 = 64 << 10;

/// Bytes that `wasi:io` takes in one blocking write.
const WRITE_BYTES_MAX: usize = 4096;

/// A request's body and what its headers say that matters here.
pub struct Content {
    /// The body, whole.
    pub body: Vec<u8>,
    /// The values of `Idempotency-Key`, each as it came.
    pub idempotency_keys: Vec<Vec<u8>>,
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

/// Reads the request to its end.
///
/// # Errors
/// - [`Refusal::BodyTooLarge`]: the body is longer than 1 MiB, or says so; the rest is not read.
/// - [`Refusal::InvalidRequest`]: the body broke off.
pub fn read(request: &IncomingRequest) -> Result<Content, Refusal> {
    let headers = request.headers();
    let announced = headers
        .get("content-length")
        .first()
        .and_then(|length| str::from_utf8(length).ok()?.parse().ok())
        .unwrap_or(0_usize);
    if announced > BODY_BYTES_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    let incoming = request.consume().expect("the body is taken once");
    let stream = incoming.stream().expect("the stream is taken once");
    Ok(Content {
        body: read_all(&stream, announced)?,
        idempotency_keys: headers.get("idempotency-key"),
    })
}

fn read_all(stream: &InputStream, announced: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            // Most bodies come in one piece.
            Ok(bytes) if body.is_empty() => body = bytes,
            Ok(bytes) => {
                body.reserve(announced.saturating_sub(body.len()));
                body.extend_from_slice(&bytes);
            }
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
pub fn send(reply: &Reply, out: ResponseOutparam) {
    let headers: Vec<(String, Vec<u8>)> = reply
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let headers = Fields::from_list(&headers).expect("names and values here are well-formed");
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
