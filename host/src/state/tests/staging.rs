//! A state that leaves one host in pieces and arrives on another: it is there as a whole or not at all, and nothing of it stays behind.

use super::machine::{GROUPS, Machine, check_all};
use super::{FOLDER, Layer, Model, fold, open, text, view, write};
use crate::simulation::disk::{Faults, SimDisk};
use crate::simulation::random::Random;
use crate::state::{Base, GroupId, Staging, Store, StoreError, View};
use bytes::Bytes;
use std::cell::Cell;
use std::path::Path;

type Pairs = Vec<(Bytes, Bytes)>;

const APPLIED: u64 = 1000;

/// A state that another host sends: some keys that the receiver has, others that it has not, and values of several pages.
fn sent(pairs: u64) -> Pairs {
    let pair = |key: u64| {
        let bytes = if key.is_multiple_of(17) { 9_000 } else { 150 };
        let value = vec![b'a' + (key % 26) as u8; bytes];
        (format!("{key:04}").into(), value.into())
    };
    (0..pairs).map(|key| pair(key * 3)).collect()
}

fn as_view(pairs: &Pairs) -> View {
    let mut view = View::new(Base::empty());
    let writes = pairs.iter().cloned();
    view.apply(writes.map(|(key, value)| (key, Some(value))));
    view
}

fn hash(view: &View, applied: u64) -> [u8; 32] {
    let mut hash = view.hash(applied);
    loop {
        if let Some(hash) = hash.advance(7).unwrap() {
            return hash;
        }
    }
}

/// A receiver: two groups with a state of their own each, and the first of them is to be replaced.
fn receiver(disk: &SimDisk) -> (Store, [GroupId; 2]) {
    let store = open(disk).unwrap();
    let groups = GROUPS.map(|name| store.register(name).unwrap());
    let layer: Layer = (0..120)
        .map(|key| write(&format!("{key:04}"), &"old".repeat(30)))
        .collect();
    store
        .fold(&groups.map(|group| fold(group, 5, layer.clone())))
        .unwrap();
    (store, groups)
}

/// Sends `pairs` in pieces of random size, from where the receiver says that it is.
fn send(staging: &mut Staging, pairs: &Pairs, random: &mut Random) -> Result<(), StoreError> {
    let source = as_view(pairs);
    loop {
        let after = staging.resume_after();
        let bytes_max = random.below(20_000) as usize;
        let chunk = source.chunk(after.as_ref(), bytes_max).unwrap();
        staging.append(&chunk.pairs)?;
        if chunk.is_last {
            return Ok(());
        }
    }
}

fn sweep(store: &Store) -> Result<u64, StoreError> {
    let mut steps = 0;
    while store.sweep()? {
        steps += 1;
    }
    Ok(steps)
}

#[test]
fn an_installed_state_is_the_one_that_was_sent() {
    for seed in 0..300 {
        let mut source = Machine::start(seed);
        let mut target = Machine::start(seed + 1_000_000);
        for machine in [&mut source, &mut target] {
            for _ in 0..machine.random.below(80) {
                machine.apply();
                if machine.random.chance(100) {
                    machine.freeze();
                    machine.fold().unwrap();
                }
            }
            if machine.random.chance(500) {
                machine.freeze();
            }
        }
        let sender = &source.replicas[0];
        let applied = sender.log.len() as u64 + target.replicas[0].log.len() as u64;
        let before: Vec<(View, Model)> = target
            .replicas
            .iter()
            .map(|replica| (replica.view.clone(), replica.model.clone()))
            .collect();
        let mut staging = target.store.stage(target.replicas[0].group);
        loop {
            let after = staging.resume_after();
            let bytes_max = source.random.below(3_000) as usize;
            let chunk = sender.view.chunk(after.as_ref(), bytes_max).unwrap();
            staging.append(&chunk.pairs).unwrap();
            // What came before is harmless.
            staging.append(&chunk.pairs).unwrap();
            // Both groups go on meanwhile.
            target.apply();
            target.freeze();
            target.fold().unwrap();
            if chunk.is_last {
                break;
            }
        }
        let applied = applied + target.replicas[0].log.len() as u64;
        let base = staging.install(applied).unwrap();
        let again = staging.install(applied).unwrap();
        assert_eq!((base.applied(), again.applied()), (applied, applied));
        drop(staging);
        check_all(&View::new(base), &sender.model).unwrap();
        sweep(&target.store).unwrap();
        for (view, model) in &before {
            check_all(view, model).unwrap();
        }
        drop((before, again));
        target.close();
        target.disk.crash();
        let store = open(&target.disk).unwrap();
        let group = target.replicas[0].group;
        check_all(&view(&store, group), &sender.model).unwrap();
        assert_eq!(
            store.hash(group).unwrap(),
            hash(&sender.view, applied),
            "seed {seed}"
        );
        let other = &target.replicas[1];
        check_all(&view(&store, other.group), &other.history[&other.folded]).unwrap();
        assert!(!store.sweep().unwrap());
    }
}

#[test]
fn a_view_has_the_hash_of_what_it_will_be_in_the_store() {
    let mut machine = Machine::start(7);
    for _ in 0..20 {
        for _ in 0..20 {
            machine.apply();
        }
        machine.freeze();
        for _ in 0..5 {
            machine.apply();
        }
        let hashes: Vec<[u8; 32]> = machine
            .replicas
            .iter()
            .map(|replica| hash(&replica.view, replica.log.len() as u64))
            .collect();
        machine.fold().unwrap();
        machine.freeze();
        machine.fold().unwrap();
        for (replica, hash) in machine.replicas.iter().zip(&hashes) {
            assert_eq!(machine.store.hash(replica.group).unwrap(), *hash);
        }
    }
}

#[test]
fn a_chunk_has_a_pair_at_least_and_the_last_one_says_so() {
    let source = as_view(&sent(40));
    for bytes_max in [0, 1, 154, 500, 10_000, usize::MAX] {
        let (mut after, mut pairs) = (None, Pairs::new());
        loop {
            let chunk = source.chunk(after.as_ref(), bytes_max).unwrap();
            let bytes: usize = chunk
                .pairs
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum();
            assert!(chunk.pairs.len() == 1 || bytes <= bytes_max);
            after = chunk.pairs.last().map(|(key, _)| key.clone());
            pairs.extend(chunk.pairs);
            if chunk.is_last {
                break;
            }
        }
        assert_eq!(pairs, sent(40));
    }
    let empty = View::new(Base::empty()).chunk(None, 100).unwrap();
    assert!(empty.pairs.is_empty() && empty.is_last);
}

#[test]
fn an_empty_state_can_be_installed() {
    let disk = SimDisk::new(1);
    let (store, [group, other]) = receiver(&disk);
    let base = store.stage(group).install(9).unwrap();
    assert_eq!(text(&View::new(base)), "");
    sweep(&store).unwrap();
    drop(store);
    disk.crash();
    let store = open(&disk).unwrap();
    assert_eq!(text(&view(&store, group)), "");
    assert_ne!(text(&view(&store, other)), "");
    assert_eq!(store.groups()[0].applied, 9);
}

#[test]
#[should_panic(expected = "goes back")]
fn an_older_state_is_not_installed() {
    let (store, [group, _]) = receiver(&SimDisk::new(1));
    let _ = store.stage(group).install(4);
}

#[test]
fn what_was_given_up_or_replaced_is_freed() {
    let disk = SimDisk::new(1);
    let (store, [group, _]) = receiver(&disk);
    let mut random = Random::new(1);
    let path = Path::new(FOLDER).join("state.redb");
    let mut lengths = Vec::new();
    for round in 0..30 {
        let mut given_up = store.stage(group);
        send(&mut given_up, &sent(150), &mut random).unwrap();
        drop(given_up);
        let mut staging = store.stage(group);
        send(&mut staging, &sent(150), &mut random).unwrap();
        staging.install(APPLIED + round).unwrap();
        sweep(&store).unwrap();
        lengths.push(disk.content(&path).unwrap().len());
    }
    assert!(lengths[29] <= 2 * lengths[4], "it grows: {lengths:?}");
    // More than one step takes.
    let mut staging = store.stage(group);
    let small: Pairs = (0..12_000_u32)
        .map(|key| (key.to_be_bytes().to_vec().into(), Bytes::new()))
        .collect();
    staging.append(&small).unwrap();
    drop(staging);
    assert!(sweep(&store).unwrap() >= 2);
}

/// A state arrives and is installed, on a disk that may end at any time; how far it came.
fn receive(disk: &SimDisk, seed: u64, is_installed: &mut bool) -> Result<(), StoreError> {
    let Ok(store) = open(disk) else {
        return Ok(());
    };
    let group = store.groups()[0].id;
    sweep(&store)?;
    let mut staging = store.stage(group);
    send(&mut staging, &sent(60), &mut Random::new(seed))?;
    staging.install(APPLIED)?;
    *is_installed = true;
    sweep(&store)?;
    Ok(())
}

/// The first group has the old state or the new one, the other has what it had, and what nobody needs can be freed.
#[track_caller]
fn check_received(disk: &SimDisk, is_installed: bool, before: &str, seed: u64) {
    let store = open(disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let [first, second] = [0, 1].map(|at| store.groups()[at].clone());
    let found = text(&view(&store, first.id));
    match first.applied {
        5 => assert!(found == before && !is_installed, "seed {seed}"),
        APPLIED => assert_eq!(found, text(&as_view(&sent(60))), "seed {seed}"),
        other => panic!("seed {seed}: a state as of {other}"),
    }
    assert_eq!(second.applied, 5);
    assert_eq!(text(&view(&store, second.id)), before, "seed {seed}");
    sweep(&store).unwrap();
    assert_eq!(text(&view(&store, first.id)), found, "seed {seed}");
    drop(store);
    disk.crash();
    let store = open(disk).unwrap();
    assert!(!store.sweep().unwrap(), "seed {seed}: something is left");
    assert_eq!(text(&view(&store, first.id)), found, "seed {seed}");
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_state_or_the_new_one() {
    let whole = SimDisk::new(0);
    let (store, [group, _]) = receiver(&whole);
    let before = text(&view(&store, group));
    drop(store);
    let start = whole.operations();
    receive(&whole, 0, &mut false).unwrap();
    let operations = whole.operations() - start;
    let mut installed = 0;
    for operation in 0..operations {
        for seed in 0..3 {
            let seed = operation * 10 + seed;
            let disk = SimDisk::new(seed);
            drop(receiver(&disk));
            let mut random = Random::new(seed);
            disk.crash_after(operation);
            let mut is_installed = false;
            let _ = receive(&disk, 0, &mut is_installed);
            if random.chance(300) {
                disk.kill();
            } else {
                disk.crash();
            }
            installed += u64::from(is_installed);
            check_received(&disk, is_installed, &before, seed);
        }
    }
    assert!(
        installed > 20 && operations > 100,
        "{installed} of {operations}"
    );
}

#[test]
fn failed_syncs_leave_the_old_state_or_the_new_one() {
    let (store, [group, _]) = receiver(&SimDisk::new(0));
    let before = text(&view(&store, group));
    let mut failed_syncs = 0;
    for seed in 0..600 {
        let disk = SimDisk::new(seed);
        drop(receiver(&disk));
        let mut random = Random::new(seed);
        let mut is_installed = false;
        for _ in 0..3 {
            disk.set_faults(Faults {
                failed_sync: 40,
                ..Faults::default()
            });
            let _ = receive(&disk, seed, &mut is_installed);
            if random.chance(700) {
                disk.kill();
            } else {
                disk.crash();
            }
        }
        disk.set_faults(Faults::default());
        disk.crash();
        failed_syncs += disk.injected().failed_syncs;
        check_received(&disk, is_installed, &before, seed);
    }
    assert!(failed_syncs > 300, "only {failed_syncs} syncs failed");
}

#[test]
fn without_room_nothing_is_lost_and_the_same_calls_work_later() {
    let (mut refused_appends, mut refused_installs) = (0, 0);
    for seed in 0..400 {
        let disk = SimDisk::new(seed);
        let (store, [group, other]) = receiver(&disk);
        let before = text(&view(&store, group));
        let kept = view(&store, group);
        let mut random = Random::new(seed);
        let mut staging = store.stage(group);
        if seed % 2 == 0 {
            send(&mut staging, &sent(60), &mut random).unwrap();
        }
        disk.set_capacity(disk.used_bytes() + random.below(10) * 4096);
        let is_installing = Cell::new(false);
        let attempt = |staging: &mut Staging, random: &mut Random| {
            send(staging, &sent(60), random)?;
            is_installing.set(true);
            staging.install(APPLIED)
        };
        let mut is_done = false;
        for _ in 0..3 {
            match attempt(&mut staging, &mut random) {
                Ok(_) => is_done = true,
                Err(StoreError::Full { .. }) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
            assert_eq!(text(&kept), before, "seed {seed}");
        }
        match (is_done, is_installing.get()) {
            (false, false) => refused_appends += 1,
            (false, true) => refused_installs += 1,
            (true, _) => {}
        }
        assert_eq!(text(&view(&store, other)), before, "seed {seed}");
        if random.chance(500) {
            let is_given_up = random.chance(500);
            disk.set_capacity(u64::MAX);
            if is_given_up && !is_installing.get() {
                drop(staging);
                sweep(&store).unwrap();
                drop((store, kept));
                disk.crash();
                check_received(&disk, false, &before, seed);
                continue;
            }
            let base = attempt(&mut staging, &mut random).unwrap();
            assert_eq!(text(&View::new(base)), text(&as_view(&sent(60))));
            is_done = true;
        }
        drop((store, kept, staging));
        disk.crash();
        disk.set_capacity(u64::MAX);
        check_received(&disk, is_done, &before, seed);
    }
    assert!(
        refused_appends > 50 && refused_installs > 10,
        "{refused_appends} appends and {refused_installs} installs met a full disk"
    );
}

#[test]
fn damage_on_the_way_is_noticed_or_harmless() {
    let mut noticed = 0;
    let right = as_view(&sent(60));
    for seed in 0..400 {
        let disk = SimDisk::new(seed);
        let (store, [group, _]) = receiver(&disk);
        let before = text(&view(&store, group));
        disk.set_faults(Faults {
            bit_flip: 20,
            lost_write: 2,
            misdirected_write: 2,
            ..Faults::default()
        });
        let mut staging = store.stage(group);
        let sent = send(&mut staging, &sent(60), &mut Random::new(seed));
        let installed = sent.and_then(|()| staging.install(APPLIED).map(drop));
        disk.set_faults(Faults::default());
        drop((store, staging));
        disk.crash();
        let found = open(&disk).ok().and_then(|store| {
            let applied = store.groups()[0].applied;
            let hash = store.hash(group).ok()?;
            Some((applied, hash, text(&view(&store, group))))
        });
        match found {
            Some((APPLIED, found, _)) => assert_eq!(found, hash(&right, APPLIED), "seed {seed}"),
            Some((_, _, found)) => {
                let faults = disk.injected();
                let faults = faults.bit_flips + faults.lost_writes + faults.misdirected_writes;
                assert_eq!(found, before, "seed {seed}");
                assert!(installed.is_err() || faults > 1, "seed {seed}");
            }
            None => noticed += 1,
        }
    }
    assert!(noticed > 20, "only {noticed} were noticed");
}
