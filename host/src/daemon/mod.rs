//! Daemons: components that export `wasi:cli/run` and run for as long as their host does.
//!
//! The supervisor says by [`Daemon`] which should run; [`Daemons`] is the thread that all of a host share, so that a busy one does not
//! slow requests; [`keeper`] starts one again when it fails and asks it to finish when it should; [`life`] is one run of one.
//! A daemon keeps its store for as long as it runs, and serves nobody by it: functions that it also exports run in stores of their own.

mod backoff;
mod handle;
mod keeper;
mod life;
mod thread;

pub use handle::{Condition, Daemon, Phase};
pub use thread::{Daemons, Options, start};
