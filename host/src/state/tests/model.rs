//! Random histories without faults: whatever happens in between, views are what a plain map would be.

use super::Model;
use super::machine::{Machine, check_all};
use crate::state::View;

#[test]
fn views_equal_plain_maps_through_folds_crashes_full_disks_and_restarts() {
    let crashes: u64 = (0..2000).map(run).sum();
    assert!(
        crashes > 500,
        "only {crashes} crashes happened during folds"
    );
}

#[test]
fn a_seed_does_the_same_to_the_disk_every_time() {
    for seed in 0..50 {
        let trace = || {
            let mut machine = Machine::start(seed);
            play(&mut machine);
            machine.close();
            machine.disk.trace()
        };
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}

fn run(seed: u64) -> u64 {
    play(&mut Machine::start(seed))
}

/// One history; returns how many folds a crash cut short.
fn play(machine: &mut Machine) -> u64 {
    let mut kept: Vec<(View, Model)> = Vec::new();
    let mut crashes = 0;
    for _ in 0..40 {
        match machine.random.below(20) {
            0..=9 => machine.apply(),
            10..=12 => machine.check_somewhere().unwrap(),
            13 => {
                let replica = &machine.replicas[machine.random.below(2) as usize];
                kept.push((replica.view.clone(), replica.model.clone()));
            }
            14 => {
                if let Some((view, model)) = kept.pop() {
                    check_all(&view, &model).unwrap();
                }
            }
            15 => machine.freeze(),
            16 | 17 => {
                machine.freeze();
                machine.fold().unwrap();
            }
            18 => {
                kept.clear();
                machine.freeze();
                crashes += u64::from(crash_in_fold(machine));
            }
            _ => {
                kept.clear();
                machine.close();
                machine.reopen().unwrap();
            }
        }
        for (view, model) in &kept {
            check_all(view, model).unwrap();
        }
    }
    for replica in &machine.replicas {
        check_all(&replica.view, &replica.model).unwrap();
    }
    crashes
}

/// Power is lost somewhere in a fold, or just after. Either all groups have the new checkpoint, or none has; if the fold returned, all have.
fn crash_in_fold(machine: &mut Machine) -> bool {
    let before: Vec<u64> = machine
        .replicas
        .iter()
        .map(|replica| replica.folded)
        .collect();
    let after: Vec<u64> = machine
        .replicas
        .iter()
        .map(|replica| replica.frozen.as_ref().map_or(0, |fold| fold.applied))
        .collect();
    let operations = machine.random.below(30);
    machine.disk.crash_after(operations);
    let is_done = machine.fold().is_ok();
    machine.close();
    machine.disk.crash();
    let found = machine.reopen().unwrap();
    assert!(
        found == after || (!is_done && found == before),
        "from {before:?} to {after:?} was done: {is_done}, but found {found:?}"
    );
    !is_done
}
