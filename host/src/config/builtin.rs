//! The service that is part of the host and stands in no file: `control`, which keeps the state of the cluster itself.
//!
//! Here is what it is: its code, its place and its limits. `crate::control` puts the code where hosts load it from, and talks to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::limits::Limits;
use super::name::{HostName, ServiceName};
use super::replicated::Replicated;
use super::section::Section;
use super::service::{InstanceMode, ServiceConfig};
use super::swap::Swap;

/// Its name, which no other service may have where it runs.
pub const CONTROL: &str = "control";

/// Its component: what `host/build.rs` made of `components/control`.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/control.wasm"));

/// Its interface.
pub const INTERFACE: &str = "bookshop:control/registry@0.1";

/// Functions of it that only read.
const QUERIES: [&str; 5] = ["at", "current", "current-turn", "history", "standings"];

/// Folder of its component, below the data root.
const FOLDER: &str = "builtin";

/// More replicas than this would only make each change slower: two hosts may be gone at once.
const REPLICAS_MAX: usize = 5;

/// Only hosts call it, and each now and then.
const CONCURRENCY: u32 = 16;
const QUEUE: u32 = 64;

/// Answers to repeated calls are of use for as long as somebody repeats them.
const SESSION_AGE: Duration = Duration::from_secs(3600);
const SESSIONS_BYTES: u64 = 1 << 20;

/// The service over all hosts of a cluster, of which the first few have its state.
pub(super) fn service(data: &Path, hosts: &[HostName]) -> ServiceConfig {
    let replicas = replicas(hosts.len());
    let query = |name| {
        let query = format!("{}.{name}", crate::interface::without_version(INTERFACE));
        query.parse().expect("it is written as in a file")
    };
    ServiceConfig {
        name: name(),
        wasm: file().to_owned(),
        folder: folder(data),
        pinned: None,
        build: None,
        hosts: hosts[..replicas].to_vec(),
        instance: InstanceMode::PerCall,
        storage: None,
        replicated: Some(Replicated {
            replicas: u32::try_from(replicas).expect("at most five"),
            queries: QUERIES.map(query).into(),
            session_age: SESSION_AGE,
            sessions_bytes: SESSIONS_BYTES,
        }),
        http: None,
        swap: Swap::default(),
        limits: Limits {
            concurrency: CONCURRENCY,
            queue: QUEUE,
            ..Limits::default()
        },
        config: BTreeMap::new(),
        grants: Vec::new(),
        links: BTreeMap::new(),
    }
}

fn name() -> ServiceName {
    CONTROL.parse().expect("it is a name")
}

/// The most that so many hosts can have, and an odd number.
fn replicas(hosts: usize) -> usize {
    let replicas = hosts.min(REPLICAS_MAX);
    replicas - (replicas + 1) % 2
}

/// Where its component is, below the data root of a cluster.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// Two versions of the host may share the data root, so the name of the file says which component it is.
fn file() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| {
        let digest = hex::encode(Sha256::digest(COMPONENT));
        format!("{CONTROL}-{}.wasm", &digest[..12])
    })
}

/// Whether a service has that name; where the cluster keeps its own state, it is that service.
pub(super) fn is_control(service: &ServiceConfig) -> bool {
    service.name.as_str() == CONTROL
}

/// Notes a service of the file that has the name.
pub(super) fn refuse_name(name: Option<&ServiceName>, section: &Section<'_>) {
    if name.is_some_and(|name| name.as_str() == CONTROL) {
        section.problem(
            &section.place,
            "with cluster.control = true the host itself has a service of this name; give this one another",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_number_of_the_first_hosts_have_its_state() {
        let counts: Vec<usize> = (1..=8).map(replicas).collect();
        assert_eq!(counts, [1, 1, 3, 3, 5, 5, 5, 5]);
    }
}
