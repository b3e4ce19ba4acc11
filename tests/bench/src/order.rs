//! The order that every measurement sends: complete, valid, and approved.

use crate::{Outcome, paths};
use serde_json::Value;

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

fn read(file: &str) -> Outcome<Value> {
    let path = paths::load(file);
    let bytes =
        std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}
