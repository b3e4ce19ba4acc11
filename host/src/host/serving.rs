//! The serving threads: each runs connections of all kinds on a runtime of its own, and a request never leaves its thread.

use crate::api::{self, Api, Caller};
use crate::certificates::{self, Credentials};
use crate::http::Front;
use crate::os::Os;
use crate::os::clock::sleep;
use crate::os::network::{Accepted, TcpListener, TcpStream};
use crate::os::task::{self, Task};
use crate::telemetry::Log;
use crate::transport::Refusals;
use crate::transport::incoming::Incoming;
use rustls::pki_types::CertificateDer;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Connections handed to a thread that it has not yet begun to serve.
const HANDOVER_MAX: usize = 64;
/// Connections that one thread serves at once; more are closed at once, which their owners see. A connection takes some ten kilobytes.
const CONNECTIONS_MAX: usize = 16 << 10;
/// How long to wait after an accept failed, which means that the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Which of a host's addresses a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// Requests to services that have `http`.
    Http,
    /// Other hosts.
    Peer,
    /// Programs outside, on this machine.
    ApiInTheClear,
    /// Programs outside, with a certificate.
    ApiCertified,
}

/// A connection on its way to its thread.
pub struct Handover {
    entrance: Entrance,
    stream: Accepted,
}

/// What one thread serves.
pub struct Doors {
    /// Answers HTTP.
    pub front: Arc<Front>,
    /// Answers other hosts.
    pub incoming: Arc<Incoming>,
    /// Answers programs outside.
    pub api: Arc<Api>,
    /// How programs outside prove who they are.
    pub credentials: Credentials,
    /// Where those that cannot are reported.
    pub refusals: Arc<Refusals>,
    /// The outside.
    pub os: Os,
}

/// The ways to the serving threads.
pub type Handovers = Vec<mpsc::Sender<Handover>>;

/// Starts one thread for each of `doors`. They end once `stopped` is true and their connections are done.
///
/// # Errors
/// The machine has no threads left.
pub fn start(
    doors: Vec<Doors>,
    stopped: &watch::Receiver<bool>,
) -> io::Result<(Handovers, Vec<JoinHandle<()>>)> {
    let (mut handovers, mut threads) = (Vec::new(), Vec::new());
    for (number, doors) in doors.into_iter().enumerate() {
        let (sender, receiver) = mpsc::channel(HANDOVER_MAX);
        let stopped = stopped.clone();
        let runtime = task::runtime()?;
        threads.push(task::thread(&format!("serve-{number}"), move || {
            runtime.block_on(serve(Arc::new(doors), receiver, stopped))
        })?);
        handovers.push(sender);
    }
    Ok((handovers, threads))
}

async fn serve(
    doors: Arc<Doors>,
    mut connections: mpsc::Receiver<Handover>,
    stop: watch::Receiver<bool>,
) {
    let mut open: Vec<Task<()>> = Vec::new();
    // Finished connections are forgotten whenever their number has doubled, which costs nothing per connection on average.
    let mut sweep_at = 64;
    while let Some(handover) = connections.recv().await {
        if open.len() >= sweep_at {
            open.retain(|task| !task.is_finished());
            sweep_at = (open.len() * 2).clamp(64, CONNECTIONS_MAX);
        }
        // The conversion only fails when the process has no file descriptors left; the client sees a closed connection.
        if open.len() < CONNECTIONS_MAX
            && let Ok(stream) = TcpStream::from_std(handover.stream)
        {
            let connection = Arc::clone(&doors).connection(handover.entrance, stream, stop.clone());
            open.push(task::spawn(connection));
        }
    }
    for task in open {
        // A connection that panicked is as closed as any other.
        let _ = task.await;
    }
}

impl Doors {
    async fn connection(
        self: Arc<Self>,
        entrance: Entrance,
        stream: TcpStream,
        stop: watch::Receiver<bool>,
    ) {
        match entrance {
            Entrance::Http => crate::http::connection(Arc::clone(&self.front), stream, stop).await,
            Entrance::Peer => Arc::clone(&self.incoming).connection(stream, stop).await,
            Entrance::ApiInTheClear => {
                api::server::connection(Arc::clone(&self.api), stream, Caller::Local, stop).await;
            }
            Entrance::ApiCertified => self.certified(stream, stop).await,
        }
    }

    /// Until it ends, this host stops, or the certificates change: the client then comes again, if it still may.
    async fn certified(&self, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let Ok(address) = stream.peer_addr() else {
            return;
        };
        let config = self.credentials.api_server();
        let name = |chain: &[CertificateDer<'static>]| {
            let identity = certificates::identity(chain).ok()?;
            Some(identity.name.as_str().into())
        };
        let mut changes = self.credentials.changes();
        let (end, ended) = watch::channel(false);
        let served = api::server::secured(Arc::clone(&self.api), stream, config, name, ended);
        tokio::pin!(served);
        let result = tokio::select! {
            biased;
            result = &mut served => result,
            () = async {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => {}
                    _ = changes.changed() => {}
                }
            } => {
                let _ = end.send(true);
                served.await
            }
        };
        if let Err(error) = result {
            let reason = certificates::explain(&error);
            self.refusals
                .report(&self.os, address, "client of the api", &reason);
        }
    }
}

/// Gives the connections of one address to the serving threads in turn: with few connections the kernel's own spreading would leave cores idle.
pub async fn accept(
    entrance: Entrance,
    listener: TcpListener,
    handovers: Handovers,
    mut stopped: watch::Receiver<bool>,
    os: Os,
    log: Log,
) {
    let mut turn = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            Ok(stream)
        }) {
            Ok(stream) => {
                turn += 1;
                hand_over(&handovers, turn, entrance, stream).await;
            }
            Err(error) => {
                log.warn(None, &format!("cannot take a connection: {error}"));
                sleep(os.clock.as_ref(), ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Gives a connection to the thread whose turn it is. One that is far behind is passed over.
pub async fn hand_over(handovers: &Handovers, turn: usize, entrance: Entrance, stream: TcpStream) {
    let (turn, next) = (turn % handovers.len(), (turn + 1) % handovers.len());
    // Only fails when the process has no file descriptors left; the client sees a closed connection.
    let Ok(stream) = stream.into_std() else {
        return;
    };
    let handover = Handover { entrance, stream };
    if let Err(mpsc::error::TrySendError::Full(handover)) = handovers[turn].try_send(handover) {
        let _ = handovers[next].send(handover).await;
    }
}
