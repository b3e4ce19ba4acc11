//! `bookshop:platform/changes`: waiting until the state of a replicated service changes, wherever it is.

use crate::call_error::CallError;
use crate::dispatch::{Position, Wait};
use crate::imports::{CallState, lifecycle};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Accessor, LinkerInstance};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:changes; world imports { import bookshop:platform/call-error@0.1.0; }",
        world: "host:changes/imports",
    });
}
use generated::bookshop::platform::call_error as wit;

/// The interface, of any version.
pub const INTERFACE: &str = "bookshop:platform/changes";
const WAIT: &str = "wait";
/// The name of the call, which its trace is derived from.
const CALL: &str = "bookshop:platform/changes@0.1.wait";
/// Longest wait, as the interface says.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Service, position, milliseconds.
type Arguments = (String, u64, u64);
type Waited = (Result<u64, wit::CallError>,);

/// Defines its function with the type by which it is imported. One that the interface does not have is left for the engine to refuse.
///
/// # Errors
/// A bug: it was defined twice.
pub fn define(
    linker: &mut LinkerInstance<'_, CallState>,
    function: &str,
    ty: &ComponentFunc,
) -> wasmtime::Result<()> {
    match (function, ty.async_()) {
        (WAIT, true) => linker.func_wrap_concurrent(
            function,
            |accessor: &Accessor<CallState>, arguments: Arguments| {
                Box::pin(async move {
                    let position = accessor.with(|mut access| start(access.data_mut(), arguments));
                    Ok(finish(position.await))
                })
            },
        ),
        (WAIT, false) => linker.func_wrap_async(function, |mut store, arguments: Arguments| {
            let position = start(store.data_mut(), arguments);
            Box::new(async move { Ok(finish(position.await)) })
        }),
        (_, _) => Ok(()),
    }
}

fn start(state: &mut CallState, (service, after, timeout_ms): Arguments) -> Position {
    if state.is_command() {
        let message = "a command of a replicated service must not wait; wait from a query, or from a service that calls this one".into();
        let service = state.service.name.to_string();
        let refused = CallError::NotGranted { service, message };
        return Box::pin(std::future::ready(Err(refused)));
    }
    let timeout = Duration::from_millis(timeout_ms).min(WAIT_MAX);
    let mut envelope = state.next_call(CALL);
    let signal = state.lifecycle.clone();
    if signal.is_some() {
        // A daemon's time for a call is for the callee's work, and here begins after the wait.
        envelope.deadline = envelope.deadline.saturating_add(timeout);
    }
    let position = Arc::clone(&state.dispatch).wait(Wait {
        service,
        after,
        timeout,
        envelope,
    });
    if signal.is_none() {
        return position;
    }
    Box::pin(async move {
        tokio::select! {
            biased;
            // A daemon without `async` could not look whether it should finish until the wait is over.
            () = lifecycle::stopping(signal) => Ok(after),
            position = position => position,
        }
    })
}

fn finish(position: Result<u64, CallError>) -> Waited {
    (position.map_err(Into::into),)
}

impl From<CallError> for wit::CallError {
    fn from(error: CallError) -> Self {
        let failure = |service, message| wit::Failure { service, message };
        match error {
            CallError::NotFound { service, message } => Self::NotFound(failure(service, message)),
            CallError::NotGranted { service, message } => {
                Self::NotGranted(failure(service, message))
            }
            CallError::Incompatible { service, message } => {
                Self::Incompatible(failure(service, message))
            }
            CallError::Overloaded {
                service,
                retry_after,
            } => Self::Overloaded(wit::Overload {
                service,
                retry_after_ms: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX),
            }),
            CallError::DeadlineExceeded { service, message } => {
                Self::DeadlineExceeded(failure(service, message))
            }
            CallError::Cancelled => Self::Cancelled,
            CallError::Trapped { service, message } => Self::Trapped(failure(service, message)),
            CallError::Unavailable {
                service,
                message,
                maybe_executed,
            } => Self::Unavailable(wit::Unavailability {
                service,
                message,
                maybe_executed,
            }),
            CallError::Redirected { to } => Self::Redirected(to),
            CallError::HopLimit { service, message } => Self::HopLimit(failure(service, message)),
            CallError::KeyReused { service, message } => Self::KeyReused(failure(service, message)),
            CallError::KeyExpired { service, message } => {
                Self::KeyExpired(failure(service, message))
            }
        }
    }
}
