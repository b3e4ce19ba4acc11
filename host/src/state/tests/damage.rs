//! Bits that flip, writes that get lost and writes that land elsewhere: noticed, or harmless, and never an answer.

use super::machine::{Machine, check_all};
use super::{FOLDER, Layer, fold, open, text, view, write};
use crate::os::BlockDisk;
use crate::simulation::disk::{Faults, SimDisk};
use crate::simulation::random::Random;
use crate::state::{GroupId, OpenError, ReadError, StoreError, check as check_store};
use expect_test::{Expect, expect};
use std::path::{Path, PathBuf};

fn path() -> PathBuf {
    Path::new(FOLDER).join("state.redb")
}

/// A closed store of two checkpoints, and what is in it.
fn filled(seed: u64) -> (SimDisk, String) {
    let disk = SimDisk::new(seed);
    let store = open(&disk).unwrap();
    let group = store.register("database").unwrap();
    for applied in 1..=2 {
        let pairs = (0..200).map(|key| write(&format!("key {key:03}"), &format!("{applied:0>90}")));
        store
            .fold(&[fold(group, applied, pairs.collect())])
            .unwrap();
    }
    let content = text(&view(&store, group));
    drop(store);
    (disk, content)
}

/// Opens a store of which something was changed. Either it says so, or nothing is missing.
fn opens_right(disk: &SimDisk, content: &str) -> bool {
    match open(disk) {
        // That redb panicked would be an accident that did no harm.
        Err(OpenError::Damaged { what, .. }) => {
            assert!(!what.contains("cannot be followed"), "{what}");
            false
        }
        Err(OpenError::NewerFormat { .. }) => false,
        Err(error) => panic!("{error}"),
        Ok(store) => {
            assert_eq!(store.groups()[0].applied, 2);
            assert_eq!(text(&view(&store, GroupId(0))), content);
            true
        }
    }
}

#[test]
fn a_bit_that_flips_anywhere_is_noticed_or_harmless() {
    let (disk, content) = filled(1);
    let original = disk.content(&path()).unwrap();
    let mut random = Random::new(1);
    let last = original.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    // Every bit of the two headers, and some of each page behind them.
    let headers = (0..1024 * 8).chain(4096 * 8..4416 * 8);
    let pages: Vec<u64> = (0..4000).map(|_| random.below(last * 8)).collect();
    let mut noticed = 0;
    for bit in headers.chain(pages) {
        let (disk, _) = restored(&original);
        assert!(disk.flip(&path(), bit / 8, 1 << (bit % 8)));
        noticed += u64::from(!opens_right(&disk, &content));
    }
    assert!(noticed > 1000, "only {noticed} flips were noticed");
}

/// A disk with these bytes as its store.
fn restored(bytes: &[u8]) -> (SimDisk, PathBuf) {
    let disk = SimDisk::new(1);
    disk.create_folder(Path::new(FOLDER)).unwrap();
    let file = disk.create(&path()).unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync().unwrap();
    disk.sync_folder(Path::new(FOLDER)).unwrap();
    (disk, path())
}

#[test]
fn a_bit_that_flips_under_an_open_store_is_noticed_when_it_is_read() {
    let (disk, content) = filled(1);
    let original = disk.content(&path()).unwrap();
    let last = original.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    let mut random = Random::new(2);
    let mut noticed = 0;
    for _ in 0..1000 {
        let (disk, path) = restored(&original);
        let store = open(&disk).unwrap();
        let before = view(&store, GroupId(0));
        disk.flip(
            &path,
            8192 + random.below(last - 8192),
            1 << random.below(8),
        );
        let read = before
            .scan(b"", None, false)
            .collect::<Result<Vec<_>, ReadError>>();
        match read {
            Ok(_) => assert_eq!(text(&before), content),
            Err(error) => {
                assert!(matches!(error, ReadError::Damaged { .. }), "{error}");
                let refused = store
                    .fold(&[fold(GroupId(0), 3, Layer::new())])
                    .unwrap_err();
                assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 10, "only {noticed} flips were noticed");
}

#[test]
fn random_faults_never_become_data() {
    let (mut noticed, mut survived) = (0, 0);
    for seed in 0..1500 {
        let mut machine = Machine::start(seed);
        let rate = [2, 20, 100][machine.random.below(3) as usize];
        machine.disk.set_faults(Faults {
            bit_flip: rate,
            lost_write: rate,
            misdirected_write: rate,
            ..Faults::default()
        });
        match history(&mut machine) {
            Ok(()) => survived += 1,
            Err(error) => {
                let is_noticed =
                    error.contains("is damaged") && !error.contains("cannot be followed");
                assert!(is_noticed, "seed {seed}: {error}");
                noticed += 1;
            }
        }
    }
    assert!(
        noticed > 300 && survived > 300,
        "{noticed} histories were ended by damage, {survived} were not"
    );
}

#[test]
fn a_read_that_fails_ends_the_store_until_it_is_opened_again() {
    let (disk, content) = filled(1);
    let store = open(&disk).unwrap();
    let before = view(&store, GroupId(0));
    disk.set_faults(Faults {
        failed_read: 1000,
        ..Faults::default()
    });
    let failed = before.get(b"key 007").unwrap_err();
    assert!(matches!(failed, ReadError::Failed { .. }), "{failed}");
    disk.set_faults(Faults::default());
    let still = before.get(b"key 007").unwrap_err();
    assert!(matches!(still, ReadError::Failed { .. }), "{still}");
    drop((store, before));
    assert!(opens_right(&disk, &content));
}

/// Applies, folds and loses power. Every read is compared with the model by the machine.
fn history(machine: &mut Machine) -> Result<(), String> {
    for _ in 0..12 {
        for _ in 0..machine.random.below(8) {
            machine.apply();
        }
        machine
            .check_somewhere()
            .map_err(|error| error.to_string())?;
        machine.freeze();
        machine.fold().map_err(|error| error.to_string())?;
        for replica in &machine.replicas {
            check_all(&replica.view, &replica.model).map_err(|error| error.to_string())?;
        }
        if machine.random.chance(400) {
            let acknowledged: Vec<u64> = machine
                .replicas
                .iter()
                .map(|replica| replica.folded)
                .collect();
            machine.close();
            machine.disk.crash();
            let found = machine.reopen().map_err(|error| error.to_string())?;
            let injected = machine.disk.injected();
            // Two faults may hide each other, a lost commit and a lost count of commits; that is said in the documentation.
            let faults = injected.bit_flips + injected.lost_writes + injected.misdirected_writes;
            assert!(
                found == acknowledged || faults > 1,
                "{acknowledged:?} was acknowledged, found {found:?} after {injected:?}"
            );
        }
    }
    Ok(())
}

#[track_caller]
fn check_refused(change: impl Fn(&mut Vec<u8>), expected: Expect) {
    let (disk, _) = filled(1);
    let mut bytes = disk.content(&path()).unwrap();
    change(&mut bytes);
    let (disk, _) = restored(&bytes);
    let error = open(&disk).map(drop).unwrap_err();
    expected.assert_eq(&error.to_string());
    let before = disk.content(&path());
    let same = check_store(&disk, Path::new(FOLDER)).unwrap_err();
    assert_eq!(same.to_string(), error.to_string());
    assert_eq!(disk.content(&path()), before, "a look at it changed it");
    // What is wrong stays wrong, however often it is opened.
    let again = open(&disk).map(drop).unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
}

#[test]
fn a_file_of_something_else_is_refused() {
    check_refused(
        |bytes| bytes[..4].copy_from_slice(b"junk"),
        expect![
            "state store alpha/state/state.redb is damaged: it does not begin like a state store; restore it from a peer or a copy"
        ],
    );
}

#[test]
fn a_newer_format_is_refused() {
    check_refused(
        |bytes| {
            bytes[16] = 2;
            let checksum = crc32c::crc32c(&bytes[..20]);
            bytes[20..24].copy_from_slice(&checksum.to_le_bytes());
        },
        expect![
            "state store alpha/state/state.redb has format 2, this program knows up to 1; use the newer program"
        ],
    );
}

#[test]
fn a_commit_that_was_acknowledged_and_is_gone_is_missed() {
    check_refused(
        |bytes| {
            let count = 9_u64.to_le_bytes();
            bytes[1024..1032].copy_from_slice(&count);
            bytes[1032..1036].copy_from_slice(&crc32c::crc32c(&count).to_le_bytes());
        },
        expect![
            "state store alpha/state/state.redb is damaged: it is as of commit 3, but commit 9 was acknowledged; restore it from a peer or a copy"
        ],
    );
}

#[test]
fn a_file_that_was_cut_is_refused() {
    check_refused(
        |bytes| bytes.truncate(100),
        expect![
            "state store alpha/state/state.redb is damaged: the file is too short; restore it from a peer or a copy"
        ],
    );
    check_refused(
        |bytes| bytes.truncate(40_000),
        expect![
            "state store alpha/state/state.redb is damaged: File length does not correspond to a valid region layout: file_len=35904; restore it from a peer or a copy"
        ],
    );
}

#[test]
fn a_file_that_was_cut_between_pages_is_refused() {
    let (disk, _) = filled(1);
    let bytes = disk.content(&path()).unwrap();
    for pages in 2..8 {
        let (disk, _) = restored(&bytes[..pages * 4096]);
        let error = open(&disk).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}

#[test]
fn an_empty_file_is_refused() {
    check_refused(
        |bytes| bytes.truncate(4096),
        expect![
            "state store alpha/state/state.redb is damaged: the file is too short; restore it from a peer or a copy"
        ],
    );
}
