//! A host in a simulation: its groups, log and state store, and the very components that it runs, on virtual time and a simulated disk.
//!
//! What a run does depends on its seed alone. The stateful core is the shipped one: [`Group`](crate::replica::group::Group), [`Log`](crate::log::Log) and
//! [`Store`](crate::state::Store), and guests by [`groups::run`](crate::groups::run). Not simulated are threads, sockets and real files, which tests of
//! whole processes cover. [`world`] is the loop; applications bring a [`workload`].

mod calls;
mod clients;
pub mod disk;
mod durable;
pub mod guests;
pub mod history;
mod life;
mod look;
mod node;
pub mod outside;
pub mod plan;
pub mod random;
mod run;
mod told;
pub mod workload;
pub mod world;

pub use guests::{Guests, GuestsError};
pub use plan::{AnyMutant, Faults, Plan, Report, Violation};
pub use random::Random;
pub use workload::{Committed, Heard, Look, Looked, Request, Workload};
pub use world::World;
