//! `bookshop:platform/scratch`: values that the calls of one service leave for one another on this host, for a while.

use crate::imports::CallState;
use crate::scratch::ScratchError;
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:scratch; world imports { import bookshop:platform/scratch@0.1.0; }",
        world: "host:scratch/imports",
    });
}
use generated::bookshop::platform::scratch;

impl From<ScratchError> for scratch::ScratchError {
    fn from(error: ScratchError) -> Self {
        match error {
            ScratchError::Conflict(revision) => Self::Conflict(revision),
            ScratchError::TooLarge => Self::TooLarge,
            ScratchError::Full => Self::Full,
        }
    }
}

impl scratch::Host for CallState {
    fn get(&mut self, key: String) -> Option<(Vec<u8>, u64)> {
        let now = self.service.os.clock.monotonic();
        let (bytes, revision) = self.service.scratch.get(now, &key)?;
        Some((bytes.to_vec(), revision))
    }

    fn put_if(
        &mut self,
        key: String,
        revision: Option<u64>,
        value: Vec<u8>,
        ttl_ms: u64,
    ) -> Result<u64, scratch::ScratchError> {
        let (now, ttl) = (
            self.service.os.clock.monotonic(),
            Duration::from_millis(ttl_ms),
        );
        Ok(self
            .service
            .scratch
            .put_if(now, &key, revision, value, ttl)?)
    }

    fn delete_if(&mut self, key: String, revision: u64) -> Result<(), scratch::ScratchError> {
        let now = self.service.os.clock.monotonic();
        Ok(self.service.scratch.delete_if(now, &key, revision)?)
    }
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    scratch::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}
