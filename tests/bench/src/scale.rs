//! How long and how often each thing is measured.

use std::path::PathBuf;
use std::time::Duration;

/// Durations and counts of all measurements.
#[derive(Debug, Clone)]
pub struct Scale {
    /// Of one run under load over HTTP.
    pub run: Duration,
    /// Of one run under load in one process, where there is nothing but calls to settle.
    pub in_process_run: Duration,
    /// Of the load before it, which is not counted.
    pub warm_up: Duration,
    /// Runs under load, of which the one with the median rate is shown.
    pub rounds: usize,
    /// Rounds of the paired comparisons, each [`Scale::calls_per_round`] calls of either side.
    pub paired_rounds: usize,
    /// Calls of one side in one round of a paired comparison.
    pub calls_per_round: usize,
    /// Cold starts.
    pub starts: usize,
    /// Checkouts of each host before its memory is read again.
    pub checkouts: usize,
    /// Idle services that are added to see what one costs.
    pub idle_services: usize,
    /// Leaders that are killed, and as many that are cut off.
    pub kills: usize,
    /// How long a link flaps.
    pub flapping: Duration,
    /// The host that is measured.
    pub program: PathBuf,
}

impl Scale {
    /// What the published numbers are measured with: about half an hour for everything.
    #[must_use]
    pub fn full(program: PathBuf) -> Self {
        Self {
            run: Duration::from_secs(10),
            in_process_run: Duration::from_secs(3),
            warm_up: Duration::from_secs(2),
            rounds: 3,
            paired_rounds: 100,
            calls_per_round: 200,
            starts: 15,
            checkouts: 10_000,
            idle_services: 50,
            kills: 10,
            flapping: Duration::from_secs(60),
            program,
        }
    }

    /// Enough to see that everything works, in about three minutes; the numbers mean little.
    #[must_use]
    pub fn quick(program: PathBuf) -> Self {
        Self {
            run: Duration::from_secs(1),
            in_process_run: Duration::from_secs(1),
            warm_up: Duration::from_secs(1),
            rounds: 1,
            paired_rounds: 10,
            starts: 3,
            checkouts: 500,
            idle_services: 10,
            kills: 2,
            flapping: Duration::from_secs(5),
            ..Self::full(program)
        }
    }
}
