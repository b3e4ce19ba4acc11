//! `GET /v1/status`: hosts and services of the cluster, added up over all hosts that answer.

use crate::admin::groups::{self, ReplicaPart};
use crate::admin::{Admin, client};
use crate::daemon::{Condition, Phase};
use crate::os::task::{self, Task};
use crate::os::{Os, process};
use crate::parent::HostStatus;
use crate::services::canary::Canary;
use crate::services::{Slot, State};
use crate::telemetry::FiguresSnapshot;
use crate::transport::peers::Health;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long another host may take to say how it is.
const PEER_TIMEOUT: Duration = Duration::from_millis(500);

/// One host's own part, which the host that was asked adds up.
#[derive(Debug, Serialize, Deserialize)]
pub struct HostPart {
    host: HostStatus,
    services: Vec<ServicePart>,
    links: Vec<LinkPart>,
    #[serde(default)]
    groups: Vec<ReplicaPart>,
}

impl HostPart {
    /// Its replicas.
    pub fn groups(&self) -> impl Iterator<Item = &ReplicaPart> + Clone {
        self.groups.iter()
    }
}

/// How one host finds another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinkPart {
    from: String,
    to: String,
    /// `up`, `down` (it gets no calls from here), or `unknown` (it was not asked yet).
    state: String,
    /// Why it is down.
    reason: Option<String>,
    /// Seconds for which it has been down.
    since_s: Option<u64>,
    /// How long its last probe took.
    round_trip_us: Option<u64>,
    /// How far its wall clock is ahead.
    skew_ms: Option<i64>,
}

/// A canary and the version beside it, and what came of the calls of both since it is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CanaryPart {
    /// SHA-256 of its component.
    pub digest: String,
    /// Its share of the calls.
    pub percent: u32,
    /// Calls of the canary, failed ones included.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// Calls of the version beside it, failed ones included.
    pub stable_calls: u64,
    /// Those that failed.
    pub stable_errors: u64,
}

impl CanaryPart {
    fn of(canary: &Canary) -> Self {
        let (its, stable) = (canary.sides.canary.totals(), canary.sides.stable.totals());
        Self {
            digest: canary.version.digest.clone(),
            percent: canary.percent,
            calls: its.completed + its.errors,
            errors: its.errors,
            stable_calls: stable.completed + stable.errors,
            stable_errors: stable.errors,
        }
    }

    /// That of several hosts. While one is on its way to another share, it is the share of the first.
    fn merged<'a>(mut parts: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let first = parts.next()?.clone();
        let add = |mut sum: Self, part: &Self| {
            sum.calls += part.calls;
            sum.errors += part.errors;
            sum.stable_calls += part.stable_calls;
            sum.stable_errors += part.stable_errors;
            sum
        };
        Some(parts.fold(first, add))
    }
}

/// A service on one host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServicePart {
    name: String,
    kind: String,
    state: String,
    reason: Option<String>,
    version: Option<VersionPart>,
    /// The component that gets a share of its calls.
    #[serde(default)]
    canary: Option<CanaryPart>,
    /// How its daemon is, if it is one.
    daemon: Option<DaemonPart>,
    /// Calls under way.
    running: u32,
    /// Calls waiting for their turn.
    waiting: u32,
    figures: FiguresSnapshot,
}

/// A daemon as shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DaemonPart {
    /// `starting`, `running`, `waiting` (it failed and runs again), `finished`, `stopping`, or `stopped`.
    state: String,
    /// Seconds for which it has been so.
    since_s: Option<u64>,
    /// How often it was started again after a failure, since its service was started.
    restarts: u64,
    /// The last failure since then.
    last_error: Option<String>,
}

/// A version as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionPart {
    digest: String,
    ordinal: u32,
}

/// This host's own part.
#[must_use]
pub fn own(admin: &Admin) -> HostPart {
    let now = admin.os.clock.monotonic();
    let uptime = now.saturating_sub(admin.started);
    HostPart {
        host: HostStatus {
            name: admin.host.to_string(),
            state: "running".into(),
            pid: Some(process::id()),
            uptime_s: Some(uptime.as_secs()),
        },
        services: admin
            .services
            .iter()
            .map(|slot| service(slot, now))
            .collect(),
        links: admin
            .peers
            .indexes()
            .map(|index| link(admin, index))
            .collect(),
        groups: admin
            .services
            .iter()
            .filter_map(|slot| groups::own(slot, &admin.host))
            .collect(),
    }
}

fn link(admin: &Admin, index: usize) -> LinkPart {
    let (peer, now) = (admin.peers.get(index), admin.os.clock.monotonic());
    let view = peer.view();
    let (state, reason, since_s) = match &view.health {
        Health::Unknown => ("unknown", None, None),
        Health::Up => ("up", None, None),
        Health::Down { reason, since } => (
            "down",
            Some(reason.clone()),
            Some(now.saturating_sub(*since).as_secs()),
        ),
    };
    LinkPart {
        from: admin.host.to_string(),
        to: peer.name.to_string(),
        state: state.into(),
        reason,
        since_s,
        round_trip_us: view
            .round_trip
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        skew_ms: view.skew_ms,
    }
}

fn daemon(condition: Condition, now: Duration) -> DaemonPart {
    let since = match condition.phase {
        Phase::Running { since }
        | Phase::Waiting { since }
        | Phase::Finished { since }
        | Phase::Stopping { since } => Some(since),
        Phase::Absent | Phase::Starting | Phase::Stopped => None,
    };
    DaemonPart {
        state: condition.phase.name().into(),
        since_s: since.map(|since| now.saturating_sub(since).as_secs()),
        restarts: condition.restarts,
        last_error: condition.last_error,
    }
}

fn service(slot: &Slot, now: Duration) -> ServicePart {
    let state = slot.state();
    let condition = slot.daemon.condition();
    let (kind, version) = match &*state {
        State::Running(version) => (
            version.kind(),
            Some(VersionPart {
                digest: version.digest.clone(),
                ordinal: version.ordinal,
            }),
        ),
        State::Elsewhere
        | State::Starting
        | State::Stopped
        | State::Failed { .. }
        | State::Stopping => (
            if condition.is_some() {
                "daemon"
            } else if slot.service.config.http.is_some() {
                "http"
            } else {
                "service"
            },
            None,
        ),
    };
    let reason = match &*state {
        State::Failed { reason } => Some(reason.clone()),
        State::Elsewhere
        | State::Starting
        | State::Running(_)
        | State::Stopped
        | State::Stopping => None,
    };
    ServicePart {
        name: slot.service.name.to_string(),
        kind: kind.into(),
        state: state.name().into(),
        reason,
        version,
        canary: slot.canary().map(|canary| CanaryPart::of(&canary)),
        daemon: condition.map(|condition| daemon(condition, now)),
        running: slot.admission.running(),
        waiting: slot.admission.waiting(),
        figures: slot.service.figures.snapshot(),
    }
}

/// What each host says of itself that answers, in the order of the configuration, whichever host was asked. All are asked at once.
pub async fn parts(admin: &Admin) -> Vec<HostPart> {
    let others = admin
        .config
        .hosts
        .iter()
        .filter(|host| host.name != admin.host);
    let asked: Vec<Task<Option<HostPart>>> = others
        .map(|host| {
            let (os, address, name) = (admin.os.clone(), host.admin, host.name.clone());
            task::spawn(async move { ask(&os, address, name.as_str()).await })
        })
        .collect();
    let mut parts = vec![own(admin)];
    for task in asked {
        // One that panicked has not answered.
        parts.extend(task.await.ok().flatten());
    }
    let place = |part: &HostPart| {
        let hosts = &admin.config.hosts;
        hosts
            .iter()
            .position(|host| host.name.as_str() == part.host.name)
    };
    parts.sort_by_key(place);
    parts
}

async fn ask(os: &Os, address: SocketAddr, name: &str) -> Option<HostPart> {
    let path = "/v1/status?scope=host";
    let answered = client::request(os, address, path, None, PEER_TIMEOUT).await;
    let (status, value) = answered.ok()?;
    let part: HostPart = serde_json::from_value(value).ok()?;
    (status.is_success() && part.host.name == name).then_some(part)
}

/// The whole cluster, as this host sees it.
pub async fn cluster(admin: &Admin) -> serde_json::Value {
    let parts = parts(admin).await;
    let hosts: Vec<HostStatus> = admin
        .config
        .hosts
        .iter()
        .map(|host| host_status(admin, host.name.as_str(), &parts))
        .collect();
    json!({
        "cluster": admin.config.cluster.name.as_str(),
        "hosts": hosts,
        "services": services(&parts),
        "links": parts.iter().flat_map(|part| &part.links).collect::<Vec<_>>(),
        "groups": groups::all(&admin.config.services, parts.iter().flat_map(HostPart::groups)),
    })
}

/// What the parent says of a host; what it says of itself where there is no parent; `unknown` where it says nothing.
fn host_status(admin: &Admin, name: &str, parts: &[HostPart]) -> HostStatus {
    let said = admin
        .parent
        .hosts()
        .into_iter()
        .find(|host| host.name == name);
    let own = parts
        .iter()
        .find(|part| part.host.name == name)
        .map(|part| part.host.clone());
    match (said, own) {
        // The host knows its uptime to the second, the parent knows whether it is meant to run.
        (Some(said), Some(own)) => HostStatus {
            uptime_s: own.uptime_s,
            ..said
        },
        (Some(status), None) | (None, Some(status)) => status,
        (None, None) => HostStatus {
            name: name.into(),
            state: "unknown".into(),
            pid: None,
            uptime_s: None,
        },
    }
}

fn services(parts: &[HostPart]) -> Vec<serde_json::Value> {
    // Every host lists all services in the same order: that of the configuration.
    let mut order = Vec::new();
    let mut by_name: BTreeMap<&str, Vec<(&str, &ServicePart)>> = BTreeMap::new();
    for part in parts {
        for service in &part.services {
            let entry = by_name.entry(&service.name).or_default();
            if entry.is_empty() {
                order.push(service.name.as_str());
            }
            entry.push((&part.host.name, service));
        }
    }
    order
        .into_iter()
        .map(|name| merged(name, &by_name[name]))
        .collect()
}

fn merged(name: &str, parts: &[(&str, &ServicePart)]) -> serde_json::Value {
    let mut figures = FiguresSnapshot::default();
    for (_, part) in parts {
        figures.merge(&part.figures);
    }
    // The state is the best one any host has: calls are what people care about.
    let rank = |state: &str| {
        [
            "running",
            "starting",
            "failed",
            "stopped",
            "stopping",
            "elsewhere",
        ]
        .iter()
        .position(|known| *known == state)
    };
    let best = parts
        .iter()
        .min_by_key(|(_, part)| rank(&part.state).unwrap_or(usize::MAX))
        .map(|(_, part)| *part);
    let running: Vec<&str> = parts
        .iter()
        .filter(|(_, part)| part.state == "running")
        .map(|(host, _)| *host)
        .collect();
    let daemons: Vec<serde_json::Value> = parts
        .iter()
        .filter_map(|(host, part)| {
            let DaemonPart {
                state,
                since_s,
                restarts,
                last_error,
            } = part.daemon.as_ref()?;
            Some(json!({ "host": host, "state": state, "since_s": since_s, "restarts": restarts, "last_error": last_error }))
        })
        .collect();
    let microseconds = |percent| {
        figures
            .latency
            .percentile(percent)
            .map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX))
    };
    json!({
        "name": name,
        "kind": best.map(|part| &part.kind),
        "state": best.map(|part| &part.state),
        "reason": parts.iter().find_map(|(_, part)| part.reason.as_ref()),
        "version": best.and_then(|part| part.version.as_ref()),
        "canary": CanaryPart::merged(parts.iter().filter_map(|(_, part)| part.canary.as_ref())),
        "hosts": running,
        "daemons": daemons,
        "calls": figures.calls,
        "errors": figures.errors,
        "p50_us": microseconds(50.0),
        "p99_us": microseconds(99.0),
    })
}
