//! Asks every other host, again and again, whether it is there and what it runs.
//!
//! `POST /probe` with JSON both ways: each side says its name, where it listens, its wall clock and the states of its services. A peer that
//! does not answer in time is left out of routing until it does.

use crate::os::Os;
use crate::os::clock::{sleep, timeout};
use crate::os::task::{self, Task};
use crate::payload::Body;
use crate::services::Services;
use crate::transport::lane::Lane;
use crate::transport::peers::leads::Led;
use crate::transport::peers::{Peers, Said};
use crate::transport::wire::{ExchangeError, Wire};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where probes go.
pub const PATH: &str = "/probe";
/// A thousand services with long names fit.
pub const PROBE_BYTES_MAX: usize = 256 << 10;

/// What one host says of itself, in a probe and in its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Its name.
    pub host: String,
    /// Where it listens for its peers.
    pub peer: SocketAddr,
    /// Milliseconds since 1970, as it believes.
    pub wall_ms: i64,
    /// Whether it is shutting down: calls should go elsewhere.
    pub is_stopping: bool,
    /// The state of each service there.
    pub services: BTreeMap<String, String>,
    /// Who leads the replicated services that it has replicas of, as it knows.
    #[serde(default)]
    pub leads: BTreeMap<String, Led>,
}

/// What a host needs to introduce itself.
pub struct Introducer {
    /// Its name.
    pub host: String,
    /// Where it listens for its peers.
    pub peer: SocketAddr,
    /// Its services.
    pub services: Arc<Services>,
    /// Whether it is shutting down.
    pub stopped: watch::Receiver<bool>,
    /// The outside.
    pub os: Os,
}

impl Introducer {
    /// As things are now.
    #[must_use]
    pub fn introduction(&self) -> Introduction {
        let state = |slot: &crate::services::Slot| {
            let state = slot.state();
            (slot.service.name.to_string(), state.name().to_owned())
        };
        let lead = |slot: &crate::services::Slot| {
            let led = Led::from(&*slot.group.as_ref()?.standing().borrow());
            Some((slot.service.name.to_string(), led))
        };
        Introduction {
            host: self.host.clone(),
            peer: self.peer,
            wall_ms: milliseconds(self.os.clock.wall()),
            is_stopping: *self.stopped.borrow(),
            services: self.services.iter().map(state).collect(),
            leads: self.services.iter().filter_map(lead).collect(),
        }
    }
}

/// How often a peer is asked, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// From one answer to the next question.
    pub interval: Duration,
    /// For one answer.
    pub timeout: Duration,
}

/// Probes all peers until the handles are dropped.
#[must_use]
pub fn start(
    peers: &Arc<Peers>,
    wire: &Arc<Wire>,
    introducer: &Arc<Introducer>,
    schedule: Schedule,
) -> Vec<Task<()>> {
    let probing = |index| {
        let (peers, wire, introducer) =
            (Arc::clone(peers), Arc::clone(wire), Arc::clone(introducer));
        task::spawn(async move {
            loop {
                probe(index, &peers, &wire, &introducer, schedule.timeout).await;
                tokio::select! {
                    biased;
                    () = peers.get(index).probe_wanted() => {}
                    () = sleep(introducer.os.clock.as_ref(), schedule.interval) => {}
                }
            }
        })
    };
    peers.indexes().map(probing).collect()
}

/// Tells all peers at once that this host is shutting down, so that no call comes that would have to be refused.
pub async fn announce(
    peers: &Arc<Peers>,
    wire: &Arc<Wire>,
    introducer: &Arc<Introducer>,
    within: Duration,
) {
    let telling: Vec<Task<()>> = peers
        .indexes()
        .map(|index| {
            let (peers, wire, introducer) =
                (Arc::clone(peers), Arc::clone(wire), Arc::clone(introducer));
            task::spawn(async move {
                // A peer that does not hear it finds out by itself.
                let _ = timeout(
                    introducer.os.clock.as_ref(),
                    within,
                    ask(index, &peers, &wire, &introducer),
                )
                .await;
            })
        })
        .collect();
    for task in telling {
        let _ = task.await;
    }
}

async fn probe(
    index: usize,
    peers: &Peers,
    wire: &Wire,
    introducer: &Introducer,
    within: Duration,
) {
    let clock = introducer.os.clock.as_ref();
    let (sent, wall) = (clock.monotonic(), clock.wall());
    match timeout(clock, within, ask(index, peers, wire, introducer)).await {
        Ok(Ok(answer)) if answer.is_stopping => peers.leaves(index),
        Ok(Ok(answer)) => {
            let round_trip = clock.monotonic().saturating_sub(sent);
            // Its clock was read half-way, as far as anybody can know (RFC 5905).
            let halfway = milliseconds(wall + round_trip / 2);
            peers.answered(
                index,
                Said {
                    services: answer.services,
                    leads: answer.leads,
                    round_trip,
                    skew_ms: answer.wall_ms.saturating_sub(halfway),
                },
            );
        }
        Ok(Err(reason)) => peers.failed(index, &reason),
        Err(_elapsed) => peers.failed(
            index,
            &format!("did not answer within {} ms", within.as_millis()),
        ),
    }
}

async fn ask(
    index: usize,
    peers: &Peers,
    wire: &Wire,
    introducer: &Introducer,
) -> Result<Introduction, String> {
    let own = serde_json::to_vec(&introducer.introduction())
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let body: Body = Full::new(Bytes::from(own))
        .map_err(|never| match never {})
        .boxed_unsync();
    let request = Request::post(format!("https://peer{PATH}"))
        .body(body)
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let response = match wire.exchange(index, Lane::Control, request).await {
        Ok(response) => response,
        Err(
            ExchangeError::NotSent { reason, .. }
            | ExchangeError::Refused { reason }
            | ExchangeError::Lost { reason }
            | ExchangeError::Reset { reason },
        ) => return Err(reason),
        Err(ExchangeError::Busy) => return Err("has too many probes under way".into()),
    };
    let status = response.status();
    let bytes = Limited::new(response.into_body(), PROBE_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| format!("broke off its answer to a probe: {error}"))?
        .to_bytes();
    if !status.is_success() {
        return Err(format!(
            "refuses probes with {status}: {}",
            String::from_utf8_lossy(&bytes)
        ));
    }
    let answer: Introduction = serde_json::from_slice(&bytes)
        .map_err(|error| format!("answers probes with something else: {error}"))?;
    let name = peers.get(index).name.as_str();
    if answer.host != name {
        return Err(format!("answers as host {}", answer.host));
    }
    Ok(answer)
}

fn milliseconds(wall: Duration) -> i64 {
    i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
}
