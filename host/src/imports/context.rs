//! `bookshop:platform/context`: what a component may know about the call it is in.

use crate::imports::{CallState, Kept};
use wasmtime::component::{HasSelf, Linker};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:context; world imports { import bookshop:platform/context@0.1.0; }",
        world: "host:context/imports",
    });
}
use generated::bookshop::platform::context;

impl context::Host for CallState {
    fn now_ms(&mut self) -> u64 {
        match (&self.kept, self.service.config.replicated.is_some()) {
            (Kept::Replicated(work), _) => work.time_ms(),
            // A query that has not read anything yet; it begins now, so that it has one time throughout.
            (Kept::Untouched | Kept::Volatile(_), true) => match self.work() {
                Ok(work) => work.time_ms(),
                Err(_no_state) => milliseconds(self.service.os.clock.wall()),
            },
            (Kept::Untouched | Kept::Volatile(_), false) => {
                milliseconds(self.service.os.clock.wall())
            }
        }
    }

    fn call_id(&mut self) -> String {
        self.envelope.call_id().to_string()
    }

    fn caller(&mut self) -> String {
        self.envelope.caller.to_string()
    }

    fn deadline_ms(&mut self) -> Option<u64> {
        if self.lifecycle.is_some() {
            return None;
        }
        let left = self
            .envelope
            .deadline
            .saturating_sub(self.service.os.clock.monotonic());
        Some(milliseconds(self.service.os.clock.wall() + left))
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    context::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}
