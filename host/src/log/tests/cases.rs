//! Single situations: what each call does.

use std::path::Path;
use std::sync::Arc;

use expect_test::expect;

use super::super::{AppendError, Dumped, Log, Options, ReadError, Stored, check, dump};
use super::world::{FOLDER, SEGMENT_BYTES, World, check_damage, fill, restart, segment, world};
use crate::os::BlockDisk;
use crate::simulation::disk::{Faults, SimDisk};

#[test]
fn a_full_disk_refuses_entries_until_there_is_room() {
    let mut world = world();
    world.append_next(0, 1000).unwrap();
    world.sync().unwrap();
    world.disk.set_capacity(world.disk.used_bytes());
    let refused = |world: &mut World| {
        loop {
            match world.append_next(0, 1000) {
                Ok(()) => world.sync().unwrap(),
                Err(error) => return error,
            }
        }
    };
    assert_eq!(refused(&mut world), AppendError::Full);
    // States have the room that is kept for them, and nothing that was accepted is lost.
    world.set_state(1, 100).unwrap();
    world.sync().unwrap();
    restart(&mut world);
    assert_eq!(refused(&mut world), AppendError::Full);
    // Without more room, but with less that is needed.
    world.compact(0, world.acknowledged[&0]);
    world.sync().unwrap();
    world.sync().unwrap();
    world.append_next(0, 1000).unwrap();
    world.sync().unwrap();
    assert_eq!(refused(&mut world), AppendError::Full);
    world.disk.set_capacity(u64::MAX);
    let accepted = (0..=64).any(|_| world.append_next(0, 1000).is_ok());
    assert!(accepted, "the disk is looked at again before long");
    world.sync().unwrap();
    restart(&mut world);
}

#[test]
fn a_new_log_says_that_it_has_no_room() {
    let mut world = World::new(1, SEGMENT_BYTES, None);
    world.disk.set_capacity(8 << 10);
    check_damage(
        &world,
        &[],
        &expect!["no room for the log in data/log: it needs 16384 bytes"],
    );
    world.disk.set_capacity(u64::MAX);
    world.open().unwrap();
    world.append_next(0, 10).unwrap();
}

#[test]
fn a_failed_sync_ends_the_log_until_it_is_opened_again() {
    let mut world = world();
    world.append_next(0, 1000).unwrap();
    world.sync().unwrap();
    world.append_next(0, 1000).unwrap();
    world.disk.set_faults(Faults {
        failed_sync: 1000,
        ..Faults::default()
    });
    world.sync().unwrap_err();
    world.disk.set_faults(Faults::default());
    let log = world.log.as_mut().unwrap();
    assert_eq!(log.append(0, 3, b"x"), Err(AppendError::Failed));
    assert_eq!(log.set_state(0, b"x"), Err(AppendError::Failed));
    assert_eq!(log.restart(0, 9), Err(AppendError::Failed));
    log.sync().unwrap_err();
    log.maintain().unwrap_err();
    log.mark().unwrap_err();
    world.log = None;
    world.disk.kill();
    world.open().unwrap();
    restart(&mut world);
}

#[test]
fn what_is_too_large_is_refused() {
    let mut world = world();
    let bytes_max = world.log.as_ref().unwrap().entry_bytes_max();
    let log = world.log.as_mut().unwrap();
    let too_large = log.append(0, 1, &vec![0; bytes_max + 1]);
    assert!(matches!(too_large, Err(AppendError::TooLarge { .. })));
    let too_large = log.set_state(0, &[0; 5000]);
    assert!(matches!(too_large, Err(AppendError::TooLarge { .. })));
    // As large as may be, in any order, with as much state as may be.
    world.set_state(1, 3500).unwrap();
    for _ in 0..5 {
        world.append_next(0, bytes_max).unwrap();
        world.sync().unwrap();
        world.append_next(0, 1).unwrap();
        world.sync().unwrap();
    }
    let full = (0..100).find_map(|_| world.append_next(0, 5000).err());
    assert_eq!(full, Some(AppendError::BatchFull));
    world.sync().unwrap();
    world.append_next(0, 5000).unwrap();
    world.sync().unwrap();
    restart(&mut world);
}

#[test]
fn entries_are_read_within_bounds() {
    let mut world = world();
    for _ in 0..10 {
        world.append_next(0, 100).unwrap();
    }
    world.sync().unwrap();
    world.append_next(0, 100).unwrap();
    world.compact(0, 3);
    let log = world.log.as_mut().unwrap();
    let indexes = |low, high, bytes_max| {
        let entries = log.read(0, low, high, bytes_max)?;
        Ok::<_, ReadError>(
            entries
                .into_iter()
                .map(|(index, _)| index)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!((log.first(0), log.last(0)), (Some(4), Some(11)));
    assert_eq!(indexes(4, 7, 1 << 20).unwrap(), [4, 5, 6]);
    assert_eq!(indexes(4, 7, 250).unwrap(), [4, 5]);
    assert_eq!(indexes(4, 7, 0).unwrap(), [4], "one at least");
    assert_eq!(indexes(10, 99, 1 << 20).unwrap(), [10, 11]);
    assert_eq!(indexes(12, 99, 1 << 20).unwrap(), [0; 0]);
    assert!(matches!(
        indexes(3, 7, 0),
        Err(ReadError::Compacted { first: 4, .. })
    ));
    assert_eq!((log.first(7), log.last(7)), (None, None));
    assert!(world.disk.flip(&segment(1), 600, 1));
    assert!(matches!(
        world.log.as_ref().unwrap().read(0, 4, 5, 0),
        Err(ReadError::Damaged { .. })
    ));
}

#[test]
#[should_panic(expected = "does not follow")]
fn a_gap_is_a_mistake_of_the_host() {
    let mut world = world();
    world.append_next(0, 1).unwrap();
    let _ = world.log.as_mut().unwrap().append(0, 3, b"x");
}

#[test]
fn segments_are_used_again_and_no_more_are_kept_than_needed() {
    let mut world = world();
    for _ in 0..300 {
        world.append_next(0, 1000).unwrap();
        world.sync().unwrap();
        world.compact(0, world.acknowledged[&0]);
    }
    assert!(world.log.as_ref().unwrap().live_bytes() < 2 * SEGMENT_BYTES);
    assert!(world.disk.used_bytes() <= 5 * SEGMENT_BYTES);
    restart(&mut world);
    assert_eq!(world.log.as_ref().unwrap().last(0), Some(300));
}

#[test]
fn a_log_goes_on_with_segments_of_another_length() {
    let mut world = world();
    fill(&mut world, 2);
    for segment_bytes in [64 << 10, 20 << 10] {
        world.options.segment_bytes = segment_bytes;
        restart(&mut world);
        fill(&mut world, 4);
        world.compact(0, world.acknowledged[&0]);
        for _ in 0..5 {
            world.append_next(0, 10).unwrap();
            world.sync().unwrap();
        }
    }
    restart(&mut world);
}

#[test]
fn checking_and_dumping_change_nothing() {
    let mut world = world();
    world.append_next(2, 700).unwrap();
    world.set_state(1, 5).unwrap();
    world.sync().unwrap();
    world.append_next(2, 3).unwrap();
    world.sync().unwrap();
    world.log = None;
    let before = world.disk.content(&segment(1));
    let disk: Arc<dyn BlockDisk> = Arc::new(world.disk.clone());
    let report = check(&disk, Path::new(FOLDER)).unwrap();
    let mut text = String::new();
    for segment in &report.segments {
        text += &format!("{segment:?}\n");
    }
    for group in &report.groups {
        text += &format!("{group:?}\n");
    }
    text += &format!(
        "{} batches, {:?}, {:?}\n",
        report.batches, report.torn, report.problems
    );
    let problems = dump(&disk, Path::new(FOLDER), &mut |piece| {
        text += &match piece {
            Dumped::Batch {
                offset, sequence, ..
            } => format!("batch {sequence} at {offset}\n"),
            Dumped::Record(Stored::Entry {
                group,
                index,
                payload,
            }) => format!("entry {index} of group {group}, {} bytes\n", payload.len()),
            Dumped::Record(record) => format!("{record:?}\n"),
        };
    });
    assert_eq!(problems.unwrap(), []);
    assert_eq!(world.disk.content(&segment(1)), before);
    expect![[r#"
        SegmentReport { file: "data/log/0000000001.log", bytes: 16384, used_bytes: 2048 }
        SegmentReport { file: "data/log/0000000002.log", bytes: 16384, used_bytes: 0 }
        GroupReport { group: 1, first: None, last: 0, bytes: 0, state_bytes: Some(5) }
        GroupReport { group: 2, first: Some(1), last: 2, bytes: 703, state_bytes: None }
        2 batches, None, []
        batch 1 at 512
        entry 1 of group 2, 700 bytes
        State { group: 1, bytes: [51, 4, 87, 47, 89] }
        batch 2 at 1536
        entry 2 of group 2, 3 bytes
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_missing_folder_is_an_empty_log() {
    let disk: Arc<dyn BlockDisk> = Arc::new(SimDisk::new(1));
    let report = check(&disk, Path::new(FOLDER)).unwrap();
    assert_eq!((report.segments.len(), report.problems.len()), (0, 0));
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        ..Options::default()
    };
    let (log, recovery) = Log::open(disk, Path::new(FOLDER), &options, &[], &mut |_| {}).unwrap();
    assert_eq!((log.last(0), recovery.batches), (None, 0));
}
