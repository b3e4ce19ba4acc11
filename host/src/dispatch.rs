//! A call and whoever can carry it out.
//!
//! Everything that causes a call (HTTP, a guest's import, the admin interface) makes an [`Invocation`] and hands it to a [`Dispatch`].

use crate::call_error::CallError;
use crate::config::ServiceConfig;
use crate::envelope::Envelope;
use crate::payload::Payload;
use crate::signature::Signature;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A service of this cluster by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u32);

/// A function that a service exports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName {
    /// The interface by its compatible version, for example `bookshop:shop/orders@0.1`; empty for a function outside any interface.
    pub interface: String,
    /// The function, for example `place`.
    pub function: String,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.interface.is_empty() {
            formatter.write_str(&self.function)
        } else {
            write!(formatter, "{}.{}", self.interface, self.function)
        }
    }
}

/// Where a call may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On this host or, if the service does not run here, on another.
    Cluster,
    /// On this host only: another one chose it, and would be asked in a circle.
    Here,
}

/// One call.
pub struct Invocation {
    /// Who is called.
    pub service: ServiceId,
    /// What is called; shared, since every call of a link names the same one.
    pub function: Arc<FunctionName>,
    /// The function as the caller knows it; none: as this host knows its service. No part of requests.
    pub types: Option<Arc<Signature>>,
    /// Its arguments.
    pub arguments: Payload,
    /// Its identity and bounds.
    pub envelope: Envelope,
    /// Where it may run.
    pub reach: Reach,
}

/// A function of a service, found by whoever wants to send it a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The service.
    pub service: String,
    /// Its interface, by compatible version.
    pub interface: String,
    /// The function.
    pub function: String,
}

/// The answer of a call, to come. Dropping it cancels the call.
pub type Answer = Pin<Box<dyn Future<Output = Result<Payload, CallError>> + Send>>;

/// A wait for the state of a replicated service to change.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The service, by name.
    pub service: String,
    /// The position that is known already.
    pub after: u64,
    /// How long to wait.
    pub timeout: Duration,
    /// Identity and bounds of the call in which somebody waits.
    pub envelope: Envelope,
}

/// The position of a service, to come: beyond the one that was known, or that one again after the timeout. Dropping it ends the wait.
pub type Position = Pin<Box<dyn Future<Output = Result<u64, CallError>> + Send>>;

/// Carries calls out, here or elsewhere.
pub trait Dispatch: Send + Sync {
    /// Carries out one call.
    fn dispatch(self: Arc<Self>, invocation: Invocation) -> Answer;

    /// Finds the function of an interface as an import of `from` would, and checks its arguments, a JSON array. Where there are no services,
    /// none is found.
    ///
    /// # Errors
    /// What is wrong and what to do, for people to read.
    fn address(
        &self,
        _from: &ServiceConfig,
        interface: &str,
        function: &str,
        _arguments_json: &str,
    ) -> Result<Address, String> {
        Err(format!("no service exports {interface} with {function}"))
    }

    /// Waits for a service to change, wherever its state is. Where there are no services, none is found.
    fn wait(self: Arc<Self>, wait: Wait) -> Position {
        Box::pin(std::future::ready(Err(CallError::NotFound {
            service: wait.service,
            message: "no such service".into(),
        })))
    }
}
