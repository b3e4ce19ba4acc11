//! A host loses its replicas and gets others: its disk is lost with everything on it, or a replica is removed from its group. The host joins again, under new
//! numbers, and gets votes once it has caught up.

use super::events::{Happening, Local};
use super::host::SimHost;
use super::plan::{AnyMutant, HostMutant};
use super::world::{Step, Stop, World};
use crate::replica::identity::{Birth, Identity};
use crate::replica::member::{Change, Input};
use crate::state::{GroupId, StoreError};
use std::time::Duration;

/// How often a host that has lost its disk asks to be a member.
const JOIN: Duration = Duration::from_millis(60);
/// How often leaders look who has caught up.
const LOOK: Duration = Duration::from_millis(150);
/// How long until a host hears that its replica was removed, at most.
const KNOWS_US: u64 = 400_000;
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
        self.downgrade(host);
        if !self.is_settling {
            self.set_disk_faults(true);
        }
        Ok(())
    }

    /// Whether every group has a voter on every host, and nobody else, as far as the one that leads it and all others know, also after a loss of power. One that has
    /// the change and does not know yet that it is committed could not be elected without those who had a vote before.
    pub(super) fn is_complete(&self) -> bool {
        let is_leaving = |host: &SimHost| !host.removed.is_empty();
        !self.hosts.iter().any(is_leaving)
            && self.histories.keys().all(|group| {
                let mut replicas = self.hosts.iter().filter_map(|host| host.replica(*group));
                replicas.any(|replica| {
                    let roster = replica.member.roster();
                    let agrees = |host: &SimHost| {
                        let replica = host.replica(*group);
                        replica.is_some_and(|replica| {
                            replica.member.roster() == roster && replica.member.keeps_members()
                        })
                    };
                    let mut voters: Vec<_> = roster
                        .members
                        .voters
                        .iter()
                        .filter_map(|voter| roster.hosts.get(voter))
                        .collect();
                    voters.sort_unstable();
                    voters.dedup();
                    replica.member.standing().serves
                        && self.hosts.iter().all(agrees)
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

    /// An operator removes some replica from its group, and lets its host join again as soon as it knows. It may go on for a while in the belief that it is a member.
    pub(super) fn remove_some(&mut self) -> Step {
        self.again_after(self.swarm.removal_us, Happening::Removal);
        let host = self.any_host();
        let groups: Vec<GroupId> = self.histories.keys().copied().collect();
        let chosen = self.random.below(groups.len() as u64);
        let Some(group) = groups.get(chosen as usize).copied() else {
            return Ok(());
        };
        let Some(replica) = self.hosts[host].replica(group) else {
            return Ok(());
        };
        let id = replica.member.id();
        if !self.is_complete() || self.leader_of(group) == Some(host) {
            return Ok(());
        }
        self.report.removals += 1;
        self.hosts[host].removed.insert(group, id);
        self.soon_on(host, KNOWS_US, Local::Leave(group));
        self.order_removal(host, group)
    }

    fn order_removal(&mut self, host: usize, group: GroupId) -> Step {
        let Some(leader) = self.leader_of(group) else {
            return Ok(());
        };
        let name = self.names[host].clone();
        self.tell_of(leader, || {
            format!("removes the replica of {name} from group {}", group.0)
        });
        let change = Input::Change(Change::Remove(name));
        self.elsewhere(leader, |world| world.step(leader, group, change))
    }

    /// A host looks whether its replica was removed, as a leader would tell it: then it takes part no more.
    pub(super) fn leave(&mut self, host: usize, group: GroupId) -> Step {
        let Some(id) = self.hosts[host].removed.get(&group).copied() else {
            return Ok(());
        };
        // Again, until it is done: the host may end in between.
        self.soon_on(host, KNOWS_US, Local::Leave(group));
        let Some(node) = &self.hosts[host].node else {
            return Ok(());
        };
        if node.missing.contains_key(&group) {
            // It ended when it had noted it, and joins again.
            return Ok(());
        }
        let is_at_rest = !node.is_syncing && !node.is_folding;
        let Some(leader) = self.leader_of(group) else {
            return Ok(());
        };
        if leader == host {
            // Somebody else has to lead first.
            let successor = self.names[(host + 1) % self.names.len()].clone();
            return self.step(host, group, Input::Transfer(successor));
        }
        let members = self.hosts[leader].replica(group);
        if members.is_none_or(|replica| replica.member.roster().hosts.contains_key(&id)) {
            // The order may have been lost with whoever led.
            return self.order_removal(host, group);
        }
        let (true, Some(replica)) = (is_at_rest, self.hosts[host].replica(group)) else {
            return Ok(());
        };
        let identity = Identity {
            birth: Birth::Removed,
            ..replica.member.identity().clone()
        };
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        if node.log.set_state(group.0, &identity.to_bytes()).is_err() {
            // No room; it goes on as it is until there is.
            return Ok(());
        }
        self.flush(host)?;
        self.gone(host, group, id);
        self.alive(host, self.now + JOIN, Local::Join);
        Ok(())
    }

    /// A replica takes part no more, and who waits for it hears nothing.
    fn gone(&mut self, host: usize, group: GroupId, id: u64) {
        self.tell_of(host, || {
            format!("replica {id} of group {} takes part no more", group.0)
        });
        let state = &mut self.hosts[host];
        state.removed.remove(&group);
        state.former.insert(group, id);
        state.unproven.remove(&group);
        if let Some(node) = &mut state.node
            && let Some(replica) = node.replicas.remove(&group)
        {
            node.touched.remove(&group);
            node.missing.insert(group, replica.name);
        }
        self.looks
            .retain(|look| look.host != host || look.group != group);
        self.impatient_of(host);
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
            if let Some(id) = self.hosts[host].removed.get(&group).copied() {
                // It ended when it had noted that this one is removed, and the next one is not to be taken for it.
                self.gone(host, group, id);
            }
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

    /// What a replica before has left is void. Whether that is so on the disk.
    fn give_up_remains(
        &mut self,
        host: usize,
        group: GroupId,
        service: &str,
    ) -> Result<bool, Stop> {
        let keeps = self.plan.mutant == Some(AnyMutant::Host(HostMutant::KeepRemains));
        let former = self.hosts[host].former.get(&group).copied().unwrap_or(0);
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(false);
        };
        if keeps || node.is_folding {
            return Ok(keeps);
        }
        let void = Identity {
            birth: Birth::Void,
            ..Identity::added(service, former)
        };
        let void = void.to_bytes();
        if node.log.set_state(group.0, &void).is_err() {
            return Ok(false);
        }
        self.flush(host)?;
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(false);
        };
        match node.store.forget(group) {
            Ok(()) => {}
            Err(StoreError::Full { .. }) => return Ok(false),
            Err(_) => return Err(Stop::Ended),
        }
        let is_void =
            node.log.restart(group.0, 0).is_ok() && node.log.set_state(group.0, &void).is_ok();
        self.flush(host)?;
        Ok(is_void)
    }

    fn begin_anew(&mut self, host: usize, group: GroupId, service: &str, id: u64) -> Step {
        if !self.give_up_remains(host, group, service)? {
            // No room; it is asked again.
            return Ok(());
        }
        let identity = Identity::added(service, id);
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        if node.log.set_state(group.0, &identity.to_bytes()).is_err() {
            // No room; it is asked again.
            return Ok(());
        }
        self.flush(host)?;
        self.hosts[host].unproven.remove(&group);
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
        self.removed.clear();
    }
}
