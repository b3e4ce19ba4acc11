//! Connections of other hosts, sorted by what they are for.
//!
//! Probes are answered on the host's own runtime, calls on the serving threads: a host that is busy is not one that is gone, and it must
//! not look like one because a probe waits behind calls. Messages between replicas go to the thread where the replicas are. Which is which
//! is in the first message of the handshake, which is looked at without being taken.

use crate::certificates::{self, Purpose};
use crate::host::serving::{Entrance, Handovers, hand_over};
use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::os::network::{Accepted, TcpListener, TcpStream};
use crate::os::task::{self, Task};
use crate::telemetry::Log;
use crate::transport::incoming::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Connections for probes, and such that have not said yet what they are for. Hosts have one each, and come again a few times when they restart.
const CONNECTIONS_MAX: usize = 1024;
/// A peer's first message is there at once; who says nothing is left to the threads, which end the handshake in time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait for the rest of a first message that came in pieces.
const HELLO_POLL: Duration = Duration::from_millis(2);
/// First messages of our own hosts take less than a quarter of this.
const HELLO_BYTES_MAX: usize = 4 << 10;
/// How long to wait after an accept failed, which means that the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `stopped`: for probes to `control`, for replicas to `replicas`, all others to the threads behind `handovers`.
pub async fn accept(
    listener: TcpListener,
    handovers: Handovers,
    control: Arc<Incoming>,
    replicas: mpsc::Sender<Accepted>,
    mut stopped: watch::Receiver<bool>,
    os: Os,
    log: Log,
) {
    let handovers = Arc::new(handovers);
    let mut open: Vec<Task<()>> = Vec::new();
    let mut turn = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                log.warn(None, &format!("cannot take a connection: {error}"));
                sleep(os.clock.as_ref(), ACCEPT_PAUSE).await;
                continue;
            }
        };
        open.retain(|task| !task.is_finished());
        if open.len() >= CONNECTIONS_MAX || stream.set_nodelay(true).is_err() {
            continue;
        }
        turn += 1;
        let (handovers, control) = (Arc::clone(&handovers), Arc::clone(&control));
        let (replicas, stopped, os) = (replicas.clone(), stopped.clone(), os.clone());
        open.push(task::spawn(async move {
            let purpose = timeout(os.clock.as_ref(), HELLO_TIMEOUT, purpose(&stream, &os));
            match purpose.await.unwrap_or(Purpose::Calls) {
                Purpose::Calls => hand_over(&handovers, turn, Entrance::Peer, stream).await,
                Purpose::Control => control.connection(stream, stopped).await,
                // Without replicas here, or with more connections than they take, it is closed; the peer comes again.
                Purpose::Replica => {
                    if let Ok(stream) = stream.into_std() {
                        let _ = replicas.try_send(stream);
                    }
                }
            }
        }));
    }
    for task in open {
        // A connection that panicked is as closed as any other.
        let _ = task.await;
    }
}

/// What the first message of a handshake says that the connection is for. Waits for the rest of one that is not complete.
async fn purpose(stream: &TcpStream, os: &Os) -> Purpose {
    let mut hello = vec![0; HELLO_BYTES_MAX];
    loop {
        match stream.peek(&mut hello).await {
            Ok(0) | Err(_) => return Purpose::Calls,
            Ok(length) => match certificates::purpose(&hello[..length]) {
                Some(purpose) => return purpose,
                None if length == hello.len() => return Purpose::Calls,
                // What was looked at stays there, so the socket does not say when there is more.
                None => sleep(os.clock.as_ref(), HELLO_POLL).await,
            },
        }
    }
}
