//! The HTTP side of the endpoint: HTTP/1.1 and HTTP/2 on the same port, told apart by their first bytes.
//!
//! Each serving thread has an [`Api`] of its own, and runs [`connection`] or [`secured`] for the connections it is given; a request never
//! leaves that thread.

use super::patience::{Patient, UnderWay};
use super::{Api, ApiError, Caller};
use crate::arrival::Arrival;
use crate::call_error::CallError;
use crate::os::clock::timeout;
use crate::os::executor::Tasks;
use crate::transport::unread::{Answer, Unread};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

#[cfg(test)]
mod tests;

/// Requests under way on one connection; a client's further ones wait in the client.
const STREAMS_MAX: u32 = 1024;
/// A client has this long for its request line and headers, and may be silent this long between requests of HTTP/1.1.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// A client has this long to say who it is.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of request line and headers together.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// How often a client that speaks HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Who refuses what is not the doing of a service.
const HOST: &str = "host";

/// Serves one connection over TLS: as [`connection`], of the caller that `name` reads in its certificates. `config` decides which
/// certificates are accepted; one that `name` finds nobody in is refused like those.
///
/// # Errors
/// The handshake failed, in the words of the TLS library; nothing was served.
pub async fn secured<S>(
    api: Arc<Api>,
    stream: S,
    config: Arc<ServerConfig>,
    name: impl FnOnce(&[CertificateDer<'static>]) -> Option<Arc<str>>,
    stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let clock = Arc::clone(&api.os.clock);
    let shake = TlsAcceptor::from(config).accept(stream);
    let shaken = timeout(clock.as_ref(), HANDSHAKE_TIMEOUT, shake).await;
    let stream = shaken.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let name = name(chain).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the certificate names nobody who may call",
        )
    })?;
    connection(api, stream, Caller::Certified(name), stop).await;
    Ok(())
}

/// Serves one connection of `caller` until it ends, or until `stop` becomes true and its requests are answered.
pub async fn connection<S>(
    api: Arc<Api>,
    stream: S,
    caller: Caller,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Ends what is left of the requests together with their connection.
    let tasks = Tasks::default();
    let under_way = UnderWay::default();
    let stream = Patient::new(stream, Arc::clone(&api.os.clock), under_way.clone());
    let unread = Unread::default();
    let (arrival, clock) = (Arrival::default(), Arc::clone(&api.os.clock));
    let coming = arrival.clone();
    let service = service_fn(move |request| {
        coming.came();
        let (api, caller, under_way) = (Arc::clone(&api), caller.clone(), under_way.begin());
        let unread = unread.clone();
        async move {
            let _under_way = under_way;
            Ok::<_, Infallible>(answer(&api, request, &caller, &unread).await)
        }
    });
    let mut builder = auto::Builder::new(tasks.executor());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        // Errors here are clients that went away or spoke something else; there is nobody left to tell.
        _ = &mut connection => return,
        () = arrival.may_end(&mut stop, clock.as_ref()) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Answers a request, unless too much of what its client asked for before was not read.
async fn answer(
    api: &Api,
    request: Request<Incoming>,
    caller: &Caller,
    unread: &Unread,
) -> Response<Answer> {
    if let Err(error) = unread.check(HOST) {
        return refusal(error, unread).await;
    }
    let (head, body) = api.answer(request, caller).await.into_parts();
    match unread.answer(whole(body).await, HOST) {
        Ok(answer) => Response::from_parts(head, answer),
        Err(error) => refusal(error, unread).await,
    }
}

async fn refusal(error: CallError, unread: &Unread) -> Response<Answer> {
    let (head, body) = ApiError::from(error).response().into_parts();
    Response::from_parts(head, unread.refusal(whole(body).await))
}

/// The bytes of a body that is there.
async fn whole(body: Full<Bytes>) -> Bytes {
    body.collect()
        .await
        .map_or_else(|never| match never {}, Collected::to_bytes)
}
