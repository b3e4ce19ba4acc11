//! A disk is lost with everything on it: its host joins its groups again, under new numbers, and gets votes once it has caught up.

use super::events::{Happening, Local};
use super::host::SimHost;
use super::world::{Step, Stop, World};
use crate::replica::identity::Identity;
use crate::replica::member::{Change, Input};
use crate::state::GroupId;
use std::time::Duration;

/// How often a host that has lost its disk asks to be a member.
const JOIN: Duration = Duration::from_millis(60);
/// How often leaders look who has caught up.
const LOOK: Duration = Duration::from_millis(150);
/// How far behind a replica may be that gets a vote.
const BEHIND_MAX: u64 = 8;

impl World<'_> {
    /// The disk of some host is lost, unless one that was lost before is still missed.
    pub(super) fn wipe_some(&mut self) -> Step {
        self.again_after(self.swarm.wipe_us, Happening::Wipe);
        let host = self.any_host();
        if !self.is_complete() {
            return Ok(());
        }
        self.tell_of(host, || "the disk is lost".into());
        self.report.wipes += 1;
        let groups: Vec<GroupId> = self.histories.keys().copied().collect();
        for group in groups {
            if let Some(replica) = self.hosts[host].replica(group) {
                let id = replica.member.id();
                self.hosts[host].former.insert(group, id);
            }
        }
        self.ended(host);
        let (disk_seed, seed) = (self.random.next(), self.random.next());
        self.hosts[host].wipe(disk_seed, seed);
        if !self.is_settling {
            self.set_disk_faults(true);
        }
        Ok(())
    }

    /// Whether every group has a voter on every host, and nobody else, as far as the one that leads it knows.
    pub(super) fn is_complete(&self) -> bool {
        self.histories.keys().all(|group| {
            let mut replicas = self.hosts.iter().filter_map(|host| host.replica(*group));
            replicas.any(|replica| {
                let roster = replica.member.roster();
                let mut voters: Vec<_> = roster
                    .members
                    .voters
                    .iter()
                    .filter_map(|voter| roster.hosts.get(voter))
                    .collect();
                voters.sort_unstable();
                voters.dedup();
                replica.member.standing().serves
                    && !roster.is_joint()
                    && roster.members.learners.is_empty()
                    && voters.len() == self.hosts.len()
                    && roster.members.voters.len() == self.hosts.len()
                    && self.hosts.iter().all(|host| {
                        let here = host.replica(*group).map(|replica| replica.member.id());
                        here.is_some() && here == roster.id_of(&host.name)
                    })
            })
        })
    }

    fn leader_of(&self, group: GroupId) -> Option<usize> {
        self.hosts.iter().position(|host| {
            let replica = host.replica(group);
            host.paused_until <= self.now
                && replica.is_some_and(|replica| replica.member.standing().serves)
        })
    }

    /// A host without a replica of a group asks for a new number, and begins once it has one.
    pub(super) fn join(&mut self, host: usize) -> Step {
        let missing = match &self.hosts[host].node {
            Some(node) => node.missing.clone(),
            None => return Ok(()),
        };
        if missing.is_empty() {
            return Ok(());
        }
        self.alive(host, self.now + JOIN, Local::Join);
        let name = self.names[host].clone();
        for (group, service) in missing {
            let Some(leader) = self.leader_of(group) else {
                continue;
            };
            let Some(replica) = self.hosts[leader].replica(group) else {
                continue;
            };
            let former = self.hosts[host].former.get(&group).copied().unwrap_or(0);
            let known = replica.member.roster().id_of(&name);
            match known.filter(|id| *id > former) {
                Some(id) => {
                    self.tell_of(host, || format!("is replica {id} of group {}", group.0));
                    self.begin_anew(host, group, &service, id)?;
                }
                None => {
                    let change = Input::Change(Change::Add(name.clone()));
                    self.elsewhere(leader, |world| world.step(leader, group, change))?;
                }
            }
        }
        Ok(())
    }

    /// Does something on another host than that on which something happens.
    fn elsewhere(&mut self, host: usize, act: impl FnOnce(&mut Self) -> Step) -> Step {
        match act(self) {
            Err(Stop::Ended) => {
                self.ended(host);
                Ok(())
            }
            other => other,
        }
    }

    fn begin_anew(&mut self, host: usize, group: GroupId, service: &str, id: u64) -> Step {
        let identity = Identity::added(service, id);
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        if node.log.set_state(group.0, &identity.to_bytes()).is_err() {
            // No room; it is asked again.
            return Ok(());
        }
        self.flush(host)?;
        let state = &mut self.hosts[host];
        let Some(mut node) = state.node.take() else {
            return Ok(());
        };
        node.missing.remove(&group);
        let begun = node.begin_added(
            &*state,
            group,
            service,
            identity,
            self.plan,
            self.guests.engines(),
            &mut self.random,
        );
        state.node = Some(node);
        match begun {
            Ok(Some(begun)) => self.take_up(host, begun),
            Ok(None) => Ok(()),
            Err(_) if self.hosts[host].disk.is_down() => Err(Stop::Ended),
            Err(error) => self.not_started(host, &error),
        }
    }

    /// Leaders give votes to those who have caught up.
    pub(super) fn promote(&mut self) -> Step {
        self.after(LOOK, Happening::Promote);
        let groups: Vec<GroupId> = self.histories.keys().copied().collect();
        for group in groups {
            let Some(leader) = self.leader_of(group) else {
                continue;
            };
            let Some(replica) = self.hosts[leader].replica_mut(group) else {
                continue;
            };
            if replica.member.roster().members.learners.is_empty() {
                continue;
            }
            let Ok(status) = replica.member.status() else {
                continue;
            };
            let roster = replica.member.roster();
            let ready = status.progress.iter().find(|progress| {
                roster.members.learners.contains(&progress.id)
                    && progress.is_active
                    && progress.matched > 0
                    && progress.matched + BEHIND_MAX >= status.last
            });
            let host = ready
                .and_then(|progress| roster.hosts.get(&progress.id))
                .cloned();
            if let Some(host) = host {
                self.tell_of(leader, || {
                    format!("gives {host} a vote in group {}", group.0)
                });
                let change = Input::Change(Change::Promote(host));
                self.elsewhere(leader, |world| world.step(leader, group, change))?;
            }
        }
        Ok(())
    }
}

impl SimHost {
    /// The disk is gone, and an empty one in its place.
    fn wipe(&mut self, disk_seed: u64, seed: u64) {
        self.disk = super::disk::SimDisk::new(disk_seed);
        let disk = std::sync::Arc::new(self.disk.clone());
        self.os = super::outside::os(&self.clock, seed, disk);
        self.unproven.clear();
    }
}
