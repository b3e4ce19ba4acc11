//! `bookshop:platform/storage`: the ordered keys of the service. A call's writes take effect together when it succeeds.

use crate::imports::CallState;
use crate::storage::Transaction;
use wasmtime::component::{HasSelf, Linker};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:storage; world imports { import bookshop:platform/storage@0.1.0; }",
        world: "host:storage/imports",
        imports: { default: trappable },
    });
}
use generated::bookshop::platform::storage;

/// Keys returned by one scan at most; the caller goes on from the last one.
const SCAN_MAX: usize = 10_000;

/// A component got storage that its service does not have, which linking should have refused.
#[derive(Debug, thiserror::Error)]
#[error("the service has no storage")]
struct NoStorage;

impl CallState {
    /// The call's work on the state, begun if it was not.
    fn transaction(&mut self) -> wasmtime::Result<&mut Transaction> {
        if self.transaction.is_none() {
            let storage = self.service.storage.as_ref().ok_or(NoStorage)?;
            self.transaction = Some(storage.begin());
        }
        self.transaction.as_mut().ok_or_else(|| NoStorage.into())
    }
}

impl storage::Host for CallState {
    fn get(&mut self, key: Vec<u8>) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.transaction()?.get(&key))
    }

    fn set(&mut self, key: Vec<u8>, value: Vec<u8>) -> wasmtime::Result<()> {
        Ok(self.transaction()?.set(key, value)?)
    }

    fn delete(&mut self, key: Vec<u8>) -> wasmtime::Result<bool> {
        Ok(self.transaction()?.delete(key))
    }

    fn scan(
        &mut self,
        low: Vec<u8>,
        high: Option<Vec<u8>>,
        limit: u32,
        reverse: bool,
    ) -> wasmtime::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let limit = usize::try_from(limit).unwrap_or(SCAN_MAX).min(SCAN_MAX);
        let transaction = self.transaction()?;
        Ok(transaction.scan(&low, high.as_deref(), limit, reverse))
    }
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    storage::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}
