//! Hosts in a simulation: their replicas, logs and state stores, and the very components that they run, on virtual time, simulated disks and a simulated network.
//!
//! What a run does depends on its seed alone. The stateful core is the shipped one: [`Member`](crate::replica::member::Member) with the consensus engine,
//! [`Log`](crate::log::Log) and [`Store`](crate::state::Store), and guests by [`groups::run`](crate::groups::run). Not simulated are threads, sockets and real files, which tests of
//! whole processes cover. [`world`] is the loop; [`invariants`] hold whatever a service does; applications bring a [`workload`].

mod calls;
mod clients;
pub mod disk;
mod durable;
pub mod engine;
mod events;
mod faults;
pub mod guests;
pub mod history;
mod host;
mod install;
pub mod invariants;
mod jobs;
mod life;
mod look;
mod members;
pub mod network;
mod node;
pub mod outside;
mod peers;
pub mod plan;
pub mod random;
mod run;
pub mod swarm;
mod told;
mod upgrades;
pub mod workload;
pub mod world;

pub use guests::{Guests, GuestsError};
pub use host::HOSTS_MAX;
pub use plan::{AnyMutant, Faults, Plan, Report, Violation};
pub use random::Random;
pub use workload::{Committed, Heard, Look, Looked, Request, Workload};
pub use world::World;
