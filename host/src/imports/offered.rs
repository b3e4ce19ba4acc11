//! Which interfaces the host provides, and which of them need a grant.

use crate::config::{Grant, StorageMode};
use crate::interface::without_version;

/// What a component must be granted to import an interface of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing: every component has it.
    Free,
    /// An `http:HOST:PORT` grant.
    Http,
    /// State: a `storage` of its own.
    Storage,
    /// The host has no such interface.
    Unknown,
}

/// Packages of which every interface is free. Sockets and files are among them since, without a grant, they refuse every address and hold no file.
const FREE_PACKAGES: [&str; 6] = [
    "wasi:cli",
    "wasi:io",
    "wasi:clocks",
    "wasi:random",
    "wasi:filesystem",
    "wasi:sockets",
];
const FREE_INTERFACES: [&str; 6] = [
    "wasi:http/types",
    "wasi:config/store",
    "wasi:logging/logging",
    "bookshop:platform/context",
    "bookshop:platform/call-error",
    "bookshop:platform/scratch",
];
const STORAGE: &str = "bookshop:platform/storage";
const OUTGOING_HTTP: &str = "wasi:http/outgoing-handler";

/// What importing `interface` requires.
#[must_use]
pub fn requirement(interface: &str) -> Requirement {
    let path = without_version(interface);
    let package = path.split_once('/').map_or(path, |(package, _)| package);
    match path {
        OUTGOING_HTTP => Requirement::Http,
        STORAGE => Requirement::Storage,
        _ if FREE_INTERFACES.contains(&path) || FREE_PACKAGES.contains(&package) => {
            Requirement::Free
        }
        _ => Requirement::Unknown,
    }
}

/// The line to add to a service's section so that it may import `interface`; `None` if it may already.
#[must_use]
pub fn missing_grant(
    interface: &str,
    grants: &[Grant],
    storage: Option<StorageMode>,
) -> Option<&'static str> {
    match requirement(interface) {
        Requirement::Http
            if !grants
                .iter()
                .any(|grant| matches!(grant, Grant::Http { .. })) =>
        {
            Some(r#"grants = ["http:HOST:PORT"]"#)
        }
        Requirement::Storage if storage.is_none() => Some(r#"storage = "volatile""#),
        Requirement::Http | Requirement::Storage | Requirement::Free | Requirement::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(interface: &str, expected: Requirement) {
        assert_eq!(requirement(interface), expected);
    }

    #[test]
    fn computing_is_free_and_reaching_out_needs_a_grant() {
        check("wasi:clocks/wall-clock@0.2.6", Requirement::Free);
        check("wasi:http/types@0.2.6", Requirement::Free);
        check("wasi:http/outgoing-handler@0.2.6", Requirement::Http);
        check("wasi:nn/tensor@0.2.0", Requirement::Unknown);
    }
}
