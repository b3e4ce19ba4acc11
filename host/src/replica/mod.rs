//! Replicated services: a group for each, whose state survives whatever happens to its host.
//!
//! [`group`] decides, and is the same in production and in the simulator. A command runs once, on its leader; the log's [`entry`] is what it
//! changed, so replaying one runs nothing. Today a group has one replica.

pub mod bytes;
pub mod draft;
pub mod entry;
pub mod event;
pub mod group;
pub mod keyspace;
pub mod messages;
pub mod mutant;
pub mod published;
pub mod schedule;
pub mod sessions;
pub mod time;
pub mod timers;
pub mod wit;
pub mod work;
