//! The keys of each section with their values, written as in a file. Two sections that are the same come to the same list.

use super::Side;
use crate::component::short_digest;
use crate::config::{Config, Host, HostName, InstanceMode, Limits, ServiceConfig, StorageMode};
use crate::config::{duration, size};
use std::fmt::Display;

/// The digest of the component, which no file has.
pub const COMPONENT: &str = "component";

/// Where a service runs.
pub const HOSTS: &str = "hosts";

/// Whether and how often a service's state is kept.
pub const REPLICAS: &str = "replicated.replicas";

/// Keys in their order.
type Keys = Vec<(String, String)>;

fn key(name: impl Into<String>, value: impl Display) -> (String, String) {
    (name.into(), value.to_string())
}

/// Names as people list them.
pub fn names(hosts: &[HostName]) -> String {
    list(hosts)
}

fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// `[cluster]`.
pub fn cluster(config: &Config) -> Keys {
    let cluster = &config.cluster;
    vec![
        key("name", &cluster.name),
        key("data", cluster.data.display()),
        key("certificates", cluster.certificates_folder().display()),
        key("hops-max", cluster.hops_max),
        key("drain-timeout", duration::format(cluster.drain_timeout)),
        key("probe-interval", duration::format(cluster.probe_interval)),
        key("probe-timeout", duration::format(cluster.probe_timeout)),
        key(
            "heartbeat-interval",
            duration::format(cluster.heartbeat_interval),
        ),
        key(
            "election-timeout",
            duration::format(cluster.election_timeout),
        ),
        key("workers", cluster.workers),
        key(
            "checkpoint-interval",
            duration::format(cluster.checkpoint_interval),
        ),
        key("checkpoint-log", size::format(cluster.checkpoint_log_bytes)),
        key("control", cluster.control),
    ]
}

/// `[chaos]`.
pub fn chaos(config: &Config) -> Keys {
    vec![key("enabled", config.chaos.enabled)]
}

/// `[[host]]`.
pub fn host(host: &Host) -> Keys {
    vec![
        key("http", host.http),
        key("peer", host.peer),
        key("api", host.api),
        key("admin", host.admin),
    ]
}

/// `[service.NAME]`.
pub fn service(side: Side<'_>, service: &ServiceConfig) -> Keys {
    let mut keys = Vec::new();
    // What is part of the host changes with the host, and not by a file.
    if !side.config.is_builtin(service) {
        keys.extend(code(side, service));
    }
    keys.push(key(HOSTS, names(&service.hosts)));
    match service.instance {
        InstanceMode::PerCall => keys.push(key("instance", "per-call")),
        InstanceMode::Pooled { retire_after } => {
            keys.extend([key("instance", "pooled"), key("retire-after", retire_after)]);
        }
    }
    keys.extend(service.storage.map(|mode| match mode {
        StorageMode::Volatile => key("storage", "volatile"),
    }));
    if let Some(replicated) = &service.replicated {
        keys.extend([
            key(REPLICAS, replicated.replicas),
            key("replicated.queries", list(&replicated.queries)),
            key(
                "replicated.session-age",
                duration::format(replicated.session_age),
            ),
            key(
                "replicated.sessions",
                size::format(replicated.sessions_bytes),
            ),
        ]);
    }
    keys.extend(
        service
            .http
            .as_ref()
            .map(|http| key("http.path", &http.path)),
    );
    let swap = &service.swap;
    keys.extend([
        key("swap.watch", duration::format(swap.watch)),
        key("swap.errors-max-permille", swap.errors_max_permille),
        key("swap.latency-max-percent", swap.latency_max_percent),
    ]);
    keys.extend(limits(&service.limits));
    let config = service.config.iter();
    keys.extend(config.map(|(name, value)| key(format!("config.{name}"), format!("{value:?}"))));
    if !service.grants.is_empty() {
        keys.push(key("grants", list(&service.grants)));
    }
    let links = service.links.iter();
    keys.extend(links.map(|(interface, to)| key(format!("links.{interface}"), to)));
    keys
}

fn code(side: Side<'_>, service: &ServiceConfig) -> Keys {
    let mut components = side.components.iter();
    let component = components.find(|it| it.service == service.name.as_str());
    let mut keys = Vec::from_iter(component.map(|it| key(COMPONENT, &it.digest)));
    let canary = component.and_then(|it| it.canary.as_ref());
    keys.extend(canary.map(|it| {
        let share = format!("{} with {} %", short_digest(&it.digest), it.percent);
        key("canary", share)
    }));
    keys.push(key("wasm", &service.wasm));
    keys.extend(
        service
            .build
            .as_ref()
            .map(|it| key("build.cargo", &it.cargo)),
    );
    keys
}

fn limits(limits: &Limits) -> [(String, String); 10] {
    [
        key("limits.memory", size::format(limits.memory_bytes)),
        key("limits.time", duration::format(limits.time)),
        key("limits.cpu", duration::format(limits.cpu)),
        key("limits.concurrency", limits.concurrency),
        key("limits.queue", limits.queue),
        key("limits.arguments", size::format(limits.arguments_bytes)),
        key("limits.result", size::format(limits.result_bytes)),
        key("limits.scratch", size::format(limits.scratch_bytes)),
        key("limits.storage", size::format(limits.storage_bytes)),
        key("limits.log-lines-per-second", limits.log_lines_per_second),
    ]
}
