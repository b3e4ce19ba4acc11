//! The file as redb sees it: what found no room reaches the disk in the order of its syncs.

use crate::os::BlockDisk;
use crate::simulation::disk::SimDisk;
use crate::state::identity::IDENTITY_BYTES;
use crate::state::pages::{BLOCK_BYTES, Pages};
use redb::StorageBackend;
use std::path::Path;

const BLOCK: u64 = BLOCK_BYTES as u64;

fn pages(disk: &SimDisk) -> Pages {
    Pages::new(disk.open(Path::new("state")).unwrap()).unwrap()
}

/// A file of four blocks of which the first has room, on a disk that has no more.
fn full_disk(seed: u64) -> (SimDisk, Pages) {
    let disk = SimDisk::new(seed);
    disk.create(Path::new("state")).unwrap();
    disk.sync_folder(Path::new("")).unwrap();
    let file = disk.open(Path::new("state")).unwrap();
    file.write_at(0, &vec![0; IDENTITY_BYTES as usize]).unwrap();
    let pages = pages(&disk);
    pages.set_len(4 * BLOCK).unwrap();
    pages.write(0, &[1; BLOCK_BYTES]).unwrap();
    pages.sync_data().unwrap();
    disk.set_capacity(0);
    (disk, pages)
}

/// The first byte of each block.
fn bytes(pages: &Pages) -> Vec<u8> {
    let read = |block| {
        let mut bytes = [0; BLOCK_BYTES];
        pages.read(block * BLOCK, &mut bytes).unwrap();
        bytes[0]
    };
    (0..pages.len().unwrap() / BLOCK).map(read).collect()
}

#[test]
fn what_found_no_room_is_read_and_arrives_later() {
    let (disk, pages) = full_disk(1);
    pages.write(BLOCK, &[2; BLOCK_BYTES]).unwrap();
    pages.write(0, &[3; BLOCK_BYTES]).unwrap();
    pages.sync_data().unwrap();
    assert!(pages.is_stashing() && pages.settle().is_err());
    assert_eq!(bytes(&pages), [3, 2, 0, 0]);
    disk.set_capacity(u64::MAX);
    pages.settle().unwrap();
    assert!(!pages.is_stashing());
    assert_eq!(bytes(&pages), [3, 2, 0, 0]);
    disk.crash();
    assert_eq!(bytes(&self::pages(&disk)), [3, 2, 0, 0]);
}

#[test]
fn a_file_that_was_cut_without_room_and_grew_again_has_zeros() {
    let (disk, pages) = full_disk(1);
    pages.write(2 * BLOCK, &[2; BLOCK_BYTES]).unwrap();
    pages.sync_data().unwrap();
    pages.set_len(BLOCK).unwrap();
    pages.set_len(3 * BLOCK).unwrap();
    assert_eq!(bytes(&pages), [1, 0, 0]);
    disk.set_capacity(u64::MAX);
    pages.settle().unwrap();
    assert_eq!(bytes(&pages), [1, 0, 0]);
    disk.crash();
    assert_eq!(bytes(&self::pages(&disk)), [1, 0, 0]);
}

#[test]
fn nothing_arrives_before_what_was_synced_before_it() {
    let mut halfway = 0;
    for seed in 0..400 {
        let (disk, pages) = full_disk(seed);
        pages.write(BLOCK, &[2; BLOCK_BYTES]).unwrap();
        pages.sync_data().unwrap();
        pages.write(0, &[3; BLOCK_BYTES]).unwrap();
        pages.sync_data().unwrap();
        disk.set_capacity(u64::MAX);
        disk.crash_after(seed % 5);
        let _ = pages.settle();
        disk.crash();
        let file = disk.open(Path::new("state")).unwrap();
        let mut found = vec![0; 2 * BLOCK_BYTES];
        file.read_at(IDENTITY_BYTES, &mut found).unwrap();
        let (first, second) = found.split_at(BLOCK_BYTES);
        if first.contains(&3) {
            assert!(second.iter().all(|byte| *byte == 2), "seed {seed}");
        }
        halfway += u64::from(second.contains(&2) && !first.contains(&3));
    }
    assert!(halfway > 20, "only {halfway} crashes came in between");
}

#[test]
fn a_sealed_file_does_not_change() {
    let (disk, pages) = full_disk(1);
    disk.set_capacity(u64::MAX);
    let before = disk.content(Path::new("state"));
    pages.seal();
    pages.write(0, &[9; BLOCK_BYTES]).unwrap();
    pages.set_len(BLOCK).unwrap();
    pages.sync_data().unwrap();
    assert_eq!(bytes(&pages), [9]);
    assert_eq!(disk.content(Path::new("state")), before);
}
