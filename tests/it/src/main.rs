//! Integration tests: real components, hosts in this process, and the shipped program.
//!
//! They need the program and the guests in the target folder: `cargo xtask test` builds both first.

mod api;
mod api_client;
mod api_dispatch;
mod api_forms;
mod cli;
mod cluster;
mod paths;
mod processes;
mod shop;
mod test_host;
mod tour;

mod between_certificates;
mod between_checkouts;
mod between_cluster;
mod between_deadlines;
mod between_garbage;
mod between_handlers;
mod between_links;
mod between_load;
mod between_outsiders;
mod between_processes;
mod between_stranger;
mod config_errors;
mod daemons;
mod durable_disk;
mod durable_files;
mod durable_hosts;
mod durable_kills;
mod durable_load;
mod durable_mistakes;
mod durable_restarts;
mod faulty_disk;
mod groups_disasters;
mod groups_members;
mod groups_scene;
mod hostile;
mod hostile_files;
mod hostile_host;
mod hostile_http;
mod hostile_loop;
mod hostile_output;
mod hostile_reach;
mod in_place;
mod keyvalue;
mod limits;
mod linking;
mod replicas_cluster;
mod replicas_disks;
mod replicas_joining;
mod replicas_kills;
mod replicas_load;
mod replicas_partitions;
mod replicas_restarts;
