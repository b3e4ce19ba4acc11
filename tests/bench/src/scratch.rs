//! `bookshop:platform/scratch` for the engine alone: the host's own store, so that both sides of a comparison do the same work in it.
//!
//! Also removes what measured calls leave there: a shop clears each order, and a store that only grows would be what is measured.

use crate::Outcome;
use bookshop_host::os::Os;
use bookshop_host::scratch::{Scratch, ScratchError};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{ComponentType, Linker, Lower};

/// `scratch-error` of the WIT.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum Refusal {
    #[component(name = "conflict")]
    Conflict(Option<u64>),
    #[component(name = "too-large")]
    TooLarge,
    #[component(name = "full")]
    Full,
}

impl From<ScratchError> for Refusal {
    fn from(error: ScratchError) -> Self {
        match error {
            ScratchError::Conflict(revision) => Self::Conflict(revision),
            ScratchError::TooLarge => Self::TooLarge,
            ScratchError::Full => Self::Full,
        }
    }
}

/// Key, revision that the caller saw, value, milliseconds to live.
type Put = (String, Option<u64>, Vec<u8>, u64);

/// Adds what writing a value for the first time needs, which is all that a measured call does.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    scratch: &Arc<Scratch>,
    os: &Os,
) -> Outcome {
    let (scratch, os) = (Arc::clone(scratch), os.clone());
    linker
        .instance("bookshop:platform/scratch@0.1.0")?
        .func_wrap("put-if", move |_, (key, revision, value, ttl_ms): Put| {
            let (now, ttl) = (os.clock.monotonic(), Duration::from_millis(ttl_ms));
            let written = scratch.put_if(now, &key, revision, value, ttl);
            Ok((written.map_err(Refusal::from),))
        })?;
    Ok(())
}

/// Removes an order that a service keeps.
///
/// # Errors
/// The service does not keep it, so the call before did not do what it is measured for.
pub fn forget(scratch: &Scratch, os: &Os, order_id: &str) -> Outcome {
    let (now, key) = (os.clock.monotonic(), format!("order/{order_id}"));
    let (_, revision) = scratch
        .get(now, &key)
        .ok_or("the service does not keep the order that it was given")?;
    Ok(scratch.delete_if(now, &key, revision)?)
}
