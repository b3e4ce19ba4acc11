//! Keeps one host's process alive: starts it, reads what it says, starts it again when it dies, stops it when asked.

use crate::os::clock::timeout;
use crate::os::process::{Child, ChildInput, Program};
use crate::os::task::{self, Task};
use crate::os::{Os, console};
use crate::parent::{FromParent, HostRequest, ToParent, send};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{mpsc, oneshot};

/// Orders and messages waiting for one host; their senders wait too.
const ORDERS_MAX: usize = 16;
/// A host that ran this long and died is started again at once; one that dies young waits longer each time.
const LIVED_LONG: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// What a draining host gets beyond its own drain timeout before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// What a keeper can be told.
pub enum Order {
    /// Drain the host and leave it stopped.
    Stop(oneshot::Sender<Result<String, String>>),
    /// Start it if it is stopped.
    Start(oneshot::Sender<Result<String, String>>),
    /// Pass a message on to it.
    Tell(FromParent),
    /// Drain the host, for good.
    Quit,
}

/// What a keeper reports.
pub enum Report {
    /// The host's state changed.
    State {
        /// One of the states of [`crate::parent::HostStatus`].
        state: &'static str,
        /// Its process, if it has one.
        pid: Option<u32>,
    },
    /// The host wants something of its parent.
    Request(u64, HostRequest),
}

/// How to keep a host.
pub struct Keeping {
    /// The host's name.
    pub name: String,
    /// What to run.
    pub program: Program,
    /// Whether to start it again when it dies.
    pub restart: bool,
    /// How long it may drain.
    pub drain_timeout: Duration,
    /// Where to report: name and report.
    pub reports: mpsc::Sender<(String, Report)>,
    /// The outside.
    pub os: Os,
}

/// Starts the host and the task that keeps it. The host dies with the task.
#[must_use]
pub fn keep(keeping: Keeping) -> (mpsc::Sender<Order>, Task<()>) {
    let (orders, receiver) = mpsc::channel(ORDERS_MAX);
    (orders, task::spawn(keeping.run(receiver)))
}

/// How a process came to its end.
enum End {
    /// By itself.
    Died(String),
    /// The operator stopped it and waits to hear so.
    Stopped(oneshot::Sender<Result<String, String>>),
    /// Everything stops.
    Quit,
}

impl Keeping {
    async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let mut backoff = Duration::ZERO;
        loop {
            let started = self.os.clock.monotonic();
            self.report("starting", None).await;
            let end = match self.program.start() {
                Ok(child) => self.attend(child, &mut orders).await,
                Err(error) => End::Died(format!("cannot be started: {error}")),
            };
            let is_wanted = match end {
                End::Quit => return,
                End::Stopped(reply) => {
                    self.report("stopped", None).await;
                    // The operator may have gone.
                    let _ = reply.send(Ok(format!("host {} is stopped", self.name)));
                    false
                }
                End::Died(how) => {
                    let lived = self.os.clock.monotonic().saturating_sub(started);
                    backoff = if lived >= LIVED_LONG {
                        Duration::ZERO
                    } else {
                        (backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX)
                    };
                    let next = if self.restart {
                        format!("starting it again in {} ms", backoff.as_millis())
                    } else {
                        "left stopped (--no-restart)".to_owned()
                    };
                    console::line(&format!("{} | {how}; {next}", self.name));
                    self.report(
                        if self.restart {
                            "restarting"
                        } else {
                            "stopped"
                        },
                        None,
                    )
                    .await;
                    self.restart
                }
            };
            let pause = if is_wanted { backoff } else { Duration::MAX };
            if self.pause(pause, &mut orders).await {
                return;
            }
        }
    }

    /// Waits until the host is to be started (false) or everything is to end (true).
    async fn pause(&self, pause: Duration, orders: &mut mpsc::Receiver<Order>) -> bool {
        let until = self.os.clock.monotonic().saturating_add(pause);
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    None | Some(Order::Quit) => return true,
                    Some(Order::Start(reply)) => {
                        let _ = reply.send(Ok(format!("host {} is starting", self.name)));
                        return false;
                    }
                    Some(Order::Stop(reply)) => {
                        self.report("stopped", None).await;
                        let _ = reply.send(Ok(format!("host {} is stopped", self.name)));
                        return Box::pin(self.pause(Duration::MAX, orders)).await;
                    }
                    Some(Order::Tell(_)) => {}
                },
                () = self.os.clock.sleep_until(until) => return false,
            }
        }
    }

    /// Looks after one process until it has ended.
    async fn attend(&self, mut child: Child, orders: &mut mpsc::Receiver<Order>) -> End {
        let pid = child.id();
        self.report("starting", pid).await;
        let mut input = child.stdin.take();
        let _log = child
            .stderr
            .take()
            .map(|stderr| task::spawn(print(self.name.clone(), stderr)));
        let mut said = child
            .stdout
            .take()
            .map(|stdout| BufReader::new(stdout).lines());
        loop {
            tokio::select! {
                biased;
                status = child.wait() => {
                    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                    return End::Died(format!("ended by itself ({how})"));
                }
                order = orders.recv() => match order {
                    None | Some(Order::Quit) => {
                        self.end(child, input, pid).await;
                        return End::Quit;
                    }
                    Some(Order::Stop(reply)) => {
                        self.end(child, input, pid).await;
                        return End::Stopped(reply);
                    }
                    Some(Order::Start(reply)) => drop(reply.send(Ok(format!("host {} runs already", self.name)))),
                    Some(Order::Tell(message)) => {
                        if let Some(input) = &mut input {
                            // A host that no longer listens is about to end, which is noticed above.
                            let _ = send(input, &message).await;
                        }
                    }
                },
                line = next_line(&mut said) => match line.and_then(|line| serde_json::from_str(&line).ok()) {
                    Some(ToParent::Ready) => self.report("running", pid).await,
                    Some(ToParent::Restarting) => self.report("restarting", pid).await,
                    Some(ToParent::Request(number, request)) => drop(self.reports.send((self.name.clone(), Report::Request(number, request))).await),
                    None => {}
                },
            }
        }
    }

    /// Closes the host's standard input, which asks it to drain, and waits; kills it if it takes too long.
    async fn end(&self, mut child: Child, input: Option<ChildInput>, pid: Option<u32>) {
        self.report("stopping", pid).await;
        drop(input);
        if timeout(
            self.os.clock.as_ref(),
            self.drain_timeout + KILL_AFTER,
            child.wait(),
        )
        .await
        .is_err()
        {
            console::line(&format!(
                "{} | did not stop in time and was killed",
                self.name
            ));
            // It may have ended in this very moment.
            let _ = child.kill().await;
        }
    }

    async fn report(&self, state: &'static str, pid: Option<u32>) {
        // Nobody listens any more only when everything is ending.
        let _ = self
            .reports
            .send((self.name.clone(), Report::State { state, pid }))
            .await;
    }
}

/// The next line a host writes to its standard output. Once that is closed there is none, ever.
async fn next_line<R: AsyncRead + Unpin>(
    lines: &mut Option<tokio::io::Lines<BufReader<R>>>,
) -> Option<String> {
    if let Some(reader) = lines {
        if let Ok(Some(line)) = reader.next_line().await {
            return Some(line);
        }
        *lines = None;
    }
    std::future::pending().await
}

/// Prints a host's log lines with its name.
async fn print(name: String, stderr: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        console::line(&format!("{name} | {line}"));
    }
}
