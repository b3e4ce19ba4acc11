//! The consensus engine's interface as Rust, made from `wit/replica`: what is said there counts.

#![allow(
    missing_docs,
    reason = "the documentation is in wit/replica/consensus.wit"
)]

wasmtime::component::bindgen!({
    path: "../wit/replica",
    world: "engine",
    additional_derives: [PartialEq, Eq],
});

pub use bookshop::replica::log as log_import;
pub use bookshop::replica::types::{
    Entry, EntryKind, HardState, Members, Message, MessageKind, Snapshot,
};
pub use exports::bookshop::replica::consensus::{
    Action, Boot, ChangeKind, ChangeProposal, Changed, Event, MemberChange, Output, Progress,
    Proposal, Role, Save, Standing, Status, TermRun,
};
