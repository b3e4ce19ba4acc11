//! Ends the host once before every single action of a short run, for each workload.

use crate::options::Options;
use crate::outcome::{Sums, print_totals};
use crate::range::{on_all_cores, simulate};
use crate::story;
use crate::workloads::Kind;
use anyhow::Result;
use bookshop_host::simulation::{Faults, Guests, Plan};

/// Calls of the run: enough for timers, messages and checkpoints.
const CALLS: u64 = 24;
const CLIENTS: usize = 3;

/// Whether nothing was found.
pub fn run(guests: &Guests, options: &Options) -> Result<bool> {
    let mut sums = Sums::default();
    let mut failed = 0;
    for kind in Kind::TURNS
        .into_iter()
        .chain([Kind::Upgrade])
        .filter(|kind| options.workload.is_none_or(|only| only == *kind))
    {
        let plan = Plan {
            calls: CALLS,
            clients: CLIENTS,
            hosts: options.hosts.unwrap_or(1),
            faults: Faults::NONE,
            ..options.plan(options.seeds.start)
        };
        let actions = match simulate(guests, &plan, kind, true) {
            Ok(report) => report.actions,
            Err(violation) => {
                println!("without any fault, {}: {violation}", kind.name());
                failed += 1;
                continue;
            }
        };
        let plans: Vec<(Plan, Kind, bool)> = (1..=actions)
            .map(|action| {
                let plan = Plan {
                    crash_at: Some(action),
                    ..plan.clone()
                };
                (plan, kind, false)
            })
            .collect();
        let (more, failures) = on_all_cores(guests, options.jobs(), &plans, options.json);
        for failure in &failures {
            story::tell(guests, options, failure);
        }
        println!(
            "{}: the host ended before each of {actions} actions, {} times with a violation",
            kind.name(),
            failures.len()
        );
        failed += failures.len() as u64;
        sums.merge(&more);
    }
    println!("{}", sums.text());
    print_totals(sums.seeds, failed);
    Ok(failed == 0)
}
