//! Connections that other hosts made to send messages of their replicas. Only read, after one word of welcome.

use super::frame::{self, FrameError};
use super::presence::Way;
use super::stream::{Frames, StreamError};
use super::{Inner, frame::BODY_BYTES_MAX, frame::GREETING_BYTES_MAX};
use crate::certificates::{self, Credentials};
use crate::os::clock::timeout;
use crate::os::network::{Accepted, TcpStream, end_if_silent};
use crate::os::task::{self, Task};
use crate::replica::network::{Incoming, ReplicaLane};
use crate::transport::handshake;
use rustls::pki_types::CertificateDer;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio_rustls::server::TlsStream;

/// Connections at once. Each peer has one of each lane that is read; the others are shaking hands.
const CONNECTIONS_MAX: usize = 256;
/// A peer that has shown who it is has this long for its first frame.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that said it would come again has this long until it is lost.
const RETURN_TIMEOUT: Duration = Duration::from_secs(2);
/// See [`end_if_silent`]: elections do not wait for this, it only gets the dead connection out of the way.
pub const SILENCE_MAX: Duration = Duration::from_secs(5);
/// What is taken from the system at once.
const READ_BYTES: usize = 64 << 10;

type Connection = TlsStream<BufReader<TcpStream>>;

/// A connection that is read.
#[derive(Default)]
pub struct Reader {
    /// The peer made another one in its place.
    superseded: Notify,
    /// The peer said that it would.
    is_leaving: AtomicBool,
}

/// Takes the connections that are handed over, until it is dropped.
pub async fn accept(inner: Arc<Inner>, mut accepted: mpsc::Receiver<Accepted>) {
    let mut open: Vec<Task<()>> = Vec::new();
    while let Some(stream) = accepted.recv().await {
        open.retain(|task| !task.is_finished());
        // The conversion only fails when the process has no file descriptors left; either way the peer sees a closed connection.
        if open.len() < CONNECTIONS_MAX
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            open.push(task::spawn(Arc::clone(&inner).connection(stream)));
        }
    }
    for task in open {
        // A connection that panicked is as closed as any other.
        let _ = task.await;
    }
}

impl Inner {
    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let Ok(address) = stream.peer_addr() else {
            return;
        };
        if let Err(reason) = self.serve(stream).await {
            self.refusals.report(&self.os, address, "replica", &reason);
        }
    }

    /// Reads a connection to its end. An error is that the peer is refused, not that it is gone.
    async fn serve(&self, stream: TcpStream) -> Result<(), String> {
        let _ = stream.set_nodelay(true);
        let _ = end_if_silent(&stream, SILENCE_MAX);
        let stream = BufReader::with_capacity(READ_BYTES, stream);
        let (tls, peer) =
            handshake::shake_hands(stream, &self.peers, &self.credentials, &self.os).await?;
        let (_, session) = tls.get_ref();
        if session.alpn_protocol() != Some(certificates::REPLICA) {
            return Err("it wants to speak another protocol with replicas".into());
        }
        let chain = session.peer_certificates().unwrap_or_default().to_vec();
        let mut frames = Frames::new(tls);
        let greeting = timeout(
            self.os.clock.as_ref(),
            GREETING_TIMEOUT,
            frames.next(GREETING_BYTES_MAX, None),
        );
        let greeting = match greeting.await {
            Ok(Ok(greeting)) => greeting,
            // It changed its mind, or is gone.
            Ok(Err(StreamError::Ended(_))) => return Ok(()),
            Ok(Err(StreamError::Frame(error))) => return Err(error.to_string()),
            Err(_elapsed) => {
                let seconds = GREETING_TIMEOUT.as_secs();
                return Err(format!(
                    "it said nothing within {seconds} s after its handshake"
                ));
            }
        };
        let lane = frame::read_greeting(&greeting, self.cluster.as_str())
            .map_err(|error| error.to_string())?;
        let reader = self.enter(peer, lane);
        let welcome = frame::welcome();
        let said = async {
            let stream = frames.stream();
            stream.write_all(&welcome).await?;
            stream.flush().await
        };
        let ended = match said.await {
            Ok(()) => self.read(peer, lane, &reader, &mut frames, &chain).await,
            Err(error) => Ended::Gone(error.to_string()),
        };
        drop(frames);
        match ended {
            Ended::Superseded => Ok(()),
            Ended::Gone(reason) => {
                self.leave(peer, lane, &reader, &reason);
                Ok(())
            }
            Ended::Refused(reason) => {
                self.leave(peer, lane, &reader, &reason);
                Err(reason)
            }
        }
    }

    async fn read(
        &self,
        peer: usize,
        lane: ReplicaLane,
        reader: &Reader,
        frames: &mut Frames<Connection>,
        chain: &[CertificateDer<'static>],
    ) -> Ended {
        let (bytes_max, room) = (
            BODY_BYTES_MAX[lane.index()],
            &self.rooms[peer][lane.index()],
        );
        let from = &self.peers.get(peer).name;
        let mut changes = self.credentials.changes();
        loop {
            let body = tokio::select! {
                biased;
                () = reader.superseded.notified() => return Ended::Superseded,
                changed = changes.changed() => {
                    drop(changed);
                    match still_trusted(&self.credentials, chain) {
                        Ok(()) => continue,
                        Err(reason) => return Ended::Refused(reason),
                    }
                }
                body = frames.next(bytes_max, Some(room)) => body,
            };
            match body {
                Ok(body) if body.is_empty() => return self.returning(reader).await,
                Ok(body) => match frame::read_message(body) {
                    Ok((service, body)) => {
                        self.peers.heard_replica(peer);
                        (self.receive)(Incoming::Message {
                            from: from.clone(),
                            service,
                            body,
                        });
                    }
                    Err(error) => return refused(&error),
                },
                Err(StreamError::Frame(error)) => return refused(&error),
                Err(StreamError::Ended(reason)) => return Ended::Gone(reason),
            }
        }
    }

    /// The peer said that it comes again. Until it has it is not lost.
    async fn returning(&self, reader: &Reader) -> Ended {
        reader.is_leaving.store(true, Ordering::Relaxed);
        let returned = reader.superseded.notified();
        match timeout(self.os.clock.as_ref(), RETURN_TIMEOUT, returned).await {
            Ok(()) => Ended::Superseded,
            Err(_elapsed) => Ended::Gone("it did not come again".into()),
        }
    }

    /// A connection takes the place of the one before, if there is one.
    fn enter(&self, peer: usize, lane: ReplicaLane) -> Arc<Reader> {
        let reader = Arc::<Reader>::default();
        let before = self.readers()[peer][lane.index()].replace(Arc::clone(&reader));
        if let Some(before) = before {
            before.superseded.notify_one();
            if lane == ReplicaLane::Control && !before.is_leaving.load(Ordering::Relaxed) {
                let reason = "it came again, so its end of the connection before is gone";
                self.note(peer, Way::In, false, reason);
            }
        }
        if lane == ReplicaLane::Control {
            self.note(peer, Way::In, true, "");
        }
        if let Some(link) = &self.links[peer] {
            link.retry.notify_waiters();
        }
        reader
    }

    fn leave(&self, peer: usize, lane: ReplicaLane, reader: &Arc<Reader>, reason: &str) {
        {
            let mut readers = self.readers();
            let place = &mut readers[peer][lane.index()];
            if !place
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, reader))
            {
                // Another one has taken its place at the same moment.
                return;
            }
            *place = None;
        }
        if lane == ReplicaLane::Control {
            self.note(peer, Way::In, false, reason);
        }
    }

    fn readers(&self) -> MutexGuard<'_, Vec<[Option<Arc<Reader>>; 2]>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a connection ended.
enum Ended {
    /// Another one is in its place.
    Superseded,
    /// The peer is gone.
    Gone(String),
    /// The peer sent what it must not, or must not send any more.
    Refused(String),
}

fn refused(error: &FrameError) -> Ended {
    Ended::Refused(error.to_string())
}

/// Whether somebody who showed `chain` once may go on, by the certificates and lists that are in effect now.
pub fn still_trusted(
    credentials: &Credentials,
    chain: &[CertificateDer<'_>],
) -> Result<(), String> {
    credentials.verify_again(chain).map_err(|error| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        certificates::explain(&error)
    })
}
