//! What a replica's log was said to have on the disk is still there after whatever end of its host; nothing counts as committed that is not on the
//! disks of a majority, and nothing is applied by a replica whose own disk does not have it.

use crate::replica::wit::Members;
use crate::state::GroupId;
use std::collections::BTreeMap;

/// Indexes and terms of a log.
pub type Terms = BTreeMap<u64, u64>;

/// A change of a log.
#[derive(Debug, Clone)]
pub struct Change {
    /// The group.
    pub group: GroupId,
    /// The number of its replica.
    pub replica: u64,
    /// Everything is dropped, and this is as if it were there.
    pub restart: Option<u64>,
    /// Entries with their terms. The first takes the place of those from its index on.
    pub entries: Vec<(u64, u64)>,
}

impl Change {
    /// Makes the change.
    pub fn apply(&self, terms: &mut Terms) {
        if self.restart.is_some() {
            terms.clear();
        }
        if let Some((first, _)) = self.entries.first() {
            drop(terms.split_off(first));
        }
        terms.extend(self.entries.iter().copied());
    }

    fn first(&self) -> Option<u64> {
        let first = self.entries.first().map(|(index, _)| *index);
        if self.restart.is_some() {
            Some(0)
        } else {
            first
        }
    }
}

#[derive(Default)]
struct Disk {
    terms: Terms,
    /// Everything up to here is in the state store.
    start: u64,
    /// From here on the disk may have what was not synced yet.
    uncertain: Option<u64>,
}

/// The logs of all replicas, as far as they were synced.
#[derive(Default)]
pub struct Durable(BTreeMap<(GroupId, u64), Disk>);

impl Durable {
    fn disk(&mut self, group: GroupId, replica: u64) -> &mut Disk {
        self.0.entry((group, replica)).or_default()
    }

    /// A change is on its way to the disk.
    pub fn orders(&mut self, change: &Change) {
        let disk = self.disk(change.group, change.replica);
        let first = change.first();
        disk.uncertain = [disk.uncertain, first].into_iter().flatten().min();
    }

    /// A state is put in the place of what a log leads to: a start may drop all of that.
    pub fn may_restart(&mut self, group: GroupId, replica: u64) {
        self.disk(group, replica).uncertain = Some(0);
    }

    /// Changes were synced, all that were ordered.
    pub fn synced(&mut self, changes: &[Change]) {
        for change in changes {
            let disk = self.disk(change.group, change.replica);
            change.apply(&mut disk.terms);
            disk.start = disk.start.max(change.restart.unwrap_or(0));
            disk.uncertain = None;
        }
    }

    /// The first entry that a host has lost, if it has, of what its disk had to have.
    #[must_use]
    pub fn lost(&self, group: GroupId, replica: u64, start: u64, found: &Terms) -> Option<u64> {
        let disk = self.0.get(&(group, replica))?;
        let certain = disk.uncertain.unwrap_or(u64::MAX);
        let mut kept = disk.terms.range(start + 1..);
        let lost = kept.find(|(index, term)| **index < certain && found.get(index) != Some(term));
        lost.map(|(index, _)| *index)
    }

    /// A host starts with this.
    pub fn found(&mut self, group: GroupId, replica: u64, start: u64, found: &Terms) {
        let disk = self.disk(group, replica);
        disk.terms.clone_from(found);
        disk.start = disk.start.max(start);
        disk.uncertain = None;
    }

    fn has(&self, group: GroupId, replica: u64, index: u64, term: u64) -> bool {
        let disk = self.0.get(&(group, replica));
        disk.is_some_and(|disk| disk.start >= index || disk.terms.get(&index) == Some(&term))
    }

    /// A replica applies an entry.
    ///
    /// # Errors
    /// Its disk does not have it.
    pub fn applies(
        &self,
        group: GroupId,
        replica: u64,
        index: u64,
        term: u64,
    ) -> Result<(), String> {
        if self.has(group, replica, index, term) {
            return Ok(());
        }
        Err(format!(
            "replica {replica} of group {} applies entry {index} of term {term}, which is not on its disk",
            group.0
        ))
    }

    /// An entry counts as committed, for the first time.
    ///
    /// # Errors
    /// It is not on the disks of a majority; of both, while the members change.
    pub fn commits(
        &self,
        group: GroupId,
        members: &Members,
        index: u64,
        term: u64,
    ) -> Result<(), String> {
        for voters in [&members.voters, &members.outgoing] {
            let has = |replica: &&u64| self.has(group, **replica, index, term);
            let having = voters.iter().filter(has).count();
            if having * 2 <= voters.len() && !voters.is_empty() {
                return Err(format!(
                    "entry {index} of term {term} of group {} counts as committed with {having} of {} disks",
                    group.0,
                    voters.len()
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId(0);

    fn change(replica: u64, entries: &[(u64, u64)]) -> Change {
        Change {
            group: GROUP,
            replica,
            restart: None,
            entries: entries.to_vec(),
        }
    }

    #[test]
    fn what_was_synced_must_be_found_and_what_was_not_may_be() {
        let mut durable = Durable::default();
        let first = change(1, &[(2, 1), (3, 1), (4, 1)]);
        durable.orders(&first);
        durable.synced(&[first]);
        let lost = |durable: &Durable, start, found: &[(u64, u64)]| {
            durable.lost(GROUP, 1, start, &found.iter().copied().collect())
        };
        assert_eq!(lost(&durable, 1, &[(2, 1), (3, 1), (4, 1)]), None);
        assert_eq!(lost(&durable, 1, &[(2, 1), (3, 1)]), Some(4));
        assert_eq!(lost(&durable, 4, &[]), None);
        durable.orders(&change(1, &[(3, 2)]));
        assert_eq!(lost(&durable, 1, &[(2, 1), (3, 2)]), None);
        assert_eq!(lost(&durable, 1, &[(3, 2)]), Some(2));
    }

    #[test]
    fn a_majority_is_more_than_half_of_each_kind() {
        let mut durable = Durable::default();
        let mut members = crate::replica::roster::Roster::empty().members;
        members.voters = vec![1, 2, 3];
        durable.synced(&[change(1, &[(2, 1)])]);
        assert!(durable.commits(GROUP, &members, 2, 1).is_err());
        durable.synced(&[change(2, &[(2, 2)])]);
        assert!(durable.commits(GROUP, &members, 2, 1).is_err());
        durable.synced(&[change(3, &[(2, 1)])]);
        assert!(durable.commits(GROUP, &members, 2, 1).is_ok());
        assert!(durable.applies(GROUP, 2, 2, 1).is_err());
        members.outgoing = vec![1, 2, 4];
        assert!(durable.commits(GROUP, &members, 2, 1).is_err());
    }
}
