//! `bookshop-host call`: one call of a function of a running service.

use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::client::CallOptions;
use crate::config::duration;
use crate::os::Os;
use clap::Args;
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
    /// Let any replica answer a query at once, from a state that may be a little older than the call
    #[arg(long)]
    stale_ok: bool,
    #[command(flatten)]
    api: Api,
}

const FUNCTION_FORM: &str =
    "write an interface or a service, a dot and a function, for example suggestions.suggest";

/// The host finds out whether there is such a function; whether it is one at all is clear here.
fn function(text: &str) -> Result<String, String> {
    match text.rsplit_once('.') {
        Some((target, function)) if !target.is_empty() && !function.is_empty() => {
            Ok(text.to_owned())
        }
        Some(_) | None => Err(FUNCTION_FORM.into()),
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
        stale_ok,
        api,
    } = arguments;
    let (target, function) = function
        .rsplit_once('.')
        .ok_or_else(|| Failure::usage(FUNCTION_FORM))?;
    let options = CallOptions {
        timeout,
        idempotency_key: idempotency_key.map(Into::into),
        is_stale_ok: stale_ok,
    };
    let client = api.connect(os).await?;
    let results = client
        .call_wave(target, function, &arguments, &options)
        .await?;
    // A function has one result or none.
    for result in results {
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
