//! Simulated hosts end, whenever and however, and start again on what their disks have.

use super::events::{Happening, Local};
use super::history::History;
use super::host::SimHost;
use super::invariants::durable::Terms;
use super::invariants::entries::Place;
use super::node::{self, Begun, Node};
use super::world::{Step, Stop, World, violated};
use crate::replica::member;
use crate::state::GroupId;

/// Used idempotency keys are known for at least so many times the age of a kept answer.
const REMEMBERED_AGES: u64 = 7;
/// Of a thousand starts, so many are followed by another end before the disk has done this many operations more.
const AGAIN: u32 = 200;
const OPERATIONS_AGAIN: u64 = 200;
/// A host is started again within so many microseconds; some take longer.
const START_US: u64 = 50_000;
const START_LATE_US: u64 = 3_000_000;

/// How long a group has to know a key that was used.
fn remembered_ms(host: &SimHost, name: &str) -> u64 {
    let slot = host.services.find(name);
    let replicated = slot.and_then(|slot| slot.service.config.replicated.as_ref());
    let age_ms = replicated.map_or(u64::MAX, |it| {
        u64::try_from(it.session_age.as_millis()).unwrap_or(u64::MAX)
    });
    age_ms.saturating_mul(REMEMBERED_AGES)
}

impl World<'_> {
    /// A host is gone.
    pub(super) fn ended(&mut self, host: usize) {
        self.report.crashes += 1;
        // The process alone, or the machine with it.
        let is_power = self.random.chance(600);
        let state = &mut self.hosts[host];
        state.node = None;
        state.life += 1;
        state.paused_until = state.paused_until.min(self.now);
        state.forget_upgrades();
        if is_power {
            state.disk.crash();
        } else {
            state.disk.kill();
        }
        self.looks.retain(|look| look.host != host);
        self.tell_of(host, || {
            if is_power {
                "the machine loses power".into()
            } else {
                "the host is killed".into()
            }
        });
        let is_late = self.hosts.len() > 1 && !self.is_settling && self.random.chance(200);
        let within_us = if is_late { START_LATE_US } else { START_US };
        self.soon_on(host, within_us, Local::Start);
        self.mourn(host);
        self.impatient_of(host);
    }

    /// Clients that wait for a host hear nothing from it.
    pub(super) fn impatient_of(&mut self, host: usize) {
        for client in 0..self.clients.len() {
            if self.clients[client].request.is_some() && self.clients[client].host == host {
                let attempt = self.clients[client].attempt;
                self.soon(100_000, Happening::Impatient(client, attempt));
            }
        }
    }

    pub(super) fn start(&mut self, host: usize) -> Step {
        if self.hosts[host].node.is_some() {
            return Ok(());
        }
        if self.hosts[host].life == 0 {
            self.hosts[host].life = 1;
        }
        let may_end = self.swarm.end_us.is_some() && self.plan.crash_at.is_none();
        if may_end && !self.is_settling && self.random.chance(AGAIN) {
            // While it still mends what the last end left, or soon after.
            let operations = self.random.below(OPERATIONS_AGAIN);
            self.hosts[host].disk.crash_after(operations);
        }
        let failed_syncs = self.hosts[host].disk.injected().failed_syncs;
        let started = Node::start(
            &self.hosts[host],
            &self.names,
            self.plan,
            self.guests.engines(),
            &mut self.random,
        );
        let (node, begun) = match started {
            Ok(started) => started,
            // As it must: it is for whoever started it to try again.
            Err(_) if self.hosts[host].disk.injected().failed_syncs > failed_syncs => {
                return Err(Stop::Ended);
            }
            Err(error) => return self.not_started(host, &error),
        };
        self.hosts[host].node = Some(node);
        self.greet(host);
        self.tell_of(host, || {
            let places: Vec<_> = begun
                .iter()
                .map(|begun| (begun.group.0, begun.start, begun.records.len()))
                .collect();
            format!("starts: groups, where their logs begin, how many entries: {places:?}")
        });
        for begun in begun {
            self.take_up(host, begun)?;
            if self.report.found_damage {
                return Ok(());
            }
        }
        self.join(host)
    }

    /// A replica begins.
    pub(super) fn take_up(&mut self, host: usize, begun: Begun) -> Step {
        let Begun {
            group,
            start,
            records,
            outputs,
        } = begun;
        self.look_around(host, group, start, &records)?;
        if self.report.found_damage {
            return Ok(());
        }
        self.hosts[host].publish(group);
        self.outputs(host, group, outputs)?;
        self.compare(host, group)?;
        self.turn(host, group)
    }

    /// Compares what a replica's log was found to have with what it had.
    fn look_around(
        &mut self,
        host: usize,
        group: GroupId,
        start: u64,
        records: &[member::Record],
    ) -> Step {
        let (hosts, names) = (&mut self.hosts, &self.names);
        let is_damaged = hosts[host].is_damaged();
        let remembered = hosts[host]
            .replica(group)
            .map(|replica| remembered_ms(&hosts[host], &replica.name));
        let unproven = hosts[host].unproven.get(&group).copied();
        let Some(replica) = hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let roster = replica.member.roster().to_bytes();
        let (name, id) = (replica.name.clone(), replica.member.id());
        self.histories
            .entry(group)
            .or_insert_with(|| (name, History::new(remembered.unwrap_or(u64::MAX), &roster)));
        let mut terms = Terms::new();
        for record in records {
            let entry = member::decode_record(record.clone())
                .map_err(|error| Stop::Violated(error.to_string()))?;
            let place = Place {
                index: entry.index,
                term: entry.term,
                before: terms.get(&(entry.index - 1)).copied(),
            };
            terms.insert(entry.index, entry.term);
            let entries = &mut self.invariants.entries;
            entries
                .has(group, &names[host], place, entry.kind, &entry.data)
                .map_err(Stop::Violated)?;
        }
        replica.terms.clone_from(&terms);
        let durable = &mut self.invariants.durable;
        if let Some(lost) = durable.lost(group, id, start, &terms) {
            if is_damaged && unproven.is_some_and(|before| before < lost) {
                // The disk lost the whole last batch, of which nothing else tells: the one loss that goes unnoticed, as the log says itself.
                self.report.found_damage = true;
                return Ok(());
            }
            return violated(format!(
                "{} has lost entry {lost} of group {}, which was on its disk; its log has {:?} after entry {start}",
                names[host],
                group.0,
                terms.keys().last()
            ));
        }
        durable.found(group, id, start, &terms);
        Ok(())
    }

    pub(super) fn not_started(&mut self, host: usize, error: &node::StartError) -> Step {
        let text = crate::supervisor::chain(error);
        self.tell_of(host, || format!("does not start: {text}"));
        if self.hosts[host].disk.is_down() {
            return Err(Stop::Ended);
        }
        if self.hosts[host].is_damaged() {
            // Noticed, which is all that can be asked of it.
            self.report.found_damage = true;
            return Ok(());
        }
        if error.is_full() {
            self.soon_on(host, 500_000, Local::Start);
            return Ok(());
        }
        violated(format!("{} does not start: {text}", self.names[host]))
    }
}
