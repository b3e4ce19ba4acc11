//! Connections of other hosts, sorted by what they are for.
//!
//! Probes are answered on the host's own runtime, calls on the serving threads: a host that is busy is not one that is gone, and it must
//! not look like one because a probe waits behind calls. Which is which is in the first message of the handshake, which is looked at
//! without being taken.

use crate::certificates;
use crate::host::serving::{Entrance, Handovers, hand_over};
use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::os::network::{TcpListener, TcpStream};
use crate::os::task::{self, Task};
use crate::telemetry::Log;
use crate::transport::incoming::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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

/// Takes connections until `stopped`: for probes to `control`, all others to the threads behind `handovers`.
pub async fn accept(
    listener: TcpListener,
    handovers: Handovers,
    control: Arc<Incoming>,
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
        let (stopped, os) = (stopped.clone(), os.clone());
        open.push(task::spawn(async move {
            let asked = timeout(os.clock.as_ref(), HELLO_TIMEOUT, is_control(&stream, &os));
            if asked.await.unwrap_or(false) {
                control.connection(stream, stopped).await;
            } else {
                hand_over(&handovers, turn, Entrance::Peer, stream).await;
            }
        }));
    }
    for task in open {
        // A connection that panicked is as closed as any other.
        let _ = task.await;
    }
}

/// Whether the first message of a handshake is there and says that what follows are probes. Waits for the rest of one that is not complete.
async fn is_control(stream: &TcpStream, os: &Os) -> bool {
    let mut hello = vec![0; HELLO_BYTES_MAX];
    loop {
        match stream.peek(&mut hello).await {
            Ok(0) | Err(_) => return false,
            Ok(length) => match certificates::is_control(&hello[..length]) {
                Some(is_control) => return is_control,
                None if length == hello.len() => return false,
                // What was looked at stays there, so the socket does not say when there is more.
                None => sleep(os.clock.as_ref(), HELLO_POLL).await,
            },
        }
    }
}
