//! Calls to other services: an imported function becomes an [`Invocation`].
//!
//! Values are dynamic ([`Val`]), so a service with interfaces of its own needs no change of the host. An `async` import lets its
//! caller go on; any other stops the caller's store until the answer is there, which is right because a store serves one call.

use crate::call_error::{CallError, ErrorPlace};
use crate::dispatch::{Answer, Invocation, Reach, ServiceId};
use crate::imports::CallState;
use crate::payload::Payload;
use crate::signature::Signature;
use std::sync::Arc;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Accessor, LinkerInstance, Val};

/// One imported function and who serves it.
struct Link {
    callee: ServiceId,
    /// As the caller was built against it.
    types: Arc<Signature>,
    /// `interface.function`, for messages and derived keys.
    name: String,
    error_place: ErrorPlace,
}

/// The callee failed and the import's result has no room for the reason, so the caller traps.
#[derive(Debug, thiserror::Error)]
#[error("call to {function} failed")]
pub struct FailedCall {
    /// What was called.
    pub function: String,
    /// The reason.
    #[source]
    pub error: CallError,
}

/// Defines one function of an imported interface as a call to `callee`.
///
/// # Errors
/// A bug: the function was defined twice.
pub fn define(
    linker: &mut LinkerInstance<'_, CallState>,
    callee: ServiceId,
    types: Arc<Signature>,
    ty: &ComponentFunc,
) -> wasmtime::Result<()> {
    let link = Arc::new(Link {
        callee,
        name: types.name.to_string(),
        error_place: ErrorPlace::of(ty.results().next().as_ref()),
        types,
    });
    let name = link.types.name.function.clone();
    if ty.async_() {
        linker.func_new_concurrent(
            &name,
            move |accessor: &Accessor<CallState>, _ty, params, results| {
                let link = Arc::clone(&link);
                Box::pin(async move {
                    let answer = accessor.with(|mut access| link.start(access.data_mut(), params));
                    link.finish(answer.await, results)
                })
            },
        )
    } else {
        linker.func_new_async(&name, move |mut store, _ty, params, results| {
            let link = Arc::clone(&link);
            Box::new(async move {
                let answer = link.start(store.data_mut(), params);
                link.finish(answer.await, results)
            })
        })
    }
}

impl Link {
    fn start(&self, state: &mut CallState, params: &[Val]) -> Answer {
        if state.is_command() {
            return Box::pin(std::future::ready(Err(self.refused(state))));
        }
        let envelope = state.next_call(&self.name);
        Arc::clone(&state.dispatch).dispatch(Invocation {
            service: self.callee,
            function: Arc::clone(&self.types.name),
            types: Some(Arc::clone(&self.types)),
            // The engine lends the arguments, and the callee runs on a task of its own: this is the one copy a call makes.
            arguments: Payload::Values(params.to_vec()),
            envelope,
            reach: Reach::Cluster,
        })
    }

    /// A command waits for nothing but its own state: the ones after it wait for it.
    fn refused(&self, state: &CallState) -> CallError {
        CallError::NotGranted {
            service: state.service.name.to_string(),
            message: format!(
                "a command of a replicated service must not wait for {}; send it through bookshop:platform/outbox, or call it from a query",
                self.name
            ),
        }
    }

    fn finish(
        &self,
        answer: Result<Payload, CallError>,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let error = match answer {
            Ok(Payload::Values(values)) if values.len() == results.len() => {
                for (result, value) in results.iter_mut().zip(values) {
                    *result = value;
                }
                return Ok(());
            }
            Ok(Payload::Values(_) | Payload::Request(_) | Payload::Response(_)) => CallError::Incompatible {
                service: self.name.clone(),
                message: "the answer does not have the number of results that was agreed when the services were linked".into(),
            },
            Err(error) => error,
        };
        match (self.error_place.result(&error), results) {
            (Some(value), [result]) => {
                *result = value;
                Ok(())
            }
            (Some(_) | None, _) => Err(FailedCall {
                function: self.name.clone(),
                error,
            }
            .into()),
        }
    }
}
