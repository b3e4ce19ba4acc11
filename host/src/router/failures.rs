//! Failures of calls in the caller's terms.

use super::ServeOutcome;
use crate::call_error::CallError;
use crate::os::clock::Elapsed;
use crate::os::task;
use crate::service::Service;
use crate::services::Slot;
use std::time::Duration;

pub(super) fn too_far(slot: &Slot) -> CallError {
    CallError::HopLimit {
        service: slot.service.name.to_string(),
        message: "the call is too many calls away from where it entered, most likely in a cycle; break the cycle, or raise cluster.hops-max".into(),
    }
}

/// Nobody waits for the answer any more, so the work is not even begun.
pub(super) fn too_late(slot: &Slot) -> CallError {
    CallError::DeadlineExceeded {
        service: slot.service.name.to_string(),
        message: "its time was over before it began; it was not executed".into(),
    }
}

pub(super) fn not_an_argument(slot: &Slot) -> CallError {
    CallError::Incompatible {
        service: slot.service.name.to_string(),
        message: "a response is not an argument".into(),
    }
}

/// How the task of an HTTP handler ended, in the caller's terms.
pub(super) fn served(
    service: &Service,
    outcome: Result<ServeOutcome, task::TaskError>,
    started: Duration,
    deadline: Duration,
) -> Result<(), CallError> {
    match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(_elapsed)) => Err(late(service, "did not answer", started, deadline)),
        Err(error) => Err(host_failed(service, error)),
    }
}

pub(super) fn late(
    service: &Service,
    what: &str,
    started: Duration,
    deadline: Duration,
) -> CallError {
    // Rounded up: the moments between a call's entry and its start here would make 99 of the 100 ms that were configured.
    let milliseconds = deadline.saturating_sub(started).as_micros().div_ceil(1_000);
    CallError::DeadlineExceeded {
        service: service.name.to_string(),
        message: format!("{what} within {milliseconds} ms"),
    }
}

/// What went wrong in a call, if anything did.
pub(super) fn failure(called: &Result<Result<(), CallError>, Elapsed>) -> Option<String> {
    match called {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(elapsed) => Some(elapsed.to_string()),
    }
}

pub(super) fn host_failed(service: &Service, error: task::TaskError) -> CallError {
    CallError::Unavailable {
        service: service.name.to_string(),
        message: error.to_string(),
        maybe_executed: true,
    }
}
