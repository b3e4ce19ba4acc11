//! The floor of the machine: how evenly it runs a fixed piece of work, and what else it does meanwhile.

use crate::Outcome;
use crate::process::{self, Machine};
use crate::report::{Report, Row};
use crate::statistics::Samples;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long the machine is watched doing nothing of ours.
const IDLE: Duration = Duration::from_millis(500);
/// How long every core works.
const BUSY: Duration = Duration::from_secs(1);
/// Steps of one piece of work: about a millisecond.
const STEPS: u64 = 500_000;

/// Adds a row. Two of them around a measurement show whether the machine was the same before and after.
///
/// # Errors
/// `/proc` is not there.
pub fn measure(when: &str, report: &mut Report) -> Outcome {
    let (before, cores) = (Machine::now()?, process::cores());
    std::thread::sleep(IDLE);
    let idle = Machine::now()?.since(before);
    let before = Machine::now()?;
    let pieces = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect::<Samples>()
    });
    let stolen = Machine::now()?.since(before).stolen;
    let pieces = pieces.sorted();
    report.begin(
        "noise",
        "Noise of the machine: a fixed piece of work on every core at once",
    );
    let row = Row::new(when)
        .count("cores", cores)
        .number("fastest µs", pieces.percentile(0.0), 0)
        .number("p50 µs", pieces.median(), 0);
    let row = row
        .number("p99 µs", pieces.percentile(99.0), 0)
        .number("max µs", pieces.max(), 0);
    let row = row.number("cores busy with others", idle.busy / IDLE.as_secs_f64(), 2);
    report.row(&row.number(
        "steal %",
        stolen / BUSY.as_secs_f64() / f64::from(u32::try_from(cores)?) * 100.0,
        2,
    ));
    Ok(())
}

fn work() -> Vec<f64> {
    let mut pieces = Vec::new();
    let end = Instant::now() + BUSY;
    while Instant::now() < end {
        let started = Instant::now();
        let mut value = black_box(1_u64);
        for _ in 0..STEPS {
            // Xorshift (Marsaglia, 2003): each step needs the one before, and no compiler folds several into one.
            value ^= value << 13;
            value ^= value >> 7;
            value ^= value << 17;
        }
        black_box(value);
        pieces.push(started.elapsed().as_secs_f64() * 1e6);
    }
    pieces
}

/// Names the machine, for the line above published tables.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default();
        line.split(':')
            .nth(1)
            .unwrap_or("unknown")
            .trim()
            .to_owned()
    };
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    format!(
        "{} cores of {}, {memory} of memory, Linux {}",
        process::cores(),
        value(&read("/proc/cpuinfo"), "model name"),
        read("/proc/sys/kernel/osrelease").trim()
    )
}
