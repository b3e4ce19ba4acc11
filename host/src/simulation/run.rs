//! Replicas at work: they are told what happened, and what they want done is done, in their order.

use super::events::Local;
use super::history::Origin;
use super::invariants::entries::Place;
use super::world::{Step, Stop, World, violated};
use crate::replica::event::{Action, CommandId};
use crate::replica::member::{self, Input, MemberError, Output, Save};
use crate::replica::standing::Role;
use crate::state::GroupId;
use std::time::Duration;

/// What a job made, if its group makes an entry of it.
pub(super) struct Made {
    pub command: Option<CommandId>,
    pub origin: Origin,
}

/// Of so many actions one is never carried out, because the host ends, where hosts may.
const ACTIONS_PER_CRASH: u64 = 3_000;
/// Times in a row that a replica may want to be woken at once.
const HASTY_TICKS_MAX: u32 = 100;
/// How long a job takes: 30 µs to so many more.
const JOB_US: u64 = 300;
/// Of a thousand times, so often an engine is told of several things at once.
const BATCHES: u32 = 300;
/// Within so many microseconds.
const BATCH_US: u64 = 200;

impl World<'_> {
    /// Tells a replica what happened and carries out what it wants done.
    pub(super) fn step(&mut self, host: usize, group: GroupId, input: Input) -> Step {
        self.step_with(host, group, input, None)
    }

    /// The same, with the origin of the entry that it may make of it.
    pub(super) fn step_with(
        &mut self,
        host: usize,
        group: GroupId,
        input: Input,
        made: Option<Made>,
    ) -> Step {
        let now = self.hosts[host].now();
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let before = replica.member.group().last_index();
        let term = replica.member.standing().term;
        let mut outputs = Vec::new();
        let taken = replica.member.take(now, input, &mut outputs);
        let after = replica.member.group().last_index();
        if let Some(Made { command, origin }) = made
            && after == before + 1
        {
            if let Some(pending) = command.and_then(|id| replica.commands.get_mut(&id)) {
                pending.seen = (after, term);
            }
            let line = format!(
                "makes entry {after} of term {term}, group {}: {}",
                group.0, origin.cause
            );
            self.origins.insert((group, after, term), origin);
            self.tell_of(host, || line);
        }
        self.check(host, taken)?;
        let is_late = self.random.chance(BATCHES);
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        if !(is_late || replica.is_turning) {
            let turned = replica.member.turn(now, &mut outputs);
            self.check(host, turned)?;
        } else if !std::mem::replace(&mut replica.is_turning, true) {
            self.soon_alive(host, BATCH_US, Local::Turn(group));
        }
        self.outputs(host, group, outputs)
    }

    /// A replica's engine is told of what happened, or of nothing but the time.
    pub(super) fn turn(&mut self, host: usize, group: GroupId) -> Step {
        let now = self.hosts[host].now();
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        replica.is_turning = false;
        let mut outputs = Vec::new();
        let turned = replica.member.turn(now, &mut outputs);
        self.check(host, turned)?;
        self.outputs(host, group, outputs)
    }

    fn check(&mut self, host: usize, result: Result<(), MemberError>) -> Step {
        let Err(error) = result else { return Ok(()) };
        if self.hosts[host].disk.is_down() {
            return Err(Stop::Ended);
        }
        if self.hosts[host].is_damaged() {
            self.report.found_damage = true;
            return Err(Stop::Ended);
        }
        let what = crate::supervisor::chain(&error);
        violated(format!(
            "{}: a replica must not go on: {what}",
            self.names[host]
        ))
    }

    /// Carries out what a replica wants done.
    pub(super) fn outputs(&mut self, host: usize, group: GroupId, outputs: Vec<Output>) -> Step {
        for output in &outputs {
            if let Output::Save(save) = output {
                self.note(host, group, save)?;
            }
        }
        self.settle(host, group)?;
        for output in outputs {
            self.report.actions += 1;
            if self.plan.crash_at == Some(self.report.actions) {
                return Err(Stop::Ended);
            }
            let may_end = self.swarm.end_us.is_some() && self.plan.crash_at.is_none();
            if may_end && !self.is_settling && self.random.below(ACTIONS_PER_CRASH) == 0 {
                return Err(Stop::Ended);
            }
            self.output(host, group, output)?;
        }
        self.schedule_tick(host, group)
    }

    fn output(&mut self, host: usize, group: GroupId, output: Output) -> Step {
        match output {
            Output::Group(action) => self.action(host, group, action),
            Output::Save(save) => self.save(host, group, save),
            Output::Pin { index, view } => {
                if let Some(replica) = self.hosts[host].replica_mut(group) {
                    replica.pin(index, *view);
                }
                Ok(())
            }
            Output::Send { to, message } => self.send_peer(host, group, &to, message),
            Output::ReadReady(query, index) => self.read(host, group, query, index),
            Output::ReadFailed(query) => {
                self.not_read(host, group, query);
                Ok(())
            }
            Output::Fetch { from, at } => self.fetch(host, group, &from, at),
            Output::Standing(standing) => {
                self.tell_of(host, || format!("group {}: {standing:?}", group.0));
                if standing.role == Role::Leader {
                    let leaders = &mut self.invariants.leaders;
                    let is_new = leaders.leads(group, standing.term, &self.names[host]);
                    self.report.elections += u64::from(is_new.map_err(Stop::Violated)?);
                }
                Ok(())
            }
            Output::Failed(reason) if self.swarm.engines.trapped > 0 => {
                self.tell_of(host, || {
                    format!("the engine of group {} failed: {reason}", group.0)
                });
                Ok(())
            }
            Output::Failed(reason) => violated(format!(
                "the engine of group {} on {} failed: {reason}",
                group.0, self.names[host]
            )),
        }
    }

    fn action(&mut self, host: usize, group: GroupId, action: Action) -> Step {
        match action {
            Action::Run {
                job,
                view,
                meta,
                time_ms,
            } => {
                let ran = self.run_job(host, group, job, view, meta, time_ms)?;
                let took = Duration::from_micros(30 + self.random.below(JOB_US));
                let at = self.now + took;
                self.alive(host, at, Local::Ran(group, Box::new(ran)));
                self.upgrade_soon(host, group);
                Ok(())
            }
            Action::Append { .. } | Action::Confirm(_) => {
                violated("a replica leaves to its host what is its own")
            }
            Action::Abandon => {
                if let Some(replica) = self.hosts[host].replica_mut(group) {
                    replica.job += 1;
                }
                Ok(())
            }
            Action::Answer { id, answer } => self.answer(host, group, id, answer),
            Action::Deliver(outgoing) => {
                self.deliver(host, group, outgoing);
                Ok(())
            }
            Action::Publish => {
                self.hosts[host].publish(group);
                Ok(())
            }
        }
    }

    /// A replica puts entries into its log.
    fn note(&mut self, host: usize, group: GroupId, save: &Save) -> Step {
        let (hosts, names) = (&mut self.hosts, &self.names);
        let Some(replica) = hosts[host].replica_mut(group) else {
            return Ok(());
        };
        if save.restart.is_some() {
            replica.terms.clear();
        }
        if let Some((first, _)) = save.entries.first() {
            drop(replica.terms.split_off(first));
        }
        let mut numbers = vec![u64::from(group.0), save.token];
        for record in &save.entries {
            let entry = member::decode_record(record.clone())
                .map_err(|error| Stop::Violated(error.to_string()))?;
            let place = Place {
                index: entry.index,
                term: entry.term,
                before: replica.terms.get(&(entry.index - 1)).copied(),
            };
            replica.terms.insert(entry.index, entry.term);
            let entries = &mut self.invariants.entries;
            entries
                .has(group, &names[host], place, entry.kind, &entry.data)
                .map_err(Stop::Violated)?;
            numbers.extend([
                entry.index,
                entry.term,
                u64::from(crc32c::crc32c(&entry.data)),
            ]);
        }
        self.trace(&numbers);
        Ok(())
    }

    pub(super) fn schedule_tick(&mut self, host: usize, group: GroupId) -> Step {
        let now = self.hosts[host].now();
        let state = &mut self.hosts[host];
        let clock = std::sync::Arc::clone(&state.clock);
        let Some(replica) = state.replica_mut(group) else {
            return Ok(());
        };
        let next = replica.member.next_tick(now);
        // A few times in a row are no harm: its time follows a clock that jumped ahead in steps. An engine that is about to be told of what happened has not
        // said yet when it wants to be woken: after a long pause much happens before that.
        replica.hasty_ticks = match (next <= now.monotonic, replica.is_turning) {
            (false, _) => 0,
            (true, true) => replica.hasty_ticks,
            (true, false) => replica.hasty_ticks + 1,
        };
        if replica.hasty_ticks > HASTY_TICKS_MAX {
            return violated(
                "a replica wants to be woken again and again, although there is nothing that it can do",
            );
        }
        let known = replica.wake;
        if replica.hasty_ticks > 0
            || known.is_none_or(|known| next < known || known <= now.monotonic)
        {
            replica.wake = Some(next);
            let at = clock.true_time(next).max(self.now);
            self.alive(host, at, Local::Tick(group));
        }
        if self.hosts[host]
            .replica(group)
            .is_some_and(|replica| replica.member.is_waiting() && !replica.is_turning)
        {
            if let Some(replica) = self.hosts[host].replica_mut(group) {
                replica.is_turning = true;
            }
            self.soon_alive(host, BATCH_US, Local::Turn(group));
        }
        Ok(())
    }
}
