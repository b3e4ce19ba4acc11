//! What a guest can import from the host, and the state of one call that the imports work on.
//!
//! Calls to other services leave through [`Dispatch`] and nothing else. One file per capability; [`offered`] says which need a grant.

use crate::dispatch::Dispatch;
use crate::envelope::Envelope;
use crate::limits::MemoryMeter;
use crate::service::Service;
use crate::storage::Transaction;
use std::sync::Arc;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

pub mod config;
pub mod context;
pub mod http;
pub mod logging;
pub mod offered;
pub mod scratch;
pub mod service;
pub mod storage;
pub mod wasi;

/// Handles (streams, pollables, HTTP bodies) that one call may hold at once.
const RESOURCES_MAX: usize = 4096;

/// The data of a store: everything that belongs to one call.
pub struct CallState {
    /// Who is called.
    pub service: Arc<Service>,
    /// Identity and bounds of the call.
    pub envelope: Envelope,
    /// Calls made to other services so far.
    pub children: u32,
    /// Memory of the store.
    pub memory: MemoryMeter,
    /// Carries out calls to other services.
    pub dispatch: Arc<dyn Dispatch>,
    /// The call's work on its service's state, once it has begun any.
    pub transaction: Option<Transaction>,
    table: ResourceTable,
    /// Made at first use: most calls need no WASI at all, and seeding its generators is not free.
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
    outgoing: http::Outgoing,
}

impl CallState {
    /// The state of a new store.
    #[must_use]
    pub fn new(service: Arc<Service>, envelope: Envelope, dispatch: Arc<dyn Dispatch>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            memory: MemoryMeter::new(service.config.limits.memory_bytes),
            outgoing: http::Outgoing::new(Arc::clone(&service)),
            service,
            envelope,
            children: 0,
            transaction: None,
            dispatch,
            table,
            wasi: None,
            http: WasiHttpCtx::new(),
        }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let service = &self.service;
        let ctx = self
            .wasi
            .get_or_insert_with(|| Box::new(wasi::context(service)));
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outgoing,
        }
    }
}

/// Adds everything the host offers. What a service may really use was decided when it was loaded.
///
/// # Errors
/// A bug: an interface was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    config::add_to_linker(linker)?;
    logging::add_to_linker(linker)?;
    scratch::add_to_linker(linker)?;
    storage::add_to_linker(linker)?;
    context::add_to_linker(linker)
}
