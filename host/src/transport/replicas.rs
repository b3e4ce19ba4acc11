//! Messages between replicas on their way from host to host.
//!
//! Two connections to each peer that has replicas of the same services, one for each [`ReplicaLane`], made by the host that sends and used
//! in that direction only: TLS as between hosts everywhere, and then nothing but [`frame`]s. There is no HTTP/2 in between, since nothing here
//! is asked and answered, and what is queued while the system takes one batch leaves together in the next.
//!
//! Everything runs on the thread that calls [`Replicas::start`], which is that of the groups: handing a message to another thread
//! would cost more than what a replica does with it. Owns no messages: what cannot leave is dropped, and the groups send again.

use crate::certificates::Credentials;
use crate::chaos::{Chaos, Fate};
use crate::config::{ClusterName, Config, HostName};
use crate::os::Os;
use crate::os::network::Accepted;
use crate::os::task::{self, Task};
use crate::replica::network::{Frame, Incoming, ReplicaLane, ReplicaNetwork};
use crate::telemetry::Log;
use crate::transport::Refusals;
use crate::transport::peers::Peers;
use crate::transport::wire::Wire;
use presence::{Change, Presence, Way};
use queue::Queue;
pub use requests::{HELLO_PATH, REQUEST_BYTES_MAX, SNAPSHOT_PATH, Sources, seal};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore, mpsc};

pub mod frame;
mod inbound;
mod outbound;
mod presence;
mod queue;
mod requests;
mod stream;

#[cfg(test)]
mod tests;

/// Bytes of messages that may wait until groups have taken them in, for each peer and lane: a group that is behind makes its peers wait, not
/// this host's memory grow, and a peer that is stuck amid a message holds up nobody else. The largest message fits with room for more; on
/// the control lane thousands of small ones do.
const ROOM_BYTES: [usize; 2] = [32 << 20, 2 << 20];
/// Accepted connections on their way here. Peers that restart together come with two each; those that find no place come again.
pub const ACCEPTED_MAX: usize = 64;

/// Is handed what comes in, on the thread that everything here runs on. Must not wait: what follows waits with it.
pub type Receive = Box<dyn Fn(Incoming) + Send + Sync>;

/// What this is made with.
pub struct Parts {
    /// Who there is.
    pub peers: Arc<Peers>,
    /// Those to connect to.
    pub partners: Vec<HostName>,
    /// The connections for calls of the thread that this runs on.
    pub wire: Arc<Wire>,
    /// Connections that peers made for this, before their handshake.
    pub accepted: mpsc::Receiver<Accepted>,
    /// The name that both sides have to have for the cluster.
    pub cluster: ClusterName,
    /// How hosts prove who they are.
    pub credentials: Credentials,
    /// Faults of the links to them.
    pub chaos: Chaos,
    /// Where refused connections are reported.
    pub refusals: Arc<Refusals>,
    /// Where this host reports.
    pub log: Log,
    /// The outside.
    pub os: Os,
}

/// The ways to all replicas elsewhere. Dropping it closes them.
pub struct Replicas {
    inner: Arc<Inner>,
    wire: Arc<Wire>,
    _tasks: Vec<Task<()>>,
}

struct Inner {
    peers: Arc<Peers>,
    cluster: ClusterName,
    credentials: Credentials,
    chaos: Chaos,
    refusals: Arc<Refusals>,
    receive: Receive,
    log: Log,
    os: Os,
    /// By a peer's place in the configuration; none for those that are not connected to.
    links: Vec<Option<Link>>,
    presence: Mutex<Vec<Presence>>,
    /// The connections that each peer made, by lane.
    readers: Mutex<Vec<[Option<Arc<inbound::Reader>>; 2]>>,
    /// By peer and lane.
    rooms: Vec<[Arc<Semaphore>; 2]>,
}

/// What waits to be sent to one peer.
struct Link {
    queues: [Queue; 2],
    /// The peer was heard of: it is worth trying again now.
    retry: Notify,
}

/// The other hosts that should have replicas of services which this host has replicas of.
#[must_use]
pub fn partners(config: &Config, host: &HostName) -> Vec<HostName> {
    let shared = config
        .services
        .iter()
        .filter(|service| service.replicated.is_some() && service.is_placed_on(host));
    let places: BTreeSet<&HostName> = config
        .hosts
        .iter()
        .map(|other| &other.name)
        .filter(|other| *other != host && shared.clone().any(|service| service.is_placed_on(other)))
        .collect();
    places.into_iter().cloned().collect()
}

impl Replicas {
    /// Begins to connect, and to take connections. Must be called on the thread that `receive` is to be called on, inside its runtime.
    #[must_use]
    pub fn start(parts: Parts, receive: Receive) -> Arc<Self> {
        let Parts {
            peers,
            partners,
            wire,
            accepted,
            cluster,
            credentials,
            chaos,
            refusals,
            log,
            os,
        } = parts;
        let count = peers.indexes().last().map_or(0, |last| last + 1);
        let mut links: Vec<Option<Link>> = (0..count).map(|_| None).collect();
        for index in partners
            .iter()
            .filter_map(|partner| peers.find(partner.as_str()))
        {
            links[index] = Some(Link {
                queues: ReplicaLane::ALL.map(Queue::new),
                retry: Notify::new(),
            });
        }
        let inner = Arc::new(Inner {
            presence: Mutex::new(vec![Presence::default(); count]),
            readers: Mutex::new((0..count).map(|_| [None, None]).collect()),
            rooms: (0..count)
                .map(|_| ROOM_BYTES.map(|bytes| Arc::new(Semaphore::new(bytes))))
                .collect(),
            links,
            peers,
            cluster,
            credentials,
            chaos,
            refusals,
            receive,
            log,
            os,
        });
        let mut tasks = vec![task::spawn(inbound::accept(Arc::clone(&inner), accepted))];
        for index in 0..count {
            if inner.links[index].is_some() {
                for lane in ReplicaLane::ALL {
                    tasks.push(task::spawn(outbound::run(Arc::clone(&inner), index, lane)));
                }
            }
        }
        Arc::new(Self {
            inner,
            wire,
            _tasks: tasks,
        })
    }
}

impl ReplicaNetwork for Replicas {
    fn send(&self, to: &HostName, frame: Frame) {
        let inner = &self.inner;
        let Some(index) = inner.peers.find(to.as_str()) else {
            return;
        };
        let Some(link) = &inner.links[index] else {
            return;
        };
        let due = match inner.chaos.fate(index) {
            Fate::Deliver => None,
            Fate::Delay(delay) => Some(inner.os.clock.monotonic().saturating_add(delay)),
            Fate::Drop => return,
        };
        let queue = &link.queues[frame.lane.index()];
        if let Err(queue::Full { is_news: true }) = queue.push(&frame.service, &frame.body, due) {
            let (lane, host) = (frame.lane.name(), &inner.peers.get(index).name);
            inner.log.warn(
                None,
                &format!(
                    "messages to replicas on {host} are dropped: too many wait on the {lane} lane"
                ),
            );
        }
    }

    fn is_connected(&self, to: &HostName) -> bool {
        let index = self.inner.peers.find(to.as_str());
        index.is_some_and(|index| self.inner.presence()[index].is_present())
    }
}

impl Inner {
    /// A control connection to or from a peer is there now, or not any more.
    fn note(&self, index: usize, way: Way, is_up: bool, reason: &str) {
        let change = {
            let mut presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
            presence[index].note(way, is_up)
        };
        let name = &self.peers.get(index).name;
        match change {
            None => {}
            Some(Change::Connected) => {
                self.log
                    .info(None, &format!("replicas on {name} are connected"));
                (self.receive)(Incoming::Connected(name.clone()));
            }
            Some(Change::Lost) => {
                // First those who can do something about it, then the log.
                (self.receive)(Incoming::Lost(name.clone()));
                self.log
                    .warn(None, &format!("replicas on {name} are lost: {reason}"));
            }
        }
    }

    /// Whether the control connection of one way is there.
    fn is_up(&self, index: usize, way: Way) -> bool {
        self.presence()[index].is_up(way)
    }

    fn presence(&self) -> MutexGuard<'_, Vec<Presence>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
