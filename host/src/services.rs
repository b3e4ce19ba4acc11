//! The table of services: what the router reads on every call and the supervisor alone changes.

use crate::admission::Admission;
use crate::dispatch::ServiceId;
use crate::service::Service;
use crate::version::Version;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;

pub mod types;

pub use types::{CALL_PATH, FunctionType, ServiceTypes};

/// Whether and how a service runs on this host.
#[derive(Clone)]
pub enum State {
    /// It is placed on other hosts only.
    Elsewhere,
    /// It is being loaded.
    Starting,
    /// It serves calls.
    Running(Arc<Version>),
    /// An operator stopped it.
    Stopped,
    /// It could not be loaded; it is tried again.
    Failed {
        /// The reason, with its causes.
        reason: String,
    },
    /// The host is shutting down.
    Stopping,
}

impl State {
    /// One word for `status`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Starting => "starting",
            Self::Running(_) => "running",
            Self::Stopped => "stopped",
            Self::Failed { .. } => "failed",
            Self::Stopping => "stopping",
        }
    }
}

/// One service of the cluster, seen from this host.
pub struct Slot {
    /// What does not change while the host runs.
    pub service: Arc<Service>,
    /// Bounds its calls.
    pub admission: Admission,
    state: ArcSwap<State>,
    types: ArcSwapOption<ServiceTypes>,
}

impl Slot {
    /// A service that is not loaded yet.
    #[must_use]
    pub fn new(service: Arc<Service>, state: State) -> Self {
        let limits = &service.config.limits;
        Self {
            admission: Admission::new(limits.concurrency, limits.queue),
            state: ArcSwap::from_pointee(state),
            types: ArcSwapOption::empty(),
            service,
        }
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// The version that serves now.
    #[must_use]
    pub fn running(&self) -> Option<Arc<Version>> {
        match &**self.state.load() {
            State::Running(version) => Some(Arc::clone(version)),
            State::Elsewhere
            | State::Starting
            | State::Stopped
            | State::Failed { .. }
            | State::Stopping => None,
        }
    }

    /// What can be called; none while its component could not be loaded. Also of services that run elsewhere or are stopped.
    #[must_use]
    pub fn types(&self) -> Option<Arc<ServiceTypes>> {
        self.types.load_full()
    }

    /// Replaces the types. Only the supervisor does, when it has loaded the component.
    pub fn set_types(&self, types: ServiceTypes) {
        self.types.store(Some(Arc::new(types)));
    }

    /// Replaces the state. Only the supervisor does.
    pub fn set(&self, state: State) {
        self.state.store(Arc::new(state));
    }
}

/// All services of the cluster, in the order of the configuration.
pub struct Services {
    slots: Vec<Slot>,
}

impl Services {
    /// `slots` in the order of their ids.
    #[must_use]
    pub fn new(slots: Vec<Slot>) -> Self {
        Self { slots }
    }

    /// The service with an id of this table.
    #[must_use]
    pub fn get(&self, id: ServiceId) -> Option<&Slot> {
        self.slots.get(id.0 as usize)
    }

    /// The service with a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| &*slot.service.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// Calls under way and waiting, of all services.
    #[must_use]
    pub fn calls_under_way(&self) -> u32 {
        self.slots
            .iter()
            .map(|slot| slot.admission.running() + slot.admission.waiting())
            .sum()
    }
}
