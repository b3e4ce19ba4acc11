//! Decides where a call runs, and sees it through: admission, deadline, figures, and the failure as a [`CallError`].
//!
//! Called by `http`, `api`, `admin`, peers and guests' imports through [`Dispatch`]. Owns no instances and no connections: a call runs on
//! this host if the service runs here, and otherwise goes to another one by way of `transport`.

use crate::admission::{Permit, Refusal};
use crate::call_error::CallError;
use crate::config::ServiceConfig;
use crate::dispatch::{Address, Answer, Dispatch, FunctionName, Invocation, Position, Reach, Wait};
use crate::envelope::Envelope;
use crate::groups::GroupHandle;
use crate::groups::handle::Command;
use crate::os::Os;
use crate::os::clock::{Elapsed, timeout_at};
use crate::os::task;
use crate::payload::{Body, Payload};
use crate::pool;
use crate::replica::published::Snapshot;
use crate::service::Service;
use crate::services::canary::Canary;
use crate::services::{Services, Slot, not_running};
use crate::signature::Signature;
use crate::transport::outgoing::{self, Outgoing};
use crate::version::Version;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::Val;

mod failures;
mod guest_body;
mod leading;
mod waiting;

use failures::{failure, host_failed, late, not_an_argument, served, too_far, too_late};
use guest_body::{GuestBody, ServeCall};

/// How the task of an HTTP handler ended.
type ServeOutcome = Result<Result<(), CallError>, Elapsed>;

/// Shortest wait asked of a caller that was refused: less would only make it knock again before anything changed.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(10);

/// Carries out calls. Each thread that makes calls has one, with the connections that thread uses.
pub struct Router {
    services: Arc<Services>,
    outgoing: Outgoing,
    /// Calls that wait for a leader, or for its word.
    undecided: AtomicU32,
    os: Os,
}

impl Dispatch for Router {
    fn dispatch(self: Arc<Self>, invocation: Invocation) -> Answer {
        Box::pin(self.call(invocation))
    }

    fn address(
        &self,
        from: &ServiceConfig,
        interface: &str,
        function: &str,
        arguments_json: &str,
    ) -> Result<Address, String> {
        self.services
            .address(from, interface, function, arguments_json)
    }

    fn wait(self: Arc<Self>, wait: Wait) -> Position {
        Box::pin(self.wait_for(wait))
    }
}

impl Router {
    /// A router over a table of services, some of which run elsewhere.
    #[must_use]
    pub fn new(services: Arc<Services>, outgoing: Outgoing, os: Os) -> Self {
        Self {
            services,
            outgoing,
            undecided: AtomicU32::new(0),
            os,
        }
    }

    async fn call(self: Arc<Self>, mut invocation: Invocation) -> Result<Payload, CallError> {
        let Some(slot) = self.services.get(invocation.service) else {
            return Err(CallError::NotFound {
                service: invocation.function.to_string(),
                message: "no such service".into(),
            });
        };
        let started = self.os.clock.monotonic();
        invocation.envelope.deadline = invocation
            .envelope
            .deadline
            .min(started.saturating_add(slot.service.config.limits.time));
        if invocation.envelope.deadline <= started {
            slot.service.figures.refused_or_failed();
            return Err(too_late(slot));
        }
        if invocation.envelope.hops_left == 0 {
            slot.service.figures.refused_or_failed();
            return Err(too_far(slot));
        }
        // A replica that was removed knows nothing of what is committed now.
        let is_removed = slot.group.as_ref().is_some_and(GroupHandle::is_removed);
        let running = slot.running().filter(|_| !is_removed);
        if slot.service.config.has_several_replicas()
            && is_command(slot, running.as_deref(), &invocation)
        {
            // Counted where it is executed, as any call. Boxed, as below.
            return Box::pin(Arc::clone(&self).led(slot, invocation, started)).await;
        }
        let called = match (running, invocation.reach) {
            (Some(version), _) => match slot.canary() {
                None => {
                    Arc::clone(&self)
                        .run(slot, version, invocation, started)
                        .await
                }
                // Boxed, as below.
                Some(canary) => {
                    let split =
                        Arc::clone(&self).split(slot, version, &canary, invocation, started);
                    Box::pin(split).await
                }
            },
            (None, Reach::Cluster) if self.outgoing.has_places(slot) => {
                // Calls, failures and latencies are counted where the call runs.
                // Boxed, so that calls that stay here do not make room for it.
                return Box::pin(self.elsewhere(slot, invocation, started)).await;
            }
            (None, Reach::Cluster | Reach::Here) => Err(not_running(slot)),
        };
        called.inspect_err(|error| {
            slot.service.figures.refused_or_failed();
            report(&slot.service, error);
        })
    }

    /// Runs a call on the version whose share it belongs to.
    async fn split(
        self: Arc<Self>,
        slot: &Slot,
        version: Arc<Version>,
        canary: &Canary,
        invocation: Invocation,
        started: Duration,
    ) -> Result<Payload, CallError> {
        let takes = canary.takes(slot.service.id, invocation.envelope.trace_id);
        let (version, tally) = match takes {
            true => (Arc::clone(&canary.version), &canary.sides.canary),
            false => (version, &canary.sides.stable),
        };
        let clock = Arc::clone(&self.os.clock);
        let called = self.run(slot, version, invocation, started).await;
        tally.count(&called, clock.monotonic().saturating_sub(started));
        called
    }

    async fn elsewhere(
        &self,
        slot: &Slot,
        mut invocation: Invocation,
        started: Duration,
    ) -> Result<Payload, CallError> {
        match std::mem::replace(&mut invocation.arguments, Payload::Values(Vec::new())) {
            Payload::Values(arguments) => {
                let types = types(slot, &invocation)?;
                let called =
                    self.outgoing
                        .call(slot, &types, &invocation.envelope, &arguments, started);
                called.await.map(Payload::Values)
            }
            Payload::Request(request) => {
                let served = self
                    .outgoing
                    .serve(slot, &invocation.envelope, request, started);
                served.await.map(Payload::Response)
            }
            Payload::Response(_) => Err(not_an_argument(slot)),
        }
    }

    async fn run(
        self: Arc<Self>,
        slot: &Slot,
        mut version: Arc<Version>,
        mut invocation: Invocation,
        started: Duration,
    ) -> Result<Payload, CallError> {
        let is_values = matches!(invocation.arguments, Payload::Values(_));
        let queried = slot.group.as_ref().filter(|_| {
            // Commands of several replicas do not come here.
            is_values && !is_command(slot, Some(&version), &invocation)
        });
        let snapshot = match queried {
            Some(group) => {
                let snapshot = self.read(slot, group, &invocation.envelope).await?;
                if version.reads(&snapshot.meta) {
                    Some(snapshot)
                } else {
                    // Boxed, so that other calls do not make room for it.
                    let (function, envelope) = (&invocation.function, &invocation.envelope);
                    let (reader, snapshot) =
                        Box::pin(self.read_soon(slot, group, function, envelope)).await?;
                    version = reader;
                    Some(snapshot)
                }
            }
            None => None,
        };
        let permit = self
            .admit(slot, invocation.envelope.deadline, started)
            .await?;
        match std::mem::replace(&mut invocation.arguments, Payload::Values(Vec::new())) {
            Payload::Values(arguments) => match &slot.group {
                Some(group) if snapshot.is_none() => {
                    let command = Called {
                        function: invocation.function,
                        types: invocation.types,
                        envelope: invocation.envelope,
                        arguments,
                    };
                    // Boxed, so that other calls do not make room for it.
                    let executed = Box::pin(self.execute(slot, group, command, permit, started));
                    executed.await.map(Payload::Values)
                }
                Some(_) | None => {
                    let query = Query {
                        arguments,
                        snapshot,
                    };
                    self.run_function(slot, version, invocation, query, permit, started)
                        .await
                }
            },
            Payload::Request(request) => {
                self.serve(slot, version, invocation, request, permit, started)
                    .await
            }
            Payload::Response(_) => Err(not_an_argument(slot)),
        }
    }

    /// Lets a call in, at once or when others have ended.
    async fn admit(
        &self,
        slot: &Slot,
        deadline: Duration,
        started: Duration,
    ) -> Result<Permit, CallError> {
        let entered = slot.admission.enter(self.os.clock.as_ref(), deadline).await;
        entered.map_err(|refusal| match refusal {
            Refusal::Full => CallError::Overloaded {
                service: slot.service.name.to_string(),
                retry_after: retry_after(slot),
            },
            Refusal::Deadline => late(&slot.service, "waited for its turn", started, deadline),
        })
    }

    /// Runs a function. Its results may come before it ends (an `async` one may go on), so the permit stays with the task.
    async fn run_function(
        self: Arc<Self>,
        slot: &Slot,
        version: Arc<Version>,
        invocation: Invocation,
        query: Query,
        permit: Permit,
        started: Duration,
    ) -> Result<Payload, CallError> {
        let Query {
            mut arguments,
            snapshot,
        } = query;
        let fit = version.fit(&invocation.function, invocation.types.as_deref())?;
        if let Some(fit) = &fit {
            arguments = fit.arguments(arguments);
        }
        let deadline = invocation.envelope.deadline;
        let (clock, service) = (Arc::clone(&self.os.clock), Arc::clone(&slot.service));
        let dispatch: Arc<dyn Dispatch> = Arc::clone(&self) as Arc<dyn Dispatch>;
        let (reply, replied) = oneshot::channel();
        // The callee gets a task of its own, since the engine does not allow one store to be polled inside another's poll.
        let mut task = task::spawn(async move {
            let _permit = permit;
            let mut reply = Some(reply);
            // Awaited where it is made: a name for it would be room for it twice in every call.
            let called = timeout_at(
                clock.as_ref(),
                deadline,
                pool::call(
                    version, invocation, arguments, snapshot, &mut reply, dispatch,
                ),
            )
            .await;
            if reply.is_none()
                && let Some(what) = failure(&called)
            {
                service.log.failure(&format!("after its answer: {what}"));
            }
            called
        });
        if let Ok(results) = replied.await {
            let latency = self.os.clock.monotonic().saturating_sub(started);
            slot.service.figures.completed(latency);
            // All was said; the guest may still go on, bounded by its deadline and counted by its permit.
            task.release();
            let results = match &fit {
                Some(fit) => fit.results(results),
                None => results,
            };
            return Ok(Payload::Values(results));
        }
        Err(match (&mut task).await {
            Ok(Ok(Ok(()))) => CallError::Trapped {
                service: slot.service.name.to_string(),
                message: "returned without an answer".into(),
            },
            Ok(Ok(Err(error))) => error,
            Ok(Err(_elapsed)) => late(&slot.service, "did not answer", started, deadline),
            Err(error) => host_failed(&slot.service, error),
        })
    }

    /// Has a command of a replicated service executed, and waits until what it rests on is safe.
    async fn execute(
        &self,
        slot: &Slot,
        group: &GroupHandle,
        called: Called,
        permit: Permit,
        started: Duration,
    ) -> Result<Vec<Val>, CallError> {
        let (_permit, shared) = permit.share();
        let deadline = called.envelope.deadline;
        let (reply, replied) = oneshot::channel();
        let command = Command {
            function: called.function,
            types: called.types,
            arguments: called.arguments,
            envelope: called.envelope,
            permit: Some(shared),
            reply,
        };
        let answered = async {
            group.execute(command).await;
            replied.await
        };
        match timeout_at(self.os.clock.as_ref(), deadline, answered).await {
            Ok(Ok(answer)) => {
                let results = answer?;
                let latency = self.os.clock.monotonic().saturating_sub(started);
                slot.service.figures.completed(latency);
                Ok(results)
            }
            Ok(Err(_dropped)) => Err(CallError::Unavailable {
                service: slot.service.name.to_string(),
                message: group
                    .failure()
                    .unwrap_or_else(|| "the host is shutting down".into()),
                maybe_executed: true,
            }),
            Err(_elapsed) => Err(late(&slot.service, "did not answer", started, deadline)),
        }
    }

    /// Runs an HTTP handler. The answer may begin long before the handler ends, so figures and permit stay with the task.
    async fn serve(
        self: Arc<Self>,
        slot: &Slot,
        version: Arc<Version>,
        invocation: Invocation,
        request: http::Request<Body>,
        permit: Permit,
        started: Duration,
    ) -> Result<Payload, CallError> {
        let deadline = invocation.envelope.deadline;
        let (clock, service) = (Arc::clone(&self.os.clock), Arc::clone(&slot.service));
        let dispatch: Arc<dyn Dispatch> = self;
        let (reply, replied) = oneshot::channel();
        let mut task = task::spawn(async move {
            let _permit = permit;
            let served = timeout_at(
                clock.as_ref(),
                deadline,
                pool::serve(version, invocation, request, reply, dispatch),
            )
            .await;
            if matches!(served, Ok(Ok(()))) {
                service
                    .figures
                    .completed(clock.monotonic().saturating_sub(started));
            }
            served
        });
        // A guest that fails drops its end of the reply, so waiting for the reply alone never hangs.
        let outcome = match replied.await {
            Ok(Ok(response)) => {
                let call = ServeCall {
                    task,
                    service: Arc::clone(&slot.service),
                    started,
                    deadline,
                };
                return Ok(Payload::Response(response.map(|body| {
                    GuestBody {
                        body,
                        call: Some(call),
                    }
                    .boxed_unsync()
                })));
            }
            Ok(Err(code)) => {
                return Err(CallError::Trapped {
                    service: slot.service.name.to_string(),
                    message: format!("answered with the HTTP error {code}"),
                });
            }
            Err(_dropped) => (&mut task).await,
        };
        match served(&slot.service, outcome, started, deadline) {
            Ok(()) => Err(CallError::Trapped {
                service: slot.service.name.to_string(),
                message: "returned without an answer".into(),
            }),
            Err(error) => Err(error),
        }
    }
}

/// What a function is called with, and the state that it sees if that is replicated.
struct Query {
    arguments: Vec<Val>,
    snapshot: Option<Arc<Snapshot>>,
}

/// A call of a command.
struct Called {
    function: Arc<FunctionName>,
    /// As the caller knows it.
    types: Option<Arc<Signature>>,
    envelope: Envelope,
    arguments: Vec<Val>,
}

/// Whether a call may change replicated state. Of a service that does not run here only the configuration tells.
fn is_command(slot: &Slot, version: Option<&Version>, invocation: &Invocation) -> bool {
    match version {
        Some(version) => version
            .exports
            .get(&*invocation.function)
            .is_some_and(|export| export.is_command),
        None => slot.service.config.is_command(&invocation.function),
    }
}

/// The function as the caller knows it, or else as this host knows its service.
fn types(slot: &Slot, invocation: &Invocation) -> Result<Arc<Signature>, CallError> {
    match &invocation.types {
        Some(types) => Ok(Arc::clone(types)),
        None => outgoing::find(slot, &invocation.function),
    }
}

/// How long the calls that wait now will take, by the mean of those that were.
fn retry_after(slot: &Slot) -> Duration {
    let limits = &slot.service.config.limits;
    let rounds = limits.queue / limits.concurrency.max(1) + 1;
    (slot.service.figures.mean() * rounds).clamp(RETRY_AFTER_MIN, limits.time)
}

/// Tells the operator about failures that are not the caller's doing. Refusals are in the figures, not one line each.
fn report(service: &Service, error: &CallError) {
    match error {
        CallError::Trapped { message, .. } => service.log.failure(message),
        CallError::DeadlineExceeded { message, .. } => service.log.failure(message),
        CallError::NotFound { .. }
        | CallError::NotGranted { .. }
        | CallError::Incompatible { .. }
        | CallError::Overloaded { .. }
        | CallError::Cancelled
        | CallError::Unavailable { .. }
        | CallError::Redirected { .. }
        | CallError::HopLimit { .. }
        | CallError::KeyReused { .. }
        | CallError::KeyExpired { .. } => {}
    }
}
