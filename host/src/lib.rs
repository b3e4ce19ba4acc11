//! `bookshop-host` runs distributed applications made of WebAssembly components.
//!
//! ARCHITECTURE.md has the map. The modules follow the way of a call from top to bottom.

pub mod cli;
pub mod launcher;
pub mod simulation;

pub mod admin;
pub mod api;
mod arrival;
pub mod host;
pub mod http;
pub mod origin;

pub mod router;

pub mod transport;

pub mod control;
pub mod daemon;
pub mod services;
pub mod supervisor;

pub mod groups;
pub mod instance;
pub mod pool;
pub mod version;

pub mod compat;
pub mod compile;
pub mod component;
pub mod consensus;
pub mod depot;
pub mod engine;
pub mod imports;
pub mod linker;

pub mod log;
pub mod replica;
pub mod service;
pub mod state;
pub mod storage;

pub mod admission;
pub mod certificates;
pub mod chaos;
pub mod limits;
pub mod parent;
pub mod scratch;
pub mod telemetry;

pub mod call_error;
pub mod client;
pub mod codec;
pub mod config;
pub mod dispatch;
pub mod envelope;
pub mod interface;
pub mod json;
pub mod payload;
pub mod signature;

pub mod os;
