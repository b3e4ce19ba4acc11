//! What reads bytes from outside, one function each: bytes in, nothing out, a panic if a promise is broken.
//!
//! The same functions serve cargo-fuzz (`fuzz_targets/`) and the bounded run of `cargo test` (`tests/`).
//! A new reader gets a module here, a target there and a test.

mod decode;
mod json;
pub mod message;
mod replica;
mod text;

pub use decode::{check_bytes, decode};
pub use json::{TYPES, json};
pub use replica::replica;
pub use text::{component_header, config};
