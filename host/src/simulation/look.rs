//! Queries of simulated hosts' services, by clients and at the end.

use super::host::SimHost;
use super::jobs::{block, envelope, result};
use super::workload::{CALLER, Look};
use super::world::Stop;
use crate::call_error::CallError;
use crate::dispatch::{Dispatch, FunctionName, Invocation, Reach};
use crate::interface;
use crate::payload::Payload;
use crate::pool;
use crate::services::{FunctionType, Services, address};
use crate::version::Version;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::component::Val;

/// A function of a service.
pub(super) fn find(
    services: &Services,
    service: &str,
    interface: &str,
    function: &str,
) -> Option<Arc<FunctionType>> {
    let types = services.find(service)?.types()?;
    types
        .iter()
        .find(|types| {
            interface::without_version(&types.name.interface) == interface
                && types.name.function == function
        })
        .cloned()
}

/// The time of a query on the state that a host shows.
pub(super) fn time_ms(host: &SimHost, service: &str) -> u64 {
    let slot = host.services.find(service);
    let shown = slot.and_then(|slot| slot.service.published.as_ref()?.newest());
    let time_ms = shown.map_or(0, |shown| shown.meta.time_ms);
    time_ms.max(host.now().wall_ms)
}

/// The version that reads the state which a host shows.
pub(super) fn reader(
    host: &SimHost,
    service: &str,
    function: &FunctionName,
) -> Option<Arc<Version>> {
    let slot = host.services.find(service)?;
    let shown = slot.service.published.as_ref()?.newest()?;
    slot.reader(&shown.meta, function)
}

/// Runs a query on the state that a host shows.
pub(super) fn query(
    host: &SimHost,
    caller: &str,
    version: Arc<Version>,
    types: &FunctionType,
    arguments: Vec<Val>,
) -> Result<Result<Vec<Val>, CallError>, Stop> {
    let service = Arc::clone(&version.service);
    let invocation = Invocation {
        service: service.id,
        function: Arc::new(FunctionName::clone(&types.name)),
        types: None,
        arguments: Payload::Values(Vec::new()),
        envelope: envelope(&host.os, caller, None),
        reach: Reach::Here,
    };
    let (reply, mut replied) = oneshot::channel();
    let mut reply = Some(reply);
    let dispatch: Arc<dyn Dispatch> = Arc::clone(&host.dispatch) as Arc<dyn Dispatch>;
    let ended = block(pool::call(
        version, invocation, arguments, None, &mut reply, dispatch,
    ))?;
    Ok(ended.and_then(|()| {
        replied.try_recv().map_err(|_| CallError::Trapped {
            service: service.name.to_string(),
            message: "returned without an answer".into(),
        })
    }))
}

/// Asks the services of a host at the end of a simulation.
pub(super) struct Looker<'a>(&'a SimHost);

impl<'a> Looker<'a> {
    pub fn on(host: &'a SimHost) -> Self {
        Self(host)
    }
}

impl Look for Looker<'_> {
    fn ask(
        &mut self,
        service: &str,
        interface: &str,
        function: &str,
        arguments: Value,
    ) -> Result<Value, CallError> {
        let trapped = |message: String| CallError::Trapped {
            service: service.to_owned(),
            message,
        };
        let types = find(&self.0.services, service, interface, function)
            .ok_or_else(|| trapped(format!("no function {interface}.{function}")))?;
        let values = address::arguments(&types, &arguments.to_string()).map_err(trapped)?;
        let version = reader(self.0, service, &types.name)
            .ok_or_else(|| trapped("no version reads the state".into()))?;
        match query(self.0, CALLER, version, &types, values) {
            Ok(answer) => answer.map(|values| result(&types, &values)),
            Err(Stop::Violated(what)) => Err(trapped(what)),
            Err(Stop::Ended) => Err(trapped("the host ended".into())),
        }
    }

    fn time_ms(&self, service: &str) -> u64 {
        time_ms(self.0, service)
    }
}
