//! Standard output and colour.

use crate::os::process;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Writes lines to standard output.
///
/// # Errors
/// As the operating system says; `BrokenPipe` if nobody reads any more, which is no failure of the command.
pub fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(format!("{text}\n").as_bytes())?;
    stdout.flush()
}

/// Writes a value as JSON for people and scripts: indented, then a newline.
///
/// # Errors
/// See [`line`].
pub fn json(value: &impl Serialize) -> io::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Whether, and how, to emphasise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    is_coloured: bool,
}

/// The look of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// A heading.
    Bold,
    /// Less important.
    Dim,
    /// As it should be.
    Good,
    /// On its way, or not wanted to run.
    Warn,
    /// Wrong.
    Bad,
}

impl Style {
    /// No colour at all, whatever the terminal.
    #[cfg(test)]
    pub const PLAIN: Self = Self { is_coloured: false };

    /// Colour if a person looks at standard output and did not set NO_COLOR (<https://no-color.org>).
    #[must_use]
    pub fn of_stdout() -> Self {
        Self {
            is_coloured: io::stdout().is_terminal() && is_wanted(),
        }
    }

    /// The same for standard error.
    #[must_use]
    pub fn of_stderr() -> Self {
        Self {
            is_coloured: io::stderr().is_terminal() && is_wanted(),
        }
    }

    /// `text` with a look.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Good => "32",
            Paint::Warn => "33",
            Paint::Bad => "31",
        };
        if self.is_coloured && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint(Paint::Bold, text)
    }

    /// Something wrong.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint(Paint::Bad, text)
    }
}

fn is_wanted() -> bool {
    process::variable("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A size for people: `61.2 KiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    #[allow(
        clippy::cast_precision_loss,
        reason = "one digit after the point is shown"
    )]
    let scaled = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", scaled(1 << 10)),
        _ => format!("{:.1} MiB", scaled(1 << 20)),
    }
}

/// A length of time for people: `850 us`, `1.25 ms`, `3.20 s`.
#[must_use]
pub fn microseconds(value: u64) -> String {
    #[allow(
        clippy::cast_precision_loss,
        reason = "two digits after the point are shown"
    )]
    let scaled = |unit: u64| value as f64 / unit as f64;
    match value {
        0..1000 => format!("{value} us"),
        1000..1_000_000 => format!("{:.2} ms", scaled(1000)),
        _ => format!("{:.2} s", scaled(1_000_000)),
    }
}

/// How long something has been there: `42 s`, `7 min 3 s`, `3 h 20 min`, `5 d 2 h`.
#[must_use]
pub fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A number of things: `1 host`, `3 hosts`.
#[must_use]
pub fn count(number: usize, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_a_unit_of_their_size() {
        let sizes = [0, 1023, 1024, 62_694, 20_447_232].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "61.2 KiB", "19.5 MiB"]);
        let times = [7, 999, 1250, 3_200_000].map(microseconds);
        assert_eq!(times, ["7 us", "999 us", "1.25 ms", "3.20 s"]);
        let uptimes = [0, 59, 423, 12_000, 440_000].map(uptime);
        assert_eq!(
            uptimes,
            ["0 s", "59 s", "7 min 3 s", "3 h 20 min", "5 d 2 h"]
        );
    }

    #[test]
    fn colour_is_only_for_terminals() {
        assert_eq!(Style::PLAIN.bad("error:"), "error:");
        assert_eq!(
            Style { is_coloured: true }.bad("error:"),
            "\u{1b}[31merror:\u{1b}[0m"
        );
    }
}
