//! The components that a service has and had.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::apply::WITHIN;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::table::{Cell, Table};
use crate::component::short_digest;
use crate::control::registry::{BY_HOST, Component, Outcome, RevisionEntry, Standing, Value};
use crate::os::Os;
use serde::Serialize;

/// A component that a service had for some revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its digest.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// The first revision that had it.
    pub revision: u64,
    /// Who put it in force.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it is in force.
    pub is_current: bool,
    /// Its share of the calls now, if it is a canary.
    pub percent: Option<u32>,
    /// Whether it ever had all calls.
    pub was_in_force: bool,
    /// Why hosts could not run it, or took it back.
    pub failures: Vec<String>,
}

/// The components that a service has and had in the revisions that are kept, the newest first.
///
/// # Errors
/// No host answers.
pub async fn versions(
    state: &ControlPart,
    service: &str,
    admin: &Admin,
    os: &Os,
) -> Result<Vec<Version>, Failure> {
    let mut revisions = Vec::new();
    for entry in state.history.iter().filter(|it| it.has_config) {
        let path = format!("/v1/control/revisions/{}", entry.revision);
        let value: Value = admin.get(os, &path, WITHIN).await?;
        let component = value
            .components
            .into_iter()
            .find(|it| it.service == service);
        revisions.extend(component.map(|component| (entry.clone(), component)));
    }
    Ok(collected(&revisions, &state.standings))
}

/// Of revisions, the newest first, each with the service's component.
fn collected(revisions: &[(RevisionEntry, Component)], standings: &[Standing]) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    // The components of the revision after the one that is looked at.
    let mut newer: Vec<usize> = Vec::new();
    for (place, (entry, component)) in revisions.iter().enumerate() {
        let mut these = Vec::new();
        for named in component.named() {
            let canary = component.canary.as_ref();
            let is_canary = canary.is_some_and(|it| it.digest == named.digest);
            let known = newer
                .iter()
                .find(|it| versions[**it].digest == named.digest);
            let index = known.copied().unwrap_or_else(|| {
                versions.push(Version {
                    digest: named.digest.clone(),
                    bytes: named.bytes,
                    revision: entry.revision,
                    by: String::new(),
                    at_ms: 0,
                    is_current: place == 0 && !is_canary,
                    percent: canary
                        .map(|it| it.percent)
                        .filter(|_| place == 0 && is_canary),
                    was_in_force: false,
                    failures: failures(standings, entry.revision),
                });
                versions.len() - 1
            });
            let version = &mut versions[index];
            // The older revision is the one in which it came.
            version.revision = entry.revision;
            version.by.clone_from(&entry.applied_by);
            version.at_ms = entry.applied_at_ms;
            version.was_in_force |= !is_canary;
            these.push(index);
        }
        // A host that applies something else instead says why; a canary that gets all calls is nothing bad.
        if let Some((next, after)) = place.checked_sub(1).map(|place| &revisions[place])
            && next.applied_by.starts_with(BY_HOST)
            && component
                .next()
                .is_none_or(|next| next.digest != after.digest || next.canary.is_some())
        {
            for index in &these {
                let version = &mut versions[*index];
                if after.named().all(|it| it.digest != version.digest)
                    && version.failures.is_empty()
                {
                    version.failures.push(next.summary.clone());
                }
            }
        }
        newer = these;
    }
    versions.sort_by_key(|version| std::cmp::Reverse(version.revision));
    versions
}

fn failures(standings: &[Standing], revision: u64) -> Vec<String> {
    let failed = |standing: &Standing| match &standing.outcome {
        Outcome::Failed(reason) if standing.revision == revision => {
            Some(format!("{}: {reason}", standing.host))
        }
        Outcome::Failed(_) | Outcome::Running | Outcome::Ready => None,
    };
    standings.iter().filter_map(failed).collect()
}

/// A table for people.
pub fn table(versions: &[Version], now_ms: u64, style: Style) -> String {
    let mut table = Table::new(&[">REVISION", "SHA-256", ">SIZE", "BY", "WHEN", "STATE"]);
    for version in versions {
        let state = match (version.failures.as_slice(), version) {
            (
                [],
                Version {
                    percent: Some(percent),
                    ..
                },
            ) => Cell::new(Paint::Warn, format!("canary, {percent} % of the calls")),
            (
                [],
                Version {
                    is_current: true, ..
                },
            ) => Cell::new(Paint::Good, "in force"),
            (
                [],
                Version {
                    was_in_force: false,
                    ..
                },
            ) => "canary before".into(),
            ([], _) => "before".into(),
            (failures, _) => Cell::new(Paint::Bad, format!("failed: {}", failures.join("; "))),
        };
        let seconds = now_ms.saturating_sub(version.at_ms) / 1_000;
        table.row([
            version.revision.to_string().into(),
            short_digest(&version.digest).into(),
            output::size(version.bytes).into(),
            version.by.as_str().into(),
            format!("{} ago", output::uptime(seconds)).into(),
            state,
        ]);
    }
    table.lines(style).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::registry::Canary;
    use expect_test::{Expect, expect};

    /// A revision in which a service has a component, by its digit, and perhaps a canary.
    fn revision(
        number: u64,
        by: &str,
        digit: &str,
        canary: Option<(&str, u32)>,
        summary: &str,
    ) -> (RevisionEntry, Component) {
        let entry = RevisionEntry {
            revision: number,
            applied_by: by.into(),
            applied_at_ms: number * 1_000,
            summary: summary.into(),
            has_config: true,
        };
        let canary = canary.map(|(digit, percent)| Canary {
            digest: digit.repeat(32),
            bytes: 4096,
            percent,
            then: vec![100],
            every_ms: 1_000,
        });
        let component = Component {
            service: "a".into(),
            digest: digit.repeat(32),
            bytes: 2048,
            canary,
        };
        (entry, component)
    }

    #[track_caller]
    fn check(revisions: &[(RevisionEntry, Component)], standings: &[Standing], expected: Expect) {
        let versions = collected(revisions, standings);
        expected.assert_eq(&table(&versions, 10_000, Style::PLAIN));
    }

    #[test]
    fn versions_are_listed_with_what_became_of_each() {
        let failed = Standing {
            host: "beta".into(),
            revision: 3,
            outcome: Outcome::Failed("it exports no function check".into()),
            at_ms: 0,
        };
        let revisions = [
            revision(5, "ann", "ab", None, ""),
            revision(4, "ann", "ab", None, ""),
            revision(3, "bob", "cd", None, ""),
            revision(1, "ann", "ef", None, ""),
        ];
        check(
            &revisions,
            &[failed],
            expect![[r#"
            REVISION  SHA-256          SIZE  BY   WHEN     STATE
                   4  abababababab  2.0 KiB  ann  6 s ago  in force
                   3  cdcdcdcdcdcd  2.0 KiB  bob  7 s ago  failed: beta: it exports no function check
                   1  efefefefefef  2.0 KiB  ann  9 s ago  before"#]],
        );
    }

    #[test]
    fn a_canary_is_listed_beside_what_is_in_force() {
        let revisions = [
            revision(2, "ann", "ef", Some(("ab", 5)), ""),
            revision(1, "ann", "ef", None, ""),
        ];
        check(
            &revisions,
            &[],
            expect![[r#"
                REVISION  SHA-256          SIZE  BY   WHEN     STATE
                       2  abababababab  4.0 KiB  ann  8 s ago  canary, 5 % of the calls
                       1  efefefefefef  2.0 KiB  ann  9 s ago  in force"#]],
        );
    }

    #[test]
    fn a_canary_that_got_all_calls_is_in_force_and_nothing_failed() {
        let revisions = [
            revision(
                3,
                "host:beta",
                "ab",
                None,
                "a: abab, which was the canary, gets all calls",
            ),
            revision(2, "ann", "ef", Some(("ab", 50)), ""),
            revision(1, "ann", "ef", None, ""),
        ];
        check(
            &revisions,
            &[],
            expect![[r#"
            REVISION  SHA-256          SIZE  BY   WHEN     STATE
                   2  abababababab  2.0 KiB  ann  8 s ago  in force
                   1  efefefefefef  2.0 KiB  ann  9 s ago  before"#]],
        );
    }

    #[test]
    fn what_hosts_took_back_says_why() {
        let revisions = [
            revision(
                6,
                "host:beta",
                "ef",
                None,
                "a: as before, since on beta: 3 of 9 calls failed",
            ),
            revision(5, "ann", "cd", None, ""),
            revision(
                4,
                "host:beta",
                "ef",
                None,
                "a: the canary is withdrawn, since on beta: 3 of 5 calls failed",
            ),
            revision(3, "host:alpha", "ef", Some(("ab", 25)), ""),
            revision(2, "ann", "ef", Some(("ab", 5)), ""),
            revision(1, "ann", "ef", None, ""),
        ];
        check(
            &revisions,
            &[],
            expect![[r#"
                REVISION  SHA-256          SIZE  BY         WHEN     STATE
                       6  efefefefefef  2.0 KiB  host:beta  4 s ago  in force
                       5  cdcdcdcdcdcd  2.0 KiB  ann        5 s ago  failed: a: as before, since on beta: 3 of 9 calls failed
                       2  abababababab  4.0 KiB  ann        8 s ago  failed: a: the canary is withdrawn, since on beta: 3 of 5 calls failed
                       1  efefefefefef  2.0 KiB  ann        9 s ago  before"#]],
        );
    }
}
