//! What this host knows of the others: where they are, whether they answer, which services run there.
//!
//! Read on every call that leaves the host, changed by probes and by calls that failed. Knows nothing of connections, except that it tells
//! them when to break.

use crate::config::{Config, HostName};
use crate::dispatch::ServiceId;
use crate::envelope::mix;
use crate::os::Os;
use crate::telemetry::Log;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub mod leads;

use leads::{Lead, Leads, Led};

/// A peer that fails again within this time of its last failure has to answer more probes in a row before it is used again.
const FLAPPING: Duration = Duration::from_secs(10);
/// The most probes in a row that are asked of a flapping peer.
const PROOFS_MAX: u32 = 5;
/// Hosts that start together do not find each other at once; only after this time is it worth a line in the log.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// A leader that was silent for so many election timeouts, and has no successor, may be there all the same, and only not heard here.
const SILENCE_ELECTIONS: u32 = 3;

/// Whether a peer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It was not asked yet; a call may try.
    Unknown,
    /// It answered the last probe.
    Up,
    /// It is left out until its probes succeed.
    Down {
        /// Why.
        reason: String,
        /// Since when, on this host's monotonic clock.
        since: Duration,
    },
}

/// What is known of one peer.
#[derive(Debug, Clone)]
pub struct View {
    /// Whether it answers.
    pub health: Health,
    /// The states of its services in its own words, by our ids; none where it said nothing.
    services: Vec<Option<String>>,
    /// How long its last probe took.
    pub round_trip: Option<Duration>,
    /// How far its wall clock is ahead of ours, in milliseconds, give or take half a round trip.
    pub skew_ms: Option<i64>,
}

/// What a peer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// State of each service by its name.
    pub services: BTreeMap<String, String>,
    /// How long it took to say so.
    pub round_trip: Duration,
    /// How far its wall clock is ahead of ours, in milliseconds.
    pub skew_ms: i64,
    /// Who leads the groups that it has replicas of, by service.
    pub leads: BTreeMap<String, Led>,
}

/// One other host.
pub struct Peer {
    /// Its name.
    pub name: HostName,
    address: Mutex<SocketAddr>,
    view: ArcSwap<View>,
    record: Mutex<Record>,
    breaks: watch::Sender<u64>,
    wake: Notify,
    /// When a replica there said something, in microseconds of this host's monotonic clock; 0 if none did.
    heard_us: AtomicU64,
}

/// What decides when a peer that failed is used again.
#[derive(Default)]
struct Record {
    /// Failures that came soon after one another.
    failures: u32,
    failed_at: Duration,
    /// Probes answered since the last failure.
    proofs: u32,
    is_reported: bool,
    /// It said that it is shutting down, and finishes the calls that it has.
    is_leaving: bool,
}

/// All other hosts, by their place in the configuration.
pub struct Peers {
    peers: Vec<Peer>,
    own: usize,
    /// For each service the hosts it is placed on, this one left out.
    placements: Vec<Vec<usize>>,
    names: BTreeMap<String, ServiceId>,
    leads: Leads,
    /// `cluster.election-timeout`.
    election: Duration,
    started: Duration,
    log: Log,
    os: Os,
}

impl Peers {
    /// Nothing is known yet of anybody.
    #[must_use]
    pub fn new(config: &Config, own: &HostName, log: Log, os: Os) -> Self {
        let place = |name: &HostName| config.hosts.iter().position(|host| host.name == *name);
        let own = place(own).unwrap_or(usize::MAX);
        let peer = |host: &crate::config::Host| Peer {
            name: host.name.clone(),
            address: Mutex::new(host.peer),
            view: ArcSwap::from_pointee(View {
                health: Health::Unknown,
                services: Vec::new(),
                round_trip: None,
                skew_ms: None,
            }),
            record: Mutex::default(),
            breaks: watch::Sender::new(0),
            wake: Notify::new(),
            heard_us: AtomicU64::new(0),
        };
        let services = config.services.iter().enumerate();
        Self {
            peers: config.hosts.iter().map(peer).collect(),
            placements: config
                .services
                .iter()
                .map(|service| {
                    let places = service.hosts.iter().filter_map(place);
                    places.filter(|index| *index != own).collect()
                })
                .collect(),
            names: services
                .map(|(index, service)| {
                    let id = u32::try_from(index).expect("fewer than 2^32 services");
                    (service.name.to_string(), ServiceId(id))
                })
                .collect(),
            leads: Leads::new(config.services.len()),
            election: config.cluster.election_timeout,
            own,
            started: os.clock.monotonic(),
            log,
            os,
        }
    }

    /// The peer at a place of the configuration. This host has one too, which nobody asks.
    #[must_use]
    pub fn get(&self, index: usize) -> &Peer {
        &self.peers[index]
    }

    /// The place of a peer by its name; none for this host and for strangers.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        let index = self
            .peers
            .iter()
            .position(|peer| peer.name.as_str() == name)?;
        (index != self.own).then_some(index)
    }

    /// Places of all other hosts.
    pub fn indexes(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.own;
        (0..self.peers.len()).filter(move |index| *index != own)
    }

    /// This host's own place.
    #[must_use]
    pub fn own(&self) -> usize {
        self.own
    }

    /// Who leads a replicated service, as far as it is known, and waiting for news of that.
    #[must_use]
    pub fn lead(&self, service: ServiceId) -> watch::Receiver<Lead> {
        self.leads.watch(service)
    }

    /// Somebody says who leads a replicated service. A host that is not in the configuration leads nothing.
    pub fn learn(&self, service: ServiceId, term: u64, leader: Option<&str>) {
        let place = |name| {
            self.peers
                .iter()
                .position(|peer| peer.name.as_str() == name)
        };
        let leader = leader.and_then(place);
        self.leads
            .learn(service, term, leader, self.os.clock.monotonic());
    }

    /// A peer says who leads the services that it has replicas of.
    pub fn heard(&self, leads: &BTreeMap<String, Led>) {
        for (name, led) in leads {
            if let Some(id) = self.names.get(name) {
                self.learn(*id, led.term, led.leader.as_deref());
            }
        }
    }

    /// Whether a peer that was elected at `since` may be asked. One that failed before that has come back; one that failed later may be why
    /// another is elected now.
    #[must_use]
    pub fn may_lead(&self, index: usize, elected: Duration) -> bool {
        match &self.peers[index].view.load().health {
            Health::Unknown | Health::Up => true,
            Health::Down { since, .. } => elected > *since,
        }
    }

    /// A replica on a peer said something.
    pub fn heard_replica(&self, index: usize) {
        let now = micros(self.os.clock.monotonic());
        self.peers[index].heard_us.store(now, Ordering::Relaxed);
    }

    /// Whether a peer that leads a group, and has to show that to the replica on this host, has not done so for half the time after which another is
    /// elected. What is sent to it now may vanish, and nobody would ever know whether it was executed. Once another must have been elected this says nothing
    /// any more.
    #[must_use]
    pub fn is_silent(&self, index: usize) -> bool {
        let heard = self.peers[index].heard_us.load(Ordering::Relaxed);
        let heard = (heard > 0).then(|| Duration::from_micros(heard));
        let now = self.os.clock.monotonic();
        heard.is_some_and(|heard| is_silence(now.saturating_sub(heard), self.election))
    }

    /// Whether other hosts run a service at all, as the configuration has it.
    #[must_use]
    pub fn has_places(&self, service: ServiceId) -> bool {
        self.placements
            .get(service.0 as usize)
            .is_some_and(|places| !places.is_empty())
    }

    /// The hosts that may serve a call, the best first.
    ///
    /// All calls of one request that go to one service prefer the same host, whoever makes them, so that a service finds what it kept of
    /// that request; different requests spread evenly (highest random weight, Thaler and Ravishankar 1998). A host that fails moves
    /// only its own share.
    #[must_use]
    pub fn candidates(&self, service: ServiceId, trace_id: u128) -> Vec<usize> {
        let Some(places) = self.placements.get(service.0 as usize) else {
            return Vec::new();
        };
        let mut candidates: Vec<usize> = places
            .iter()
            .copied()
            .filter(|index| self.peers[*index].may_serve(service))
            .collect();
        candidates.sort_by_key(|index| std::cmp::Reverse(weight(trace_id, *index)));
        candidates
    }

    /// Why no other host can serve a call, one part for each host that should; empty if none should.
    #[must_use]
    pub fn why_not(&self, service: ServiceId) -> String {
        let now = self.os.clock.monotonic();
        let Some(places) = self.placements.get(service.0 as usize) else {
            return String::new();
        };
        let why = |index: &usize| {
            let (peer, view) = (&self.peers[*index], self.peers[*index].view());
            match (&view.health, view.service(service)) {
                (Health::Down { reason, since }, _) => {
                    let seconds = now.saturating_sub(*since).as_secs();
                    format!("{} {reason} (left out for {seconds} s)", peer.name)
                }
                (Health::Up | Health::Unknown, Some(state)) => {
                    format!("on {} it is {state}", peer.name)
                }
                (Health::Up | Health::Unknown, None) => format!("{} was not asked yet", peer.name),
            }
        };
        places.iter().map(why).collect::<Vec<_>>().join("; ")
    }

    /// A probe was answered.
    pub fn answered(&self, index: usize, said: Said) {
        self.heard(&said.leads);
        let peer = &self.peers[index];
        let mut record = peer.record();
        record.proofs = record.proofs.saturating_add(1);
        record.is_leaving = false;
        let view = peer.view();
        let was_down = match view.health {
            Health::Up => false,
            Health::Unknown => {
                self.log.info(None, &format!("{} answers", peer.name));
                false
            }
            Health::Down { .. } => true,
        };
        if was_down && record.proofs < record.failures.min(PROOFS_MAX) {
            // Asked again at its turn: what flaps should be quiet for a while, not just answer often.
            return;
        }
        if was_down {
            if record.is_reported {
                self.log.info(None, &format!("{} answers again", peer.name));
            }
            record.is_reported = false;
        }
        let mut services = vec![None; self.placements.len()];
        for (name, state) in said.services {
            if let Some(id) = self.names.get(&name) {
                services[id.0 as usize] = Some(state);
            }
        }
        peer.view.store(Arc::new(View {
            health: Health::Up,
            services,
            round_trip: Some(said.round_trip),
            skew_ms: Some(said.skew_ms),
        }));
    }

    /// A peer failed: it is left out until its probes succeed, and whatever waits for it on open connections learns of it now.
    ///
    /// One that is shutting down does not answer probes any more, and still the calls that it has; if it dies, its connections end by themselves.
    pub fn failed(&self, index: usize, reason: &str) {
        if !self.leave_out(index, reason) {
            self.peers[index].breaks.send_modify(|breaks| *breaks += 1);
        }
    }

    /// A peer said that it is shutting down: it gets no more calls, and finishes those that it has.
    pub fn leaves(&self, index: usize) {
        self.peers[index].record().is_leaving = true;
        self.leave_out(index, "is shutting down");
    }

    /// Returns whether the peer is shutting down.
    fn leave_out(&self, index: usize, reason: &str) -> bool {
        let peer = &self.peers[index];
        let now = self.os.clock.monotonic();
        let mut record = peer.record();
        let view = peer.view();
        record.proofs = 0;
        let since = match view.health {
            Health::Up | Health::Unknown => {
                let is_flapping =
                    record.failures > 0 && now.saturating_sub(record.failed_at) < FLAPPING;
                record.failures = if is_flapping { record.failures + 1 } else { 1 };
                record.failed_at = now;
                now
            }
            Health::Down { since, .. } => since,
        };
        let is_news =
            view.health == Health::Up || now.saturating_sub(self.started) > START_PATIENCE;
        if is_news && !record.is_reported {
            record.is_reported = true;
            self.log
                .warn(None, &format!("{} is left out: it {reason}", peer.name));
        }
        peer.view.store(Arc::new(View {
            health: Health::Down {
                reason: reason.to_owned(),
                since,
            },
            services: Vec::new(),
            round_trip: None,
            skew_ms: None,
        }));
        record.is_leaving
    }

    /// A peer said where it listens now: after it was started again with another configuration, for example.
    pub fn moved(&self, index: usize, said: SocketAddr) {
        let peer = &self.peers[index];
        let mut known = peer.address.lock().unwrap_or_else(PoisonError::into_inner);
        // Who listens on all addresses does not know which of them leads there from here.
        let address = if said.ip().is_unspecified() {
            SocketAddr::new(known.ip(), said.port())
        } else {
            said
        };
        if *known == address {
            return;
        }
        self.log.info(
            None,
            &format!("{} is at {address} now, no longer at {known}", peer.name),
        );
        *known = address;
        drop(known);
        peer.breaks.send_modify(|breaks| *breaks += 1);
        peer.wake.notify_one();
    }
}

/// Whether a leader that said nothing for so long may be gone without anybody having taken its place.
fn is_silence(silent: Duration, election: Duration) -> bool {
    (election / 2..election * SILENCE_ELECTIONS).contains(&silent)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Peer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of it now.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Counts up when open connections are of no more use.
    #[must_use]
    pub fn breaks(&self) -> watch::Receiver<u64> {
        self.breaks.subscribe()
    }

    /// Has it probed now instead of at its turn.
    pub fn probe_now(&self) {
        self.wake.notify_one();
    }

    /// Resolves when it should be probed before its turn.
    pub async fn probe_wanted(&self) {
        self.wake.notified().await;
    }

    /// Whether calls of a service may be sent there now.
    #[must_use]
    pub fn may_serve(&self, service: ServiceId) -> bool {
        let view = self.view.load();
        match view.health {
            Health::Unknown => true,
            Health::Up => view.service(service).is_none_or(|state| state == "running"),
            Health::Down { .. } => false,
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// The state of a service there, in its own words.
    fn service(&self, service: ServiceId) -> Option<&str> {
        self.services.get(service.0 as usize)?.as_deref()
    }
}

/// How much a request prefers a host, compared with the others.
fn weight(trace_id: u128, index: usize) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves of the trace are folded in"
    )]
    let folded = (trace_id as u64) ^ ((trace_id >> 64) as u64);
    mix(folded, u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
