//! The table of services: what the router reads on every call and the supervisor alone changes.

use crate::admission::Admission;
use crate::call_error::CallError;
use crate::daemon::Daemon;
use crate::dispatch::{FunctionName, ServiceId};
use crate::groups::GroupHandle;
use crate::replica::keyspace::Meta;
use crate::service::Service;
use crate::version::Version;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub mod address;
pub mod canary;
pub mod foreign;
pub mod types;
pub mod waits;

use canary::Canary;
use foreign::Foreign;
pub use types::{FunctionType, ServiceTypes};
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
    /// What ran before, as long as the state may be in a form that only that reads.
    former: ArcSwapOption<Version>,
    /// The form that the state gets from a version which takes the place of this one when the turn of this host comes; 0 if there is none.
    next_form: AtomicU64,
    canary: ArcSwapOption<Canary>,
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
            former: ArcSwapOption::empty(),
            next_form: AtomicU64::new(0),
            canary: ArcSwapOption::empty(),
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

    /// The version that reads a state, and has the function that is to read it: the one that serves, or the one before it for as long as nothing was migrated.
    #[must_use]
    pub fn reader(&self, meta: &Meta, function: &FunctionName) -> Option<Arc<Version>> {
        let reads = |version: &Arc<Version>| version.reads(meta);
        self.running().filter(reads).or_else(|| {
            let former = self.former.load_full().filter(reads);
            former.filter(|former| former.exports.contains_key(function))
        })
    }

    /// The version that goes on with a state of this form. None where a newer one is about to serve, which has made the state its own on the host that led before.
    #[must_use]
    pub fn writer(&self, form: u64) -> Option<Arc<Version>> {
        let is_next = form != 0 && form == self.next_form.load(Ordering::Relaxed);
        self.running()
            .filter(|version| version.form == form || (version.goes_on_with(form) && !is_next))
    }

    /// The version before the one that serves, if the state may be in its form.
    #[must_use]
    pub fn former(&self) -> Option<Arc<Version>> {
        self.former.load_full()
    }

    /// Keeps the version before the one that serves, or lets it go.
    pub fn set_former(&self, former: Option<Arc<Version>>) {
        if let Some(old) = self.former.swap(former) {
            old.idle.clear();
        }
    }

    /// Says which form the state gets from a version that is about to serve; 0: none is.
    pub fn set_next_form(&self, form: u64) {
        self.next_form.store(form, Ordering::Relaxed);
    }

    /// The version that gets a share of the calls; none most of the time.
    #[must_use]
    pub fn canary(&self) -> Option<Arc<Canary>> {
        self.canary.load_full()
    }

    /// Replaces it. Only the supervisor does.
    pub fn set_canary(&self, canary: Option<Canary>) {
        let old = self.canary.swap(canary.map(Arc::new));
        let still = self.canary();
        let is_still = |old: &Canary| {
            still
                .as_ref()
                .is_some_and(|still| Arc::ptr_eq(&still.version, &old.version))
        };
        // Instances that wait for calls of a version that gets none any more.
        if let Some(old) = old.filter(|old| !is_still(old)) {
            old.version.idle.clear();
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
    /// Functions as callers on other hosts know them.
    pub foreign: Foreign,
}

impl Services {
    /// `slots` in the order of their ids.
    #[must_use]
    pub fn new(slots: Vec<Slot>) -> Self {
        Self {
            slots,
            waits: Waits::default(),
            foreign: Foreign::default(),
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
