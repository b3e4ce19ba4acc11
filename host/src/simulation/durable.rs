//! The log's thread and the checkpoints of the simulated host: what becomes durable, and when.

use super::run::Made;
use super::world::{Happening, Step, Stop, World, violated};
use crate::log::AppendError;
use crate::replica::event::Event;
use crate::state::{Fold, GroupId, StoreError};

impl World<'_> {
    pub(super) fn checkpoint(&mut self) -> Step {
        self.soon(400_000, Happening::Checkpoint);
        let Some(node) = &mut self.node else {
            return Ok(());
        };
        if node.is_folding {
            return Ok(());
        }
        let folds: Vec<Fold> = node.freeze(self.plan);
        if folds.is_empty() {
            return Ok(());
        }
        node.is_folding = true;
        let through: Vec<(GroupId, u64)> = folds
            .iter()
            .map(|fold| (fold.group, fold.applied))
            .collect();
        let folded = node.store.fold(&folds);
        let took = self.disk.take_elapsed();
        let is_done = match folded {
            Ok(()) => true,
            Err(StoreError::Full { .. }) => false,
            // The disk failed, or the machine has just ended.
            Err(_) => return Err(Stop::Ended),
        };
        self.tell(|| format!("checkpoint {through:?} {is_done}"));
        let at = self.now + took;
        self.at(at, self.life, Happening::Folded(through, is_done));
        Ok(())
    }

    pub(super) fn folded(&mut self, through: &[(GroupId, u64)], is_done: bool) -> Step {
        let Some(node) = &mut self.node else {
            return Ok(());
        };
        node.is_folding = false;
        for (group, index) in through {
            let Some(member) = node.members.get_mut(group) else {
                continue;
            };
            if !is_done {
                member.group.unfreeze();
                continue;
            }
            let base = node.store.base(*group).map_err(|_| Stop::Ended)?;
            member.group.folded(base);
            node.log.compact(group.0, *index);
        }
        self.report.checkpoints += u64::from(is_done);
        for (group, _) in through {
            self.publish(*group);
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Step {
        let Some(node) = &mut self.node else {
            return Ok(());
        };
        let durable: Vec<(GroupId, u64)> = std::mem::take(&mut node.touched).into_iter().collect();
        if node.log.sync().is_err() {
            return Err(Stop::Ended);
        }
        let took = self.disk.take_elapsed();
        let at = self.now + took;
        self.at(at, self.life, Happening::Synced(durable));
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        group: GroupId,
        index: u64,
        generation: u64,
        entry: &bytes::Bytes,
        made: Made,
    ) -> Step {
        let Made {
            command,
            cause,
            key,
            result,
        } = made;
        self.trace(&[u64::from(group.0), index, u64::from(crc32c::crc32c(entry))]);
        self.tell(|| format!("entry {index} of group {}: {cause}", group.0));
        let Some(node) = &mut self.node else {
            return Ok(());
        };
        if let Some(member) = node.members.get_mut(&group) {
            member.last = index;
            if let Some(pending) = command.and_then(|id| member.commands.get_mut(&id)) {
                pending.seen = index;
            }
        }
        if node.refusing.get(&group) == Some(&generation) {
            return Ok(());
        }
        let mut appended = node.log.append(group.0, index, entry);
        if appended == Err(AppendError::BatchFull) {
            // What the log's thread does then; those who wait for the batch hear of it with the next one.
            node.log.sync().map_err(|_| Stop::Ended)?;
            appended = node.log.append(group.0, index, entry);
        }
        match appended {
            Ok(()) => {}
            Err(AppendError::Full) => {
                node.refusing.insert(group, generation);
                self.report.refusals += 1;
                self.soon_alive(500, Happening::Refused(group, index, generation));
                return Ok(());
            }
            Err(AppendError::Failed | AppendError::BatchFull) => return Err(Stop::Ended),
            Err(error @ AppendError::TooLarge { .. }) => return violated(error.to_string()),
        }
        node.touched.insert(group, index);
        let is_first = !std::mem::replace(&mut node.is_syncing, true);
        if let Some((name, history)) = self.histories.get_mut(&group) {
            let name = name.clone();
            history
                .make(index, entry, cause, key, result)
                .map_err(|what| Stop::Violated(format!("{name}: {what}")))?;
        }
        if is_first {
            self.soon_alive(60, Happening::Sync);
        }
        Ok(())
    }

    pub(super) fn synced(&mut self, durable: &[(GroupId, u64)]) -> Step {
        if let Some(node) = &mut self.node {
            node.is_syncing = false;
            if node.log.maintain().is_err() {
                return Err(Stop::Ended);
            }
        }
        self.unproven.clear();
        for (group, index) in durable {
            if let Some((_, history)) = self.histories.get(group) {
                self.unproven.insert(*group, history.through);
            }
            self.settle_history(*group, *index)?;
            self.step(*group, Event::Committed(*index))?;
        }
        let node = self
            .node
            .as_mut()
            .filter(|node| !node.touched.is_empty() && !node.is_syncing);
        if let Some(node) = node {
            node.is_syncing = true;
            self.soon_alive(60, Happening::Sync);
        } else if self.random.chance(100)
            && let Some(node) = self.node.as_mut().filter(|node| node.touched.is_empty())
            && node.log.mark().is_err()
        {
            return Err(Stop::Ended);
        }
        Ok(())
    }

    pub(super) fn refused(&mut self, group: GroupId, index: u64, generation: u64) -> Step {
        self.tell(|| format!("no room for entry {index} of group {}", group.0));
        if let Some(member) = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group))
        {
            member.last = index - 1;
            for pending in member
                .commands
                .values_mut()
                .filter(|pending| pending.seen >= index)
            {
                // What it sees will never be; until it has run again there is nothing to tell.
                pending.looked = None;
                pending.seen = u64::MAX;
            }
        }
        self.step(group, Event::Refused { index, generation })
    }
}
