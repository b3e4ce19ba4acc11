//! The admin interface of a host: what `bookshop-host status`, `logs`, `stop` and the others talk to.
//!
//! JSON over HTTP/1.1 below `/v1/`, on loopback only. [`server`] speaks the protocol, the others do the work.

use crate::chaos::Chaos;
use crate::config::{Config, HostName};
use crate::dispatch::Dispatch;
use crate::groups::snapshots::Pins;
use crate::host::Restart;
use crate::host::spread::Spread;
use crate::os::Os;
use crate::parent::Parent;
use crate::services::Services;
use crate::supervisor::Supervisor;
use crate::telemetry::Log;
use crate::transport::peers::Peers;
use std::sync::Arc;
use std::time::Duration;

pub mod chaos;
pub mod client;
pub mod control;
pub mod groups;
pub mod logs;
pub mod registry;
pub mod restart;
pub mod server;
pub mod status;

/// Everything the admin interface works on.
pub struct Admin {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// This host.
    pub host: HostName,
    /// Its services.
    pub services: Arc<Services>,
    /// Carries out calls, on the thread of the admin interface.
    pub dispatch: Arc<dyn Dispatch>,
    /// The components of the hosts; none if the cluster keeps no state of its own.
    pub spread: Option<Spread>,
    /// Stops and starts services.
    pub supervisor: Supervisor,
    /// Stops and starts hosts.
    pub parent: Parent,
    /// Restarts this host in place.
    pub restart: Restart,
    /// What is known of the other hosts.
    pub peers: Arc<Peers>,
    /// Faults on the links to other hosts.
    pub chaos: Chaos,
    /// States that are kept for whoever reads them.
    pub pins: Pins,
    /// The log.
    pub log: Log,
    /// When the host started, on its monotonic clock.
    pub started: Duration,
    /// The outside.
    pub os: Os,
}

/// Why a request to the admin interface failed, in the form it is answered with.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The request makes no sense: 400.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing: 404.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done as things are: 409.
    #[error("{0}")]
    Refused(String),
}
