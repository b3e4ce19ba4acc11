//! `bookshop-host chaos show`: the links that have a fault.

use crate::admin::chaos::{Faults, FaultyLink};
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::table::{Cell, Table};
use crate::config::duration;
use crate::os::Os;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// Prints the faults.
///
/// # Errors
/// No host answers, or faults cannot be injected at all.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let faults: Faults = arguments.admin.get(os, "/v1/chaos", super::WITHIN).await?;
    if arguments.json {
        return Ok(output::json(&faults)?);
    }
    Ok(output::line(&text(&faults, Style::of_stdout()))?)
}

fn text(faults: &Faults, style: Style) -> String {
    let mut lines = if faults.links.is_empty() {
        vec!["no link has a fault".to_owned()]
    } else {
        table(&faults.links).lines(style)
    };
    for missing in &faults.missing {
        let who = style.paint(Paint::Warn, &missing.host);
        lines.push(format!(
            "{who} does not say which faults it has: {}",
            missing.reason
        ));
    }
    lines.join("\n")
}

fn table(links: &[FaultyLink]) -> Table {
    let mut table = Table::new(&["FROM", "TO", ">DROP", ">FOR", ">DELAY", ">FOR"]);
    for link in links {
        let delay = link.delay_ms.map(|mean| match link.jitter_ms {
            None | Some(0) => time(mean),
            Some(jitter) => format!("{} ± {}", time(mean), time(jitter)),
        });
        table.row([
            link.from.as_str().into(),
            link.to.as_str().into(),
            or_nothing(link.drop_percent.map(|share| share.to_string())),
            or_nothing(link.drop_for_ms.map(rest)),
            or_nothing(delay),
            or_nothing(link.delay_for_ms.map(rest)),
        ]);
    }
    table
}

fn time(milliseconds: u64) -> String {
    duration::format(Duration::from_millis(milliseconds))
}

/// What is left: with digits that a person can read before they change.
fn rest(milliseconds: u64) -> String {
    if milliseconds < 10_000 {
        time(milliseconds)
    } else {
        time(milliseconds.div_ceil(1000) * 1000)
    }
}

/// Nothing for a fault that is not there, and for the time of one that lasts until it is healed.
fn or_nothing(text: Option<String>) -> Cell {
    text.map_or_else(|| Cell::new(Paint::Dim, "-"), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::chaos::Missing;
    use crate::chaos::Percent;
    use expect_test::expect;

    fn link(from: &str, to: &str) -> FaultyLink {
        FaultyLink {
            from: from.into(),
            to: to.into(),
            drop_percent: None,
            drop_for_ms: None,
            delay_ms: None,
            jitter_ms: None,
            delay_for_ms: None,
        }
    }

    #[test]
    fn the_faults_are_a_table_and_the_hosts_that_did_not_answer() {
        let faults = Faults {
            links: vec![
                FaultyLink {
                    drop_percent: Some(Percent::ALL),
                    drop_for_ms: Some(8250),
                    ..link("alpha", "beta")
                },
                FaultyLink {
                    drop_percent: Some("0.5%".parse().expect("a share")),
                    delay_ms: Some(50),
                    jitter_ms: Some(20),
                    delay_for_ms: Some(59_001),
                    ..link("beta", "alpha")
                },
            ],
            missing: vec![Missing {
                host: "gamma".into(),
                reason: "it does not run".into(),
            }],
        };
        expect![[r#"
            FROM   TO     DROP     FOR        DELAY   FOR
            alpha  beta   100%  8250ms            -     -
            beta   alpha  0.5%       -  50ms ± 20ms  1min
            gamma does not say which faults it has: it does not run"#]]
        .assert_eq(&text(&faults, Style::PLAIN));
    }

    #[test]
    fn no_faults_are_said_in_words() {
        expect!["no link has a fault"].assert_eq(&text(&Faults::default(), Style::PLAIN));
    }
}
