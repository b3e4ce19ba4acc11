//! The pipe between a host and the process that started it (`bookshop-host run`).
//!
//! One JSON object a line. Down the host's standard input come [`FromParent`], up its standard output go [`ToParent`]; log lines
//! use standard error. The end of standard input means that the parent is gone, however it ended: the host then drains and stops.

use crate::os::task::{self, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests waiting for the pipe; each waits for its answer, so there are as many as admin requests.
const REQUESTS_MAX: usize = 64;

/// What is known about a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// `starting`, `running`, `stopping`, `stopped` (by the operator), `restarting` (it ended by itself, or restarts in place) or `unknown`.
    pub state: String,
    /// Its process, if it has one.
    pub pid: Option<u32>,
    /// Seconds since that process started, or restarted in place.
    pub uptime_s: Option<u64>,
}

/// What an operator wants of the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostRequest {
    /// Drain this host and leave it stopped.
    Stop(String),
    /// Start this host again.
    Start(String),
}

/// A line from the parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromParent {
    /// The state of all hosts, sent whenever it changes. Uptimes are as of `wall_s`.
    Hosts(Vec<HostStatus>),
    /// The answer to a request: what was done, or why not.
    Answer(u64, Result<String, String>),
}

/// A line from a host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToParent {
    /// The host serves.
    Ready,
    /// The host drains, and is ready again as a new image in the same process.
    Restarting,
    /// A request, with a number for its answer.
    Request(u64, HostRequest),
}

/// Why the parent did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParentError {
    /// This host was started on its own.
    #[error(
        "this host was started on its own (--host), so nobody can stop or start hosts from here; use what started it"
    )]
    Alone,
    /// The parent refused.
    #[error("{0}")]
    Refused(String),
    /// The parent is gone.
    #[error("the process that started this host is gone")]
    Gone,
}

/// A handle to the parent, or to the lack of one.
#[derive(Clone)]
pub struct Parent {
    hosts: watch::Receiver<Vec<HostStatus>>,
    outgoing: Option<mpsc::Sender<Outgoing>>,
}

type Reply = oneshot::Sender<Result<String, String>>;

enum Outgoing {
    Ready,
    Restarting,
    Request(HostRequest, Reply),
}

impl Parent {
    /// No parent: this host knows only itself.
    #[must_use]
    pub fn none() -> Self {
        Self {
            hosts: watch::channel(Vec::new()).1,
            outgoing: None,
        }
    }

    /// Talks to the parent over this host's standard input and output. The second value resolves when the parent is gone.
    pub fn connect(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, Task<()>) {
        let (hosts_sender, hosts) = watch::channel(Vec::new());
        let (outgoing, receiver) = mpsc::channel(REQUESTS_MAX);
        let waiting = Arc::new(Mutex::new(BTreeMap::new()));
        let writer = task::spawn(write(output, receiver, Arc::clone(&waiting)));
        let reader = task::spawn(async move {
            let _writer = writer;
            read(input, &hosts_sender, &waiting).await;
        });
        (
            Self {
                hosts,
                outgoing: Some(outgoing),
            },
            reader,
        )
    }

    /// What the parent last said about all hosts; empty without a parent.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostStatus> {
        self.hosts.borrow().clone()
    }

    /// Tells the parent that this host serves. Without a parent nobody hears it.
    pub async fn ready(&self) {
        if let Some(outgoing) = &self.outgoing {
            // A parent that is gone is noticed by the reading side.
            let _ = outgoing.send(Outgoing::Ready).await;
        }
    }

    /// Tells the parent that this host restarts in place: that it does not answer for a moment is not its end.
    pub async fn restarting(&self) {
        if let Some(outgoing) = &self.outgoing {
            let _ = outgoing.send(Outgoing::Restarting).await;
        }
    }

    /// Asks the parent to stop or start a host, and waits until it is done.
    ///
    /// # Errors
    /// See [`ParentError`].
    pub async fn request(&self, request: HostRequest) -> Result<String, ParentError> {
        let outgoing = self.outgoing.as_ref().ok_or(ParentError::Alone)?;
        let (reply, answer) = oneshot::channel();
        outgoing
            .send(Outgoing::Request(request, reply))
            .await
            .map_err(|_| ParentError::Gone)?;
        answer
            .await
            .map_err(|_| ParentError::Gone)?
            .map_err(ParentError::Refused)
    }
}

type Waiting = Arc<Mutex<BTreeMap<u64, Reply>>>;

async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Outgoing>,
    waiting: Waiting,
) {
    let mut number = 0;
    while let Some(next) = outgoing.recv().await {
        let message = match next {
            Outgoing::Ready => ToParent::Ready,
            Outgoing::Restarting => ToParent::Restarting,
            Outgoing::Request(request, reply) => {
                number += 1;
                waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(number, reply);
                ToParent::Request(number, request)
            }
        };
        if send(&mut output, &message).await.is_err() {
            return;
        }
    }
}

async fn read(
    input: impl AsyncRead + Unpin,
    hosts: &watch::Sender<Vec<HostStatus>>,
    waiting: &Waiting,
) {
    let mut lines = BufReader::new(input).lines();
    // A line that cannot be read ends the connection, as its end does.
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(FromParent::Hosts(now)) => drop(hosts.send(now)),
            Ok(FromParent::Answer(number, answer)) => {
                if let Some(reply) = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&number)
                {
                    // Whoever asked may have gone.
                    let _ = reply.send(answer);
                }
            }
            // A newer parent may say more than this host understands.
            Err(_) => {}
        }
    }
}

/// Writes one line of the protocol.
///
/// # Errors
/// As the pipe says.
pub async fn send(
    output: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line).await?;
    output.flush().await
}
