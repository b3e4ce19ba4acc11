//! One call in one store: limits set, instance made, function called, failure put into words.

use crate::call_error::CallError;
use crate::dispatch::Dispatch;
use crate::envelope::Envelope;
use crate::imports::service::FailedCall;
use crate::imports::{CallState, Kept};
use crate::limits::{CpuExceeded, CpuMeter, MemoryMeter};
use crate::os::task;
use crate::payload::{Body, values_bytes};
use crate::replica::published::Snapshot;
use crate::replica::work::{Effects, Work, WorkError};
use crate::storage::CommitError;
use crate::version::{Export, Version};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, Instance as Instantiated, Val};
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};

/// Ticks of the epoch after which a guest lets others run. One tick is about a millisecond.
const YIELD_TICKS: u64 = 1;
/// Host memory that one byte of a guest's list may become while it is between two stores (a dynamic value of the engine).
const VALUE_BYTES_PER_GUEST_BYTE: usize = size_of::<Val>();
/// Room for field names and the like, which count too, so that small limits still let small records through.
const VALUE_BYTES_BASE: usize = 1 << 20;

/// Why a call of a function has no results.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another call changed what this one read from storage. It had no effect and is to run again.
    #[error("another call changed what this one read")]
    Conflict,
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// How results leave a function: possibly before it is done.
pub type CallReply = oneshot::Sender<Vec<Val>>;

/// How an HTTP answer leaves the guest: before the call is over.
pub type HttpReply = oneshot::Sender<Result<http::Response<Body>, ErrorCode>>;

/// An instance and its store.
pub struct Instance {
    store: Store<CallState>,
    callable: Callable,
    meter: Arc<CpuMeter>,
    /// Calls it may still serve before it is dropped.
    pub calls_left: u32,
}

enum Callable {
    Functions(Instantiated),
    Http(Proxy),
}

impl Instance {
    /// Makes an instance of `version` for a first call.
    ///
    /// # Errors
    /// [`CallError::Trapped`]: its start function failed. [`CallError::Unavailable`]: the engine has no room.
    pub async fn new(
        version: &Version,
        envelope: Envelope,
        dispatch: Arc<dyn Dispatch>,
        meter: Arc<CpuMeter>,
    ) -> Result<Self, CallError> {
        let budget = Some((version.service.config.limits.cpu, Arc::clone(&meter)));
        let mut store = store(version, envelope, dispatch, budget);
        let callable = match &version.http {
            Some(http) => http.instantiate_async(&mut store).await.map(Callable::Http),
            None => version
                .pre
                .instantiate_async(&mut store)
                .await
                .map(Callable::Functions),
        };
        match callable {
            Ok(callable) => Ok(Self {
                store,
                callable,
                meter,
                calls_left: 1,
            }),
            Err(error) => Err(explain(&error, store.data(), &meter)),
        }
    }

    /// Prepares a used instance for its next call.
    pub fn renew(&mut self, envelope: Envelope, dispatch: Arc<dyn Dispatch>) {
        self.meter.reset();
        let state = self.store.data_mut();
        state.envelope = envelope;
        state.dispatch = dispatch;
        state.children = 0;
        state.kept = Kept::Untouched;
        state.snapshot = None;
        state.effects = None;
        state.memory.is_exhausted = false;
        self.store.set_epoch_deadline(YIELD_TICKS);
    }

    /// Lets the next call work on this state, as a command.
    pub fn give(&mut self, work: Work) {
        self.store.data_mut().kept = Kept::Replicated(Box::new(work));
    }

    /// Lets the next call see this state, as a query.
    pub fn show(&mut self, snapshot: Option<Arc<Snapshot>>) {
        self.store.data_mut().snapshot = snapshot;
    }

    /// What the last call changed, if it was a command and succeeded.
    pub fn take_effects(&mut self) -> Option<Effects> {
        self.store.data_mut().effects.take()
    }

    /// The meter that measures this instance's calls.
    #[must_use]
    pub fn meter(&self) -> Arc<CpuMeter> {
        Arc::clone(&self.meter)
    }

    /// Calls an exported function and sends its results through `reply`, which is taken then. An `async` function may go on
    /// after that; this returns when it is done. After an error the instance must not be used again.
    ///
    /// # Errors
    /// [`CallError::Incompatible`], [`CallError::Trapped`], and whatever a failed import of the guest came from.
    pub async fn call(
        &mut self,
        export: &Export,
        arguments: &[Val],
        reply: &mut Option<CallReply>,
    ) -> Result<(), Failure> {
        let instance = match &self.callable {
            Callable::Functions(instance) => *instance,
            Callable::Http(_) => {
                return Err(self
                    .incompatible("it serves HTTP; its other functions cannot be called".into())
                    .into());
            }
        };
        let limits = &self.store.data().service.config.limits;
        let bytes = values_bytes(arguments) as u64;
        if bytes > limits.arguments_bytes {
            return Err(self
                .incompatible(format!(
                    "the arguments take {bytes} bytes, its limit is {}; raise limits.arguments",
                    limits.arguments_bytes
                ))
                .into());
        }
        let Some(function) = instance.get_func(&mut self.store, export.index) else {
            return Err(self.incompatible("the function is gone".into()).into());
        };
        let mut results = vec![Val::Bool(false); export.ty.results().len()];
        let called = if export.ty.async_() {
            let call = async |accessor: &Accessor<CallState>| {
                function
                    .call_concurrent(accessor, arguments, &mut results)
                    .await?;
                accessor.with(|mut access| answer(access.data_mut(), results, reply))?;
                poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                Ok(())
            };
            self.store.run_concurrent(call).await.flatten()
        } else {
            function
                .call_async(&mut self.store, arguments, &mut results)
                .await
                .and_then(|()| answer(self.store.data_mut(), results, reply))
        };
        called.map_err(|error| match error.downcast_ref::<CommitError>() {
            Some(CommitError::Conflict) => Failure::Conflict,
            Some(CommitError::Full(_)) | None => {
                explain(&error, self.store.data(), &self.meter).into()
            }
        })
    }

    /// Hands an HTTP request to the guest. The answer leaves through `reply`, possibly long before this returns.
    /// After an error the instance must not be used again.
    ///
    /// # Errors
    /// [`CallError::Trapped`], and whatever a failed import of the guest came from.
    pub async fn serve(
        &mut self,
        request: http::Request<Body>,
        reply: HttpReply,
    ) -> Result<(), CallError> {
        use wasmtime_wasi_http::WasiHttpView;
        let Callable::Http(proxy) = &self.callable else {
            return Err(self.incompatible("it does not serve HTTP".into()));
        };
        let mut http = self.store.data_mut().http();
        let arguments = http
            .new_incoming_request(Scheme::Http, request)
            .and_then(|request| Ok((request, http.new_response_outparam(reply)?)));
        let served = match arguments {
            Ok((request, reply)) => {
                proxy
                    .wasi_http_incoming_handler()
                    .call_handle(&mut self.store, request, reply)
                    .await
            }
            Err(error) => Err(error),
        };
        served.map_err(|error| explain(&error, self.store.data(), &self.meter))?;
        // The answer is on its way, so there is nobody to run the call again for.
        commit(self.store.data_mut()).map_err(|error| CallError::Trapped {
            service: self.store.data().service.name.to_string(),
            message: error.to_string(),
        })
    }

    fn incompatible(&self, message: String) -> CallError {
        CallError::Incompatible {
            service: self.store.data().service.name.to_string(),
            message,
        }
    }
}

/// A store with the limits of a service. What runs in it yields to others at every tick, and ends when it has used up its `budget`, if it has one.
pub(crate) fn store(
    version: &Version,
    envelope: Envelope,
    dispatch: Arc<dyn Dispatch>,
    budget: Option<(Duration, Arc<CpuMeter>)>,
) -> Store<CallState> {
    let service = &version.service;
    let limits = &service.config.limits;
    let mut store = Store::new(
        version.pre.engine(),
        CallState::new(Arc::clone(service), envelope, dispatch),
    );
    store.limiter(|state| &mut state.memory);
    let values_max =
        usize::try_from(limits.arguments_bytes.max(limits.result_bytes)).unwrap_or(usize::MAX);
    store.set_hostcall_fuel(
        values_max
            .saturating_mul(VALUE_BYTES_PER_GUEST_BYTE)
            .saturating_add(VALUE_BYTES_BASE),
    );
    store.set_epoch_deadline(YIELD_TICKS);
    store.epoch_deadline_callback(move |_| {
        if let Some((budget, cpu)) = &budget
            && cpu.used() > *budget
        {
            return Err(CpuExceeded.into());
        }
        // tokio runs a task that yielded this way only after it has looked for input, so a guest that computes
        // without end delays its neighbours by a tick, not by sixty.
        Ok(UpdateDeadline::YieldCustom(
            YIELD_TICKS,
            Box::pin(task::yield_now()),
        ))
    });
    store
}

/// The result is larger than the service may answer with.
#[derive(Debug, thiserror::Error)]
#[error("its result takes {bytes} bytes, the limit is {limit}; raise limits.result")]
struct ResultTooLarge {
    bytes: u64,
    limit: u64,
}

/// Makes a successful call take effect, and sends its results.
fn answer(
    state: &mut CallState,
    results: Vec<Val>,
    reply: &mut Option<CallReply>,
) -> wasmtime::Result<()> {
    let (bytes, limit) = (
        values_bytes(&results) as u64,
        state.service.config.limits.result_bytes,
    );
    if bytes > limit {
        return Err(ResultTooLarge { bytes, limit }.into());
    }
    commit(state)?;
    if let Some(reply) = reply.take() {
        // A caller that has gone away is noticed by whoever owns this task.
        let _ = reply.send(results);
    }
    Ok(())
}

/// Makes what the call wrote to storage take effect, or, for a command, ready for it. A call that failed never gets here.
fn commit(state: &mut CallState) -> wasmtime::Result<()> {
    match std::mem::replace(&mut state.kept, Kept::Untouched) {
        Kept::Untouched => {}
        Kept::Volatile(transaction) => transaction.commit()?,
        Kept::Replicated(work) if work.may_write() => state.effects = Some(work.finish()?),
        Kept::Replicated(_query) => {}
    }
    Ok(())
}

/// Puts what ended a guest into words. The engine's own words are for its developers.
pub(crate) fn explain(error: &wasmtime::Error, state: &CallState, meter: &CpuMeter) -> CallError {
    let service = state.service.name.to_string();
    let limits = &state.service.config.limits;
    if let Some(failed) = error.downcast_ref::<FailedCall>() {
        return match &failed.error {
            // The callee is the one to look at; this service merely had no place for the answer.
            CallError::Trapped { .. }
            | CallError::Incompatible { .. }
            | CallError::NotFound { .. }
            | CallError::NotGranted { .. } => CallError::Trapped {
                service,
                message: format!("{failed}: {}", failed.error),
            },
            // The callee did nothing, but this service had begun, and whoever calls it again must know.
            CallError::Unavailable {
                service, message, ..
            } => CallError::Unavailable {
                service: service.clone(),
                message: message.clone(),
                maybe_executed: true,
            },
            CallError::Overloaded { .. }
            | CallError::DeadlineExceeded { .. }
            | CallError::Cancelled
            | CallError::Redirected { .. }
            | CallError::HopLimit { .. }
            // The callee's key was made from that of this call, so what is wrong with the one is wrong with the other.
            | CallError::KeyReused { .. }
            | CallError::KeyExpired { .. } => failed.error.clone(),
        };
    }
    if let Some(error) = error.downcast_ref::<WorkError>() {
        return refused(error, service);
    }
    if let Some(error) = error.downcast_ref::<ResultTooLarge>() {
        let message = error.to_string();
        return CallError::Incompatible { service, message };
    }
    if let Some(error) = error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>() {
        let message = format!("the host has no room for another instance: {error}");
        return CallError::Unavailable {
            service,
            message,
            maybe_executed: false,
        };
    }
    let MemoryMeter { is_exhausted, .. } = state.memory;
    let message = if error.is::<CpuExceeded>() {
        format!(
            "used {} ms of CPU time, its limit is {} ms; raise limits.cpu or look for an endless loop",
            meter.used().as_millis(),
            limits.cpu.as_millis()
        )
    } else if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        format!("called exit({}) in the middle of a call", exit.0)
    } else if is_exhausted {
        format!(
            "needed more memory than its limit of {} bytes; raise limits.memory",
            limits.memory_bytes
        )
    } else if error.is::<Trap>() && error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
        "overflowed its stack, most likely by endless recursion".to_owned()
    } else if is_too_large(error) {
        format!(
            "passed more data at once than its limit of {} bytes; raise limits.result or limits.arguments",
            limits.arguments_bytes.max(limits.result_bytes)
        )
    } else {
        format!("trapped: {}", reason(error))
    };
    CallError::Trapped { service, message }
}

/// What a call was not allowed to do to the state of its service, in the caller's terms.
fn refused(error: &WorkError, service: String) -> CallError {
    let message = error.to_string();
    match error {
        WorkError::ReadOnly | WorkError::TooLong { .. } => CallError::Trapped { service, message },
        WorkError::TooLarge { .. } => CallError::Incompatible { service, message },
        WorkError::Full(_) | WorkError::Read(_) => CallError::Unavailable {
            service,
            message,
            maybe_executed: false,
        },
    }
}

/// The engine has no public type for this failure, only its text.
fn is_too_large(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .to_string()
            .contains("fuel allocated for hostcalls has been exhausted")
    })
}

/// The innermost cause, without the backtrace that the engine puts around it.
fn reason(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}
