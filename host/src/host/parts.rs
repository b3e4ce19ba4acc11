//! What a host is made of, from its configuration: engine, table of services, routes.

use crate::config::{Config, Host, HostName, ServiceConfig, StorageMode};
use crate::dispatch::ServiceId;
use crate::engine::{self, Allocation, Room, Ticker};
use crate::groups::GroupHandle;
use crate::host::error::StartError;
use crate::http::Route;
use crate::os::Os;
use crate::scratch::Scratch;
use crate::service::Service;
use crate::services::{Slot, State};
use crate::storage::Storage;
use crate::telemetry::{Figures, Log, ServiceLog};
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::Engine;

/// Instances beyond those of all services' concurrency: retiring ones overlap with their successors for a moment.
const SPARE_CALLS: u32 = 32;

/// The host called `name`.
pub fn host<'a>(config: &'a Config, name: &str) -> Result<&'a Host, StartError> {
    config.host(name).ok_or_else(|| {
        let known: Vec<&str> = config.hosts.iter().map(|host| host.name.as_str()).collect();
        StartError::UnknownHost {
            name: name.to_owned(),
            known: known.join(", "),
        }
    })
}

/// An engine with room for the calls of all services placed on `host`, and what makes its guests yield.
pub fn engine(config: &Config, host: &HostName, log: &Log) -> Result<(Engine, Ticker), StartError> {
    let placed = || {
        config
            .services
            .iter()
            .filter(|service| service.is_placed_on(host))
    };
    let room = Room {
        calls: placed()
            // One more than its calls, since it may be a daemon.
            .map(|service| service.limits.concurrency + 1)
            .sum::<u32>()
            + SPARE_CALLS,
        // Also of services that run elsewhere: their code is mapped here for its types, and the engine maps nothing that could not run.
        memory_bytes: config
            .services
            .iter()
            .map(|service| service.limits.memory_bytes)
            .max()
            .unwrap_or(0),
    };
    let (engine, allocation) =
        engine::runtime(room).map_err(|error| StartError::Engine(format!("{error:#}")))?;
    match allocation {
        Allocation::Pooling => {}
        Allocation::PoolingWithoutPagemap => log.warn(None, "this kernel lacks PAGEMAP_SCAN (Linux 6.7): calls cost about twice as much"),
        Allocation::OnDemand(reason) => log.warn(
            None,
            &format!("cannot reserve memory for {} calls at once ({reason}): calls cost about three times as much; lower limits.concurrency, or raise the address space limit (ulimit -v)", room.calls),
        ),
    }
    let ticker = Ticker::start(&engine).map_err(StartError::Thread)?;
    Ok((engine, ticker))
}

/// A slot for each service, in the order of the configuration.
pub fn slots(
    config: &Config,
    host: &HostName,
    groups: &BTreeMap<String, GroupHandle>,
    log: &Log,
    os: &Os,
) -> Vec<Slot> {
    let slot = |(index, service): (usize, &ServiceConfig)| {
        let name: Arc<str> = service.name.as_str().into();
        let state = if service.is_placed_on(host) {
            State::Starting
        } else {
            State::Elsewhere
        };
        // The state of a service that was moved to another host stays here, but nobody is to see it.
        let group = groups
            .get(service.name.as_str())
            .filter(|_| service.replicated.is_some() && service.is_placed_on(host));
        let service = Service {
            published: group.map(|group| group.published().clone()),
            id: ServiceId(
                u32::try_from(index).expect("a configuration has fewer than 2^32 services"),
            ),
            log: ServiceLog::new(
                log.clone(),
                Arc::clone(&name),
                service.limits.log_lines_per_second,
            ),
            name,
            config: service.clone(),
            figures: Figures::default(),
            scratch: Scratch::new(service.limits.scratch_bytes),
            storage: service.storage.map(|mode| match mode {
                StorageMode::Volatile => Storage::new(service.limits.storage_bytes),
            }),
            os: os.clone(),
        };
        Slot::new(Arc::new(service), state, group.cloned())
    };
    config.services.iter().enumerate().map(slot).collect()
}

/// Which service answers which paths at `host`: its own, and those of other hosts under prefixes that none of its own has.
pub fn routes(config: &Config, host: &HostName) -> Vec<Route> {
    let route = |(index, service): (usize, &ServiceConfig)| {
        let http = service.http.as_ref()?;
        Some(Route {
            prefix: http.path.clone(),
            service: ServiceId(u32::try_from(index).ok()?),
            limits: service.limits.clone(),
        })
    };
    let services = || config.services.iter().enumerate();
    let mut routes: Vec<Route> = services()
        .filter(|(_, service)| service.is_placed_on(host))
        .filter_map(route)
        .collect();
    for elsewhere in services()
        .filter(|(_, service)| !service.is_placed_on(host))
        .filter_map(route)
    {
        if routes.iter().all(|route| route.prefix != elsewhere.prefix) {
            routes.push(elsewhere);
        }
    }
    routes
}
