//! The engine's bytes: `host/build.rs` compiles the core module, here it becomes a component.

use std::sync::OnceLock;
use wit_component::ComponentEncoder;

/// What `host/build.rs` made.
const CORE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/raft_engine.wasm"));

/// The component.
///
/// # Errors
/// The module does not have the types of its world: this program was built wrongly.
pub fn component_bytes() -> wasmtime::Result<&'static [u8]> {
    static BYTES: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let encode = || {
        let encoder = ComponentEncoder::default().validate(false).module(CORE);
        let bytes = encoder.and_then(|mut encoder| encoder.encode());
        bytes.map_err(|error| format!("{error:#}"))
    };
    match BYTES.get_or_init(encode) {
        Ok(bytes) => Ok(bytes),
        Err(reason) => Err(wasmtime::Error::msg(reason)),
    }
}
