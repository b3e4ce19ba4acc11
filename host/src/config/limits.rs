//! What one service may use: `[service.NAME.limits]`. Every limit is always on.

use std::path::Path;
use std::time::Duration;

use super::error::Report;
use super::section::Section;

/// What one service may use. `default()` is what a file without limits gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance in bytes: 1 MiB to 4 GiB, 64 MiB unless set.
    pub memory_bytes: u64,
    /// Time one call may take, waiting included: 1 ms to 1 h, 5 s unless set.
    pub time: Duration,
    /// Processor time one call may use: 1 ms to 1 h, 1 s unless set.
    pub cpu: Duration,
    /// Calls that run at once on one host: 1 to 10000, 128 unless set.
    pub concurrency: u32,
    /// Calls that wait on one host for a place among the running: at most 100000, 1024 unless set.
    pub queue: u32,
    /// Size of the arguments of one call in bytes: 1 KiB to 256 MiB, 1 MiB unless set.
    pub arguments_bytes: u64,
    /// Size of the result of one call in bytes: 1 KiB to 256 MiB, 1 MiB unless set.
    pub result_bytes: u64,
    /// What the service keeps in scratch on one host, in bytes: 4 KiB to 4 GiB, 16 MiB unless set.
    pub scratch_bytes: u64,
    /// What the service keeps in storage, in bytes: 4 KiB to 64 GiB, 64 MiB unless set.
    pub storage_bytes: u64,
    /// Log lines kept on one host: at most 1000000, 1000 unless set.
    pub log_lines_per_second: u32,
}

impl Limits {
    pub(super) fn read(section: Section<'_>) -> Self {
        let limits = Self {
            memory_bytes: section.size("memory"),
            time: section.duration("time"),
            cpu: section.duration("cpu"),
            concurrency: section.count("concurrency"),
            queue: section.count("queue"),
            arguments_bytes: section.size("arguments"),
            result_bytes: section.size("result"),
            scratch_bytes: section.size("scratch"),
            storage_bytes: section.size("storage"),
            log_lines_per_second: section.count("log-lines-per-second"),
        };
        section.finish();
        limits
    }
}

impl Default for Limits {
    fn default() -> Self {
        // The reference holds the defaults, so they are read from it, like those of a file that says nothing.
        let report = Report::new(Path::new(""), "");
        Self::read(Section::empty(&report, "service.NAME.limits"))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn defaults_are_those_of_the_reference() {
        expect![[r#"
            Limits {
                memory_bytes: 67108864,
                time: 5s,
                cpu: 1s,
                concurrency: 128,
                queue: 1024,
                arguments_bytes: 1048576,
                result_bytes: 1048576,
                scratch_bytes: 16777216,
                storage_bytes: 67108864,
                log_lines_per_second: 1000,
            }
        "#]]
        .assert_debug_eq(&Limits::default());
    }
}
