//! The WebAssembly engine: its settings, the same wherever code is compiled or run, and its epoch ticker.

use crate::os::task;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a running guest looks whether it should yield.
pub const TICK: Duration = Duration::from_millis(1);

/// Native stack of one call. The guest may use a quarter of it, the rest is for host functions it calls.
const STACK_BYTES: usize = 2 << 20;
/// Memory that a slot keeps between two calls instead of handing it back to the kernel: what a small service touches.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// Slots handed back to the kernel in one system call.
const DECOMMIT_BATCH: usize = 16;
/// Parts of one component: a Rust service has three core instances, a Go service five, a Python service fourteen.
const CORE_INSTANCES_PER_COMPONENT: u32 = 16;
const MEMORIES_PER_COMPONENT: u32 = 2;
const TABLES_PER_COMPONENT: u32 = 8;

/// What an engine must have room for.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Calls under way at once, of all services together.
    pub calls: u32,
    /// The largest memory any of them may have.
    pub memory_bytes: u64,
}

/// How instances are allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allocation {
    /// From slots prepared at start.
    Pooling,
    /// The same, but the kernel (older than Linux 6.7) cannot say which pages a guest touched: about half as fast.
    PoolingWithoutPagemap,
    /// One by one, because the pool could not be reserved: about three times slower a call. The reason is inside.
    OnDemand(String),
}

/// The engine that runs components.
///
/// # Errors
/// The machine cannot run the engine at all.
pub fn runtime(room: Room) -> wasmtime::Result<(Engine, Allocation)> {
    let mut reasons = Vec::new();
    for pagemap_scan in [Enabled::Yes, Enabled::No] {
        let mut config = settings();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(
            room,
            pagemap_scan,
        )));
        match Engine::new(&config) {
            Ok(engine) if pagemap_scan == Enabled::Yes => return Ok((engine, Allocation::Pooling)),
            Ok(engine) => return Ok((engine, Allocation::PoolingWithoutPagemap)),
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    Ok((
        Engine::new(&settings())?,
        Allocation::OnDemand(reasons.pop().unwrap_or_default()),
    ))
}

/// The engine that compiles components for [`runtime`].
///
/// # Errors
/// The machine cannot run the engine at all.
pub fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&settings())
}

/// Everything that influences compiled code. Deterministic where WebAssembly leaves a choice, so that a recorded call replays exactly.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .async_stack_size(STACK_BYTES)
        .max_wasm_stack(STACK_BYTES / 4);
    config
}

fn pool(room: Room, pagemap_scan: Enabled) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(room.calls)
        .total_core_instances(room.calls * CORE_INSTANCES_PER_COMPONENT)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .total_memories(room.calls * MEMORIES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .total_tables(room.calls * TABLES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .total_stacks(room.calls)
        .max_memory_size(usize::try_from(room.memory_bytes).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(KEEP_RESIDENT_BYTES)
        .decommit_batch_size(DECOMMIT_BATCH)
        .pagemap_scan(pagemap_scan);
    pool
}

/// Advances an engine's epoch every [`TICK`] until it is dropped.
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (Arc::clone(&stop), engine.weak());
        let thread = task::thread("epoch", move || {
            while !stopped.load(Ordering::Relaxed) {
                park_timeout(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread cannot panic, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}
