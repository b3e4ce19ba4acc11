//! What must be true of every group at every moment, whatever its service does: one file each. They are told what replicas do, and know nothing else.

pub mod durable;
pub mod entries;
pub mod leaders;
pub mod promises;

use crate::config::HostName;
use crate::state::GroupId;

/// All of them that rest on nothing but what replicas say and keep.
#[derive(Default)]
pub struct Invariants {
    /// See there.
    pub durable: durable::Durable,
    /// See there.
    pub entries: entries::Entries,
    /// See there.
    pub leaders: leaders::Leaders,
    /// See there.
    pub promises: promises::Promises,
}

/// A group's replica, as violations name it.
fn at(group: GroupId, host: &HostName) -> String {
    format!("group {} on {host}", group.0)
}
