//! What a build did, for the caller and in one line for a person.

use crate::cli::build::Reason;
use crate::cli::output;
use std::time::Duration;

/// What [`build`] did.
#[derive(Debug, Default)]
pub struct BuildReport {
    /// Services whose component cargo built, and why.
    pub built: Vec<(String, Reason)>,
    /// Services whose component cargo could not build; it has printed why.
    pub unbuilt: Vec<String>,
    /// Services whose component could not be read or compiled, with the reason.
    pub failed: Vec<(String, String)>,
    /// Files for which machine code was made.
    pub compiled: usize,
    /// All services that were looked at.
    pub services: usize,
    /// Time it took.
    pub took: Duration,
}

impl BuildReport {
    /// The whole in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let failed: Vec<&str> = self
            .unbuilt
            .iter()
            .chain(self.failed.iter().map(|(service, _)| service))
            .map(String::as_str)
            .collect();
        let done: Vec<String> = [(self.built.len(), "built"), (self.compiled, "compiled")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let all = output::count(self.services, "component");
        let whole = if failed.is_empty() {
            all
        } else {
            format!("{} of {all}", self.services - failed.len())
        };
        let done = if done.is_empty() {
            String::new()
        } else {
            format!(" ({})", done.join(", "))
        };
        let failed = if failed.is_empty() {
            String::new()
        } else {
            format!("; failed: {}", failed.join(", "))
        };
        format!(
            "{whole} up to date{done} after {:.2} s{failed}",
            self.took.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(report: BuildReport, expected: Expect) {
        expected.assert_eq(&report.summary());
    }

    #[test]
    fn the_summary_says_what_was_done() {
        let report = || BuildReport {
            services: 5,
            took: Duration::from_millis(12),
            ..BuildReport::default()
        };
        let built = || vec![("payment".to_owned(), Reason::Missing)];
        check(report(), expect!["5 components up to date after 0.01 s"]);
        check(
            BuildReport {
                services: 1,
                ..report()
            },
            expect!["1 component up to date after 0.01 s"],
        );
        check(
            BuildReport {
                built: built(),
                compiled: 2,
                ..report()
            },
            expect!["5 components up to date (1 built, 2 compiled) after 0.01 s"],
        );
        check(
            BuildReport {
                built: built(),
                unbuilt: vec!["audit".into()],
                ..report()
            },
            expect!["4 of 5 components up to date (1 built) after 0.01 s; failed: audit"],
        );
    }
}
