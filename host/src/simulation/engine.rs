//! The consensus engine as simulated replicas have it: the shipped one, which now and then refuses what it need not, or traps.

use super::random::Random;
use crate::consensus::{Engines, Instance};
use crate::replica::consensus::{Consensus, EngineError};
use crate::replica::window::Window;
use crate::replica::wit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often each happens, in calls out of ten thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineFaults {
    /// A proposal is refused, and with it those that follow.
    pub refused: u32,
    /// A call traps, after it has done what it was asked to.
    pub trapped: u32,
}

/// An engine.
pub struct Engine {
    inner: Instance,
    faults: EngineFaults,
    random: Random,
    /// No faults any more.
    is_calm: Arc<AtomicBool>,
}

impl Engine {
    /// Starts a replica whose log is `window`.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn start(
        engines: &Engines,
        faults: EngineFaults,
        is_calm: &Arc<AtomicBool>,
        window: Window,
        boot: &wit::Boot,
    ) -> Result<(Self, wit::Output), EngineError> {
        let (inner, output) = engines.start(window, boot)?;
        let engine = Self {
            inner,
            faults,
            random: Random::new(boot.seed),
            is_calm: Arc::clone(is_calm),
        };
        Ok((engine, output))
    }

    fn happens(&mut self, of_ten_thousand: u32) -> bool {
        let is_on = of_ten_thousand > 0 && !self.is_calm.load(Ordering::Relaxed);
        is_on && self.random.below(10_000) < u64::from(of_ten_thousand)
    }
}

impl Consensus for Engine {
    fn window(&self) -> &Window {
        self.inner.window()
    }

    fn window_mut(&mut self) -> &mut Window {
        self.inner.window_mut()
    }

    fn step(&mut self, now_ms: u64, events: &[wit::Event]) -> Result<wit::Output, EngineError> {
        let mut events = std::borrow::Cow::Borrowed(events);
        let mut refused = None;
        let proposed = events.iter().find_map(|event| {
            if let wit::Event::Propose(wit::Proposal { index, .. })
            | wit::Event::Change(wit::ChangeProposal { index, .. }) = event
            {
                Some(*index)
            } else {
                None
            }
        });
        if let Some(index) = proposed
            && self.happens(self.faults.refused)
        {
            refused = Some(index);
            events
                .to_mut()
                .retain(|event| !matches!(event, wit::Event::Propose(_) | wit::Event::Change(_)));
        }
        let mut output = self.inner.step(now_ms, &events)?;
        if self.happens(self.faults.trapped) {
            return Err(EngineError("simulated trap".into()));
        }
        output.actions.extend(refused.map(wit::Action::Refused));
        Ok(output)
    }

    fn status(&mut self) -> Result<wit::Status, EngineError> {
        self.inner.status()
    }

    fn restart(&mut self, boot: &wit::Boot) -> Result<wit::Output, EngineError> {
        self.inner.restart(boot)
    }
}
