//! Random work, crashes and faults, by seed.

use super::super::{AppendError, Mutant};
use super::model::Change;
use super::world::{GROUPS, Stop, World};
use crate::simulation::disk::{Faults, Injected};

/// What goes wrong in a run, besides crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Calm,
    /// The disk fills up and gets room again.
    Full,
    /// Syncs fail.
    FailedSyncs,
    /// Bits change.
    BitFlips,
    /// Writes do not land, or land elsewhere.
    Lies,
}

const WEATHERS: [Weather; 5] = [
    Weather::Calm,
    Weather::Full,
    Weather::FailedSyncs,
    Weather::BitFlips,
    Weather::Lies,
];

impl Weather {
    fn faults(self) -> Faults {
        let calm = Faults::default();
        match self {
            Self::Calm | Self::Full => calm,
            Self::FailedSyncs => Faults {
                failed_sync: 60,
                ..calm
            },
            Self::BitFlips => Faults {
                bit_flip: 20,
                ..calm
            },
            Self::Lies => Faults {
                lost_write: 10,
                misdirected_write: 10,
                ..calm
            },
        }
    }

    /// Whether the log may say that it is damaged.
    fn damages(self) -> bool {
        matches!(self, Self::BitFlips | Self::Lies)
    }
}

/// What a run did.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    trace: u64,
    injected: Injected,
    damage: Option<String>,
    /// How often the disk had no room.
    refused: u64,
    appended: u64,
}

const STEPS: u32 = 150;

fn run(seed: u64, weather: Weather, mutant: Option<Mutant>) -> Result<Outcome, String> {
    let segment_bytes = [16 << 10, 24 << 10, 64 << 10][(seed % 3) as usize];
    let mut world = World::new(seed, segment_bytes, mutant);
    let mut outcome = Outcome {
        trace: 0,
        injected: Injected::default(),
        damage: None,
        refused: 0,
        appended: 0,
    };
    world.disk.set_faults(weather.faults());
    let result = steps(&mut world, weather, &mut outcome);
    outcome.trace = world.disk.trace();
    outcome.injected = world.disk.injected();
    match result {
        Ok(()) => Ok(outcome),
        Err(Stop::Damage(what)) if weather.damages() => {
            outcome.damage = Some(what);
            Ok(outcome)
        }
        Err(Stop::Wrong(what) | Stop::Damage(what)) => {
            Err(format!("seed {seed}, {weather:?}: {what}"))
        }
    }
}

fn steps(world: &mut World, weather: Weather, outcome: &mut Outcome) -> Result<(), Stop> {
    for _ in 0..STEPS {
        if world.log.is_none() {
            // A disk without room for even the first segment gets some.
            if weather == Weather::Full && world.random.chance(300) {
                world.disk.set_capacity(u64::MAX);
            }
            world.open_on_liar()?;
            continue;
        }
        if !step(world, weather, outcome)? {
            // The log has failed, so the process ends; sometimes the whole machine.
            world.log = None;
            if world.random.chance(700) {
                world.disk.crash();
            } else {
                world.disk.kill();
            }
        }
        if world.random.chance(30) {
            world.compare()?;
        }
    }
    // In the end everything is there, after one more crash.
    world.log = None;
    world.disk.set_capacity(u64::MAX);
    if !weather.damages() {
        world.disk.set_faults(Faults::default());
    }
    world.disk.crash();
    world.open_on_liar()?;
    world.compare()
}

/// One step. Whether the log goes on.
fn step(world: &mut World, weather: Weather, outcome: &mut Outcome) -> Result<bool, Stop> {
    let group = world.random.below(u64::from(GROUPS)) as u32;
    let result = match world.random.below(100) {
        0..45 => append(world, group, outcome),
        45..50 => world.set_state_randomly(group),
        50..52 => world.restart_randomly(group),
        52..75 => return Ok(world.sync().is_ok()),
        75..83 => return Ok(world.log.as_mut().is_none_or(|log| log.maintain().is_ok())),
        83..88 => return Ok(world.mark().is_ok()),
        88..95 => {
            world.compact_randomly(group);
            Ok(())
        }
        95..97 if weather == Weather::Full => {
            let used = world.disk.used_bytes();
            let more = world.random.below(100 << 10);
            let endless = world.random.chance(400);
            world
                .disk
                .set_capacity(if endless { u64::MAX } else { used + more });
            Ok(())
        }
        95..97 => return Ok(false),
        _ => {
            // Most often between a write and its sync.
            let operations = world.random.below(6);
            world.disk.crash_after(operations);
            return Ok(world.sync().is_ok());
        }
    };
    match result {
        Ok(()) | Err(AppendError::BatchFull | AppendError::TooLarge { .. }) => Ok(true),
        Err(AppendError::Full) if weather == Weather::Full => {
            outcome.refused += 1;
            Ok(true)
        }
        Err(AppendError::Full) => Err(Stop::Wrong("no room on an endless disk".to_owned())),
        Err(AppendError::Failed) => Ok(false),
    }
}

fn append(world: &mut World, group: u32, outcome: &mut Outcome) -> Result<(), AppendError> {
    let bytes = match world.random.below(20) {
        0 => world.random.below(12_000),
        1..6 => world.random.below(2_000),
        _ => world.random.below(300),
    } as usize;
    let known = world.now.0.get(&group).cloned().unwrap_or_default();
    let first = known.entries.keys().next().copied();
    let index = match first {
        // Truncations are rare, and of few entries.
        Some(first) if world.random.chance(60) => {
            first.max(known.last.saturating_sub(world.random.below(4)))
        }
        _ if known.last == 0 => 1 + world.random.below(10),
        Some(_) | None => known.last + 1,
    };
    world.append(group, index, bytes)?;
    outcome.appended += 1;
    Ok(())
}

impl World {
    fn set_state_randomly(&mut self, group: u32) -> Result<(), AppendError> {
        let bytes = self.random.below(200) as usize;
        self.set_state(group, bytes)
    }

    fn restart_randomly(&mut self, group: u32) -> Result<(), AppendError> {
        let known = self.now.0.get(&group).cloned().unwrap_or_default();
        let through = known.compacted + self.random.below(known.last - known.compacted + 10);
        if through == 0 {
            return Ok(());
        }
        self.restart(group, through)
    }

    /// Only what was acknowledged is in the state store.
    fn compact_randomly(&mut self, group: u32) {
        let compacted = self.now.0.get(&group).map_or(0, |group| group.compacted);
        let acknowledged = self.acknowledged.get(&group).copied().unwrap_or(0);
        if acknowledged <= compacted {
            return;
        }
        let through = if self.random.chance(500) {
            acknowledged
        } else {
            compacted + 1 + self.random.below(acknowledged - compacted)
        };
        self.compact(group, through);
    }
}

/// Seeds of each weather in the test that every build runs.
const SEEDS: u64 = 1000;

#[test]
fn what_was_acknowledged_survives_crashes_and_faults() {
    for weather in WEATHERS {
        let mut total = Injected::default();
        let (mut damaged, mut refused, mut appended) = (0, 0, 0);
        for seed in 0..SEEDS {
            let outcome = run(seed, weather, None).unwrap();
            total.crashes += outcome.injected.crashes;
            total.torn_writes += outcome.injected.torn_writes;
            total.failed_syncs += outcome.injected.failed_syncs;
            total.bit_flips += outcome.injected.bit_flips;
            total.lost_writes += outcome.injected.lost_writes;
            total.misdirected_writes += outcome.injected.misdirected_writes;
            damaged += u64::from(outcome.damage.is_some());
            refused += outcome.refused;
            appended += outcome.appended;
        }
        println!(
            "{weather:?}: {appended} entries, {total:?}, {damaged} damaged, {refused} refused"
        );
        // A test without faults would prove nothing.
        assert!(total.crashes > 2 * SEEDS && total.torn_writes > SEEDS / 10);
        assert_eq!(refused > 0, weather == Weather::Full);
        assert_eq!(total.failed_syncs > 0, weather == Weather::FailedSyncs);
        assert_eq!(damaged > 0, weather.damages());
    }
}

#[test]
fn a_seed_gives_the_same_trace_again() {
    for weather in WEATHERS {
        for seed in 0..20 {
            assert_eq!(run(seed, weather, None), run(seed, weather, None));
        }
    }
    let other = run(1, Weather::Calm, None).unwrap();
    assert_ne!(run(0, Weather::Calm, None).unwrap().trace, other.trace);
}

/// Some mistakes take two faults in a row to show.
const MUTANT_SEEDS: u64 = 20_000;

/// Checks that a mistake is found.
#[track_caller]
fn check_found(mutant: Mutant, weather: Weather) {
    let found = (0..MUTANT_SEEDS).find_map(|seed| {
        let run = std::panic::catch_unwind(|| run(seed, weather, Some(mutant)));
        run.unwrap_or_else(|_| Err(format!("seed {seed}: a panic")))
            .err()
    });
    let found = found.unwrap_or_else(|| panic!("{mutant:?} is not found"));
    println!("{mutant:?}: {found}");
}

#[test]
fn mistakes_are_found() {
    check_found(Mutant::SkipSync, Weather::Calm);
    check_found(Mutant::AcceptTornTail, Weather::Calm);
    check_found(Mutant::AnyGeneration, Weather::Calm);
    check_found(Mutant::RecycleTooEarly, Weather::Calm);
    check_found(Mutant::KeepTornTail, Weather::Calm);
    check_found(Mutant::ForgetStates, Weather::Calm);
    check_found(Mutant::TrustLastBatch, Weather::FailedSyncs);
    check_found(Mutant::CutOnce, Weather::FailedSyncs);
    check_found(Mutant::IgnoreFailedSync, Weather::FailedSyncs);
}

/// Changes are in the order in which they were asked for.
#[test]
fn the_model_truncates_as_the_log_does() {
    let mut model = super::model::Model::default();
    let payload = super::model::Payload { salt: 1, bytes: 3 };
    for index in [5, 6, 7, 6] {
        model.apply(&Change::Entry {
            group: 0,
            index,
            payload,
        });
    }
    let group = &model.0[&0];
    assert_eq!(
        (group.last, group.compacted, group.entries.len()),
        (6, 4, 2)
    );
}
