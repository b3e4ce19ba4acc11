//! Power is lost before each operation on the disk in turn: what was acknowledged is there, and no checkpoint is there in part.

use super::machine::GROUPS;
use super::{FOLDER, Layer, View, fold, open, text, view, write};
use crate::os::BlockDisk;
use crate::simulation::disk::SimDisk;
use crate::simulation::random::Random;
use crate::state::Base;
use std::error::Error;
use std::path::Path;

const CHECKPOINTS: u64 = 4;

/// A checkpoint changes some keys, adds some and deletes some, in pages that the one before wrote.
fn layer(checkpoint: u64) -> Layer {
    let changed = (0..60).filter(|key| key % 3 != checkpoint % 3);
    let deleted = (0..60).filter(|key| key % 7 == checkpoint % 7);
    changed
        .map(|key| write(&format!("{key:02}"), &format!("{checkpoint:0>200}")))
        .chain(deleted.map(|key| (format!("{key:02}").into(), None)))
        .collect()
}

/// What is in the store as of each checkpoint.
fn expected() -> Vec<String> {
    let disk = SimDisk::new(0);
    let store = open(&disk).unwrap();
    let group = store.register(GROUPS[0]).unwrap();
    let mut states = vec![String::new()];
    for checkpoint in 1..=CHECKPOINTS {
        store
            .fold(&[fold(group, checkpoint, layer(checkpoint))])
            .unwrap();
        states.push(text(&view(&store, group)));
    }
    states
}

/// Makes a store, checkpoints, restarts half way. `acknowledged` counts registrations, then checkpoints.
fn run(disk: &SimDisk, acknowledged: &mut u64) -> Result<(), Box<dyn Error>> {
    let mut store = open(disk)?;
    let groups = [store.register(GROUPS[0])?, store.register(GROUPS[1])?];
    *acknowledged = 1;
    for checkpoint in 1..=CHECKPOINTS {
        if checkpoint == 3 {
            drop(store);
            store = open(disk)?;
        }
        let folds = groups.map(|group| fold(group, checkpoint, layer(checkpoint)));
        store.fold(&folds)?;
        *acknowledged = 1 + checkpoint;
    }
    Ok(())
}

#[track_caller]
fn check(disk: &SimDisk, acknowledged: u64, states: &[String]) {
    let store = open(disk).unwrap();
    let groups = store.groups();
    if acknowledged > 0 {
        assert_eq!(groups.len(), GROUPS.len());
    }
    let applied = groups.first().map_or(0, |group| group.applied);
    assert!(
        (applied..=applied + 1).contains(&acknowledged),
        "{acknowledged} steps were acknowledged, and the store has checkpoint {applied}"
    );
    for group in groups {
        assert_eq!(group.applied, applied, "of {}", group.name);
        assert_eq!(text(&view(&store, group.id)), states[applied as usize]);
    }
}

#[test]
fn a_crash_at_any_operation_leaves_a_whole_checkpoint() {
    let states = expected();
    let whole = SimDisk::new(0);
    run(&whole, &mut 0).unwrap();
    for operations in 0..whole.operations() {
        for seed in 0..6 {
            let mut random = Random::new(seed * 1_000_003 + operations);
            let disk = SimDisk::new(random.next());
            disk.crash_after(operations);
            let mut acknowledged = 0;
            run(&disk, &mut acknowledged).unwrap_err();
            disk.crash();
            // Coming back is not safe either.
            for _ in 0..random.below(3) {
                disk.crash_after(random.below(40));
                let _ = open(&disk);
                disk.crash();
            }
            check(&disk, acknowledged, &states);
        }
    }
}

#[test]
fn a_store_that_was_never_finished_is_made_again() {
    let disk = SimDisk::new(1);
    disk.create_folder(Path::new(FOLDER)).unwrap();
    disk.create(&Path::new(FOLDER).join("state.redb.new"))
        .unwrap();
    assert!(open(&disk).unwrap().groups().is_empty());
}

#[test]
fn a_failed_sync_ends_the_store_until_it_is_opened_again() {
    let states = expected();
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let mut acknowledged = 0;
        disk.set_faults(crate::simulation::disk::Faults {
            failed_sync: 60,
            ..Default::default()
        });
        let _ = run(&disk, &mut acknowledged);
        disk.set_faults(Default::default());
        disk.crash();
        check(&disk, acknowledged, &states);
    }
}

#[test]
fn closing_writes_nothing() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let base = store.base(store.register(GROUPS[0]).unwrap()).unwrap();
    let operations = disk.operations();
    drop(store);
    drop(base);
    assert_eq!(disk.operations(), operations);
}

#[test]
fn after_a_failed_sync_nothing_is_written() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let group = store.register(GROUPS[0]).unwrap();
    disk.set_faults(crate::simulation::disk::Faults {
        failed_sync: 1000,
        ..Default::default()
    });
    let failed = store.fold(&[fold(group, 1, layer(1))]).unwrap_err();
    assert!(
        failed.to_string().contains("cannot write state store"),
        "{failed}"
    );
    disk.set_faults(Default::default());
    let before = disk.content(&Path::new(FOLDER).join("state.redb"));
    let again = store.fold(&[fold(group, 1, layer(1))]).unwrap_err();
    assert!(
        matches!(again, crate::state::StoreError::Failed { .. }),
        "{again}"
    );
    drop(store);
    assert_eq!(disk.content(&Path::new(FOLDER).join("state.redb")), before);
}

/// One life of a process: it opens what is there and makes checkpoints, one more each time, until a sync fails or it has made a few.
fn live(disk: &SimDisk, random: &mut Random, acknowledged: &mut u64) -> Result<(), Box<dyn Error>> {
    let store = open(disk)?;
    let groups = [store.register(GROUPS[0])?, store.register(GROUPS[1])?];
    *acknowledged = (*acknowledged).max(1);
    for _ in 0..random.below(4) {
        let checkpoint = store.groups()[0].applied + 1;
        let folds = groups.map(|group| fold(group, checkpoint, layer(checkpoint % CHECKPOINTS)));
        store.fold(&folds)?;
        *acknowledged = 1 + checkpoint;
    }
    Ok(())
}

/// A process that comes after one whose sync failed, on the same machine, reads what is in the system's memory only.
#[test]
fn what_a_failed_sync_left_in_memory_is_nothing_to_build_on() {
    let mut failed_syncs = 0;
    for seed in 0..3000 {
        let disk = SimDisk::new(seed);
        let mut random = Random::new(seed ^ 0xfa11);
        let mut acknowledged = 0;
        for _ in 0..=random.below(6) {
            disk.set_faults(crate::simulation::disk::Faults {
                failed_sync: 100,
                ..Default::default()
            });
            let _ = live(&disk, &mut random, &mut acknowledged);
            if random.chance(300) {
                disk.crash();
            } else {
                disk.kill();
            }
        }
        disk.set_faults(Default::default());
        failed_syncs += disk.injected().failed_syncs;
        disk.crash();
        let store = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let groups = store.groups();
        let applied = groups.first().map_or(0, |group| group.applied);
        assert!(
            acknowledged <= 1 + applied && (acknowledged == 0 || groups.len() == GROUPS.len()),
            "seed {seed}: {acknowledged} steps were acknowledged, and the store has {groups:?}"
        );
        for group in groups {
            assert_eq!(group.applied, applied, "seed {seed}: of {}", group.name);
            let mut expected = View::new(Base::empty());
            expected.apply((1..=applied).flat_map(|checkpoint| layer(checkpoint % CHECKPOINTS)));
            assert_eq!(
                text(&view(&store, group.id)),
                text(&expected),
                "seed {seed}"
            );
        }
    }
    assert!(failed_syncs > 2000, "only {failed_syncs} syncs failed");
}
