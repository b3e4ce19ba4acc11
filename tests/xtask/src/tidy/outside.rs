//! Only host/src/os touches the outside world, so a simulation can replace all of it.
//!
//! Clippy bans the functions by name (clippy.toml); this looks at the modules they come from, and so also at those nobody thought of.

use super::Problem;
use super::source::Source;
use super::tree::Tree;

/// Beginnings of paths that lead outside, with what to use instead.
const OUTSIDE: [(&str, &str); 24] = [
    ("std::env", "os::process"),
    ("std::fs", "os::Disk"),
    ("std::net::Tcp", "os::Network"),
    ("std::net::ToSocketAddrs", "os::Network"),
    ("std::net::Udp", "os::Network"),
    ("std::os::unix::net", "os::Network"),
    ("std::process::Child", "os::process"),
    ("std::process::Command", "os::process"),
    ("std::process::exit", "a return from main"),
    ("std::thread::sleep", "os::clock::sleep"),
    ("std::thread::spawn", "os::task::thread"),
    ("std::time::Instant", "os::Clock::monotonic"),
    ("getrandom::", "os::Entropy"),
    ("rand::", "os::Entropy"),
    ("rustix::", "os"),
    ("tokio::fs", "os::Disk"),
    ("tokio::net", "os::Network"),
    ("tokio::process", "os::process"),
    ("tokio::runtime::Builder", "os::task::runtime"),
    ("tokio::signal", "os::signal"),
    ("tokio::spawn", "os::task::spawn"),
    ("tokio::task::", "os::task"),
    ("tokio::time", "os::clock"),
    ("SystemTime::now", "os::Clock::wall"),
];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rust = tree
        .below("host/src/")
        .filter(|file| file.extension() == "rs" && !file.path.starts_with("host/src/os/"));
    for file in rust.filter(|file| !is_test(&file.path)) {
        let source = Source::of(&file.text);
        for (line, code) in source.lines_before_tests() {
            for (path, instead) in OUTSIDE.iter().filter(|(path, _)| leads(code, path)) {
                let message = format!(
                    "{} leads outside; use {instead}",
                    path.trim_end_matches("::")
                );
                problems.push(Problem {
                    file: file.path.clone(),
                    line,
                    rule: "outside",
                    message,
                });
            }
        }
    }
    problems
}

/// Whether a file holds nothing but tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Whether `path` stands in `code` where a path begins, so that `strand::` is not `rand::`.
fn leads(code: &str, path: &str) -> bool {
    let begins = |at: usize| {
        !code[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == ':')
    };
    code.match_indices(path).any(|(at, _)| begins(at))
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        testing::check(super::check, &[(path, text)], expected);
    }

    #[test]
    fn only_os_leads_outside() {
        check("host/src/os/disk.rs", "use std::fs;", &[]);
        check(
            "host/src/pool.rs",
            "use std::fs;",
            &["host/src/pool.rs:1: std::fs leads outside; use os::Disk"],
        );
        check("tests/it/main.rs", "use std::fs;", &[]);
    }

    #[test]
    fn values_of_the_same_modules_are_fine() {
        check(
            "host/src/http.rs",
            "use std::net::SocketAddr;\nuse std::time::Duration;\nuse tokio::sync::Semaphore;",
            &[],
        );
    }

    #[test]
    fn words_that_end_alike_are_fine() {
        check(
            "host/src/http.rs",
            "strand::f(); crate::os::rand::f();",
            &[],
        );
    }

    #[test]
    fn tests_may() {
        check(
            "host/src/a.rs",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
            &[],
        );
        check("host/src/config/tests.rs", "use std::fs;", &[]);
    }
}
