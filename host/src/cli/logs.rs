//! `bookshop-host logs`: the last lines of a host's log, and then each new one.

use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::config::ServiceName;
use crate::os::Os;
use crate::telemetry::log_ring::LogRecord;
use crate::telemetry::{Level, time_of_day};
use clap::Args;
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only the lines of this service; `host` for those of the host itself
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: Option<ServiceName>,
    /// Go on with new lines until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How many lines to begin with
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    lines: usize,
    /// Print each line as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// How long the host may hold a request until there is a new line.
const WAIT_MS: u64 = 20_000;
/// How long an answer may take beyond that.
const WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize)]
struct Page {
    lines: Vec<LogRecord>,
    /// Where to go on.
    next: u64,
}

/// Prints lines until there are no more, or for ever.
///
/// # Errors
/// No host answers, or there is no such service.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let style = Style::of_stdout();
    let first: Page = arguments
        .admin
        .get(
            os,
            &arguments.path(&format!("limit={}", arguments.lines)),
            WITHIN,
        )
        .await?;
    // Zero lines is a way to follow from now on; whatever the host makes of it, not more are printed than asked for.
    let skipped = first.lines.len().saturating_sub(arguments.lines);
    print(
        first.lines.get(skipped..).unwrap_or_default(),
        arguments.json,
        style,
    )?;
    if !arguments.follow {
        return Ok(());
    }
    let mut next = first.next;
    loop {
        let page: Page = arguments
            .admin
            .get(
                os,
                &arguments.path(&format!("after={next}&wait_ms={WAIT_MS}")),
                WITHIN,
            )
            .await?;
        print(&page.lines, arguments.json, style)?;
        next = page.next;
    }
}

impl Arguments {
    fn path(&self, query: &str) -> String {
        let service = self
            .service
            .as_ref()
            .map(|name| format!("&service={name}"))
            .unwrap_or_default();
        format!("/v1/logs?{query}{service}")
    }
}

fn print(lines: &[LogRecord], is_json: bool, style: Style) -> Result<(), Failure> {
    for line in lines {
        let text = if is_json {
            serde_json::to_string(line).map_err(|error| Failure::operation(&error))?
        } else {
            text(line, style)
        };
        output::line(&text)?;
    }
    Ok(())
}

fn text(line: &LogRecord, style: Style) -> String {
    let paint = match line.level {
        Level::Trace | Level::Debug => Paint::Dim,
        Level::Info => Paint::Plain,
        Level::Warn => Paint::Warn,
        Level::Error => Paint::Bad,
    };
    let (time, level) = (
        time_of_day(line.wall_ms),
        format!("{:5}", line.level.name()),
    );
    let who = line.service.as_deref().unwrap_or("host");
    format!(
        "{} {} {} {}",
        style.paint(Paint::Dim, &time),
        style.paint(paint, &level),
        style.bold(who),
        line.message
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_how_bad_who_and_what() {
        let mut line = LogRecord {
            sequence: 1,
            wall_ms: 3_723_004,
            host: "alpha".into(),
            service: Some("payment".into()),
            level: Level::Warn,
            message: "late".into(),
        };
        assert_eq!(
            text(&line, Style::PLAIN),
            "01:02:03.004Z warn  payment late"
        );
        line.service = None;
        assert_eq!(text(&line, Style::PLAIN), "01:02:03.004Z warn  host late");
    }
}
