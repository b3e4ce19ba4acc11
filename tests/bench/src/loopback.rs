//! R, the floor of a remote hop: a round trip over a TCP connection within this machine, with nothing behind it.

use crate::pair::microseconds;
use crate::two_hosts::Bytes;
use crate::{Outcome, process};
use std::net::Ipv4Addr;
use std::thread::scope;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Round trips before the first that counts.
const WARM_UP: usize = 50;
/// Longest for all round trips of one measurement.
const PATIENCE: Duration = Duration::from_secs(30);

/// On which cores the two ends run. A wake-up across cores can take ten times as long as one on the same core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Where the scheduler puts them, as it does with hosts.
    Scheduled,
    /// Both on one core.
    OneCore,
    /// Each on a core of its own.
    TwoCores,
}

impl Ends {
    /// Those that this machine can have, and what they are called in the tables.
    #[must_use]
    pub fn all() -> &'static [(Self, &'static str)] {
        const ALL: [(Ends, &str); 3] = [
            (Ends::Scheduled, "ends where the scheduler puts them"),
            (Ends::OneCore, "both ends on one core"),
            (Ends::TwoCores, "ends on two cores"),
        ];
        if process::cores() > 1 {
            &ALL
        } else {
            &ALL[..2]
        }
    }
}

/// How long `count` round trips took, each in microseconds. Either end is a thread with a runtime of its own, as a serving thread of a
/// host is.
///
/// # Errors
/// The operating system refuses a socket, a thread or a core.
pub fn round_trips(bytes: Bytes, count: usize, ends: Ends) -> Outcome<Vec<f64>> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    scope(|scope| {
        let far = scope.spawn(|| {
            end(ends, 1, async {
                let (stream, _) = TcpListener::from_std(listener)?.accept().await?;
                answer(stream, bytes).await
            })
        });
        let near = scope.spawn(|| {
            end(ends, 0, async {
                ask(TcpStream::connect(address).await?, bytes, count).await
            })
        });
        let samples = near.join().map_err(|_| "the near end panicked")?;
        far.join().map_err(|_| "the far end panicked")??;
        samples
    })
}

/// Runs one end on this thread.
fn end<T>(ends: Ends, place: usize, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    match ends {
        Ends::Scheduled => {}
        Ends::OneCore => pin(0)?,
        Ends::TwoCores => pin(place)?,
    }
    let runtime = bookshop_host::os::task::runtime()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await? })
}

/// Keeps this thread on one of the cores that it may use.
fn pin(place: usize) -> Outcome {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let core = *cores.get(place).ok_or("there are not enough cores")?;
    if core_affinity::set_for_current(core) {
        Ok(())
    } else {
        Err(format!("the operating system refuses core {}", core.id).into())
    }
}

async fn ask(mut stream: TcpStream, bytes: Bytes, count: usize) -> Outcome<Vec<f64>> {
    stream.set_nodelay(true)?;
    let (request, mut answer) = (vec![b'r'; bytes.request], vec![0; bytes.answer]);
    let mut samples = Vec::with_capacity(count);
    for place in 0..WARM_UP + count {
        let started = Instant::now();
        stream.write_all(&request).await?;
        stream.read_exact(&mut answer).await?;
        if place >= WARM_UP {
            samples.push(microseconds(started.elapsed()));
        }
    }
    Ok(samples)
}

/// Answers until the other end closes the connection.
async fn answer(mut stream: TcpStream, bytes: Bytes) -> Outcome {
    stream.set_nodelay(true)?;
    let (mut request, answer) = (vec![0; bytes.request], vec![b'a'; bytes.answer]);
    while stream.read_exact(&mut request).await.is_ok() {
        stream.write_all(&answer).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ends: Ends, request: usize, answer: usize) {
        let samples = round_trips(Bytes { request, answer }, 10, ends).unwrap();
        assert_eq!(samples.len(), 10);
        assert!(samples.iter().all(|sample| *sample > 0.0), "{samples:?}");
    }

    #[test]
    fn bytes_go_there_and_back_wherever_the_ends_are() {
        for (ends, _) in Ends::all() {
            check(*ends, 1, 1);
            check(*ends, 100_000, 3);
        }
    }
}
