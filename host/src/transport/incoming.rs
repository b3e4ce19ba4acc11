//! Calls of other hosts to this one.
//!
//! Serves one connection at a time on the thread it was given to. A connection whose certificate does not name another host of this cluster
//! is closed before anything is read from it. Hands calls to [`Dispatch`], for this host only.

use crate::call_error::CallError;
use crate::certificates::Credentials;
use crate::chaos::{Chaos, Fate};
use crate::depot::SharedDepot;
use crate::dispatch::{Dispatch, FunctionName, Invocation, Reach};
use crate::envelope::Envelope;
use crate::os::Os;
use crate::os::clock::{Elapsed, sleep, timeout, timeout_at};
use crate::os::executor::Tasks;
use crate::os::network::TcpStream;
use crate::payload::{Body, Payload};
use crate::services::{FunctionType, Services, Slot};
use crate::signature::CALL_PATH;
use crate::transport::components::COMPONENT_PATH;
use crate::transport::message::{self, SERVICE, TYPE, TYPES_PATH, WAIT_PATH, Waited, Waiting};
use crate::transport::peers::Peers;
use crate::transport::peers::leads::Led;
use crate::transport::probe::{self, Introducer, Introduction};
use crate::transport::replicas::{HELLO_PATH, SNAPSHOT_PATH, Sources};
use crate::transport::unread::Unread;
use crate::transport::{Refusals, handshake, head};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Arriving;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

mod components;
mod replicas;
mod told;

/// A peer that has shown who it is has this long for its first message.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls of one peer's thread at once; twice what it sends, since it may see an end before we do.
const STREAMS_MAX: u32 = 4096;
/// What is taken in on one stream, and on all of one connection, before it is read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Answer bytes that wait for one peer to read them, on each stream.
const SEND_BYTES_MAX: usize = 1 << 20;
/// Header bytes of a message; the envelope takes less than one.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// Cancelled calls are remembered for a moment, and may come in bursts.
const RESET_STREAMS_MAX: usize = 2048;
/// A peer that says nothing for so long is asked, and has as long again to answer. Calls wait at most a deadline, so this only cleans up.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Bytes of a wait, which is two numbers.
const WAITING_BYTES_MAX: u64 = 1 << 10;

/// What every connection of a peer needs.
pub struct Incoming {
    /// The table of services.
    pub services: Arc<Services>,
    /// Carries out calls on this thread.
    pub dispatch: Arc<dyn Dispatch>,
    /// The function that HTTP handlers export.
    pub handle: Arc<FunctionName>,
    /// Who may call.
    pub peers: Arc<Peers>,
    /// How they prove it.
    pub credentials: Credentials,
    /// Faults of the links back to them.
    pub chaos: Chaos,
    /// What this host says of itself.
    pub introducer: Arc<Introducer>,
    /// What this host has for others with replicas of its services; none if it has no replicas.
    pub replicas: Option<Sources>,
    /// The components that this host keeps by digest; none if the cluster keeps no state of its own.
    pub components: Option<SharedDepot>,
    /// Where refusals are reported, and how often.
    pub refusals: Arc<Refusals>,
    /// The outside.
    pub os: Os,
}

impl Incoming {
    /// Serves one connection until it ends, this host stops, or the certificates change: the peer then comes again with a new handshake.
    pub async fn connection(self: Arc<Self>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let Ok(address) = stream.peer_addr() else {
            return;
        };
        let mut changes = self.credentials.changes();
        let shaken = handshake::shake_hands(stream, &self.peers, &self.credentials, &self.os);
        let (tls, peer) = match shaken.await {
            Ok(shaken) => shaken,
            Err(reason) => return self.refusals.report(&self.os, address, "peer", &reason),
        };
        let incoming = Arc::clone(&self);
        let unread = Unread::default();
        let has_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&has_asked);
        let service = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let (incoming, unread) = (Arc::clone(&incoming), unread.clone());
            async move { Ok::<_, Infallible>(incoming.answer(peer, request, &unread).await) }
        });
        // Ends calls together with the connection that nobody could answer them on.
        let tasks = Tasks::default();
        let mut builder = http2::Builder::new(tasks.executor());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BYTES_MAX)
            .max_header_list_size(HEADER_BYTES_MAX)
            .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
            .auto_date_header(false)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        let connection = builder.serve_connection(TokioIo::new(tls), service);
        tokio::pin!(connection);
        // Connections are made for a message that is sent at once. The keep-alive does not begin before HTTP/2 has.
        let silence = async {
            sleep(self.os.clock.as_ref(), FIRST_MESSAGE_TIMEOUT).await;
            if has_asked.load(Ordering::Relaxed) {
                std::future::pending().await
            }
        };
        // Errors here are peers that went away; their own side knows why.
        tokio::select! {
            biased;
            _ = &mut connection => return,
            () = silence => {
                let seconds = FIRST_MESSAGE_TIMEOUT.as_secs();
                let reason = format!("it said nothing within {seconds} s after its handshake");
                return self.refusals.report(&self.os, address, "peer", &reason);
            }
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
            _ = changes.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(
        &self,
        peer: usize,
        request: Request<Arriving>,
        unread: &Unread,
    ) -> Response<Body> {
        let response = if request.headers().contains_key(SERVICE) {
            self.forwarded(request).await
        } else if request.method() == Method::POST && request.uri().path().starts_with(CALL_PATH) {
            self.call(request, unread).await
        } else if request.method() == Method::POST && request.uri().path().starts_with(TYPES_PATH) {
            self.told(request).await
        } else if request.method() == Method::POST && request.uri().path().starts_with(WAIT_PATH) {
            self.waited(request).await
        } else if request.method() == Method::POST
            && request.uri().path().starts_with(SNAPSHOT_PATH)
        {
            self.chunk(request, unread).await
        } else if request.method() == Method::POST && request.uri().path() == HELLO_PATH {
            self.hello(peer, request, unread).await
        } else if request.method() == Method::POST && request.uri().path() == probe::PATH {
            self.probed(peer, request).await
        } else if request.uri().path().starts_with(COMPONENT_PATH) {
            self.component(request, unread).await
        } else {
            Err(malformed(format!(
                "there is no {} {} between hosts",
                request.method(),
                request.uri().path()
            )))
        };
        let response = response.unwrap_or_else(|error| message::failure(&error));
        match self.chaos.fate(peer) {
            Fate::Deliver => {}
            Fate::Delay(delay) => sleep(self.os.clock.as_ref(), delay).await,
            // The peer waits until it gives up and cancels, which drops this future.
            Fate::Drop => std::future::pending().await,
        }
        response
    }

    async fn call(
        &self,
        request: Request<Arriving>,
        unread: &Unread,
    ) -> Result<Response<Body>, CallError> {
        let envelope = head::read(request.headers(), self.os.clock.monotonic())
            .map_err(|error| malformed(error.to_string()))?;
        let path = &request.uri().path()[CALL_PATH.len()..];
        let (slot, function) = self.find(path)?;
        let called = self
            .carry_out(slot, function, envelope, request, unread)
            .await;
        match (&slot.group, called) {
            // Whoever asked may have asked the wrong one, and learns here which is the right one.
            (Some(group), Err(error)) => {
                let led = Led::from(&*group.standing().borrow());
                Ok(message::refusal(&error, Some(&led)))
            }
            (_, called) => called,
        }
    }

    async fn carry_out(
        &self,
        slot: &Slot,
        function: Arc<FunctionType>,
        envelope: Envelope,
        request: Request<Arriving>,
        unread: &Unread,
    ) -> Result<Response<Body>, CallError> {
        let service = || slot.service.name.to_string();
        let incompatible = |message: String| CallError::Incompatible {
            service: service(),
            message,
        };
        let known = match request.headers().get(TYPE) {
            Some(hash) if *hash == function.hash => Some(Arc::clone(&function.signature)),
            Some(hash) => self
                .services
                .foreign
                .get(&slot.service.name, &function, hash),
            None => None,
        };
        let Some(known) = known else {
            return Ok(message::unknown_types(&incompatible(format!(
                "the caller's host knows {} with other types; run the same version on all hosts",
                function.name
            ))));
        };
        unread.check(&slot.service.name)?;
        let arguments_max = slot.service.config.limits.arguments_bytes;
        let read = message::read(request.into_body(), arguments_max);
        let bytes = timeout_at(self.os.clock.as_ref(), envelope.deadline, read)
            .await
            .map_err(|Elapsed| CallError::DeadlineExceeded {
                service: service(),
                message: "the arguments did not arrive in time; the call was not begun".into(),
            })?
            .map_err(|error| match error {
                message::ReadError::TooLarge(_) => incompatible(format!(
                    "the arguments take more than {arguments_max} bytes; raise limits.arguments"
                )),
                // Nobody is there any more who could read this.
                message::ReadError::BrokenOff(_) => CallError::Cancelled,
            })?;
        let bytes_max = usize::try_from(arguments_max).unwrap_or(usize::MAX);
        let arguments = known
            .types
            .arguments
            .decode(&bytes, bytes_max)
            .map_err(|error| incompatible(format!("the arguments cannot be read: {error}")))?;
        drop(bytes);
        let invocation = Invocation {
            service: slot.service.id,
            function: Arc::clone(&function.name),
            types: Some(Arc::clone(&known)),
            arguments: Payload::Values(arguments),
            envelope,
            reach: Reach::Here,
        };
        let Payload::Values(results) = Arc::clone(&self.dispatch).dispatch(invocation).await?
        else {
            return Err(incompatible(
                "it answered a call with an HTTP response".into(),
            ));
        };
        let encoded = known
            .types
            .results
            .encode(&results)
            .map_err(|error| incompatible(format!("its result cannot be written: {error}")))?;
        let answer = unread.answer(encoded.into(), &slot.service.name)?;
        let answer = answer.map_err(|never| match never {}).boxed_unsync();
        let mut response = Response::new(answer);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(message::VALUES),
        );
        headers.insert(TYPE, known.hash.clone());
        Ok(response)
    }

    /// Service and function of `SERVICE/INTERFACE.FUNCTION`.
    fn find(&self, path: &str) -> Result<(&Slot, Arc<FunctionType>), CallError> {
        let (service, function) = path
            .split_once('/')
            .ok_or_else(|| malformed(format!("{path:?} is not SERVICE/INTERFACE.FUNCTION")))?;
        let not_found = |message: String| CallError::NotFound {
            service: service.to_owned(),
            message,
        };
        let slot = self.services.find(service).ok_or_else(|| {
            not_found("no such service; all hosts need the same cluster file".into())
        })?;
        let types = slot.types().ok_or_else(|| CallError::Unavailable {
            service: service.to_owned(),
            message: "its component could not be loaded".into(),
            maybe_executed: false,
        })?;
        let found = types.find(function).map(Arc::clone);
        let found = found.ok_or_else(|| {
            not_found(format!(
                "it has no function {function}; run the same version on all hosts"
            ))
        })?;
        Ok((slot, found))
    }

    async fn waited(&self, request: Request<Arriving>) -> Result<Response<Body>, CallError> {
        let envelope = head::read(request.headers(), self.os.clock.monotonic())
            .map_err(|error| malformed(error.to_string()))?;
        let service = request.uri().path()[WAIT_PATH.len()..].to_owned();
        let slot = self.services.find(&service);
        let Some(published) = slot.and_then(|slot| slot.service.published.as_ref()) else {
            return Err(CallError::NotFound {
                service,
                message: "its state is not here; all hosts need the same cluster file".into(),
            });
        };
        let clock = self.os.clock.as_ref();
        let read = message::read(request.into_body(), WAITING_BYTES_MAX);
        let bytes = timeout_at(clock, envelope.deadline, read)
            .await
            .map_err(|Elapsed| malformed("the wait does not end".into()))?
            .map_err(|error| malformed(format!("the wait cannot be read: {error}")))?;
        let Waiting { after, timeout_ms } = serde_json::from_slice(&bytes).map_err(|error| {
            malformed(format!("the wait is not what is expected here: {error}"))
        })?;
        let waits = &self.services.waits;
        let beyond = waits.beyond(
            &service,
            published,
            after,
            Duration::from_millis(timeout_ms),
            clock,
        );
        // Whoever asked does not read an answer that comes later.
        let position = timeout_at(clock, envelope.deadline, beyond)
            .await
            .unwrap_or(Ok(after))?;
        let answer = json!(Waited { position }).to_string();
        Ok(Response::new(message::full(answer.into())))
    }

    async fn forwarded(&self, request: Request<Arriving>) -> Result<Response<Body>, CallError> {
        let envelope = head::read(request.headers(), self.os.clock.monotonic())
            .map_err(|error| malformed(error.to_string()))?;
        let name = request.headers()[SERVICE].to_str().unwrap_or_default();
        let slot = self
            .services
            .find(name)
            .ok_or_else(|| CallError::NotFound {
                service: name.to_owned(),
                message: "no such service; all hosts need the same cluster file".into(),
            })?;
        let id = slot.service.id;
        let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        message::restore_forward(&mut request);
        let invocation = Invocation {
            service: id,
            function: Arc::clone(&self.handle),
            types: None,
            arguments: Payload::Request(request),
            envelope,
            reach: Reach::Here,
        };
        match Arc::clone(&self.dispatch).dispatch(invocation).await? {
            Payload::Response(response) => Ok(response),
            Payload::Values(_) | Payload::Request(_) => Err(malformed(
                "the service did not answer with a response".into(),
            )),
        }
    }

    async fn probed(
        &self,
        peer: usize,
        request: Request<Arriving>,
    ) -> Result<Response<Body>, CallError> {
        let read = Limited::new(request.into_body(), probe::PROBE_BYTES_MAX).collect();
        let bytes = timeout(self.os.clock.as_ref(), FIRST_MESSAGE_TIMEOUT, read)
            .await
            .map_err(|Elapsed| malformed("the probe does not end".into()))?
            .map_err(|error| malformed(format!("the probe cannot be read: {error}")))?
            .to_bytes();
        let said: Introduction = serde_json::from_slice(&bytes).map_err(|error| {
            malformed(format!("the probe is not what is expected here: {error}"))
        })?;
        let known = self.peers.get(peer);
        if said.host != known.name.as_str() {
            return Err(malformed(format!(
                "host {} says it is {}",
                known.name, said.host
            )));
        }
        if said.is_stopping {
            self.peers.leaves(peer);
        } else {
            self.peers.heard(&said.leads);
            self.peers.moved(peer, said.peer);
            // It reached us, so it is likely to be reachable.
            if matches!(
                known.view().health,
                crate::transport::peers::Health::Down { .. }
            ) {
                known.probe_now();
            }
        }
        let own = serde_json::to_vec(&self.introducer.introduction())
            .map_err(|error| malformed(format!("cannot answer: {error}")))?;
        let mut response = Response::new(message::full(Bytes::from(own)));
        *response.status_mut() = StatusCode::OK;
        Ok(response)
    }
}

/// A peer that says what this host does not understand; it is of another version, or no host at all.
fn malformed(message: String) -> CallError {
    CallError::Incompatible {
        service: "host".into(),
        message,
    }
}
