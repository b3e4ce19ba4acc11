//! Replicas of different hosts talk to each other.

use super::events::Local;
use super::world::{Step, Stop, World, violated};
use crate::config::HostName;
use crate::replica::member::Input;
use crate::replica::wit;
use crate::state::GroupId;

/// The end of a host is noticed within so many microseconds, if it is.
const LOST_US: u64 = 1_000;
/// And its start, by when it has shaken hands.
const FOUND_US: u64 = 3_000;

impl World<'_> {
    pub(super) fn send_peer(
        &mut self,
        host: usize,
        group: GroupId,
        to: &HostName,
        message: wit::Message,
    ) -> Step {
        let Some(to) = self.find_host(to) else {
            return violated(format!("a message goes to {to}, which is no host"));
        };
        let promises = &mut self.invariants.promises;
        promises
            .sends(group, &self.names[host], &message)
            .map_err(Stop::Violated)?;
        if message.snapshot.is_some() {
            self.offered(host, group, message.to);
        }
        for at in self.network.send(host, to, self.now) {
            self.on(to, at, Local::Peer(host, group, Box::new(message.clone())));
        }
        Ok(())
    }

    pub(super) fn peer(
        &mut self,
        host: usize,
        from: usize,
        group: GroupId,
        message: wit::Message,
    ) -> Step {
        if self.hosts[host].node.is_none() {
            return Ok(());
        }
        self.report.messages += 1;
        let from = self.names[from].clone();
        self.step(host, group, Input::Message(from, message))
    }

    /// The connection of a host to another one broke, or is there again.
    pub(super) fn of_peer(
        &mut self,
        host: usize,
        other: usize,
        input: fn(HostName) -> Input,
    ) -> Step {
        let groups: Vec<GroupId> = match &self.hosts[host].node {
            Some(node) => node.replicas.keys().copied().collect(),
            None => return Ok(()),
        };
        for group in groups {
            let other = self.names[other].clone();
            self.step(host, group, input(other))?;
        }
        Ok(())
    }

    /// A host has ended: the others notice, or do not.
    pub(super) fn mourn(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            if other != host && !self.random.chance(self.swarm.unnoticed) {
                self.soon_on(other, LOST_US, Local::Lost(host));
            }
        }
    }

    /// A host has started: it and the others connect, or one side knows it later.
    pub(super) fn greet(&mut self, host: usize) {
        let others = (0..self.hosts.len()).filter(|other| self.hosts[*other].node.is_some());
        for other in others.collect::<Vec<_>>() {
            for (one, found) in [(host, other), (other, host)] {
                if other != host && !self.random.chance(self.swarm.unnoticed) {
                    self.soon_on(one, FOUND_US, Local::Found(found));
                }
            }
        }
    }

    /// A host says in the name of another one that it has everything and agrees with everybody.
    pub(super) fn forge(&mut self) -> Step {
        self.again_after(self.swarm.forgery_us, super::events::Happening::Forge);
        let (liar, other) = (self.any_host(), self.any_host());
        let to = self.any_host();
        let groups: Vec<GroupId> = self.histories.keys().copied().collect();
        for group in groups {
            let Some(replica) = self.hosts[to].replica(group) else {
                continue;
            };
            let roster = replica.member.roster();
            let named = roster.id_of(&self.names[other]).unwrap_or(0);
            if liar == other || liar == to || named == replica.member.id() {
                continue;
            }
            let term = replica.member.standing().term;
            let kind = if self.random.chance(500) {
                wit::MessageKind::AppendResponse
            } else {
                wit::MessageKind::VoteResponse
            };
            let message = wit::Message {
                kind,
                to: replica.member.id(),
                from: named,
                term,
                log_term: 0,
                index: replica.member.group().last_index(),
                commit: replica.applied,
                commit_term: 0,
                reject: false,
                reject_hint: 0,
                request_snapshot: 0,
                priority: 0,
                context: Vec::new(),
                entries: Vec::new(),
                snapshot: None,
            };
            self.soon_on(to, 300, Local::Peer(liar, group, Box::new(message)));
        }
        Ok(())
    }
}
