//! `bookshop-host call`: one call of a function of a running service.

use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::duration;
use crate::os::Os;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Arguments {
    /// What to call: an interface or a service, a dot, and the function
    #[arg(value_name = "TARGET.FUNCTION", value_parser = function)]
    function: String,
    /// One WAVE text for each parameter
    // A negative number is no option.
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// Print the result as JSON instead of WAVE
    #[arg(long)]
    json: bool,
    /// How long the answer may take, for example 500ms or 5s; the service's own limit by default
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Calls with equal keys have one effect
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    admin: Admin,
}

/// What the host adds to the time of the call: reading it, writing the answer, and ending a call that is late.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);
/// The largest limit a service can have.
const TIME_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug, Deserialize)]
struct Answer {
    results: Vec<CallResult>,
}

#[derive(Debug, Deserialize)]
struct CallResult {
    wave: String,
    json: Value,
}

/// The host finds out whether there is such a function; whether it is one at all is clear here.
fn function(text: &str) -> Result<String, String> {
    match text.rsplit_once('.') {
        Some((target, function)) if !target.is_empty() && !function.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("write an interface or a service, a dot and a function, for example suggestions.suggest".into()),
    }
}

/// Calls the function and prints its result.
///
/// # Errors
/// No host answers, the name or an argument makes no sense, or the call failed.
pub async fn run(arguments: Arguments, os: &Os) -> Result<(), Failure> {
    let Arguments {
        function,
        arguments,
        json,
        timeout,
        idempotency_key,
        admin,
    } = arguments;
    let timeout_ms = timeout.map(|timeout| {
        u64::try_from(timeout.as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    });
    let body = json!({ "function": function, "arguments": arguments, "timeout_ms": timeout_ms, "idempotency_key": idempotency_key });
    let within = timeout.unwrap_or(TIME_MAX).saturating_add(ANSWER_MARGIN);
    let answer: Answer = admin.post(os, "/v1/call", &body, within).await?;
    // A function has one result or none.
    for result in answer.results {
        if json {
            output::json(&result.json)?
        } else {
            output::line(&result.wave)?
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_needs_a_target() {
        for text in [
            "suggestions.suggest",
            "bookshop:shop/suggestions@0.1.0.suggest",
        ] {
            assert_eq!(function(text), Ok(text.to_owned()));
        }
        for text in ["suggest", ".suggest", "suggestions.", ""] {
            assert!(function(text).is_err(), "{text}");
        }
    }
}
