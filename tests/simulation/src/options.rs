//! The command line.

use crate::workloads::Kind;
use bookshop_host::simulation::{AnyMutant, Faults, HOSTS_MAX, Plan};
use clap::Parser;
use std::ops::Range;
use std::path::PathBuf;

/// Runs the shop on simulated hosts, from many seeds.
#[derive(Debug, Clone, Parser)]
#[command(name = "simulation")]
pub struct Options {
    /// The services: a cluster file, of which those with `replicated` are simulated.
    pub config: PathBuf,
    /// Seeds to run, the last one not included.
    #[arg(long, default_value = "0..100", value_parser = seeds, value_name = "A..B")]
    pub seeds: Range<u64>,
    /// Hosts, each with a replica of every service; each seed its own number if left out.
    #[arg(long, value_parser = hosts)]
    pub hosts: Option<usize>,
    /// What goes wrong: all, none, or some of crashes, failed-syncs, full, damage, clock, network, pauses, removals. All leaves damage out, which a host may
    /// refuse to go on with. With several hosts each seed has some of them.
    #[arg(long, default_value = "all", value_parser = faults, value_name = "LIST")]
    pub faults: Faults,
    /// A deliberate bug to be found.
    #[arg(long, value_parser = mutant, value_name = "NAME")]
    pub mutant: Option<AnyMutant>,
    /// Calls in each simulation.
    #[arg(long, default_value_t = 200)]
    pub calls: u64,
    /// Clients at the same time.
    #[arg(long, default_value_t = 5)]
    pub clients: usize,
    /// What clients do; each seed its own if left out.
    #[arg(long)]
    pub workload: Option<Kind>,
    /// Run each seed twice, and compare; otherwise every tenth.
    #[arg(long)]
    pub twice: bool,
    /// Tell all that happened, also if all goes well; otherwise the end of it, after a violation.
    #[arg(long)]
    pub story: bool,
    /// Threads; as many as there are cores if left out.
    #[arg(long)]
    pub jobs: Option<usize>,
    /// The summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// End the host once before each single action of a short run, and nothing else.
    #[arg(long, conflicts_with_all = ["mutant", "mutants"])]
    pub every_action: bool,
    /// Look how soon each deliberate bug is found.
    #[arg(long, conflicts_with = "mutant")]
    pub mutants: bool,
    /// The host program, which compiles components; the one beside this program if left out.
    #[arg(long)]
    pub program: Option<PathBuf>,
    /// Where cargo has built the components.
    #[arg(long)]
    pub target: Option<PathBuf>,
}

/// Hosts of seeds, in turns.
const HOSTS: [usize; 4] = [3, 1, 3, 5];

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Run seeds.
    Seeds,
    /// End the host before every action.
    EveryAction,
    /// Find deliberate bugs.
    Mutants,
}

impl Options {
    /// What to do.
    pub fn mode(&self) -> Mode {
        match (self.every_action, self.mutants) {
            (true, _) => Mode::EveryAction,
            (false, true) => Mode::Mutants,
            (false, false) => Mode::Seeds,
        }
    }

    /// The plan of a seed.
    pub fn plan(&self, seed: u64) -> Plan {
        Plan {
            seed,
            hosts: self.hosts(seed),
            calls: self.calls,
            clients: self.clients,
            faults: self.faults,
            mutant: self.mutant,
            crash_at: None,
            story_lines_max: 0,
        }
    }

    /// Hosts of a seed.
    pub fn hosts(&self, seed: u64) -> usize {
        let of_seed = || HOSTS[(seed / Kind::TURNS.len() as u64 % HOSTS.len() as u64) as usize];
        self.hosts.unwrap_or_else(of_seed)
    }

    /// What clients do in a seed.
    pub fn kind(&self, seed: u64) -> Kind {
        self.workload.unwrap_or_else(|| Kind::of_seed(seed))
    }

    /// Threads.
    pub fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or_else(cores).max(1)
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    match text.split_once("..") {
        Some((low, high)) => Ok(number(low)?..number(high)?),
        None => number(text).map(|only: u64| only..only.saturating_add(1)),
    }
}

fn hosts(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    number
        .filter(|hosts| (1..=HOSTS_MAX).contains(hosts))
        .ok_or_else(|| format!("{text:?} is no number from 1 to {HOSTS_MAX}"))
}

fn faults(text: &str) -> Result<Faults, String> {
    let mut faults = Faults::NONE;
    for name in text.split(',') {
        match name {
            "all" => {
                faults = Faults {
                    damage: faults.damage,
                    ..Faults::ALL
                }
            }
            "none" => {}
            "crashes" => faults.crashes = true,
            "failed-syncs" => faults.failed_syncs = true,
            "full" => faults.full = true,
            "damage" => faults.damage = true,
            "clock" => faults.clock = true,
            "network" => faults.network = true,
            "pauses" => faults.pauses = true,
            "removals" => faults.removals = true,
            other => return Err(format!("there is no fault {other:?}")),
        }
    }
    Ok(faults)
}

fn mutant(text: &str) -> Result<AnyMutant, String> {
    AnyMutant::find(text).ok_or_else(|| {
        let names: Vec<&str> = AnyMutant::all().into_iter().map(AnyMutant::name).collect();
        format!("there is none; there are {}", names.join(", "))
    })
}

/// The faults as they would stand on the command line.
pub fn faults_text(faults: Faults) -> String {
    let all = [
        (faults.crashes, "crashes"),
        (faults.failed_syncs, "failed-syncs"),
        (faults.full, "full"),
        (faults.damage, "damage"),
        (faults.clock, "clock"),
        (faults.network, "network"),
        (faults.pauses, "pauses"),
        (faults.removals, "removals"),
    ];
    let names: Vec<&str> = all
        .into_iter()
        .filter(|(is_on, _)| *is_on)
        .map(|(_, name)| name)
        .collect();
    match names.is_empty() {
        true => "none".into(),
        false => names.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_or_one() {
        assert_eq!(seeds("3..7"), Ok(3..7));
        assert_eq!(seeds("12"), Ok(12..13));
        assert_eq!(seeds("3-7"), Err("\"3-7\" is no number".into()));
    }

    #[test]
    fn faults_are_read_as_they_are_written() {
        for text in [
            "none",
            "crashes,network",
            "crashes,failed-syncs,full,clock,network,pauses",
        ] {
            assert_eq!(faults(text).map(faults_text), Ok(text.to_owned()));
        }
        assert_eq!(faults("all"), Ok(Faults::ALL));
        assert_eq!(faults("fire"), Err("there is no fault \"fire\"".into()));
    }

    #[test]
    fn mutants_are_found_by_their_names() {
        for known in AnyMutant::all() {
            assert_eq!(mutant(known.name()), Ok(known));
        }
        assert!(mutant("none-such").is_err());
    }
}
