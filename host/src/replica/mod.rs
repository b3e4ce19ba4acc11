//! Replicated services: a group for each, whose state survives whatever happens to its host.
//!
//! [`member`] is one replica: [`group`] makes and applies entries, a [consensus engine](consensus) gets them into the logs of a majority. All of it is
//! the same in production and in the simulator. A command runs once, on the replica that leads; the log's [`entry`] is what it
//! changed, so applying one runs nothing.

pub mod bytes;
pub mod consensus;
pub mod draft;
pub mod entry;
pub mod event;
pub mod group;
pub mod identity;
pub mod keyspace;
pub mod member;
pub mod message;
pub mod messages;
pub mod mutant;
pub mod network;
pub mod published;
pub mod roster;
pub mod schedule;
pub mod sessions;
pub mod standing;
pub mod time;
pub mod timers;
pub mod window;
pub mod wit;
pub mod work;
