//! What a replica needs of a consensus engine. In production and in simulations it is the component `components/raft`.

use super::window::Window;
use super::wit;
use std::sync::Arc;

/// The engine trapped, or ran for too long: what it said last is void, and it has to be started again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// A consensus engine with one replica in it.
pub trait Consensus: Send {
    /// The group's log, as far as it is in memory; the engine reads it while it is called.
    fn window(&self) -> &Window;

    /// The same, to be written by the host.
    fn window_mut(&mut self) -> &mut Window;

    /// Tells it what happened, in order, at `now_ms` of a clock that never goes back.
    ///
    /// # Errors
    /// See [`EngineError`].
    fn step(&mut self, now_ms: u64, events: &[wit::Event]) -> Result<wit::Output, EngineError>;

    /// How it is.
    ///
    /// # Errors
    /// See [`EngineError`].
    fn status(&mut self) -> Result<wit::Status, EngineError>;

    /// Starts it anew, on the same window.
    ///
    /// # Errors
    /// See [`EngineError`].
    fn restart(&mut self, boot: &wit::Boot) -> Result<wit::Output, EngineError>;
}

/// An engine of any make.
pub type Engine = Box<dyn Consensus>;

/// Makes the engine of a replica and starts it.
pub type StartEngine =
    Arc<dyn Fn(Window, &wit::Boot) -> Result<(Engine, wit::Output), EngineError> + Send + Sync>;

impl Consensus for Engine {
    fn window(&self) -> &Window {
        (**self).window()
    }

    fn window_mut(&mut self) -> &mut Window {
        (**self).window_mut()
    }

    fn step(&mut self, now_ms: u64, events: &[wit::Event]) -> Result<wit::Output, EngineError> {
        (**self).step(now_ms, events)
    }

    fn status(&mut self) -> Result<wit::Status, EngineError> {
        (**self).status()
    }

    fn restart(&mut self, boot: &wit::Boot) -> Result<wit::Output, EngineError> {
        (**self).restart(boot)
    }
}
