//! The consensus engine: one replica of one group, around tikv's `raft`.
//!
//! It has no clock, socket or file. The host feeds it what happened (`step`) and carries out what it says; `wit/replica` is the contract.
//! [`replica`] ties everything together; each other module is one of its decisions. Natively it is the same code, for tests.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;

mod admission;
mod convert;
mod failover;
mod outbox;
mod proposals;
mod reads;
mod replica;
mod store;
mod terms;
mod time;

pub use bindings::bookshop::replica::types::{
    Entry, EntryKind, HardState, Members, Message, MessageKind, Snapshot,
};
pub use bindings::exports::bookshop::replica::consensus::{
    Action, Boot, ChangeKind, ChangeProposal, Changed, Event, MemberChange, Output, Progress,
    Proposal, Role, Save, Standing, Status, TermRun,
};
pub use replica::Replica;
pub use store::Log;
