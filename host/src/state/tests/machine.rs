//! A host reduced to its state: groups that apply entries, checkpoint them, lose power and replay what was not folded.

use super::super::{Fold, GroupId, OpenError, ReadError, Store, StoreError, View};
use super::{Model, Writes, apply_to_model, open, random_writes};
use crate::simulation::disk::SimDisk;
use crate::simulation::random::Random;
use std::collections::BTreeMap;

pub(super) const GROUPS: [&str; 2] = ["order-queue", "database"];

/// A group: its view, and what it should be.
pub(super) struct Replica {
    pub(super) group: GroupId,
    pub(super) view: View,
    pub(super) model: Model,
    /// The state as of each index at which it was frozen.
    pub(super) history: BTreeMap<u64, Model>,
    /// All entries, from index 1: the log, which is not what is tested here.
    pub(super) log: Vec<Writes>,
    /// What is frozen, and the index up to which it goes.
    pub(super) frozen: Option<Fold>,
    /// The last index known to be in the store.
    pub(super) folded: u64,
}

pub(super) struct Machine {
    pub(super) disk: SimDisk,
    pub(super) random: Random,
    pub(super) store: Store,
    pub(super) replicas: Vec<Replica>,
}

impl Machine {
    pub(super) fn start(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let store = open(&disk).unwrap();
        let replicas = GROUPS.map(|name| {
            let group = store.register(name).unwrap();
            Replica {
                group,
                view: View::new(store.base(group).unwrap()),
                model: Model::new(),
                history: BTreeMap::from([(0, Model::new())]),
                log: Vec::new(),
                frozen: None,
                folded: 0,
            }
        });
        Self {
            disk,
            random: Random::new(seed ^ 0x5eed),
            store,
            replicas: replicas.into(),
        }
    }

    pub(super) fn apply(&mut self) {
        let chosen = self.random.below(self.replicas.len() as u64) as usize;
        let writes = random_writes(&mut self.random);
        let replica = &mut self.replicas[chosen];
        replica.view.apply(writes.clone());
        apply_to_model(&mut replica.model, &writes);
        replica.log.push(writes);
    }

    pub(super) fn freeze(&mut self) {
        for replica in &mut self.replicas {
            if replica.frozen.is_none() {
                let applied = replica.log.len() as u64;
                replica.history.insert(applied, replica.model.clone());
                replica.frozen = Some(Fold {
                    group: replica.group,
                    applied,
                    layer: replica.view.freeze(),
                });
            }
        }
    }

    /// Folds what is frozen; one error leaves everything as it was.
    pub(super) fn fold(&mut self) -> Result<(), StoreError> {
        let frozen = self
            .replicas
            .iter()
            .filter_map(|replica| replica.frozen.clone());
        let folds: Vec<Fold> = frozen.collect();
        self.store.fold(&folds)?;
        for replica in &mut self.replicas {
            if let Some(fold) = replica.frozen.take() {
                replica.folded = fold.applied;
                if let Ok(base) = self.store.base(replica.group) {
                    assert_eq!(base.applied(), fold.applied);
                    replica.view.folded(base);
                }
            }
        }
        Ok(())
    }

    /// Opens the store again. What it holds must be what some checkpoint held; then the rest of the log is replayed. Returns what each group had applied.
    pub(super) fn reopen(&mut self) -> Result<Vec<u64>, OpenError> {
        self.store = open(&self.disk)?;
        let groups = self.store.groups();
        for (replica, group) in self.replicas.iter_mut().zip(&groups) {
            assert_eq!(replica.group, group.id);
            let base = self.store.base(group.id)?;
            let model = &replica.history[&group.applied];
            replica.view = View::new(base);
            check_all(&replica.view, model)?;
            replica.folded = group.applied;
            replica.frozen = None;
            for writes in &replica.log[group.applied as usize..] {
                replica.view.apply(writes.clone());
            }
        }
        Ok(groups.iter().map(|group| group.applied).collect())
    }

    /// Forgets all handles, as a process that ends.
    pub(super) fn close(&mut self) {
        for replica in &mut self.replicas {
            replica.view = View::new(super::super::Base::empty());
        }
        // A store of another disk stands in until the next one is opened.
        self.store = open(&SimDisk::new(0)).unwrap();
    }

    /// Compares one group with its model at a random place.
    pub(super) fn check_somewhere(&mut self) -> Result<(), ReadError> {
        let chosen = self.random.below(self.replicas.len() as u64) as usize;
        let replica = &self.replicas[chosen];
        let key = format!("key {:02}", self.random.below(40));
        let found = replica.view.get(key.as_bytes())?;
        assert_eq!(
            found.as_deref(),
            replica.model.get(key.as_bytes()).map(Vec::as_slice)
        );
        let other = format!("key {:02}", self.random.below(40));
        let high = self.random.chance(700).then_some(other.as_bytes());
        let reverse = self.random.chance(500);
        let limit = self.random.below(12) as usize;
        check_range(
            &replica.view,
            &replica.model,
            key.as_bytes(),
            high,
            reverse,
            limit,
        )
    }
}

/// Compares everything.
pub(super) fn check_all(view: &View, model: &Model) -> Result<(), ReadError> {
    check_range(view, model, b"", None, false, usize::MAX)
}

fn check_range(
    view: &View,
    model: &Model,
    low: &[u8],
    high: Option<&[u8]>,
    reverse: bool,
    limit: usize,
) -> Result<(), ReadError> {
    let found = view
        .scan(low, high, reverse)
        .take(limit)
        .map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut expected: Vec<_> = model
        .iter()
        .filter(|(key, _)| key.as_slice() >= low && high.is_none_or(|high| key.as_slice() < high))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if reverse {
        expected.reverse();
    }
    expected.truncate(limit);
    assert_eq!(
        found, expected,
        "from {low:?} to {high:?}, reverse {reverse}"
    );
    Ok(())
}
