//! Runs a range of seeds on all cores.

use crate::options::{Options, faults_text};
use crate::outcome::{Sums, print_totals};
use crate::story;
use crate::workloads::Kind;
use anyhow::Result;
use bookshop_host::simulation::{Guests, Plan, Report, Violation, World};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seeds whose two runs are compared, if not all are.
const TWICE_EVERY: u64 = 10;
/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(1);
/// Violations that are looked for before it ends.
const FAILURES_MAX: usize = 5;

/// A seed that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The plan.
    pub plan: Plan,
    /// What clients did.
    pub kind: Kind,
    /// What must not be so.
    pub violation: Violation,
}

/// Runs one plan; twice, if it is to be compared with itself.
pub fn simulate(
    guests: &Guests,
    plan: &Plan,
    kind: Kind,
    twice: bool,
) -> Result<Report, Box<Violation>> {
    let run = || World::run(guests, plan, kind.begin(plan.clients).as_mut());
    let report = run()?;
    if twice {
        let again = run()?;
        if report != again {
            return Err(Box::new(Violation {
                seed: plan.seed,
                at: Duration::ZERO,
                what: format!("two runs of one seed differ: {report:?} and {again:?}"),
                story: Vec::new(),
            }));
        }
    }
    Ok(report)
}

/// What this thread has had of a core so far; zero where the system does not say.
fn core_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// Runs plans on all cores until all are done, or too many fail. Failures are in the order of the plans.
pub fn on_all_cores(
    guests: &Guests,
    jobs: usize,
    plans: &[(Plan, Kind, bool)],
    is_quiet: bool,
) -> (Sums, Vec<Failure>) {
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let done = Mutex::new((Sums::default(), Vec::<(u64, Failure)>::new()));
    let work = || {
        let mut sums = Sums::default();
        let begin = core_time();
        while !is_over.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((plan, kind, twice)) = plans.get(index as usize) else {
                break;
            };
            match simulate(guests, plan, *kind, *twice) {
                Ok(report) => {
                    sums.add(&report);
                    if *twice {
                        // Calls of the second run were made, too.
                        sums.answered += report.answered;
                    }
                }
                Err(violation) => {
                    let failure = Failure {
                        plan: plan.clone(),
                        kind: *kind,
                        violation: *violation,
                    };
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.1.push((index, failure));
                    is_over.store(done.1.len() >= FAILURES_MAX, Ordering::Relaxed);
                }
            }
        }
        sums.core_time = core_time().saturating_sub(begin);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.0.merge(&sums);
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let mut told = Instant::now();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::park_timeout(Duration::from_millis(20));
            if !is_quiet && told.elapsed() >= PROGRESS {
                told = Instant::now();
                let begun = next.load(Ordering::Relaxed).min(plans.len() as u64);
                eprintln!("{begun} of {} simulations begun", plans.len());
            }
        }
    });
    let (sums, mut failures) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|(index, _)| *index);
    (
        sums,
        failures.into_iter().map(|(_, failure)| failure).collect(),
    )
}

/// Runs the seeds that were asked for; whether nothing was found.
pub fn run(guests: &Guests, options: &Options) -> Result<bool> {
    let seeds = options.seeds.clone();
    if !options.json {
        println!(
            "seeds {}..{}, faults {}",
            seeds.start,
            seeds.end,
            faults_text(options.faults)
        );
    }
    let plans: Vec<(Plan, Kind, bool)> = seeds
        .map(|seed| {
            let twice = options.twice || seed % TWICE_EVERY == 0;
            (options.plan(seed), options.kind(seed), twice)
        })
        .collect();
    let (sums, failures) = on_all_cores(guests, options.jobs(), &plans, options.json);
    if options.json {
        let failed = failures.iter().map(|failure| failure.violation.to_string());
        println!(
            "{}",
            serde_json::json!({ "sums": sums.json(), "violations": failed.collect::<Vec<_>>() })
        );
    } else {
        for failure in &failures {
            story::tell(guests, options, failure);
        }
        if options.story && failures.is_empty() {
            story::tell_all(guests, &plans);
        }
        println!("{}", sums.text());
        print_totals(sums.seeds, failures.len() as u64);
    }
    Ok(failures.is_empty())
}
