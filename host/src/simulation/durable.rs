//! The log's thread and the checkpoints of simulated hosts: what becomes durable, and when.

use super::events::Local;
use super::invariants::durable::Change;
use super::plan::{AnyMutant, HostMutant};
use super::world::{Step, Stop, World, violated};
use crate::log::{AppendError, Log};
use crate::replica::member::{self, Input, Save};
use crate::state::{Fold, GroupId, StoreError};
use std::time::Duration;

/// When what found no room is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// When a replica hears that there is no room.
const TOLD: Duration = Duration::from_micros(100);
/// Bytes of a log that are kept for those who lag, at most. Few, so that states have to be sent.
const KEPT_BYTES: u64 = 6_000;

impl World<'_> {
    pub(super) fn checkpoint(&mut self, host: usize) -> Step {
        self.soon_on(host, 400_000, Local::Checkpoint);
        let plan = self.plan;
        let state = &mut self.hosts[host];
        let Some(node) = &mut state.node else {
            return Ok(());
        };
        if node.is_folding {
            return Ok(());
        }
        let folds: Vec<Fold> = node.freeze(plan);
        if folds.is_empty() {
            return Ok(());
        }
        node.is_folding = true;
        let through: Vec<(GroupId, u64)> = folds
            .iter()
            .map(|fold| (fold.group, fold.applied))
            .collect();
        let folded = node.store.fold(&folds);
        if folded.is_ok() {
            // What is left is freed the next time.
            drop(node.store.sweep());
        }
        let took = state.disk.take_elapsed();
        let is_done = match folded {
            Ok(()) => true,
            Err(StoreError::Full { .. }) => false,
            // The disk failed, or the machine has just ended.
            Err(_) => return Err(Stop::Ended),
        };
        self.tell_of(host, || format!("checkpoint {through:?} {is_done}"));
        self.alive(host, self.now + took, Local::Folded(through, is_done));
        Ok(())
    }

    pub(super) fn folded(
        &mut self,
        host: usize,
        through: &[(GroupId, u64)],
        is_done: bool,
    ) -> Step {
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        node.is_folding = false;
        for (group, index) in through {
            let kept = self.random.below(KEPT_BYTES);
            let Some(node) = &mut self.hosts[host].node else {
                return Ok(());
            };
            let Some(replica) = node.replicas.get_mut(group) else {
                continue;
            };
            if !is_done {
                replica.member.group_mut().unfreeze();
                continue;
            }
            let base = node.store.base(*group).map_err(|_| Stop::Ended)?;
            replica.member.group_mut().folded(base);
            self.compact(host, *group, *index, usize::try_from(kept).unwrap_or(0))?;
        }
        self.report.checkpoints += u64::from(is_done);
        for (group, _) in through {
            self.hosts[host].publish(*group);
            self.compare(host, *group)?;
            if self.hosts[host]
                .replica(*group)
                .is_some_and(|replica| replica.member.is_waiting())
            {
                self.turn(host, *group)?;
            }
        }
        self.retry(host)?;
        self.sync_soon(host);
        Ok(())
    }

    /// Compares a replica's state with what it was elsewhere.
    pub(super) fn compare(&mut self, host: usize, group: GroupId) -> Step {
        let state = &self.hosts[host];
        let (Some(replica), Some((name, history))) =
            (state.replica(group), self.histories.get(&group))
        else {
            return Ok(());
        };
        let (view, _, index) = replica.member.group().committed();
        match history.check_state(view, index) {
            Ok(()) => Ok(()),
            Err(_) if state.disk.is_down() => Err(Stop::Ended),
            Err(_) if state.is_damaged() => {
                self.report.found_damage = true;
                Err(Stop::Ended)
            }
            Err(what) => violated(format!("{name} on {}: {what}", self.names[host])),
        }
    }

    /// Everything up to an entry is in the state store: the log lets go of it.
    fn compact(&mut self, host: usize, group: GroupId, folded: u64, kept_bytes: usize) -> Step {
        let mutant = self.plan.mutant;
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        let Some(replica) = node.replicas.get_mut(&group) else {
            return Ok(());
        };
        let (through, record) = if mutant == Some(AnyMutant::Host(HostMutant::CompactBeyondFold)) {
            replica.member.compact(u64::MAX, 0)
        } else {
            replica.member.compact(folded, kept_bytes)
        };
        let mut changes = Changes { node };
        if changes.append(|log| log.set_state(group.0, &record))? {
            let node = changes.node;
            let replica = node.replicas.get_mut(&group);
            // As in the journal: records of saves that wait are older than this one.
            for save in replica.into_iter().flat_map(|replica| &mut replica.stuck) {
                save.identity = None;
            }
            if through > 1 {
                node.log.compact(group.0, through);
            }
        }
        Ok(())
    }

    /// A replica wants something to be kept.
    pub(super) fn save(&mut self, host: usize, group: GroupId, save: Save) -> Step {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        if !replica.stuck.is_empty() {
            replica.stuck.push_back(save);
            return Ok(());
        }
        if let Some(rest) = self.write(host, group, save)? {
            self.report.stuck += 1;
            if let Some(replica) = self.hosts[host].replica_mut(group) {
                replica.stuck.push_back(rest);
            }
            self.tell_of(host, || format!("no room for group {}", group.0));
            self.alive(host, self.now + TOLD, Local::Full(group, true));
            self.alive(host, self.now + RETRY, Local::Retry);
        }
        self.sync_soon(host);
        Ok(())
    }

    /// Tries again what found no room.
    pub(super) fn retry(&mut self, host: usize) -> Step {
        let groups: Vec<GroupId> = match &self.hosts[host].node {
            Some(node) => node.replicas.keys().copied().collect(),
            None => return Ok(()),
        };
        let mut is_stuck = false;
        for group in groups {
            let mut was_stuck = false;
            while let Some(replica) = self.hosts[host].replica_mut(group) {
                let Some(save) = replica.stuck.pop_front() else {
                    break;
                };
                was_stuck = true;
                if let Some(rest) = self.write(host, group, save)? {
                    if let Some(replica) = self.hosts[host].replica_mut(group) {
                        replica.stuck.push_front(rest);
                    }
                    (was_stuck, is_stuck) = (false, true);
                    break;
                }
            }
            if was_stuck {
                self.alive(host, self.now + TOLD, Local::Full(group, false));
            }
        }
        if is_stuck {
            self.alive(host, self.now + RETRY, Local::Retry);
        }
        self.sync_soon(host);
        Ok(())
    }

    fn sync_soon(&mut self, host: usize) {
        if let Some(node) = &mut self.hosts[host].node
            && !node.is_syncing
            && node.log.is_pending()
        {
            node.is_syncing = true;
            self.soon_alive(host, 60, Local::Sync);
        }
    }

    /// Writes a save to the log. Returns what there was no room for.
    fn write(&mut self, host: usize, group: GroupId, save: Save) -> Result<Option<Save>, Stop> {
        let mutant = self.plan.mutant;
        let durable = &mut self.invariants.durable;
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(None);
        };
        let Save {
            token,
            mut identity,
            mut restart,
            mut entries,
        } = save;
        if mutant == Some(AnyMutant::Host(HostMutant::TruncateLate))
            && let Some((first, _)) = entries.first()
            && node.log.last(group.0).is_some_and(|last| last >= *first)
        {
            entries.remove(0);
        }
        let replica = node
            .replicas
            .get(&group)
            .map_or(0, |replica| replica.member.id());
        let mut written = Change {
            group,
            replica,
            restart: None,
            entries: Vec::new(),
        };
        let mut changes = Changes { node };
        let mut entries = entries.into_iter().peekable();
        let is_whole = 'whole: {
            if let Some(record) = &identity
                && !changes.append(|log| log.set_state(group.0, record))?
            {
                break 'whole false;
            }
            identity = None;
            if let Some(through) = restart
                && !changes.append(|log| log.restart(group.0, through))?
            {
                break 'whole false;
            }
            written.restart = restart.take();
            while let Some((index, record)) = entries.peek() {
                if !changes.append(|log| log.append(group.0, *index, record))? {
                    break 'whole false;
                }
                // A batch that was full was synced at once: this may be durable earlier than is known, which is no harm.
                if let Some((index, record)) = entries.next() {
                    let entry = member::decode_record((index, record))
                        .map_err(|error| Stop::Violated(error.to_string()))?;
                    written.entries.push((index, entry.term));
                }
            }
            true
        };
        durable.orders(&written);
        let node = changes.node;
        node.changes.push(written);
        if is_whole {
            node.touched.insert(group, token);
            return Ok(None);
        }
        Ok(Some(Save {
            token,
            identity,
            restart,
            entries: entries.collect(),
        }))
    }

    /// Makes the batch durable.
    pub(super) fn flush(&mut self, host: usize) -> Step {
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        if node.log.sync().is_err() {
            return Err(Stop::Ended);
        }
        let changes = std::mem::take(&mut node.changes);
        self.invariants.durable.synced(&changes);
        if changes.iter().any(|change| !change.entries.is_empty()) {
            self.hosts[host].unproven.clear();
        }
        for change in changes {
            if let Some((first, _)) = change.entries.first() {
                let unproven = self.hosts[host].unproven.entry(change.group);
                let before = unproven.or_insert(first - 1);
                *before = (*before).min(first - 1);
            }
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, host: usize) -> Step {
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        let durable: Vec<(GroupId, u64)> = std::mem::take(&mut node.touched).into_iter().collect();
        self.flush(host)?;
        let took = self.hosts[host].disk.take_elapsed();
        self.alive(host, self.now + took, Local::Synced(durable));
        Ok(())
    }

    pub(super) fn synced(&mut self, host: usize, durable: &[(GroupId, u64)]) -> Step {
        if let Some(node) = &mut self.hosts[host].node {
            node.is_syncing = false;
            if node.log.maintain().is_err() {
                return Err(Stop::Ended);
            }
        }
        for (group, token) in durable {
            self.step(host, *group, Input::Persisted(*token))?;
        }
        self.sync_soon(host);
        if self.random.chance(100)
            && let Some(node) = &mut self.hosts[host].node
            && !node.log.is_pending()
            && node.log.mark().is_err()
        {
            return Err(Stop::Ended);
        }
        Ok(())
    }
}

/// The log of a host, with what was ordered of it.
struct Changes<'a> {
    node: &'a mut super::node::Node,
}

impl Changes<'_> {
    /// Appends one thing; false if there is no room for it.
    fn append(
        &mut self,
        mut append: impl FnMut(&mut Log) -> Result<(), AppendError>,
    ) -> Result<bool, Stop> {
        let mut appended = append(&mut self.node.log);
        if appended == Err(AppendError::BatchFull) {
            // What the log's thread does then; those who wait for the batch hear of it with the next one.
            self.node.log.sync().map_err(|_| Stop::Ended)?;
            appended = append(&mut self.node.log);
        }
        match appended {
            Ok(()) => Ok(true),
            Err(AppendError::Full) => Ok(false),
            Err(AppendError::Failed | AppendError::BatchFull) => Err(Stop::Ended),
            Err(error @ AppendError::TooLarge { .. }) => violated(error.to_string()),
        }
    }
}
