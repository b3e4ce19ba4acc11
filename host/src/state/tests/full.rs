//! A disk without room: nothing is lost, reading goes on, and with room everything goes on.

use super::machine::{Machine, check_all};
use super::{FOLDER, Layer, fold, open, text, view, write};
use crate::os::BlockDisk;
use crate::simulation::disk::SimDisk;
use crate::state::{OpenError, StoreError};
use bytes::Bytes;
use std::path::Path;

const BLOCK_BYTES: u64 = 4096;

#[test]
fn a_fold_without_room_changes_nothing_and_works_later() {
    let mut refused = 0;
    for seed in 0..600 {
        let mut machine = Machine::start(seed);
        for _ in 0..30 {
            machine.apply();
        }
        machine.freeze();
        machine.fold().unwrap();
        let kept = machine.replicas[0].view.clone();
        let kept_model = machine.replicas[0].model.clone();
        for _ in 0..60 {
            machine.apply();
        }
        machine.freeze();
        let room = machine.random.below(25) * BLOCK_BYTES;
        machine.disk.set_capacity(machine.disk.used_bytes() + room);
        for _ in 0..3 {
            match machine.fold() {
                Ok(()) => break,
                Err(StoreError::Full { .. }) => refused += 1,
                Err(error) => panic!("seed {seed}: {error}"),
            }
            machine.apply();
            for replica in &machine.replicas {
                check_all(&replica.view, &replica.model).unwrap();
            }
            check_all(&kept, &kept_model).unwrap();
        }
        let folded: Vec<u64> = machine
            .replicas
            .iter()
            .map(|replica| replica.folded)
            .collect();
        let attempted: Vec<u64> = machine
            .replicas
            .iter()
            .map(|replica| {
                replica
                    .frozen
                    .as_ref()
                    .map_or(replica.folded, |fold| fold.applied)
            })
            .collect();
        // What was refused may have become durable all the same, but then all of it.
        let check_found = |found: Vec<u64>| {
            assert!(
                found == folded || found == attempted,
                "seed {seed}: from {folded:?} to {attempted:?}, found {found:?}"
            );
        };
        match machine.random.below(4) {
            // Power is lost while there is no room.
            0 => {
                machine.close();
                machine.disk.crash();
                check_found(machine.reopen().unwrap());
            }
            // Power is lost while what had no room is being written.
            1 => {
                machine.disk.set_capacity(u64::MAX);
                let operations = machine.random.below(60);
                machine.disk.crash_after(operations);
                let _ = machine.fold();
                machine.close();
                machine.disk.crash();
                check_found(machine.reopen().unwrap());
            }
            // The process ends while there is no room.
            2 => {
                machine.close();
                check_found(machine.reopen().unwrap());
            }
            _ => {}
        }
        machine.disk.set_capacity(u64::MAX);
        // What was frozen before, and what came since.
        for _ in 0..2 {
            machine.freeze();
            machine.fold().unwrap();
        }
        machine.close();
        machine.disk.crash();
        machine.reopen().unwrap();
        for replica in &machine.replicas {
            assert_eq!(replica.folded, replica.log.len() as u64, "seed {seed}");
            check_all(&replica.view, &replica.model).unwrap();
        }
    }
    assert!(refused > 300, "only {refused} folds met a full disk");
}

/// Larger than what redb gathers before it writes, so there is no room long before the commit.
#[test]
fn a_large_fold_without_room_is_given_up() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let group = store.register("database").unwrap();
    store
        .fold(&[fold(group, 1, [write("a", "1")].into_iter().collect())])
        .unwrap();
    let large: Layer = (0..40_u8)
        .map(|key| {
            (
                Bytes::from(vec![key]),
                Some(Bytes::from(vec![key; 1 << 20])),
            )
        })
        .collect();
    disk.set_capacity(disk.used_bytes() + (4 << 20));
    let refused = store.fold(&[fold(group, 2, large.clone())]).unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert_eq!(text(&view(&store, group)), "a=1");
    assert_eq!(store.groups()[0].applied, 1);
    disk.set_capacity(u64::MAX);
    store.fold(&[fold(group, 2, large)]).unwrap();
    drop(store);
    disk.crash();
    let store = open(&disk).unwrap();
    assert_eq!(store.groups()[0].applied, 2);
    assert_eq!(
        view(&store, group).get(&[39]).unwrap().unwrap(),
        vec![39; 1 << 20]
    );
}

#[test]
fn a_group_is_not_added_without_room() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    disk.set_capacity(0);
    let refused = store.register("database").unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(store.groups().is_empty());
    disk.set_capacity(u64::MAX);
    let group = store.register("database").unwrap();
    drop(store);
    disk.crash();
    assert_eq!(open(&disk).unwrap().groups()[0].id, group);
}

#[test]
fn a_store_needs_room_to_be_made_but_not_to_be_opened() {
    let disk = SimDisk::new(1);
    for blocks in 0..8 {
        disk.set_capacity(blocks * BLOCK_BYTES);
        if let Err(error) = open(&disk) {
            assert!(matches!(error, OpenError::Full { .. }), "{error}");
        }
    }
    disk.set_capacity(u64::MAX);
    let store = open(&disk).unwrap();
    let group = store.register("database").unwrap();
    store
        .fold(&[fold(group, 1, [write("a", "1")].into_iter().collect())])
        .unwrap();
    disk.kill();
    drop(store);
    disk.set_capacity(0);
    let store = open(&disk).unwrap();
    assert_eq!(text(&view(&store, group)), "a=1");
    assert!(!disk.list(Path::new(FOLDER)).unwrap().is_empty());
}

#[test]
fn there_are_at_most_4096_groups() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    for number in 0..crate::state::store::GROUPS_MAX {
        store.register(&number.to_string()).unwrap();
    }
    let refused = store.register("one more").unwrap_err();
    assert!(
        matches!(refused, StoreError::TooManyGroups { .. }),
        "{refused}"
    );
    store.register("7").unwrap();
}
