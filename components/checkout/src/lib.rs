//! What the services of a checkout share: vector clocks, the order of events, and the order that each keeps meanwhile.
//!
//! A library that becomes part of the components `orchestrator`, `transaction-verification`, `fraud-detection`, `suggestions` and
//! `orders`. Knows the order in which events may happen, but not what any of them does.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
pub mod bindings;
mod clock;
mod event;
mod failure;
mod kept;
pub mod record;
pub mod refusal;
pub mod store;

pub use clock::Service;
pub use event::missing;
pub use failure::InWords;
pub use kept::{Performed, clear, init, perform};
pub use keys::bytes;
