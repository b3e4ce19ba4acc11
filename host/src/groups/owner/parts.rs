//! What the task of a replica works with.

use crate::config::HostName;
use crate::dispatch::{Dispatch, ServiceId};
use crate::groups::birth;
use crate::groups::delivery::Courier;
use crate::groups::handle::{Compared, Request};
use crate::groups::journal::{Fatal, Journal, Progress};
use crate::groups::readers::Readers;
use crate::groups::snapshots::Pins;
use crate::os::Os;
use crate::replica::consensus::StartEngine;
use crate::replica::network::{Incoming, ReplicaNetwork, ReplicaRequests};
use crate::replica::published::Published;
use crate::replica::standing::Standing;
use crate::services::Services;
use crate::state::{GroupId, Store};
use crate::telemetry::Log;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
/// Everything a group's task works with.
pub struct Parts {
    /// How the replica comes into being, or what it was.
    pub origin: birth::Origin,
    /// Its number in the log and the state store.
    pub id: GroupId,
    /// The service's name.
    pub name: Arc<str>,
    /// Its service; none if the configuration has it no more. Its state is kept all the same.
    pub service: Option<ServiceId>,
    /// This host.
    pub host: HostName,
    /// The services of this host.
    pub services: Arc<Services>,
    /// What it is told by this host.
    pub requests: mpsc::Receiver<Request>,
    /// Who waits until the state is new enough.
    pub readers: Readers,
    /// What it is told by others. Bounded in bytes by whoever takes it from the network.
    pub incoming: mpsc::UnboundedReceiver<Incoming>,
    /// How far the log is.
    pub progress: watch::Receiver<Progress>,
    /// The log.
    pub journal: Journal,
    /// The state store.
    pub store: Store,
    /// Makes engines.
    pub start_engine: StartEngine,
    /// The ways to other replicas; none if there are no other hosts.
    pub network: Option<Arc<dyn ReplicaNetwork>>,
    /// The same, for what is asked.
    pub asking: Option<Arc<dyn ReplicaRequests>>,
    /// What others may fetch.
    pub pins: Pins,
    /// What others are told of this replica.
    pub told: crate::groups::hello::Registry,
    /// Where its committed state is shown.
    pub published: Published,
    /// Where its part in the group is shown.
    pub standing: watch::Sender<Standing>,
    /// Where is shown what is known of its state.
    pub compared: watch::Sender<Compared>,
    /// Sends its messages.
    pub courier: Courier,
    /// Carries out calls of its guests.
    pub dispatch: Arc<dyn Dispatch>,
    /// Where to say that the host must stop.
    pub fatal: Fatal,
    /// Where to report.
    pub log: Log,
    /// Calls below one of its own.
    pub hops_max: u8,
    /// The outside.
    pub os: Os,
}
