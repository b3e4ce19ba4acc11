//! The consensus engine as part of this program: `components/raft`, compiled once, with one long-lived instance for each group of a host.
//!
//! Replicas see it as [`Consensus`](crate::replica::consensus::Consensus), the same in production and in simulations. An instance has no clock, no
//! randomness and nothing else from outside, so equal steps give equal answers.

mod bytes;
mod instance;

pub use bytes::component_bytes;
pub use instance::Instance;

use crate::compile::Compiler;
use crate::component;
use crate::replica::consensus::EngineError;
use crate::replica::window::Window;
use crate::replica::wit::{self, EnginePre};
use instance::State;
use std::sync::OnceLock;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine};

/// Native stack that the engine may use; its own stack, in its memory, has 128 KiB.
const STACK_BYTES: usize = 512 << 10;

/// The compiled engine. Cheap to clone.
#[derive(Clone)]
pub struct Engines {
    engine: Engine,
    compiled: EnginePre<State>,
}

impl Engines {
    /// The engine; compiled, in about a second, when it is first asked for.
    ///
    /// # Errors
    /// The machine cannot run it.
    pub fn new() -> Result<Self, EngineError> {
        Self::made(|engine| Component::new(engine, component_bytes()?))
    }

    /// The engine, compiled once for all starts of a host: compiled code is kept.
    ///
    /// # Errors
    /// The machine cannot run it, or its code cannot be kept.
    pub fn kept(compiler: &Compiler) -> Result<Self, EngineError> {
        Self::made(|engine| {
            let code = compiler.compiled_own(component_bytes()?, engine)?;
            component::map(engine, &code)
        })
    }

    /// All replicas of a process share one.
    fn made(
        component: impl FnOnce(&Engine) -> wasmtime::Result<Component>,
    ) -> Result<Self, EngineError> {
        static ENGINES: OnceLock<Result<Engines, EngineError>> = OnceLock::new();
        let make = || link(component).map_err(|error| EngineError(format!("{error:#}")));
        ENGINES.get_or_init(make).clone()
    }

    /// Starts a replica whose log is `window`.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn start(
        &self,
        window: Window,
        boot: &wit::Boot,
    ) -> Result<(Instance, wit::Output), EngineError> {
        Instance::start(self.clone(), window, boot)
    }
}

fn link(
    component: impl FnOnce(&Engine) -> wasmtime::Result<Component>,
) -> wasmtime::Result<Engines> {
    let engine = Engine::new(&settings())?;
    let component = component(&engine)?;
    let mut linker = Linker::new(&engine);
    wit::log_import::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    let compiled = EnginePre::new(linker.instantiate_pre(&component)?)?;
    Ok(Engines { engine, compiled })
}

/// Calls are plain and short, so nothing of what services need for waiting; but fuel, so that a bug ends the call and not the host. Unlike time, it is
/// the same in every run.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model_async(false)
        .concurrency_support(false)
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(STACK_BYTES);
    config
}

#[cfg(test)]
mod tests;
