//! S4's peer: a unary call with tonic over mutual TLS, if its program is there. It is not part of this repository; README.md says what it
//! is asked and answers.

use crate::Outcome;
use crate::child::Owned;
use crate::two_hosts::Bytes;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The environment variable that names the program.
const PROGRAM: &str = "TONIC_UNARY";
/// Longest for one run, beside the load that it was asked for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program.
pub struct Tonic(PathBuf);

/// What it prints of calls that it made one at a time.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct OneAtATime {
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
}

/// What it prints of calls that it made at once.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Saturated {
    /// Answers a second.
    pub calls_per_s: f64,
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// CPU time of both processes for each call.
    pub cpu_ms_per_call: f64,
}

impl Tonic {
    /// The one that the environment variable names.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn find() -> Result<Self, String> {
        let path = std::env::var_os(PROGRAM)
            .map(PathBuf::from)
            .ok_or_else(|| format!("name its program in the environment variable {PROGRAM}"))?;
        if path.is_file() {
            Ok(Self(path))
        } else {
            Err(format!("{} is missing ({PROGRAM})", path.display()))
        }
    }

    /// Makes `calls` calls, one at a time.
    ///
    /// # Errors
    /// The program fails, or takes too long.
    pub fn one_at_a_time(&self, bytes: Bytes, calls: usize) -> Outcome<OneAtATime> {
        self.run(bytes, &["--calls", &calls.to_string()], Duration::ZERO)
    }

    /// Keeps `in_flight` calls under way for `time`.
    ///
    /// # Errors
    /// The program fails, or takes too long.
    pub fn saturated(
        &self,
        bytes: Bytes,
        in_flight: usize,
        warm_up: Duration,
        time: Duration,
    ) -> Outcome<Saturated> {
        let more = [
            "--in-flight",
            &in_flight.to_string(),
            "--warm-up-seconds",
            &warm_up.as_secs().to_string(),
            "--seconds",
            &time.as_secs().to_string(),
        ];
        self.run(bytes, &more, warm_up + time)
    }

    fn run<T: for<'de> Deserialize<'de>>(
        &self,
        bytes: Bytes,
        more: &[&str],
        time: Duration,
    ) -> Outcome<T> {
        let mut command = Command::new(&self.0);
        command
            .args(["--request-bytes", &bytes.request.to_string()])
            .args(["--answer-bytes", &bytes.answer.to_string()])
            .args(more);
        command
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let printed = Owned::spawn(&mut command)?.output(time + PATIENCE)?;
        let numbers = serde_json::from_str(printed.trim());
        numbers.map_err(|error| format!("{PROGRAM} printed {printed:?}: {error}").into())
    }
}
