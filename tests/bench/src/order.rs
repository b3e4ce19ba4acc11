//! The order that every measurement sends: complete, valid, and approved.

use crate::{Outcome, paths};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::component::Val;

/// As JSON for `POST /checkout`.
///
/// # Errors
/// The file in `load/` cannot be read.
pub fn checkout() -> Outcome<Value> {
    read("checkout.json")
}

/// As the shop's record `order`, in JSON with the names of the WIT.
///
/// # Errors
/// The file in `load/` cannot be read.
pub fn record() -> Outcome<Value> {
    read("order.json")
}

/// What a service is told with the first message of a checkout, as the shop's record `progress`: only the orchestrator has done anything.
#[must_use]
pub fn progress() -> Value {
    let clock = json!({
        "orchestrator": 1, "transaction-verification": 0, "fraud-detection": 0, "suggestions": 0,
    });
    json!({ "clock": clock, "done": [] })
}

/// Arguments of which the first is an order: the same with an identity that no order of this process had, and that identity.
///
/// # Errors
/// The first argument is no order.
pub fn renewed(arguments: &[Val]) -> Outcome<(Vec<Val>, String)> {
    let (mut arguments, id) = (arguments.to_vec(), unused_id());
    let Some(Val::Record(fields)) = arguments.first_mut() else {
        return Err("the first argument is no order".into());
    };
    let own = fields.iter_mut().find(|(name, _)| name == "id");
    own.ok_or("the order has no identity")?.1 = Val::String(id.clone());
    Ok((arguments, id))
}

/// As scattered as random ones, and different for certain: an odd factor maps no two numbers to one.
fn unused_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT
        .fetch_add(1, Ordering::Relaxed)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!(
        "{:08x}-{:04x}-4000-8000-{:012x}",
        number >> 32,
        number >> 16 & 0xffff,
        number & 0xffff
    )
}

fn read(file: &str) -> Outcome<Value> {
    let path = paths::load(file);
    let bytes =
        std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}
