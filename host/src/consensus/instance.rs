//! One replica: an instance of the engine, with the part of its group's log that it reads.

use super::Engines;
use crate::replica::consensus::{Consensus, EngineError};
use crate::replica::window::Window;
use crate::replica::wit;
use std::mem;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder};

/// Memory of one replica. It needs less than one; the rest is for what passes through: entries of one step, once for each member.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// What one call may execute: some seconds. A call with 16 MiB of entries takes a thousandth of it.
const FUEL_MAX: u64 = 10_000_000_000;

/// What the engine's imports read.
pub(super) struct State {
    window: Window,
    limits: StoreLimits,
}

impl wit::log_import::Host for State {
    fn entries(&mut self, low: u64, high: u64, max_bytes: u64) -> Vec<wit::Entry> {
        self.window.slice(low, high, max_bytes)
    }

    fn current_snapshot(&mut self) -> wit::Snapshot {
        self.window.offered().clone()
    }
}

/// A replica's engine.
pub struct Instance {
    engines: Engines,
    store: Store<State>,
    bindings: wit::Engine,
}

impl Instance {
    pub(super) fn start(
        engines: Engines,
        window: Window,
        boot: &wit::Boot,
    ) -> Result<(Self, wit::Output), EngineError> {
        let (store, bindings) = instantiate(&engines, window)?;
        let mut instance = Self {
            engines,
            store,
            bindings,
        };
        let output = instance.boot(boot)?;
        Ok((instance, output))
    }

    fn boot(&mut self, boot: &wit::Boot) -> Result<wit::Output, EngineError> {
        self.call(|bindings, store| {
            bindings
                .bookshop_replica_consensus()
                .call_start(store, boot)
        })
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&wit::Engine, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, EngineError> {
        self.store.set_fuel(FUEL_MAX).map_err(failed)?;
        call(&self.bindings, &mut self.store).map_err(failed)
    }
}

impl Consensus for Instance {
    fn window(&self) -> &Window {
        &self.store.data().window
    }

    fn window_mut(&mut self) -> &mut Window {
        &mut self.store.data_mut().window
    }

    fn step(&mut self, now_ms: u64, events: &[wit::Event]) -> Result<wit::Output, EngineError> {
        self.call(|bindings, store| {
            bindings
                .bookshop_replica_consensus()
                .call_step(store, now_ms, events)
        })
    }

    fn status(&mut self) -> Result<wit::Status, EngineError> {
        self.call(|bindings, store| {
            bindings
                .bookshop_replica_consensus()
                .call_current_status(store)
        })
    }

    fn restart(&mut self, boot: &wit::Boot) -> Result<wit::Output, EngineError> {
        // What trapped cannot be entered again, so a new instance takes its place.
        let window = mem::replace(self.window_mut(), Window::new(0, 0));
        let (store, bindings) = instantiate(&self.engines, window)?;
        (self.store, self.bindings) = (store, bindings);
        self.boot(boot)
    }
}

fn instantiate(
    engines: &Engines,
    window: Window,
) -> Result<(Store<State>, wit::Engine), EngineError> {
    let limits = StoreLimitsBuilder::new()
        .memory_size(MEMORY_BYTES_MAX)
        .trap_on_grow_failure(true)
        .build();
    let mut store = Store::new(&engines.engine, State { window, limits });
    store.limiter(|state| &mut state.limits);
    store.set_fuel(FUEL_MAX).map_err(failed)?;
    let bindings = engines.compiled.instantiate(&mut store).map_err(failed)?;
    Ok((store, bindings))
}

fn failed(error: wasmtime::Error) -> EngineError {
    EngineError(format!("{error:#}"))
}
