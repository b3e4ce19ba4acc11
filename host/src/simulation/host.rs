//! A simulated host: what outlives its ends, and what runs on it as long as it runs.

use super::disk::SimDisk;
use super::engine::EngineFaults;
use super::guests::{Guests, NoCalls};
use super::node::{Node, Replica};
use super::outside::{self, SimClock};
use super::random::Random;
use super::swarm::Swarm;
use crate::config::HostName;
use crate::groups::owner;
use crate::os::Os;
use crate::replica::time::Now;
use crate::services::Services;
use crate::state::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// Names of hosts; there are as many as these at most.
const NAMES: [&str; 7] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"];

/// The most hosts that can be simulated.
pub const HOSTS_MAX: usize = NAMES.len();

/// One host.
pub struct SimHost {
    pub name: HostName,
    pub clock: Arc<SimClock>,
    pub disk: SimDisk,
    pub os: Os,
    pub services: Arc<Services>,
    pub dispatch: Arc<NoCalls>,
    pub node: Option<Node>,
    /// Counts its lives: what one of them began is void in the next.
    pub life: u64,
    /// Until then it does nothing, and what happens waits.
    pub paused_until: Duration,
    /// The numbers of its replicas before its disk was lost, or before they were removed.
    pub former: BTreeMap<GroupId, u64>,
    /// The numbers of its replicas that are to be removed.
    pub removed: BTreeMap<GroupId, u64>,
    /// What its replicas' engines do wrong, until it is calm.
    pub engine_faults: EngineFaults,
    pub is_calm: Arc<AtomicBool>,
    /// Services of which it could run another version, once its turn comes; nothing in its next life.
    pub ready: BTreeSet<&'static str>,
    /// Services of which it runs that version, also in its next lives.
    pub upgraded: BTreeSet<&'static str>,
    /// Where groups were before the last batch of the log, as long as nothing proves that it was there.
    pub unproven: BTreeMap<GroupId, u64>,
}

impl SimHost {
    /// A host that has never started.
    pub fn new(
        number: usize,
        guests: &Guests,
        services: &[&str],
        true_us: &Arc<AtomicU64>,
        swarm: &Swarm,
        random: &mut Random,
    ) -> Self {
        let drift_ppm = swarm.drift_ppm;
        let drift = i64::try_from(random.below(2 * drift_ppm + 1)).unwrap_or(0);
        let drift = drift - i64::try_from(drift_ppm).unwrap_or(0);
        let clock = Arc::new(SimClock::new(true_us, drift));
        let disk = SimDisk::new(random.next());
        let os = outside::os(&clock, random.next(), Arc::new(disk.clone()));
        let services = guests.services(&os, services);
        Self {
            name: name(number),
            clock,
            disk,
            dispatch: Arc::new(NoCalls(Arc::clone(&services))),
            services,
            os,
            node: None,
            life: 0,
            paused_until: Duration::ZERO,
            former: BTreeMap::new(),
            removed: BTreeMap::new(),
            engine_faults: swarm.engines,
            is_calm: Arc::new(AtomicBool::new(false)),
            ready: BTreeSet::new(),
            upgraded: BTreeSet::new(),
            unproven: BTreeMap::new(),
        }
    }

    /// Its clocks now.
    pub fn now(&self) -> Now {
        owner::now(self.clock.as_ref())
    }

    /// Its replica of a group, if it runs.
    pub fn replica(&self, group: GroupId) -> Option<&Replica> {
        self.node.as_ref()?.replicas.get(&group)
    }

    /// The same, to be changed.
    pub fn replica_mut(&mut self, group: GroupId) -> Option<&mut Replica> {
        self.node.as_mut()?.replicas.get_mut(&group)
    }

    /// Whether its disk has changed anything by itself.
    pub fn is_damaged(&self) -> bool {
        let injected = self.disk.injected();
        injected.bit_flips + injected.lost_writes + injected.misdirected_writes > 0
    }

    /// Shows queries the newest state.
    pub fn publish(&self, group: GroupId) {
        let Some(replica) = self.replica(group) else {
            return;
        };
        let slot = self.services.find(&replica.name);
        if let Some(published) = slot.and_then(|slot| slot.service.published.as_ref()) {
            published.publish(replica.member.group().snapshot());
        }
    }
}

/// The name of a host.
#[allow(clippy::expect_used, reason = "the names are above")]
pub fn name(number: usize) -> HostName {
    NAMES[number % NAMES.len()].parse().expect("a host's name")
}
