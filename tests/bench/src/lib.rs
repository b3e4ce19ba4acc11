//! Measurements of the host: what one call adds, here and to another host, cold start, memory, the shop over HTTP.
//!
//! README.md says what each measures and how. The program `bench` runs them by name; `benches/hop.rs` runs a part of them
//! under criterion, which compares with its own last run. Nothing here is part of the host.

pub mod bare;
pub mod callees;
pub mod calls;
pub mod checkout;
pub mod child;
pub mod cluster;
pub mod cluster_file;
pub mod hello;
pub mod hop;
pub mod in_process;
pub mod loopback;
pub mod memory;
pub mod native;
pub mod noise;
pub mod order;
pub mod pair;
pub mod paths;
pub mod process;
pub mod remote;
pub mod remote_load;
pub mod replicas;
pub mod replicas_failover;
pub mod replicas_host;
pub mod replicas_peers;
pub mod replicas_writers;
pub mod report;
pub mod scale;
pub mod scratch;
pub mod shop_client;
pub mod spread;
pub mod start;
pub mod state;
pub mod state_floor;
pub mod state_host;
pub mod state_load;
pub mod statistics;
pub mod swap;
pub mod tonic;
pub mod two_hosts;
pub mod upgrade;
pub mod wrk;

/// What a measurement ends with: its rows are already in the report.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
