//! Sends a group's messages to the services they are for, and brings the answers back.

use super::handle::Request;
use crate::call_error::CallError;
use crate::dispatch::{Dispatch, FunctionName, Invocation, Reach};
use crate::envelope::Envelope;
use crate::json::to_json;
use crate::os::Os;
use crate::os::executor::Tasks;
use crate::payload::Payload;
use crate::replica::event::Outgoing;
use crate::replica::work::Message;
use crate::services::{FunctionType, Services, address};
use hyper::rt::Executor as _;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wasmtime::component::Val;

/// How long one attempt may take. The service's own limit is usually shorter.
const ATTEMPT_TIME: Duration = Duration::from_secs(30);

/// Sends the messages of one group; those under way end with it, and are sent again by the next.
pub struct Courier {
    /// The services of this cluster.
    pub services: Arc<Services>,
    /// Carries out the calls.
    pub dispatch: Arc<dyn Dispatch>,
    /// The service that sends.
    pub sender: Arc<str>,
    /// Where the answers go.
    pub requests: mpsc::WeakSender<Request>,
    /// Calls below one of these.
    pub hops_max: u8,
    /// The outside.
    pub os: Os,
    /// Messages under way.
    pub tasks: Tasks,
}

impl Courier {
    /// Sends a message once.
    pub fn send(&self, outgoing: Outgoing) {
        let id = outgoing.id;
        let requests = self.requests.clone();
        let attempt = attempt(
            Arc::clone(&self.services),
            Arc::clone(&self.dispatch),
            Arc::clone(&self.sender),
            self.hops_max,
            self.os.clone(),
            outgoing,
        );
        self.tasks.executor().execute(async move {
            let reply = attempt.await;
            if let Some(requests) = requests.upgrade() {
                // The group has gone; whoever recovers it sends the message again.
                let _ = requests.send(Request::Delivered(id, reply)).await;
            }
        });
    }
}

/// What came of one attempt; none if the message is to be sent again.
pub async fn attempt(
    services: Arc<Services>,
    dispatch: Arc<dyn Dispatch>,
    sender: Arc<str>,
    hops_max: u8,
    os: Os,
    outgoing: Outgoing,
) -> Option<Result<String, CallError>> {
    let message = &outgoing.message;
    let Some(slot) = services.find(&message.service) else {
        let error = gone(message, "no service of this cluster has that name any more");
        return Some(Err(error));
    };
    // A service that could not be loaded has no types yet; it may have some later.
    let types = slot.types()?;
    let name = FunctionName {
        interface: message.interface.clone(),
        function: message.function.clone(),
    };
    let Some(types) = types.get(&name).cloned() else {
        return Some(Err(gone(message, "it has no such function any more")));
    };
    let arguments = match address::kept_arguments(&types, &message.arguments) {
        Ok(arguments) => arguments,
        Err(text) => {
            return Some(Err(CallError::Incompatible {
                service: message.service.clone(),
                message: text,
            }));
        }
    };
    let deadline = os.clock.monotonic().saturating_add(ATTEMPT_TIME);
    let mut envelope = Envelope::enter(os.entropy.as_ref(), &sender, deadline, hops_max);
    envelope.idempotency_key = Some(hex::encode(outgoing.key).into());
    let answer = dispatch.dispatch(Invocation {
        service: slot.service.id,
        function: Arc::clone(&types.name),
        types: Some(Arc::clone(&types.signature)),
        arguments: Payload::Values(arguments),
        envelope,
        reach: Reach::Cluster,
    });
    match answer.await {
        Ok(Payload::Values(values)) => Some(Ok(json(&types, &values))),
        Ok(Payload::Request(_) | Payload::Response(_)) => None,
        Err(error) if is_passing(&error) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Whether the same call may succeed later.
fn is_passing(error: &CallError) -> bool {
    match error {
        CallError::Overloaded { .. }
        | CallError::DeadlineExceeded { .. }
        | CallError::Cancelled
        | CallError::Unavailable { .. }
        | CallError::Redirected { .. } => true,
        CallError::NotFound { .. }
        | CallError::NotGranted { .. }
        | CallError::Incompatible { .. }
        | CallError::Trapped { .. }
        | CallError::HopLimit { .. }
        | CallError::KeyReused { .. }
        | CallError::KeyExpired { .. } => false,
    }
}

fn gone(message: &Message, what: &str) -> CallError {
    CallError::NotFound {
        service: message.service.clone(),
        message: format!("{}.{}: {what}", message.interface, message.function),
    }
}

fn json(types: &FunctionType, values: &[Val]) -> String {
    let result = |(ty, value)| to_json(value, &ty);
    let results: Vec<Value> = types.ty.results().zip(values).map(result).collect();
    Value::Array(results).to_string()
}
