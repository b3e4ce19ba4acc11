//! The simulated disk forgets and lies as it should.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::*;

const FILE: &str = "data/file";

fn disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_folder(Path::new("data")).unwrap();
    disk
}

/// A file of three sectors of `a`, synced, over which `b` is written.
fn overwritten(seed: u64) -> (SimDisk, Arc<dyn BlockFile>) {
    let disk = disk(seed);
    let file = disk.create(Path::new(FILE)).unwrap();
    disk.sync_folder(Path::new("data")).unwrap();
    file.write_at(0, &[b'a'; 3 * SECTOR_BYTES]).unwrap();
    file.sync().unwrap();
    file.write_at(0, &[b'b'; 3 * SECTOR_BYTES]).unwrap();
    (disk, file)
}

/// The first byte of each sector, all of whose bytes are the same.
fn sectors(disk: &SimDisk) -> String {
    let content = disk.content(Path::new(FILE)).unwrap();
    let sectors = content.chunks(SECTOR_BYTES).map(|sector| {
        assert!(sector.iter().all(|byte| byte == &sector[0]));
        char::from(sector[0])
    });
    sectors.collect()
}

#[test]
fn a_crash_leaves_any_sectors_of_what_was_not_synced() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (disk, file) = overwritten(seed);
        disk.crash();
        seen.insert(sectors(&disk));
        assert!(file.sync().is_err(), "handles end with a crash");
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn what_was_synced_or_written_before_the_process_ended_stays() {
    for seed in 0..20 {
        let (disk, file) = overwritten(seed);
        disk.kill();
        assert!(file.sync().is_err());
        assert_eq!(sectors(&disk), "bbb");
        disk.open(Path::new(FILE)).unwrap().sync().unwrap();
        disk.crash();
        assert_eq!(sectors(&disk), "bbb");
    }
}

#[test]
fn names_are_durable_once_their_folder_is_synced() {
    let (old, new) = (Path::new("data/old"), Path::new("data/new"));
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = disk(seed);
        disk.create(old).unwrap();
        if seed % 2 == 0 {
            disk.sync_folder(Path::new("data")).unwrap();
        }
        disk.rename(old, new).unwrap();
        disk.crash();
        let names = disk.list(Path::new("data")).unwrap();
        assert!(names.len() <= 1, "a rename is never half done");
        assert!(seed % 2 == 1 || names.len() == 1);
        seen.insert(names);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn faults_happen_when_they_are_configured() {
    let (disk, file) = overwritten(1);
    let none = Faults::default();
    let set = |faults| disk.set_faults(faults);
    set(Faults {
        failed_sync: 1000,
        ..none
    });
    assert!(file.sync().is_err());
    set(Faults {
        failed_read: 1000,
        ..none
    });
    assert!(file.read_at(0, &mut [0]).is_err());
    set(Faults {
        lost_write: 1000,
        ..none
    });
    file.write_at(0, &[b'c'; SECTOR_BYTES]).unwrap();
    file.sync().unwrap();
    assert!(sectors(&disk).starts_with('c'), "until memory is gone");
    disk.crash();
    assert!(!sectors(&disk).contains('c'));
    let file = disk.open(Path::new(FILE)).unwrap();
    set(Faults {
        misdirected_write: 1000,
        ..none
    });
    file.write_at(0, &[b'd'; SECTOR_BYTES]).unwrap();
    file.sync().unwrap();
    set(Faults {
        bit_flip: 1000,
        ..none
    });
    file.sync().unwrap();
    let injected = disk.injected();
    assert_eq!((injected.failed_syncs, injected.failed_reads), (1, 1));
    assert_eq!((injected.lost_writes, injected.misdirected_writes), (1, 1));
    assert_eq!((injected.bit_flips, injected.crashes), (1, 1));
}

#[test]
fn a_full_disk_refuses_and_has_room_again() {
    let disk = disk(1);
    let file = disk.create(Path::new(FILE)).unwrap();
    disk.set_capacity(8192);
    let refused = file.allocate(12_288).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    let refused = file.write_at(8192, b"x").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    file.write_at(0, b"what has room can be written").unwrap();
    file.set_len(0).unwrap();
    file.write_at(8188, b"four").unwrap();
    disk.set_capacity(u64::MAX);
    file.allocate(12_288).unwrap();
}

#[test]
fn nothing_works_from_the_chosen_operation_until_the_crash() {
    let (disk, file) = overwritten(1);
    disk.crash_after(1);
    file.write_at(0, b"x").unwrap();
    assert!(file.sync().is_err());
    assert!(disk.list(Path::new("data")).is_err());
    disk.crash();
    assert!(disk.open(Path::new(FILE)).is_ok());
}

#[test]
fn time_passes_only_on_paper() {
    let (disk, file) = overwritten(1);
    assert!(disk.take_elapsed() > Duration::ZERO);
    assert_eq!(disk.take_elapsed(), Duration::ZERO);
    file.sync().unwrap();
    assert!(disk.take_elapsed() >= Duration::from_micros(cost::SYNC_US));
}

#[test]
fn equal_work_leaves_an_equal_trace() {
    assert_eq!(overwritten(1).0.trace(), overwritten(1).0.trace());
    let (disk, file) = overwritten(1);
    file.write_at(0, b"more").unwrap();
    assert_ne!(disk.trace(), overwritten(1).0.trace());
}
