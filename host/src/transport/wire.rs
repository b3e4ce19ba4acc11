//! Connections to the other hosts: HTTP/2 over TLS 1.3 with certificates on both sides, made when they are first needed.
//!
//! Each thread that makes calls has a [`Wire`] of its own, so that a call never changes its thread. One message goes out, one comes back;
//! what they mean is `outgoing`'s and `probe`'s business. Whether a failed message may have been acted on is decided here.

use crate::certificates::{self, Credentials};
use crate::chaos::{Chaos, Fate};
use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::os::executor::Tasks;
use crate::os::task::{self, Task};
use crate::payload::Body;
use crate::transport::lane::Lane;
use crate::transport::peers::{Health, Peer, Peers};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// A peer that takes longer to shake hands is as good as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Messages under way on one connection. A service runs and queues about as many; more would only wait where nobody sees them.
const UNDER_WAY_MAX: u32 = 2048;
/// What a peer may send on one stream, and on all of one connection, before it is read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Header bytes of an answer; ours take less than one.
const HEADER_BYTES_MAX: u32 = 16 << 10;
/// Calls may be cancelled in bursts, and their streams are remembered for a moment; a peer is not a stranger who could abuse that.
const RESET_STREAMS_MAX: usize = UNDER_WAY_MAX as usize;
/// A connection that ended between two messages is made again once. A peer that closes that one too does not want to talk.
const CONNECTIONS_PER_MESSAGE_MAX: u32 = 2;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The message did not reach the peer, so nothing was done. It is given back.
    #[error("{reason}")]
    NotSent {
        /// Why, as the rest of a sentence about the peer.
        reason: String,
        /// The message.
        request: Box<Request<Body>>,
    },
    /// The peer is closing this connection and did not look at the message. A new connection may do.
    #[error("{reason}")]
    Refused {
        /// Why, as the rest of a sentence about the peer.
        reason: String,
    },
    /// The connection failed after the message was sent: whether the peer acted on it is unknown.
    #[error("{reason}")]
    Lost {
        /// Why, as the rest of a sentence about the peer.
        reason: String,
    },
    /// The peer ended this exchange alone: whether it acted on it is unknown.
    #[error("{reason}")]
    Reset {
        /// Why, as the rest of a sentence about the peer.
        reason: String,
    },
    /// As many messages are under way to it as may be.
    #[error("has {UNDER_WAY_MAX} calls of this host under way")]
    Busy,
}

/// One thread's connections to all peers.
pub struct Wire {
    links: Vec<[Link; Lane::COUNT]>,
    peers: Arc<Peers>,
    credentials: Credentials,
    chaos: Chaos,
    os: Os,
}

/// At most one connection.
#[derive(Default)]
struct Link {
    open: Mutex<Option<Open>>,
    /// Held while a connection is being made, so that calls that come together share it.
    connecting: tokio::sync::Mutex<()>,
    under_way: AtomicU32,
}

struct Open {
    sender: SendRequest<Body>,
    is_retired: Arc<AtomicBool>,
    task: Task<()>,
}

impl Wire {
    /// Connects to nobody yet.
    #[must_use]
    pub fn new(peers: Arc<Peers>, credentials: Credentials, chaos: Chaos, os: Os) -> Self {
        let count = peers
            .indexes()
            .last()
            .map_or(0, |last| last + 1)
            .max(peers.own() + 1);
        Self {
            links: (0..count).map(|_| Default::default()).collect(),
            peers,
            credentials,
            chaos,
            os,
        }
    }

    /// Sends a message and waits for the head of its answer. Dropping the future, or the answer's body, tells the peer that nobody waits.
    ///
    /// # Errors
    /// See [`ExchangeError`].
    pub async fn exchange(
        &self,
        index: usize,
        lane: Lane,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let (peer, link) = (self.peers.get(index), &self.links[index][lane.index()]);
        let Some(_under_way) = UnderWay::enter(&link.under_way) else {
            return Err(ExchangeError::Busy);
        };
        match self.chaos.fate(index) {
            Fate::Deliver => {}
            Fate::Delay(delay) => sleep(self.os.clock.as_ref(), delay).await,
            Fate::Drop => return Err(vanished(peer).await),
        }
        let mut request = Box::new(request);
        for _ in 0..CONNECTIONS_PER_MESSAGE_MAX {
            let mut sender = match self.sender(peer, link, lane).await {
                Ok(sender) => sender,
                Err(reason) => {
                    return Err(ExchangeError::NotSent { reason, request });
                }
            };
            match sender.try_send_request(*request).await {
                Ok(response) => return Ok(response),
                Err(mut failure) => match failure.take_message() {
                    // The connection had ended before it could be used.
                    Some(unsent) => {
                        link.forget_closed();
                        request = Box::new(unsent);
                    }
                    None => return Err(because(peer, classify(&failure.into_error()))),
                },
            }
        }
        Err(ExchangeError::NotSent {
            reason: "closes its connections at once".into(),
            request,
        })
    }

    /// The open connection, or a new one.
    async fn sender(
        &self,
        peer: &Peer,
        link: &Link,
        lane: Lane,
    ) -> Result<SendRequest<Body>, String> {
        if let Some(sender) = link.sender() {
            return Ok(sender);
        }
        let _connecting = link.connecting.lock().await;
        if let Some(sender) = link.sender() {
            return Ok(sender);
        }
        let connected = timeout(
            self.os.clock.as_ref(),
            CONNECT_TIMEOUT,
            // Boxed, so that calls over a connection that is there do not make room for a handshake.
            Box::pin(connect(peer, lane, &self.credentials, &self.os)),
        )
        .await;
        let open = connected.map_err(|_| {
            format!(
                "did not accept a connection within {} ms",
                CONNECT_TIMEOUT.as_millis()
            )
        })??;
        let sender = open.sender.clone();
        link.set(open);
        Ok(sender)
    }
}

impl Link {
    fn sender(&self) -> Option<SendRequest<Body>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref()
            .filter(|open| !open.sender.is_closed() && !open.is_retired.load(Ordering::Relaxed))
            .map(|open| open.sender.clone())
    }

    fn set(&self, open: Open) {
        let mut place = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = place.replace(open) {
            // What is still under way on it ends by its own deadline, and the connection with it.
            old.task.release();
        }
    }

    fn forget_closed(&self) {
        let mut place = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = place.as_ref() {
            open.is_retired.store(true, Ordering::Relaxed);
        }
        if place.as_ref().is_some_and(|open| open.sender.is_closed()) {
            *place = None;
        }
    }
}

/// One message under way, until it is answered or given up.
struct UnderWay<'a>(&'a AtomicU32);

impl<'a> UnderWay<'a> {
    fn enter(count: &'a AtomicU32) -> Option<Self> {
        let entered = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < UNDER_WAY_MAX).then_some(count + 1)
        });
        entered.is_ok().then_some(Self(count))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A dropped message: nobody ever answers, until the peer is found to be down or the sender gives up.
async fn vanished(peer: &Peer) -> ExchangeError {
    let mut breaks = peer.breaks();
    if breaks.changed().await.is_err() {
        pending::<()>().await;
    }
    let lost = ExchangeError::Lost {
        reason: "stopped answering".into(),
    };
    because(peer, lost)
}

/// A connection that this host broke itself, since the peer was found to be down, was lost for the reason that was found.
fn because(peer: &Peer, error: ExchangeError) -> ExchangeError {
    match (error, &peer.view().health) {
        (ExchangeError::Lost { .. }, Health::Down { reason, .. }) => ExchangeError::Lost {
            reason: reason.clone(),
        },
        (error, _) => error,
    }
}

async fn connect(
    peer: &Peer,
    lane: Lane,
    credentials: &Credentials,
    os: &Os,
) -> Result<Open, String> {
    let (mut breaks, mut changes) = (peer.breaks(), credentials.changes());
    let address = peer.address();
    let unreachable = |error: std::io::Error| format!("cannot be reached at {address}: {error}");
    let stream = os.network.connect(address).await.map_err(unreachable)?;
    let config = match lane {
        Lane::Control => credentials.control(),
        Lane::Call | Lane::Bulk => credentials.client(),
    };
    let tls = TlsConnector::from(config)
        .connect(credentials.server_name(&peer.name), stream)
        .await
        .map_err(|error| {
            format!(
                "is not to be trusted at {address}: {}",
                certificates::explain(&error)
            )
        })?;
    let tasks = Tasks::default();
    let (sender, connection) = http2::Builder::new(tasks.executor())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .handshake(TokioIo::new(tls))
        .await
        .map_err(|error| format!("does not speak HTTP/2 at {address}: {error}"))?;
    let is_retired = Arc::new(AtomicBool::new(false));
    let retired = Arc::clone(&is_retired);
    let task = task::spawn(async move {
        let _tasks = tasks;
        tokio::pin!(connection);
        loop {
            tokio::select! {
                biased;
                // What is under way fails with its own error, whichever way the connection ends.
                _ = &mut connection => return,
                // Dropping the connection ends everything under way on it: nobody would answer any more.
                _ = breaks.changed() => return,
                changed = changes.changed(), if !retired.load(Ordering::Relaxed) => {
                    drop(changed);
                    // Other certificates: what is under way may finish, what comes next makes a connection with the new ones.
                    retired.store(true, Ordering::Relaxed);
                }
            }
        }
    });
    Ok(Open {
        sender,
        is_retired,
        task,
    })
}

/// What a failure after sending says about the peer.
fn classify(error: &hyper::Error) -> ExchangeError {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = source {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            return classify_h2(h2);
        }
        source = cause.source();
    }
    ExchangeError::Lost {
        reason: "closed the connection".into(),
    }
}

fn classify_h2(error: &h2::Error) -> ExchangeError {
    // A peer that shuts down says how far it read; what came later was never looked at (RFC 9113, sections 6.8 and 8.7).
    let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || (error.is_go_away()
            && error.is_remote()
            && error.reason() == Some(h2::Reason::NO_ERROR));
    if is_refused {
        return ExchangeError::Refused {
            reason: "closed the connection before it looked at the call".into(),
        };
    }
    if error.is_reset() {
        return ExchangeError::Reset {
            reason: format!("broke off the call: {error}"),
        };
    }
    ExchangeError::Lost {
        reason: format!("lost the connection: {error}"),
    }
}
