//! What came of simulations, added up.

use bookshop_host::simulation::Report;
use std::time::Duration;

/// Sums over simulations that went well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// Simulations.
    pub seeds: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Entries.
    pub entries: u64,
    /// Times that a replica became leader.
    pub elections: u64,
    /// States that one replica took over from another.
    pub installs: u64,
    /// Disks that were lost.
    pub wipes: u64,
    /// Replicas that were removed.
    pub removals: u64,
    /// Messages between replicas.
    pub messages: u64,
    /// Queries that were answered rightly from a state that was not the newest any more.
    pub older_looks: u64,
    /// Saves that found no room.
    pub stuck: u64,
    /// Times that hosts ended.
    pub crashes: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Refusals for want of room.
    pub refusals: u64,
    /// Actions.
    pub actions: u64,
    /// Hosts that found their disk damaged.
    pub damaged: u64,
    /// Time that passed in them.
    pub virtual_time: Duration,
    /// Time that cores spent on them.
    pub core_time: Duration,
}

impl Sums {
    /// Adds one.
    pub fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.answered += report.answered;
        self.entries += report.entries;
        self.elections += report.elections;
        self.installs += report.installs;
        self.wipes += report.wipes;
        self.removals += report.removals;
        self.messages += report.messages;
        self.older_looks += report.older_looks;
        self.stuck += report.stuck;
        self.crashes += report.crashes;
        self.checkpoints += report.checkpoints;
        self.refusals += report.refusals;
        self.actions += report.actions;
        self.damaged += u64::from(report.found_damage);
        self.virtual_time += report.virtual_time;
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.answered += other.answered;
        self.entries += other.entries;
        self.elections += other.elections;
        self.installs += other.installs;
        self.wipes += other.wipes;
        self.removals += other.removals;
        self.messages += other.messages;
        self.older_looks += other.older_looks;
        self.stuck += other.stuck;
        self.crashes += other.crashes;
        self.checkpoints += other.checkpoints;
        self.refusals += other.refusals;
        self.actions += other.actions;
        self.damaged += other.damaged;
        self.virtual_time += other.virtual_time;
        self.core_time += other.core_time;
    }

    /// Calls for each minute of a core.
    pub fn speed(&self) -> f64 {
        self.answered as f64 * 60.0 / self.core_time.as_secs_f64().max(1e-9)
    }

    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{} calls, {} entries, {} elections, {} messages, {} states taken over, {} disks lost, {} replicas removed, {} older looks, {} ends of hosts, {} checkpoints, {} without room, {} refusals, {} damaged disks, {} s of simulated time, {:.0} times real time on a core; {:.0} calls in a minute of a core",
            self.answered,
            self.entries,
            self.elections,
            self.messages,
            self.installs,
            self.wipes,
            self.removals,
            self.older_looks,
            self.crashes,
            self.checkpoints,
            self.stuck,
            self.refusals,
            self.damaged,
            self.virtual_time.as_secs(),
            self.virtual_time.as_secs_f64() / self.core_time.as_secs_f64().max(1e-9),
            self.speed()
        )
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "seeds": self.seeds,
            "answered": self.answered,
            "entries": self.entries,
            "elections": self.elections,
            "installs": self.installs,
            "wipes": self.wipes,
            "removals": self.removals,
            "messages": self.messages,
            "older_looks": self.older_looks,
            "stuck": self.stuck,
            "crashes": self.crashes,
            "checkpoints": self.checkpoints,
            "refusals": self.refusals,
            "actions": self.actions,
            "damaged": self.damaged,
            "virtual_seconds": self.virtual_time.as_secs(),
            "core_seconds": self.core_time.as_secs_f64(),
            "calls_per_core_minute": self.speed(),
        })
    }
}

/// The last line, by which others count.
pub fn print_totals(passed: u64, failed: u64) {
    println!("simulation result: {passed} passed; {failed} failed");
}
