//! Looks how soon each deliberate bug is found: a simulation that does not find it would not find one like it that is not deliberate.

use crate::options::Options;
use crate::outcome::print_totals;
use crate::range::simulate;
use crate::workloads::Kind;
use anyhow::Result;
use bookshop_host::simulation::{AnyMutant, Faults, Guests, Plan, Violation};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Seeds in which each has to be found.
const SEEDS_MAX: u64 = 2_000;

/// Hosts where one is not enough.
const HOSTS: usize = 3;

/// Whether all is well without the deliberate bug: otherwise it is another one that was found.
fn is_its_fault(guests: &Guests, plan: &Plan, kind: Kind) -> bool {
    let without = Plan {
        mutant: None,
        ..plan.clone()
    };
    simulate(guests, &without, kind, false).is_ok()
}

/// The first seed that finds a mutant, and what it finds.
fn find(guests: &Guests, options: &Options, mutant: AnyMutant) -> Option<(u64, Violation)> {
    let hosts = if mutant.needs_hosts() { HOSTS } else { 1 };
    let next = AtomicU64::new(0);
    let first = Mutex::new(None::<(u64, Violation)>);
    let limit = AtomicU64::new(SEEDS_MAX);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= limit.load(Ordering::Relaxed) {
                        return;
                    }
                    let plan = Plan {
                        mutant: Some(mutant),
                        faults: Faults::ALL,
                        hosts: options.hosts.unwrap_or(hosts),
                        ..options.plan(options.seeds.start + seed)
                    };
                    let kind = match mutant.needs_upgrades() {
                        true => Kind::Upgrade,
                        false => options.kind(plan.seed),
                    };
                    if let Err(violation) = simulate(guests, &plan, kind, false)
                        && is_its_fault(guests, &plan, kind)
                    {
                        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                        if first.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *first = Some((seed, *violation));
                        }
                        limit.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Whether all were found.
pub fn run(guests: &Guests, options: &Options) -> Result<bool> {
    let mutants = AnyMutant::all();
    let mut missed = 0;
    for mutant in &mutants {
        let begin = Instant::now();
        match find(guests, options, *mutant) {
            Some((seed, violation)) => {
                let took = begin.elapsed().as_millis();
                println!(
                    "{:<24} {:>5} seeds, {took} ms: {}",
                    mutant.name(),
                    seed + 1,
                    violation.what
                );
            }
            None => {
                missed += 1;
                println!("{:<24} NOT FOUND in {SEEDS_MAX} seeds", mutant.name());
            }
        }
    }
    print_totals(mutants.len() as u64 - missed, missed);
    Ok(missed == 0)
}
