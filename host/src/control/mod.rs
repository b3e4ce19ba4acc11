//! The state of the cluster itself: the file in force, who may change it, and how far each host is with it.
//!
//! It is kept by the service `control`, a replicated one like others, whose component ([`code`]) is part of this program. [`registry`] talks to it,
//! [`difference`] says what a new file changes and what cannot be changed, [`components`] which code a file names. What a host has [`taken`] up it
//! writes down for its next start; that it takes up what is in force at all is the work of `host::follower`. Losing the majority of its
//! replicas stops nothing that serves: then nobody can apply a file, and that is all.

pub mod code;
pub mod components;
pub mod difference;
pub mod registry;
pub mod taken;

mod first;

pub use first::first_value;
