//! The table of services: what the router reads on every call and the supervisor alone changes.

use crate::admission::Admission;
use crate::call_error::CallError;
use crate::daemon::Daemon;
use crate::dispatch::ServiceId;
use crate::groups::GroupHandle;
use crate::service::Service;
use crate::version::Version;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;

pub mod address;
pub mod types;
pub mod waits;

pub use types::{CALL_PATH, FunctionType, ServiceTypes};
use waits::Waits;

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
    /// What executes its commands, if it is replicated and its state is on this host.
    pub group: Option<GroupHandle>,
    /// Its daemon, where its component is one.
    pub daemon: Arc<Daemon>,
    state: ArcSwap<State>,
    types: ArcSwapOption<ServiceTypes>,
}

impl Slot {
    /// A service that is not loaded yet.
    #[must_use]
    pub fn new(service: Arc<Service>, state: State, group: Option<GroupHandle>) -> Self {
        let limits = &service.config.limits;
        Self {
            admission: Admission::new(limits.concurrency, limits.queue),
            state: ArcSwap::from_pointee(state),
            types: ArcSwapOption::empty(),
            daemon: Arc::default(),
            service,
            group,
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
    pub fn set_types(&self, types: impl Into<Arc<ServiceTypes>>) {
        self.types.store(Some(types.into()));
    }

    /// Replaces the state. Only the supervisor does.
    pub fn set(&self, state: State) {
        self.state.store(Arc::new(state));
    }
}

/// All services of the cluster, in the order of the configuration.
pub struct Services {
    slots: Vec<Slot>,
    /// Those who wait for one of them to change.
    pub waits: Waits,
}

impl Services {
    /// `slots` in the order of their ids.
    #[must_use]
    pub fn new(slots: Vec<Slot>) -> Self {
        Self {
            slots,
            waits: Waits::default(),
        }
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

    /// Daemons that have not ended.
    #[must_use]
    pub fn daemons_at_work(&self) -> usize {
        let at_work = |slot: &&Slot| slot.daemon.is_at_work();
        self.slots.iter().filter(at_work).count()
    }
}

/// Why a service takes no calls now, and what starts it.
#[must_use]
pub fn not_running(slot: &Slot) -> CallError {
    let name = &slot.service.name;
    let message = match &*slot.state() {
        State::Elsewhere => "it is not placed on this host".to_owned(),
        State::Starting => "it is starting".to_owned(),
        State::Stopped => format!("it was stopped; start it with `bookshop-host start {name}`"),
        State::Failed { reason } => format!("it could not be loaded: {reason}"),
        State::Stopping => "the host is shutting down".to_owned(),
        // It began to run between the two looks at its state; the caller may simply call again.
        State::Running(_) => "it was starting".to_owned(),
    };
    CallError::Unavailable {
        service: name.to_string(),
        message,
        maybe_executed: false,
    }
}
