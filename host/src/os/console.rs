//! The terminal, or whatever standard error and output are connected to.

use std::io::{self, BufRead, IsTerminal, Read, Write};

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

/// Whether a person can be asked something.
#[must_use]
pub fn is_answered() -> bool {
    io::stdin().is_terminal() && is_watched()
}

/// Asks a person, who says yes by `y` or `yes`. Blocks this thread until there is an answer, so only for a command that does nothing else.
///
/// # Errors
/// Standard input cannot be read.
pub fn confirm(question: &str) -> io::Result<bool> {
    /// Whoever types more than this means neither.
    const ANSWER_BYTES_MAX: u64 = 64;
    let mut stderr = io::stderr().lock();
    // A closed standard error loses the question, and an answer to nothing is a no.
    let _ = stderr.write_all(format!("{question} [y/N] ").as_bytes());
    let _ = stderr.flush();
    drop(stderr);
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
