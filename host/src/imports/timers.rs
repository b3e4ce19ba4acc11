//! `bookshop:platform/timers`: alarms that last as the service's state does.

use crate::imports::CallState;
use wasmtime::component::{HasSelf, Linker};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:timers; world imports { import bookshop:platform/timers@0.1.0; }",
        world: "host:timers/imports",
        imports: { default: trappable },
    });
}
use generated::bookshop::platform::timers;

impl timers::Host for CallState {
    fn set(&mut self, key: String, after_ms: u64, payload: Vec<u8>) -> wasmtime::Result<()> {
        Ok(self.work()?.set_timer(key, after_ms, payload)?)
    }

    fn cancel(&mut self, key: String) -> wasmtime::Result<bool> {
        Ok(self.work()?.cancel_timer(key)?)
    }
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    timers::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}
