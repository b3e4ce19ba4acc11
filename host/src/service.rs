//! What is known about a service while it runs: configuration, log and figures. Shared by all its versions and calls.

use crate::config::ServiceConfig;
use crate::dispatch::ServiceId;
use crate::os::Os;
use crate::replica::published::Published;
use crate::scratch::Scratch;
use crate::storage::Storage;
use crate::telemetry::{Figures, ServiceLog};
use std::sync::Arc;

/// One service on one host.
pub struct Service {
    /// Its place in the configuration.
    pub id: ServiceId,
    /// Its name.
    pub name: Arc<str>,
    /// Its section of the configuration.
    pub config: ServiceConfig,
    /// Where its lines go.
    pub log: ServiceLog,
    /// Calls, errors and latencies.
    pub figures: Figures,
    /// What its calls leave for one another on this host, for a while.
    pub scratch: Scratch,
    /// Its volatile state; none unless the configuration gives it some.
    pub storage: Option<Storage>,
    /// Its replicated state, if that is on this host.
    pub published: Option<Published>,
    /// The outside.
    pub os: Os,
}
