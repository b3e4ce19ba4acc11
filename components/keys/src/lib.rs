//! What services that keep state share: ordered keys, timers, and a compact form for values.
//!
//! A library that becomes part of the components `orders`, `order-queue` and `database`. Their logic is written against [`Keys`] and
//! [`Timers`], which are the host's in the component and a [`Memory`] and [`Alarms`] in native tests. The time is no part of it: whoever opens
//! the state passes in what `bookshop:platform/context.now-ms` said.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
pub mod bytes;
mod storage;
mod timers;

pub use storage::{Bytes, Direction, Keys, Memory, SCAN_MAX, Storage, prefix_end};
pub use timers::{Alarms, HostTimers, Timers};
