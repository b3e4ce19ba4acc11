//! The state of all groups of a host: what was folded in at checkpoints, on disk, and what was applied since, in memory.
//!
//! A [`View`] is the state of one group: a [`Base`] (a snapshot of the [`Store`]) under two layers of persistent maps. A clone of it is an immutable snapshot and
//! costs three reference counts. The replica applies to it, and from time to time hands a frozen layer to [`Store::fold`], which writes the layers of all groups
//! in one durable transaction, on a thread of its own, beside readers. So the store is never on the path of a command.
//!
//! A state can leave in pieces ([`View::chunk`]) and arrive in pieces on another host ([`Store::stage`]); there it is written into a table of its own, which one commit makes the group's.
//!
//! The store is one file, `state.redb`: a block of ours (`identity`) and a redb database behind it, reached only through
//! [`BlockFile`](crate::os::BlockFile) (`pages`). A group has a table of its own: measured beside a group of 200,000 keys, a read of
//! one of 1,000 costs 0.16 µs, and 0.34 µs if both are in one table with the group before the key. The large one costs the same either way.
//!
//! # What is noticed
//! Nothing that this module returns was read without a check:
//! - At every [`Store::open`] redb is made to recover, closed or not: it follows its whole tree, in which every page carries the checksums of its
//!   children, so a page that is damaged, was never written, or holds what belongs elsewhere is [`OpenError::Damaged`]. It costs two passes over the pages
//!   in use, one of them mostly from memory.
//! - After that the checksum of each page is kept in memory (4 bytes a page), and every read of a page is compared: a flipped bit, a lost write or a
//!   misdirected one is [`ReadError::Damaged`], and the store then fails until it is opened again.
//! - Each value carries a CRC32C over group, key and value, compared at every read: it covers what the host itself may have done between the two.
//! - The first block of the file says how many commits were acknowledged (`identity`). A file that is whole but older, because the write that made a commit valid was
//!   lost, is [`OpenError::Damaged`] too.
//!
//! # What is not noticed
//! - Two faults at once that hide each other: the write of a commit lost, and the one that says so as well. The caller sees it where the log of a group begins
//!   after [`Group::applied`] + 1, and must compare that, as it must when the whole file is gone or was replaced by an old copy.
//! - Damage in pages that are free. It harms nobody.

use bytes::Bytes;

mod base;
mod check;
mod chunk;
mod error;
mod hash;
mod holes;
mod identity;
mod open;
mod pages;
mod scan;
mod staging;
mod stash;
mod store;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use base::Base;
pub use check::{GroupReport, Report, Show, check, dump};
pub use chunk::Chunk;
pub use error::{OpenError, ReadError, StoreError};
pub use hash::ViewHash;
pub use scan::Scan;
pub use staging::Staging;
pub use store::{Fold, Group, Store};
pub use view::View;

/// Writes that are not in the store: a value, or none for a deletion.
pub type Layer = imbl::OrdMap<Bytes, Option<Bytes>>;

/// A group's number in the store of this host; of no meaning to other hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);
