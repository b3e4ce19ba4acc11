//! Integration tests: real components, hosts in this process, and the shipped program.
//!
//! They need the program and the guests in the target folder: `cargo xtask test` builds both first.

mod cluster;
mod paths;
mod processes;
mod test_host;

mod hostile;
