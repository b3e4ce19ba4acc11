//! Tells what happened before a violation, of the shortest run that still has one.

use crate::options::{Options, faults_text};
use crate::range::{Failure, simulate};
use crate::workloads::Kind;
use bookshop_host::simulation::{Guests, Plan, Violation};

/// Lines that are told of a violation.
const LINES: usize = 60;
/// Lines that are told of a run if all of it is asked for: more than runs have, and about 100 MB.
const ALL_LINES: usize = 1_000_000;
/// Shorter runs that are tried for each length.
const STEPS: [(u64, u64); 5] = [(1, 4), (1, 2), (3, 4), (7, 8), (19, 20)];

/// Looks for a shorter run with fewer clients that fails too, and says what happened in it and how to see it again.
pub fn tell(guests: &Guests, options: &Options, failure: &Failure) {
    let lines = if options.story { ALL_LINES } else { LINES };
    let (plan, violation) = shorten(guests, failure, lines);
    println!("\nVIOLATION, {violation}");
    print_story(&violation.story);
    let mutant = plan.mutant.map_or(String::new(), |mutant| {
        format!(" --mutant {}", mutant.name())
    });
    println!(
        "see it again: cargo xtask simulate --config {} --seeds {} --hosts {} --workload {} --faults {} --calls {} --clients {}{mutant}",
        options.config.display(),
        plan.seed,
        plan.hosts,
        failure.kind.name(),
        faults_text(plan.faults),
        plan.calls,
        plan.clients,
    );
    if let Some(action) = plan.crash_at {
        println!("with the host ending before action {action}: --every-action");
    }
}

fn print_story(story: &[String]) {
    for line in story.iter().rev() {
        println!("  {line}");
    }
}

/// The shortest failing plan that is found, and what fails in it, with so many lines of the story.
fn shorten(guests: &Guests, failure: &Failure, lines: usize) -> (Plan, Violation) {
    let mut best = (failure.plan.clone(), failure.violation.clone());
    let mut is_better = true;
    while is_better && best.0.crash_at.is_none() {
        is_better = false;
        let calls = best.0.calls;
        let fewer = STEPS
            .iter()
            .map(|(part, of)| (calls * part / of, best.0.clients));
        let alone = [
            (calls, best.0.clients.div_ceil(2)),
            (calls, best.0.clients - 1),
        ];
        let tries: Vec<(u64, usize)> = fewer.chain(alone).collect();
        for (calls, clients) in tries {
            if calls == 0 || clients == 0 || (calls, clients) == (best.0.calls, best.0.clients) {
                continue;
            }
            let plan = Plan {
                calls,
                clients,
                ..best.0.clone()
            };
            if let Err(violation) = simulate(guests, &plan, failure.kind, false) {
                best = (plan, *violation);
                is_better = true;
                break;
            }
        }
    }
    let told = Plan {
        story_lines_max: lines,
        ..best.0.clone()
    };
    match simulate(guests, &told, failure.kind, false) {
        Err(violation) => (best.0, *violation),
        // Two runs of it differ, which is what was found.
        Ok(_) => best,
    }
}

/// Tells what happened in runs that went well.
pub fn tell_all(guests: &Guests, plans: &[(Plan, Kind, bool)]) {
    for (plan, kind, _) in plans {
        let told = Plan {
            story_lines_max: ALL_LINES,
            ..plan.clone()
        };
        println!(
            "\nseed {}, {}, {} hosts",
            plan.seed,
            kind.name(),
            plan.hosts
        );
        match simulate(guests, &told, *kind, false) {
            Ok(report) => print_story(&report.story),
            Err(violation) => {
                print_story(&violation.story);
                println!("{violation}");
            }
        }
    }
}
