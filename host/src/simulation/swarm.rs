//! Which faults a seed has, and how much of each: some seeds have few and much of them, so that one kind does not hide what another would show.

use super::engine::EngineFaults;
use super::network::LinkFaults;
use super::plan::{Faults, Plan};
use super::random::Random;

/// How often a fault that may happen does, in a seed that has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swarm {
    /// Mean time between two ends of a host, in microseconds.
    pub end_us: Option<u64>,
    /// Mean time between two pauses.
    pub pause_us: Option<u64>,
    /// Mean time between two jumps of a wall clock.
    pub skew_us: Option<u64>,
    /// Clocks run at speeds that differ by so many millionths.
    pub drift_ppm: u64,
    /// Mean time until a disk is full.
    pub fill_us: Option<u64>,
    /// Syncs that fail, of a thousand.
    pub failed_syncs: u32,
    /// Mean time between two changes of what is cut.
    pub cut_us: Option<u64>,
    /// Links go up and down.
    pub flaps: bool,
    /// What single messages suffer.
    pub links: LinkFaults,
    /// Mean time between two connections that break for nothing.
    pub alarm_us: Option<u64>,
    /// Of a thousand ends of hosts, so many are noticed by nobody at once.
    pub unnoticed: u32,
    /// Mean time between two forged messages.
    pub forgery_us: Option<u64>,
    /// Mean time between two losses of a disk.
    pub wipe_us: Option<u64>,
    /// Mean time between two removals of a replica.
    pub removal_us: Option<u64>,
    /// What engines do wrong.
    pub engines: EngineFaults,
    /// Mean time between two orders that another host is to lead.
    pub handover_us: Option<u64>,
}

impl Swarm {
    /// Of a seed.
    #[must_use]
    pub fn of(plan: &Plan, random: &mut Random) -> Self {
        let faults = plan.faults;
        if plan.hosts == 1 {
            return Self::alone(faults);
        }
        let mut swarm = Self::default();
        let mut has = |is_allowed: bool| is_allowed && random.chance(550);
        let (ends, pauses) = (has(faults.crashes), has(faults.pauses));
        let (skews, drifts) = (has(faults.clock), has(faults.clock));
        let (fills, fails) = (has(faults.full), has(faults.failed_syncs));
        let (cuts, flaps) = (has(faults.network), has(faults.network));
        let (loses, repeats) = (has(faults.network), has(faults.network));
        let (overtakes, slows) = (has(faults.network), has(faults.network));
        let (alarms, unnoticed) = (has(faults.network), has(faults.network));
        let forges = has(faults.network);
        let wipes = has(faults.crashes);
        let (refuses, traps) = (has(faults.crashes), has(faults.crashes));
        let hands_over = random.chance(300);
        // Of two replicas none can be spared: the other one could not take the first back by itself.
        let removes = faults.removals && plan.hosts > 2;
        let mut every = |is_on: bool, us: u64| is_on.then(|| us / 4 + random.below(us));
        swarm.end_us = every(ends, 1_200_000);
        swarm.pause_us = every(pauses, 1_500_000);
        swarm.skew_us = every(skews, 3_000_000);
        swarm.fill_us = every(fills, 4_000_000);
        swarm.cut_us = every(cuts, 1_200_000);
        swarm.alarm_us = every(alarms, 600_000);
        swarm.forgery_us = every(forges, 200_000);
        swarm.handover_us = every(hands_over, 1_500_000);
        swarm.wipe_us = every(wipes, 2_500_000);
        swarm.removal_us = every(removes, 1_500_000);
        swarm.flaps = flaps;
        let mut of_thousand = |is_on: bool, most: u64| {
            let count = if is_on { 1 + random.below(most) } else { 0 };
            u32::try_from(count).unwrap_or(0)
        };
        swarm.drift_ppm = u64::from(of_thousand(drifts, 20_000));
        swarm.failed_syncs = of_thousand(fails, 2);
        swarm.unnoticed = of_thousand(unnoticed, 1000);
        swarm.engines = EngineFaults {
            refused: of_thousand(refuses, 200),
            trapped: of_thousand(traps, 20),
        };
        swarm.links = LinkFaults {
            lost: of_thousand(loses, 150),
            repeated: of_thousand(repeats, 150),
            overtaking: of_thousand(overtakes, 400),
            slow: of_thousand(slows, 40),
        };
        swarm
    }

    /// All of them, as a host without others sees them.
    fn alone(faults: Faults) -> Self {
        let every = |is_on: bool, us: u64| is_on.then_some(us);
        Self {
            end_us: every(faults.crashes, 1_500_000),
            pause_us: every(faults.pauses, 8_000_000),
            skew_us: every(faults.clock, 4_000_000),
            fill_us: every(faults.full, 6_000_000),
            failed_syncs: if faults.failed_syncs { 2 } else { 0 },
            ..Self::default()
        }
    }
}
