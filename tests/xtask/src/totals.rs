//! How many tests passed and failed, read off what the test runner prints.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Ran and were as expected.
    pub passed: u64,
    /// Ran and were not, or could not run.
    pub failed: u64,
}

impl Totals {
    /// Reads the line that `cargo test` prints at the end of each test binary; none for any other line.
    ///
    /// `test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    pub fn of_cargo_test(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?;
        Some(Self {
            passed: number_before(counts, "passed")?,
            failed: number_before(counts, "failed")?,
        })
    }

    /// Reads the line that cargo-nextest prints at its end; none for any other line.
    ///
    /// `Summary [   0.01s] 4 tests run: 3 passed (1 slow), 1 failed, 2 skipped`; after an interruption `2/4 tests run`.
    pub fn of_nextest(line: &str) -> Option<Self> {
        let (_, counts) = line
            .trim_start()
            .strip_prefix("Summary [")?
            .split_once(']')?;
        let run =
            number_before(counts, "tests run:").or_else(|| number_before(counts, "test run:"))?;
        let passed = number_before(counts, "passed").unwrap_or(0);
        // Timed out, not executable, leaked with a failure: whatever ran and did not pass.
        Some(Self {
            passed,
            failed: run.saturating_sub(passed),
        })
    }

    /// Reads the last line of the simulation; none for any other line.
    ///
    /// `simulation result: 200 passed; 0 failed`
    pub fn of_simulation(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("simulation result: ")?;
        Some(Self {
            passed: number_before(counts, "passed")?,
            failed: number_before(counts, "failed")?,
        })
    }
}

/// The number that stands directly before `word`; of `2/4` the first part.
fn number_before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    before
        .split_whitespace()
        .next_back()?
        .split('/')
        .next()?
        .parse()
        .ok()
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(read: fn(&str) -> Option<Totals>, line: &str, expected: Option<&str>) {
        assert_eq!(
            read(line).map(|totals| totals.to_string()).as_deref(),
            expected
        );
    }

    #[test]
    fn reads_the_last_line_of_each_test_binary() {
        let line = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.01s";
        check(Totals::of_cargo_test, line, Some("3 passed, 1 failed"));
        check(
            Totals::of_cargo_test,
            "test tests::reads_totals ... ok",
            None,
        );
    }

    #[test]
    fn reads_the_summary_of_nextest() {
        check(
            Totals::of_nextest,
            "     Summary [   0.010s] 4 tests run: 3 passed (1 slow), 1 failed, 2 skipped",
            Some("3 passed, 1 failed"),
        );
        check(
            Totals::of_nextest,
            "     Summary [   0.010s] 1 test run: 1 passed, 0 skipped",
            Some("1 passed, 0 failed"),
        );
        check(
            Totals::of_nextest,
            "        PASS [   0.010s] it::load refuses",
            None,
        );
    }

    #[test]
    fn reads_the_last_line_of_the_simulation() {
        check(
            Totals::of_simulation,
            "simulation result: 199 passed; 1 failed",
            Some("199 passed, 1 failed"),
        );
        check(Totals::of_simulation, "seeds 0..200", None);
    }

    #[test]
    fn tests_that_timed_out_count_as_failed() {
        check(
            Totals::of_nextest,
            "Summary [   9.0s] 4 tests run: 1 passed, 1 failed, 2 timed out, 0 skipped",
            Some("1 passed, 3 failed"),
        );
    }

    #[test]
    fn tests_that_never_ran_are_not_counted() {
        check(
            Totals::of_nextest,
            "Summary [   9.0s] 2/4 tests run: 1 passed, 1 failed, 0 skipped",
            Some("1 passed, 1 failed"),
        );
    }
}
