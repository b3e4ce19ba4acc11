//! Simulated hosts take up other versions of their services as hosts do that follow the cluster's state: each says that it could, then one after another does,
//! whoever leads last; and whoever leads then migrates what the version before wrote.
//!
//! Which of them a host runs is on its disk. A disk that is lost has the one with which everything began.

use super::events::{Happening, Local};
use super::history::Cause;
use super::host::SimHost;
use super::node::{From, Pending, Query};
use super::plan::{AnyMutant, HostMutant};
use super::world::{Step, World};
use crate::replica::event::{CommandId, Event};
use crate::replica::member::Input;
use crate::replica::standing::Role;
use crate::services::{Slot, State};
use crate::state::GroupId;
use crate::version::Version;
use std::sync::Arc;
use wasmtime::component::Val;

/// Mean time between two steps of upgrades, in microseconds.
const STEP_US: u64 = 40_000;
/// Of a thousand steps, so many put another version in force.
const BEGINS: u32 = 80;
/// Of a thousand jobs, while so many run another step is taken, sooner than most of them end.
const AMID_JOBS: u32 = 50;
const AMID_JOB_US: u64 = 100;

/// The version that runs a job of a replica.
pub(super) fn writer(slot: &Slot, form: u64, mutant: Option<AnyMutant>) -> Option<Arc<Version>> {
    match mutant {
        Some(AnyMutant::Host(HostMutant::FormIgnored)) => slot.running(),
        Some(_) | None => slot.writer(form),
    }
}

impl SimHost {
    /// What only a process knows of upgrades is gone.
    pub fn forget_upgrades(&mut self) {
        self.ready.clear();
        for slot in self.services.iter() {
            slot.set_former(None);
            slot.set_next_form(0);
        }
    }

    /// Whether it leads the group of a service.
    fn leads(&self, service: &str) -> bool {
        let replica = self.node.as_ref().and_then(|node| {
            let group = node.find(service)?;
            node.replicas.get(&group)
        });
        replica.is_some_and(|replica| replica.member.standing().role == Role::Leader)
    }
}

impl World<'_> {
    pub(super) fn has(&self, mutant: HostMutant) -> bool {
        self.plan.mutant == Some(AnyMutant::Host(mutant))
    }

    /// Upgrades begin, if there are any.
    pub(super) fn begin_upgrades(&mut self) {
        if !self.workload.upgrades().is_empty() {
            self.soon(2 * STEP_US, Happening::Upgrade);
        }
    }

    /// Whether all hosts run what is in force, and every state is in its form.
    pub(super) fn is_upgraded(&self) -> bool {
        self.workload.upgrades().iter().all(|(service, _)| {
            self.hosts.iter().all(|host| {
                let running = host.services.find(service).and_then(Slot::running);
                let node = host.node.as_ref();
                let replica = node.and_then(|node| node.replicas.get(&node.find(service)?));
                let form = replica.map(|replica| replica.member.group().committed().1.form);
                host.upgraded.contains(service) && form == running.map(|version| version.form)
            })
        })
    }

    /// A job begins, and may be under way when its service is replaced.
    pub(super) fn upgrade_soon(&mut self, host: usize, group: GroupId) {
        if !self.workload.upgrades().is_empty() && self.random.chance(AMID_JOBS) {
            self.soon_alive(host, AMID_JOB_US, Local::Upgrade(group));
        }
    }

    pub(super) fn upgrade_amid(&mut self, host: usize, group: GroupId) -> Step {
        let name = self.hosts[host].replica(group).map(|it| it.name.clone());
        let mut upgrades = self.workload.upgrades().iter();
        match upgrades.find(|(service, _)| Some(*service) == name.as_deref()) {
            Some((service, next)) => self.upgrade_on(host, service, next),
            None => Ok(()),
        }
    }

    /// One host takes one step, if there is one for it, and another one later.
    pub(super) fn upgrade_some(&mut self) -> Step {
        if self.is_settling && self.is_upgraded() {
            return Ok(());
        }
        self.begin_upgrades();
        let upgrades = self.workload.upgrades();
        let number = self.random.below(upgrades.len() as u64);
        let Some((service, next)) = usize::try_from(number).ok().and_then(|it| upgrades.get(it))
        else {
            return Ok(());
        };
        if !self.upgrading.contains(service) {
            if self.is_settling || self.random.chance(BEGINS) {
                self.upgrading.insert(service);
                self.tell(|| format!("another version of {service} is in force"));
            }
            return Ok(());
        }
        let host = self.any_host();
        self.upgrade_on(host, service, next)
    }

    fn upgrade_on(&mut self, host: usize, service: &'static str, next: &'static str) -> Step {
        if !self.upgrading.contains(service)
            || self.hosts[host].node.is_none()
            || self.hosts[host].paused_until > self.now
        {
            return Ok(());
        }
        if self.hosts[host].upgraded.contains(service) {
            return self.migrate(host, service, next);
        }
        self.take_up_version(host, service, next);
        Ok(())
    }

    fn take_up_version(&mut self, host: usize, service: &'static str, next: &'static str) {
        let services = Arc::clone(&self.hosts[host].services);
        let Some(slot) = services.find(service) else {
            return;
        };
        let version = match self.has(HostMutant::MigrationSkipped) {
            true => self.guests.careless(next, &slot.service),
            false => self.guests.version(next, &slot.service),
        };
        let Some(version) = version else {
            return;
        };
        if self.hosts[host].ready.insert(service) {
            slot.set_next_form(version.form);
            self.tell_of(host, || format!("could run another version of {service}"));
            return;
        }
        let leads = self.hosts[host].leads(service);
        let may_begin = self.hosts.iter().enumerate().all(|(number, other)| {
            let runs = other.upgraded.contains(service);
            let is_ready = !leads && other.ready.contains(service);
            number == host || other.node.is_none() || runs || is_ready
        });
        if !may_begin {
            return;
        }
        slot.set_former(slot.running().filter(|_| version.migration.is_some()));
        slot.set(State::Running(version));
        slot.set_next_form(0);
        self.hosts[host].upgraded.insert(service);
        self.report.upgrades += 1;
        self.tell_of(host, || format!("runs another version of {service}"));
    }

    fn group_of(&self, host: usize, service: &str) -> Option<GroupId> {
        self.hosts[host].node.as_ref()?.find(service)
    }

    /// A host whose disk was lost runs what everything began with.
    pub(super) fn downgrade(&mut self, host: usize) {
        let services = Arc::clone(&self.hosts[host].services);
        for service in std::mem::take(&mut self.hosts[host].upgraded) {
            let first = services.find(service).and_then(|slot| {
                let version = self.guests.version(service, &slot.service)?;
                Some((slot, version))
            });
            if let Some((slot, version)) = first {
                slot.set(State::Running(version));
            }
        }
    }

    /// A host that leads migrates what another version wrote; one that does not lets the version before go once it reads nothing any more.
    fn migrate(&mut self, host: usize, service: &str, next: &str) -> Step {
        let services = Arc::clone(&self.hosts[host].services);
        let running = services
            .find(service)
            .and_then(|slot| Some((slot, slot.running()?)));
        let (Some((slot, version)), Some(group)) = (running, self.group_of(host, service)) else {
            return Ok(());
        };
        let Some(types) = self.guests.migration(next) else {
            return Ok(());
        };
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        if replica.member.group().committed().1.form == version.form {
            slot.set_former(None);
            return Ok(());
        }
        if !replica.member.standing().serves || version.migration.is_none() {
            return Ok(());
        }
        let id = CommandId(replica.next_command);
        replica.next_command += 1;
        let pending = Pending {
            from: From::Host,
            cause: Cause::Migration,
            key: None,
            key_text: None,
            types,
            arguments: vec![Val::Option(None)],
            results: Vec::new(),
            seen: (0, 0),
        };
        replica.commands.insert(id, pending);
        let event = Event::Command { id, key: None };
        self.step(host, group, Input::Group(event))
    }

    /// The version on which a query runs.
    pub(super) fn reader(&self, host: usize, service: &str, query: &Query) -> Option<Arc<Version>> {
        match self.has(HostMutant::VersionMixed) {
            true => query.version.clone(),
            false => super::look::reader(&self.hosts[host], service, &query.types.name),
        }
    }
}
