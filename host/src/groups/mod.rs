//! The groups of this host at work: each runs its commands one after another on a thread that all of them share, beside one
//! log and one state store.
//!
//! | thread | does |
//! |---|---|
//! | state | a task for each group ([`owner`]): carries out what [`Group::step`](crate::replica::group::Group::step) decides, and runs its guests; checkpoints' turns |
//! | log | appends and syncs, for all groups at once ([`journal`]) |
//! | checkpoint | for the time of a checkpoint: folds what was applied into the state store ([`checkpoint`]) |
//!
//! Calls come through [`GroupHandle`]. Queries run elsewhere, on what was [published](crate::replica::published); where there are several replicas
//! they ask here first how far they have to see.

pub mod backup;
pub mod birth;
pub mod checkpoint;
pub mod delivery;
pub mod handle;
pub mod hello;
pub mod journal;
pub mod offline;
pub mod owner;
pub mod readers;
pub mod recovery;
pub mod run;
pub mod snapshots;

pub use handle::{GroupHandle, GroupStatus};
pub use recovery::{Options, Recovered, RecoveryError, Running};
