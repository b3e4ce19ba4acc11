//! How a component that takes the place of another is watched: `[service.NAME.swap]`.

use std::time::Duration;

use super::section::Section;

/// How long a host watches what it has just swapped in, and how much worse it may be than what was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// How long a host watches before the next one follows: 1 ms to 1 min, 2 s unless set.
    pub watch: Duration,
    /// How many calls of a thousand may fail beyond those that failed before: 0 to 1000, 5 unless set.
    pub errors_max_permille: u32,
    /// How long a call may take on the mean, in percent of what it took before: 100 to 100000, 300 unless set.
    pub latency_max_percent: u32,
}

impl Swap {
    pub(super) fn read(section: Section<'_>) -> Self {
        let swap = Self {
            watch: section.duration("watch"),
            errors_max_permille: section.count("errors-max-permille"),
            latency_max_percent: section.count("latency-max-percent"),
        };
        section.finish();
        swap
    }
}

/// What a service that stands in no file has.
impl Default for Swap {
    fn default() -> Self {
        Self {
            watch: Duration::from_secs(2),
            errors_max_permille: 5,
            latency_max_percent: 300,
        }
    }
}
