//! Which interfaces the host provides, and which of them need a grant.

use crate::config::{Grant, ServiceConfig};
use crate::interface::without_version;

/// What a component must be granted to import an interface of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing: every component has it.
    Free,
    /// An `http:HOST:PORT` grant.
    Http,
    /// State, of any life: `replicated` or `storage`.
    Storage,
    /// State that outlives the host: `replicated`.
    Replicated,
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
const FREE_INTERFACES: [&str; 8] = [
    "wasi:http/types",
    "wasi:config/store",
    "wasi:logging/logging",
    "bookshop:platform/context",
    "bookshop:platform/call-error",
    "bookshop:platform/scratch",
    "bookshop:platform/changes",
    "bookshop:platform/lifecycle",
];
const STORAGE_INTERFACES: [&str; 4] = [
    "bookshop:platform/storage",
    "wasi:keyvalue/store",
    "wasi:keyvalue/atomics",
    "wasi:keyvalue/batch",
];
const REPLICATED_INTERFACES: [&str; 2] = ["bookshop:platform/timers", "bookshop:platform/outbox"];
const OUTGOING_HTTP: &str = "wasi:http/outgoing-handler";

/// What importing `interface` requires.
#[must_use]
pub fn requirement(interface: &str) -> Requirement {
    let path = without_version(interface);
    let package = path.split_once('/').map_or(path, |(package, _)| package);
    match path {
        OUTGOING_HTTP => Requirement::Http,
        _ if STORAGE_INTERFACES.contains(&path) => Requirement::Storage,
        _ if REPLICATED_INTERFACES.contains(&path) => Requirement::Replicated,
        _ if FREE_INTERFACES.contains(&path) || FREE_PACKAGES.contains(&package) => {
            Requirement::Free
        }
        _ => Requirement::Unknown,
    }
}

/// What the configuration gives a service, as far as imports depend on it. `default()` is a service that is given nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// It may send HTTP requests.
    pub is_granted_http: bool,
    /// It has `storage`.
    pub has_storage: bool,
    /// It has `replicated`.
    pub is_replicated: bool,
    /// It has `http` or any `grants`, with neither of which it may be `replicated`.
    pub reaches_outside: bool,
}

impl From<&ServiceConfig> for Given {
    fn from(service: &ServiceConfig) -> Self {
        let is_http = |grant: &Grant| matches!(grant, Grant::Http { .. });
        Self {
            is_granted_http: service.grants.iter().any(is_http),
            has_storage: service.storage.is_some(),
            is_replicated: service.replicated.is_some(),
            reaches_outside: service.http.is_some() || !service.grants.is_empty(),
        }
    }
}

const HTTP_LINE: &str = r#"grants = ["http:HOST:PORT"]"#;
const VOLATILE_LINE: &str = r#"storage = "volatile""#;
/// Where the state is has to be said only where the file has several hosts, which is told here since the file is not.
const REPLICATED_LINE: &str = "replicated = { replicas = 1 } # with several hosts also hosts = [\"HOST\"], or replicas = 3 and three of them: each has the state";

/// The line to add to a service's section so that it may import `interface`; `None` if it may already.
#[must_use]
pub fn missing_grant(interface: &str, given: Given) -> Option<&'static str> {
    match requirement(interface) {
        Requirement::Http if !given.is_granted_http => Some(HTTP_LINE),
        Requirement::Storage if !given.has_storage && !given.is_replicated => {
            Some(if given.reaches_outside {
                // The other line would be refused beside what the service has.
                VOLATILE_LINE
            } else {
                REPLICATED_LINE
            })
        }
        Requirement::Replicated if !given.is_replicated => Some(REPLICATED_LINE),
        Requirement::Http
        | Requirement::Storage
        | Requirement::Replicated
        | Requirement::Free
        | Requirement::Unknown => None,
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

    #[test]
    fn watching_is_free_and_keeping_needs_state() {
        check("bookshop:platform/changes@0.1.0", Requirement::Free);
        check("bookshop:platform/lifecycle@0.1.0", Requirement::Free);
        check("bookshop:platform/storage@0.1.0", Requirement::Storage);
        for keyvalue in ["store", "atomics", "batch"] {
            check(
                &format!("wasi:keyvalue/{keyvalue}@0.2.0-draft"),
                Requirement::Storage,
            );
        }
        check("wasi:keyvalue/watcher@0.2.0-draft", Requirement::Unknown);
        check("bookshop:platform/timers@0.1.0", Requirement::Replicated);
        check("bookshop:platform/outbox@0.1.0", Requirement::Replicated);
    }

    /// What the host calls, no component may: not even one whose author imports it.
    #[test]
    fn handlers_are_offered_to_nobody() {
        check(
            "bookshop:platform/timer-handler@0.1.0",
            Requirement::Unknown,
        );
        check(
            "bookshop:platform/outbox-handler@0.1.0",
            Requirement::Unknown,
        );
    }

    #[track_caller]
    fn check_line(interface: &str, given: Given, expected: Option<&str>) {
        assert_eq!(missing_grant(interface, given), expected);
    }

    #[test]
    fn the_line_to_add_is_one_that_the_service_may_have() {
        let nothing = Given::default();
        let volatile = Given {
            has_storage: true,
            ..nothing
        };
        let replicated = Given {
            is_replicated: true,
            ..nothing
        };
        let outside = Given {
            reaches_outside: true,
            ..nothing
        };
        for storage in ["bookshop:platform/storage", "wasi:keyvalue/store"] {
            check_line(storage, nothing, Some(REPLICATED_LINE));
            check_line(storage, outside, Some(VOLATILE_LINE));
            check_line(storage, volatile, None);
            check_line(storage, replicated, None);
        }
        for durable in ["bookshop:platform/timers", "bookshop:platform/outbox"] {
            check_line(durable, nothing, Some(REPLICATED_LINE));
            check_line(durable, volatile, Some(REPLICATED_LINE));
            check_line(durable, replicated, None);
        }
        check_line("wasi:http/outgoing-handler", nothing, Some(HTTP_LINE));
        check_line("bookshop:platform/changes", nothing, None);
    }
}
