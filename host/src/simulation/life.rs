//! The simulated host ends, whenever and however, and starts again on what its disk has.

use super::history::History;
use super::node::{self, Node};
use super::world::{Happening, Step, Stop, World, violated};
use crate::os::BlockDisk;
use crate::state::GroupId;
use std::sync::Arc;

/// Used idempotency keys are known for at least so many times the age of a kept answer.
const REMEMBERED_AGES: u64 = 7;
/// Of a thousand starts, so many are followed by another end before the disk has done this many operations more.
const AGAIN: u32 = 200;
const OPERATIONS_AGAIN: u64 = 200;

impl World<'_> {
    /// The host is gone.
    pub(super) fn ended(&mut self) {
        self.report.crashes += 1;
        self.node = None;
        self.life += 1;
        // The process alone, or the machine with it.
        let is_power = self.random.chance(600);
        if is_power {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
        self.tell(|| {
            if is_power {
                "the machine loses power".into()
            } else {
                "the host is killed".into()
            }
        });
        self.soon(50_000, Happening::Start);
        for client in 0..self.clients.len() {
            if self.clients[client].request.is_some() {
                let attempt = self.clients[client].attempt;
                self.soon(100_000, Happening::Impatient(client, attempt));
            }
        }
    }

    pub(super) fn end(&mut self) -> Step {
        if self.is_settling {
            return Ok(());
        }
        self.soon(1_500_000, Happening::End);
        if self.node.is_none() {
            return Ok(());
        }
        if self.random.chance(500) {
            // In the middle of whatever the disk is asked for next.
            let operations = self.random.below(12);
            self.disk.crash_after(operations);
            return Ok(());
        }
        Err(Stop::Ended)
    }

    pub(super) fn start(&mut self) -> Step {
        if self.node.is_some() {
            return Ok(());
        }
        if self.life == 0 {
            self.life = 1;
        }
        if self.plan.faults.crashes
            && !self.is_settling
            && self.plan.crash_at.is_none()
            && self.random.chance(AGAIN)
        {
            // While it still mends what the last end left, or soon after.
            let operations = self.random.below(OPERATIONS_AGAIN);
            self.disk.crash_after(operations);
        }
        let disk: Arc<dyn BlockDisk> = Arc::new(self.disk.clone());
        let failed_syncs = self.disk.injected().failed_syncs;
        let mut node = match Node::start(&disk, &self.services, self.plan) {
            Ok(node) => node,
            // As it must: it is for whoever started it to try again.
            Err(_) if self.disk.injected().failed_syncs > failed_syncs => return Err(Stop::Ended),
            Err(error) => return self.not_started(&error),
        };
        let services = Arc::clone(&self.services);
        for (id, member) in &mut node.members {
            let (name, history) = self.histories.entry(*id).or_insert_with(|| {
                let slot = services.find(&member.name);
                let replicated = slot.and_then(|slot| slot.service.config.replicated.as_ref());
                let age_ms = replicated.map_or(u64::MAX, |it| {
                    u64::try_from(it.session_age.as_millis()).unwrap_or(u64::MAX)
                });
                let remembered_ms = age_ms.saturating_mul(REMEMBERED_AGES);
                (member.name.clone(), History::new(remembered_ms))
            });
            let (view, _, index) = member.group.committed();
            let injected = self.disk.injected();
            let is_lossy = injected.lost_writes + injected.misdirected_writes > 0;
            if is_lossy
                && index < history.through
                && self.unproven.get(id).is_some_and(|before| *before <= index)
            {
                // The disk lost the whole last batch, of which nothing else tells: the one loss that goes unnoticed, as the log says itself.
                self.report.found_damage = true;
                return Ok(());
            }
            let recovered = history.check_recovered(view, index);
            if recovered.is_err() && self.disk.is_down() {
                return Err(Stop::Ended);
            }
            recovered.map_err(|what| Stop::Violated(format!("{name}: {what}")))?;
            history.drop_from(index + 1);
        }
        let groups: Vec<(GroupId, u64)> = node
            .members
            .iter()
            .map(|(id, member)| (*id, member.group.committed().2))
            .collect();
        self.tell(|| format!("the host starts: {groups:?}"));
        self.node = Some(node);
        for (group, index) in groups {
            self.settle_history(group, index)?;
            self.step(group, crate::replica::event::Event::Tick)?;
        }
        Ok(())
    }

    pub(super) fn not_started(&mut self, error: &node::StartError) -> Step {
        self.tell(|| format!("the host does not start: {error}"));
        if self.disk.is_down() {
            return Err(Stop::Ended);
        }
        let injected = self.disk.injected();
        if injected.bit_flips + injected.lost_writes + injected.misdirected_writes > 0 {
            // Noticed, which is all that can be asked of one replica.
            self.report.found_damage = true;
            return Ok(());
        }
        if error.is_full() {
            self.soon(500_000, Happening::Start);
            return Ok(());
        }
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        violated(format!("the host does not start: {text}"))
    }
}
