//! A call and whoever can carry it out.
//!
//! Everything that causes a call (HTTP, a guest's import, the admin interface) makes an [`Invocation`] and hands it to a [`Dispatch`].

use crate::call_error::CallError;
use crate::envelope::Envelope;
use crate::payload::Payload;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

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
    /// Its arguments.
    pub arguments: Payload,
    /// Its identity and bounds.
    pub envelope: Envelope,
    /// Where it may run.
    pub reach: Reach,
}

/// The answer of a call, to come. Dropping it cancels the call.
pub type Answer = Pin<Box<dyn Future<Output = Result<Payload, CallError>> + Send>>;

/// Carries calls out, here or elsewhere.
pub trait Dispatch: Send + Sync {
    /// Carries out one call.
    fn dispatch(self: Arc<Self>, invocation: Invocation) -> Answer;
}
