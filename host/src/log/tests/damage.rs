//! What is left after crashes and damage, place by place.

use std::path::Path;
use std::sync::Arc;

use expect_test::expect;

use super::super::{OpenError, check};
use super::world::{
    FOLDER, SEGMENT_BYTES, Stop, World, check_damage, fill, restart, segment, world,
};
use crate::os::BlockDisk;
use crate::simulation::disk::Faults;

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let work = |world: &mut World| -> Option<()> {
        world.open().ok()?;
        for round in 0..40 {
            let group = round % 2;
            world.log.as_ref()?;
            let last = world.acknowledged.get(&group).copied().unwrap_or(0);
            world.append_next(group, 400).ok()?;
            world.append_next(group, 700).ok()?;
            world.set_state(group, 30).ok()?;
            world.sync().ok()?;
            world.log.as_mut()?.maintain().ok()?;
            if round % 5 == 4 {
                world.compact(0, world.acknowledged[&0]);
                world.compact(1, world.acknowledged[&1]);
            }
            if round % 7 == 6 && last > 0 {
                world.mark().ok()?;
            }
        }
        Some(())
    };
    let mut whole = World::new(0, SEGMENT_BYTES, None);
    work(&mut whole).unwrap();
    let operations = whole.disk.operations();
    assert!(operations > 100);
    for seed in 0..10 {
        for crash_at in 0..operations {
            let mut world = World::new(seed, SEGMENT_BYTES, None);
            world.disk.crash_after(crash_at);
            assert_eq!(work(&mut world), None);
            world.log = None;
            world.disk.crash();
            // And the opening may be cut short as well.
            world.disk.crash_after(seed * 3);
            world.open().unwrap();
            restart(&mut world);
            world.compare().unwrap();
        }
    }
}

#[test]
fn a_flipped_bit_is_reported_or_does_not_matter() {
    let build = || {
        let mut world = world();
        for bytes in [10, 900, 3000, 20, 700] {
            world.append_next(0, bytes).unwrap();
            world.set_state(1, 20).unwrap();
            world.sync().unwrap();
        }
        world
    };
    let used = build().log.unwrap().live_bytes();
    let mut reported = 0;
    for offset in (0..used).step_by(3) {
        let mut world = build();
        world.log = None;
        world.disk.crash();
        assert!(world.disk.flip(&segment(1), offset, 1 << (offset % 8)));
        match world.open() {
            Ok(()) => {}
            Err(Stop::Damage(_)) => reported += 1,
            Err(Stop::Wrong(what)) => panic!("byte {offset}: {what}"),
        }
    }
    assert_eq!(
        reported,
        used.div_ceil(3),
        "every byte that was written is checked"
    );
}

#[test]
fn a_flipped_bit_is_reported_in_the_first_batch_of_a_segment() {
    let mut world = world();
    while world.log.as_ref().unwrap().segments.len() < 2 {
        world.append_next(0, 400).unwrap();
        world.sync().unwrap();
    }
    world.log = None;
    world.disk.crash();
    assert!(world.disk.flip(&segment(2), 900, 1));
    check_damage(
        &world,
        &[],
        &expect!["the log is damaged: data/log/0000000002.log at byte 512: a wrong checksum"],
    );
}

#[test]
fn damage_is_told_with_file_and_place() {
    let mut world = world();
    fill(&mut world, 3);
    world.log = None;
    let flip = |number, offset| {
        world.disk.crash();
        assert!(world.disk.flip(&segment(number), offset, 8));
    };
    flip(2, 3000);
    check_damage(
        &world,
        &[],
        &expect![
            "the log is damaged: data/log/0000000002.log at byte 2560: a wrong checksum, although sector 7 was written later"
        ],
    );
    let disk: Arc<dyn BlockDisk> = Arc::new(world.disk.clone());
    let report = check(&disk, Path::new(FOLDER)).unwrap();
    assert!(report.problems.iter().any(|problem| problem.offset == 2560));
    flip(2, 3000);
    flip(1, 20);
    check_damage(
        &world,
        &[],
        &expect!["the log is damaged: data/log/0000000001.log at byte 0: no valid header"],
    );
    flip(1, 20);
    check_damage(
        &world,
        &[(0, 1000), (5, 0)],
        &expect![
            "the log is damaged: data/log/0000000003.log at byte 2048: the log of group 0 ends at 21, and 1000 was acknowledged"
        ],
    );
    world.open().unwrap();
    world.log = None;
    for (number, expected) in [
        (
            2,
            expect![
                "the log is damaged: data/log at byte 0: entry 1 of group 0 is missing at the beginning of the log"
            ],
        ),
        (
            1,
            expect![
                "the log is damaged: data/log at byte 0: entry 1 of group 0 is missing at the beginning of the log"
            ],
        ),
    ] {
        world.disk.remove(&segment(number)).unwrap();
        check_damage(&world, &[], &expected);
    }
    world.disk.remove(&segment(3)).unwrap();
    check_damage(
        &world,
        &[],
        &expect!["the log is damaged: data/log/0000000003.log at byte 0: the segment is missing"],
    );
}

#[test]
fn a_newer_format_is_not_touched() {
    let mut world = world();
    fill(&mut world, 1);
    world.log = None;
    let disk: Arc<dyn BlockDisk> = Arc::new(world.disk.clone());
    let file = disk.open(&segment(1)).unwrap();
    let mut sector = [0; 512];
    file.read_at(0, &mut sector).unwrap();
    sector[16 + 8] = 2;
    super::super::sector::seal(&mut sector, 1, 0, u32::MAX);
    file.write_at(0, &sector).unwrap();
    check_damage(
        &world,
        &[],
        &expect![
            "data/log/0000000001.log has log format 2, this program knows up to 1: use a newer one"
        ],
    );
    let checked = check(&disk, Path::new(FOLDER));
    assert!(matches!(
        checked,
        Err(OpenError::NewerFormat { version: 2, .. })
    ));
}

#[test]
fn a_mark_shows_that_the_last_batch_was_lost() {
    let lose = |mark: bool| {
        let mut world = world();
        world.append_next(0, 10).unwrap();
        world.sync().unwrap();
        world.disk.set_faults(Faults {
            lost_write: 1000,
            ..Faults::default()
        });
        world.append_next(0, 10).unwrap();
        world.sync().unwrap();
        world.disk.set_faults(Faults::default());
        if mark {
            world.mark().unwrap();
            world.mark().unwrap();
        }
        world.log = None;
        world.disk.crash();
        world.open()
    };
    assert!(matches!(lose(true), Err(Stop::Damage(_))));
    // This is the window that is left.
    assert!(lose(false).is_ok());
}
