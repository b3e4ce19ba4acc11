//! The terminal, or whatever standard error and output are connected to.

use std::io::{IsTerminal, Write};

/// Writes one line to standard error. A closed standard error loses the line and nothing else.
pub fn line(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // One write, so that lines of several processes do not mix.
    let _ = stderr.write_all(format!("{text}\n").as_bytes());
}

/// Whether a person watches standard error.
#[must_use]
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
