//! What a guest can import from the host, and the state of one call that the imports work on.
//!
//! Calls to other services leave through [`Dispatch`] and nothing else. One file per capability; [`offered`] says which need a grant.

use crate::dispatch::{Dispatch, FunctionName};
use crate::envelope::Envelope;
use crate::interface::without_version;
use crate::limits::MemoryMeter;
use crate::replica::published::Snapshot;
use crate::replica::work::{Access, Effects, Work};
use crate::service::Service;
use crate::storage::Transaction;
use std::sync::Arc;
use tokio::sync::watch;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

pub mod changes;
pub mod config;
pub mod context;
pub mod http;
pub mod keyvalue;
pub mod lifecycle;
pub mod logging;
pub mod offered;
pub mod outbox;
pub mod scratch;
pub mod service;
pub mod storage;
pub mod timers;
pub mod wasi;

/// A component uses state that it does not have.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum NoState {
    /// Its service has none here, which linking should have refused.
    #[error("the service has no state on this host")]
    Missing,
    /// It is a daemon: it never returns from a call whose writes could take effect.
    #[error(
        "a daemon has no storage of its own, since it is in no call whose writes could take effect together; let it call a service"
    )]
    Daemon,
}

/// Handles (streams, pollables, HTTP bodies) that one call may hold at once.
const RESOURCES_MAX: usize = 4096;

/// What a call does to its service's state.
pub enum Kept {
    /// Nothing so far.
    Untouched,
    /// It works on state that is gone with the host.
    Volatile(Transaction),
    /// It works on replicated state.
    Replicated(Box<Work>),
}

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
    pub kept: Kept,
    /// The state that a query of a replicated service is to see; none for the newest when it looks.
    pub snapshot: Option<Arc<Snapshot>>,
    /// What a command changes, once it has succeeded.
    pub effects: Option<Effects>,
    /// Whether the host wants it to finish, if this is a daemon. Its store serves no call: it lives as long as the daemon does.
    pub lifecycle: Option<watch::Receiver<bool>>,
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
            kept: Kept::Untouched,
            snapshot: None,
            effects: None,
            lifecycle: None,
            dispatch,
            table,
            wasi: None,
            http: WasiHttpCtx::new(),
        }
    }
}

impl CallState {
    /// Whether this call is a command of a replicated service: one that must not wait for anything outside.
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(&self.kept, Kept::Replicated(work) if work.may_write())
    }

    /// The envelope of the next call that it makes, of `function`.
    fn next_call(&mut self, function: &str) -> Envelope {
        let now = self.service.os.clock.monotonic();
        let (name, ordinal) = (&self.service.name, self.children);
        self.children = self.children.wrapping_add(1);
        if self.lifecycle.is_none() {
            return self.envelope.child(name, function, ordinal, now);
        }
        // A daemon serves no request, so each of its calls is one.
        let deadline = now.saturating_add(self.service.config.limits.time);
        let entropy = self.service.os.entropy.as_ref();
        Envelope::enter(entropy, name, deadline, self.envelope.hops_left)
    }

    /// The call's work on replicated state, begun if it was not.
    ///
    /// # Errors
    /// [`NoState`]: the service has none, which linking should have refused, or it is not recovered yet.
    pub fn work(&mut self) -> Result<&mut Work, NoState> {
        if matches!(self.kept, Kept::Untouched) {
            let published = self.service.published.as_ref().ok_or(NoState::Missing)?;
            let chosen = self.snapshot.take().or_else(|| published.newest());
            let snapshot = chosen.ok_or(NoState::Missing)?;
            let wall = self.service.os.clock.wall().as_millis();
            let time_ms = u64::try_from(wall)
                .unwrap_or(u64::MAX)
                .max(snapshot.meta.time_ms);
            self.kept = Kept::Replicated(Box::new(Work::new(
                snapshot.view.clone(),
                snapshot.meta,
                time_ms,
                self.service.config.limits.storage_bytes,
                Access::Read,
            )));
        }
        match &mut self.kept {
            Kept::Replicated(work) => Ok(work),
            Kept::Untouched | Kept::Volatile(_) => Err(NoState::Missing),
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

/// Adds everything the host offers, but for what [`define`] does. What a service may really use was decided when it was loaded.
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
    keyvalue::add_to_linker(linker)?;
    timers::add_to_linker(linker)?;
    outbox::add_to_linker(linker)?;
    context::add_to_linker(linker)
}

/// Adds an interface of the host whose functions may wait, if `interface` is one. A component is built against it with or without
/// `async`, and only what it imports itself tells which.
///
/// # Errors
/// A bug: an interface was added twice.
pub fn define(
    linker: &mut Linker<CallState>,
    interface: &str,
    functions: &[(FunctionName, ComponentFunc)],
) -> wasmtime::Result<()> {
    let define = match without_version(interface) {
        changes::INTERFACE => changes::define,
        lifecycle::INTERFACE => lifecycle::define,
        _ => return Ok(()),
    };
    let mut slot = linker.instance(interface)?;
    for (function, ty) in functions {
        define(&mut slot, &function.function, ty)?;
    }
    Ok(())
}
