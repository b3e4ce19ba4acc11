//! The connections that this host makes to send messages of its replicas, made again and again as long as somebody owns the task.

use super::frame::{self, GREETING_BYTES_MAX};
use super::inbound::SILENCE_MAX;
use super::presence::Way;
use super::stream::{Frames, StreamError};
use super::{Inner, Link};
use crate::certificates;
use crate::chaos::Fate;
use crate::os::clock::{sleep, timeout};
use crate::os::network::{TcpStream, end_if_silent};
use crate::os::task;
use crate::replica::network::ReplicaLane;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A peer that takes longer to take a connection is as good as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Waits between attempts: short at first, since a process that restarts is there again soon, then as long as an attempt may take.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// Hosts that start together do not find each other at once; only after this time is it worth a line in the log.
const START_PATIENCE: Duration = Duration::from_secs(2);
/// What TLS takes before it has to be sent: a batch of usual size leaves in one call of the system.
const SEND_BYTES: usize = 256 << 10;

/// A connection that is ready.
struct Open {
    tls: TlsStream<TcpStream>,
    changes: watch::Receiver<u64>,
}

/// How a connection ended.
enum Ended {
    /// This host has other certificates: it comes again with those.
    Replaced,
    /// The peer is gone, or does not want this host any more.
    Gone(String),
}

/// Connects to a peer, sends what is queued for it, and begins again.
pub async fn run(inner: Arc<Inner>, peer: usize, lane: ReplicaLane) {
    let Some(link) = &inner.links[peer] else {
        return;
    };
    let (queue, clock) = (&link.queues[lane.index()], inner.os.clock.as_ref());
    let mut wait = RETRY_MIN;
    let mut failing_since = clock.monotonic();
    let mut reported = None;
    loop {
        let reason = match inner.connect(peer, lane).await {
            Ok(open) => {
                let opened = clock.monotonic();
                reported = None;
                queue.open();
                if lane == ReplicaLane::Control {
                    inner.note(peer, Way::Out, true, "");
                }
                let ended = inner.carry(link, lane, open).await;
                let now = clock.monotonic();
                // One that breaks as soon as it is made does not do better when it is made more often.
                if now.saturating_sub(opened) >= RETRY_MAX {
                    wait = RETRY_MIN;
                }
                failing_since = now;
                match ended {
                    Ended::Replaced => continue,
                    Ended::Gone(reason) => reason,
                }
            }
            Err(reason) => reason,
        };
        queue.close();
        if lane == ReplicaLane::Control {
            inner.note(peer, Way::Out, false, &reason);
        }
        let is_old = clock.monotonic().saturating_sub(failing_since) >= START_PATIENCE;
        // One line for both lanes, as long as they have the same fate.
        let is_telling = lane == ReplicaLane::Control || inner.is_up(peer, Way::Out);
        if is_old && is_telling && reported.as_ref() != Some(&reason) {
            let (lane, name) = (lane.name(), &inner.peers.get(peer).name);
            let message = format!("no {lane} lane to replicas on {name}: it {reason}");
            inner.log.warn(None, &message);
            reported = Some(reason);
        }
        tokio::select! {
            biased;
            () = link.retry.notified() => {}
            () = sleep(clock, wait) => wait = (wait * 2).min(RETRY_MAX),
        }
    }
}

impl Inner {
    async fn connect(&self, peer: usize, lane: ReplicaLane) -> Result<Open, String> {
        // What is cut on purpose is not found by trying: nothing would come back.
        if self.chaos.fate(peer) == Fate::Drop {
            return Err("does not answer".into());
        }
        let connected = timeout(
            self.os.clock.as_ref(),
            CONNECT_TIMEOUT,
            self.shake_hands(peer, lane),
        );
        connected.await.unwrap_or_else(|_elapsed| {
            Err(format!(
                "did not accept a connection within {} ms",
                CONNECT_TIMEOUT.as_millis()
            ))
        })
    }

    async fn shake_hands(&self, peer: usize, lane: ReplicaLane) -> Result<Open, String> {
        let peer = self.peers.get(peer);
        // Before the certificates are taken, so that none that come meanwhile are missed.
        let changes = self.credentials.changes();
        let address = peer.address();
        let connected = self.os.network.connect(address).await;
        let stream =
            connected.map_err(|error| format!("cannot be reached at {address}: {error}"))?;
        let _ = end_if_silent(&stream, SILENCE_MAX);
        let mut tls = TlsConnector::from(self.credentials.replica())
            .connect(self.credentials.server_name(&peer.name), stream)
            .await
            .map_err(|error| {
                format!(
                    "is not to be trusted at {address}: {}",
                    certificates::explain(&error)
                )
            })?;
        let (_, session) = tls.get_mut();
        session.set_buffer_limit(Some(SEND_BYTES));
        let mut frames = Frames::new(tls);
        let greeting = frame::greeting(self.cluster.as_str(), lane);
        let said = async {
            let stream = frames.stream();
            stream.write_all(&greeting).await?;
            stream.flush().await
        };
        said.await
            .map_err(|error| format!("closed the connection: {error}"))?;
        match frames.next(GREETING_BYTES_MAX, None).await {
            Ok(body) if body[..] == [frame::VERSION] => Ok(Open {
                tls: frames.into_stream(),
                changes,
            }),
            Ok(_) => Err("takes messages of replicas in another form".into()),
            Err(StreamError::Frame(error)) => Err(format!("does not welcome replicas: {error}")),
            Err(StreamError::Ended(_)) => Err("takes no messages of replicas".into()),
        }
    }

    /// Sends what is queued until the connection ends.
    async fn carry(&self, link: &Link, lane: ReplicaLane, open: Open) -> Ended {
        let Open {
            mut tls,
            mut changes,
        } = open;
        let (queue, clock) = (&link.queues[lane.index()], self.os.clock.as_ref());
        let mut spare = Vec::new();
        loop {
            let batch = queue.take(clock.monotonic(), spare);
            spare = batch.bytes;
            if !spare.is_empty() {
                if let Err(error) = write(&mut tls, &spare).await {
                    return Ended::Gone(format!("its end of the connection is gone: {error}"));
                }
                // A queue that is never empty must not hide that there are other certificates.
                if !changes.has_changed().unwrap_or(false) {
                    continue;
                }
            }
            let due = async {
                match batch.next {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                reason = silence(&mut tls) => return Ended::Gone(reason),
                changed = changes.changed() => {
                    drop(changed);
                    let _ = write(&mut tls, &frame::farewell()).await;
                    return Ended::Replaced;
                }
                () = queue.more() => {}
                () = due => {}
            }
        }
    }
}

async fn write(tls: &mut TlsStream<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    for (turn, part) in bytes.chunks(SEND_BYTES).enumerate() {
        if turn > 0 {
            // Encrypting megabytes takes milliseconds, and heartbeats leave from this thread too.
            task::yield_now().await;
        }
        tls.write_all(part).await?;
    }
    tls.flush().await
}

/// Resolves when the other side breaks its silence, which it does only by ending.
async fn silence(tls: &mut TlsStream<TcpStream>) -> String {
    use tokio::io::AsyncReadExt;
    let mut byte = [0];
    match tls.read(&mut byte).await {
        Ok(0) => "it closed the connection".into(),
        Ok(_) => "it sends where it should read".into(),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "its end of the connection is gone".into()
        }
        Err(error) => error.to_string(),
    }
}
