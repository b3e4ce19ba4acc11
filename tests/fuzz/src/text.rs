//! Files that somebody hands in: the cluster file and the components it names.

use bookshop_host::component::check_header;
use bookshop_host::config::Config;
use std::path::Path;

/// Reads a cluster file.
///
/// # Panics
/// A file is refused without a word.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(error) = Config::parse(Path::new("config/cluster.toml"), &text) {
        assert!(!error.to_string().is_empty());
    }
}

/// Looks at the first bytes of a component.
///
/// # Panics
/// What does not begin as WebAssembly does is taken for a component.
pub fn component_header(input: &[u8]) {
    let checked = check_header(Path::new("a.wasm"), input);
    assert!(checked.is_err() || input.starts_with(b"\0asm"));
}
