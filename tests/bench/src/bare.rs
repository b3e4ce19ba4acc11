//! The peer of a hop: the same component called through the engine's own dynamic interface, with no host around it.
//!
//! The engine is configured as the host's is (same pool, same compiler settings), so what remains is what the host adds.

use crate::{Outcome, scratch};
use bookshop_host::engine::{self, Room};
use bookshop_host::json;
use bookshop_host::os::Os;
use bookshop_host::scratch::Scratch;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, ResourceTable, Val,
};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Instances of the pool, and the memory that each may have: as one service of the host by default.
const ROOM: Room = Room {
    calls: 160,
    memory_bytes: 16 << 20,
};
/// Calls of one instance in [`Bare::call_reused`], as of a pooled service of the host by default.
const CALLS_PER_INSTANCE: u32 = 1000;
/// What its calls may leave for one another, as for each service of the shop.
const SCRATCH_BYTES: u64 = 64 << 20;
/// Epochs until a guest would be stopped. The bare engine has no ticker.
const NEVER: u64 = 1 << 40;

/// A component's function, ready to be called.
pub struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
    export: ComponentExportIndex,
    results: usize,
    scratch: Arc<Scratch>,
    os: Os,
    /// Instances that wait for their next call, for [`Bare::call_reused`].
    idle: Mutex<Vec<Instance>>,
}

struct Instance {
    store: Store<State>,
    instance: wasmtime::component::Instance,
    calls_left: u32,
}

#[derive(Default)]
struct State {
    table: ResourceTable,
    /// Made when a guest first asks, as the host does: most calls need none.
    wasi: Option<Box<WasiCtx>>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self
            .wasi
            .get_or_insert_with(|| Box::new(WasiCtx::builder().build()));
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl Bare {
    /// Compiles the component in `wasm` and finds `function` in its export `interface`, named with its full version.
    ///
    /// # Errors
    /// There is no such component or function.
    pub fn load(wasm: &Path, interface: &str, function: &str) -> Outcome<Self> {
        let (engine, _) = engine::runtime(ROOM)?;
        let component = Component::from_file(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let (os, scratch) = (Os::real(), Arc::new(Scratch::new(SCRATCH_BYTES)));
        scratch::add_to_linker(&mut linker, &scratch, &os)?;
        // Other functions of the component may need more. Whoever calls those gets an error.
        linker.define_unknown_imports_as_traps(&component)?;
        let pre = linker.instantiate_pre(&component)?;
        let (ty, export) = find(&component, interface, function)?;
        Ok(Self {
            results: ty.results().len(),
            engine,
            pre,
            export,
            scratch,
            os,
            idle: Mutex::default(),
        })
    }

    /// Calls the function on an instance of its own.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn call_fresh(&self, arguments: &[Val]) -> Outcome<Vec<Val>> {
        self.call(&mut self.instance().await?, arguments).await
    }

    /// Calls the function on an instance that served before, if one is free.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn call_reused(&self, arguments: &[Val]) -> Outcome<Vec<Val>> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.instance().await?,
        };
        let results = self.call(&mut instance, arguments).await?;
        instance.calls_left -= 1;
        if instance.calls_left > 0 {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(instance);
        }
        Ok(results)
    }

    /// Removes an order that a call left.
    ///
    /// # Errors
    /// No call left it.
    pub fn forget(&self, order_id: &str) -> Outcome {
        scratch::forget(&self.scratch, &self.os, order_id)
    }

    async fn instance(&self) -> Outcome<Instance> {
        let mut store = Store::new(&self.engine, State::default());
        store.set_epoch_deadline(NEVER);
        let instance = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            instance,
            calls_left: CALLS_PER_INSTANCE,
        })
    }

    async fn call(&self, instance: &mut Instance, arguments: &[Val]) -> Outcome<Vec<Val>> {
        let Instance {
            store, instance, ..
        } = instance;
        let function = instance
            .get_func(&mut *store, self.export)
            .ok_or("the function is gone")?;
        let mut results = vec![Val::Bool(false); self.results];
        function.call_async(store, arguments, &mut results).await?;
        Ok(results)
    }
}

/// Arguments in JSON as values of the types that `function` in the export `interface` of the component in `wasm` has.
///
/// # Errors
/// There is no such component or function, or it has other parameters.
pub fn arguments(
    wasm: &Path,
    interface: &str,
    function: &str,
    arguments: &[Value],
) -> Outcome<Vec<Val>> {
    let (engine, _) = engine::runtime(ROOM)?;
    let component = Component::from_file(&engine, wasm)?;
    let (ty, _) = find(&component, interface, function)?;
    let values = ty
        .params()
        .zip(arguments)
        .map(|((_, ty), argument)| json::from_json(argument, &ty));
    Ok(values.collect::<Result<_, _>>()?)
}

fn find(
    component: &Component,
    interface: &str,
    function: &str,
) -> Outcome<(ComponentFunc, ComponentExportIndex)> {
    let interface = component
        .get_export_index(None, interface)
        .ok_or(format!("no interface {interface}"))?;
    match component.get_export(Some(&interface), function) {
        Some((ComponentItem::ComponentFunc(ty), export)) => Ok((ty, export)),
        Some(_) | None => Err(format!("no function {function}").into()),
    }
}
