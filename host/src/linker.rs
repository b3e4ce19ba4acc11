//! Links a loaded component: every import gets the host's own implementation or a call to another service, or loading is refused.

use crate::codec::FunctionTypes;
use crate::compat;
use crate::component::{Functions, Loaded};
use crate::config::ServiceConfig;
use crate::dispatch::{FunctionName, ServiceId};
use crate::imports::{self, CallState, offered};
use crate::interface;
use crate::signature::Signature;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{InstancePre, Linker};

mod error;
#[cfg(test)]
mod tests;

pub use error::LinkError;

/// What the host answers with a call, and the interface of that call, which the component has to export for it.
const CALLED_BACK: [(&str, &str); 1] = [(
    "bookshop:platform/timers",
    "bookshop:platform/timer-handler",
)];

/// The interface of components that run for as long as their host.
pub const RUN_INTERFACE: &str = "wasi:cli/run@0.2";

/// A service as others see it when they are linked to it.
pub struct Exporter {
    /// Its name.
    pub name: String,
    /// Its functions.
    pub functions: Functions,
}

/// Every service of the cluster that could be loaded.
pub type Exporters = BTreeMap<ServiceId, Exporter>;

/// Links components for one engine.
pub struct ServiceLinker {
    engine: Engine,
    base: Linker<CallState>,
}

impl ServiceLinker {
    /// Prepares what every component may import.
    ///
    /// # Errors
    /// A bug of the host.
    pub fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut base = Linker::new(engine);
        imports::add_to_linker(&mut base)?;
        Ok(Self {
            engine: engine.clone(),
            base,
        })
    }

    /// Links `loaded`, which runs as `service`, to `exporters`.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn link(
        &self,
        service: &ServiceConfig,
        loaded: &Loaded,
        exporters: &Exporters,
    ) -> Result<InstancePre<CallState>, LinkError> {
        let name = service.name.to_string();
        let exports = loaded.exports(&self.engine);
        check_exports(&name, &exports)?;
        check_queries(service, &exports)?;
        check_daemon(service, &exports)?;
        let mut linker = self.base.clone();
        let ty = loaded.component.component_type();
        for (interface, import) in ty.imports(&self.engine) {
            if interface::is_platform(interface) {
                check_platform(service, interface, &import.ty, &exports, &self.engine)?;
                if let ComponentItem::ComponentInstance(instance) = &import.ty {
                    let functions = imported_functions(&self.engine, interface, instance);
                    imports::define(&mut linker, interface, &functions)
                        .map_err(|error| engine_error(&name, &error))?;
                }
                continue;
            }
            let ComponentItem::ComponentInstance(instance) = import.ty else {
                return Err(LinkError::NotAnInterface {
                    service: name,
                    name: interface.to_owned(),
                });
            };
            let functions = imported_functions(&self.engine, interface, &instance);
            if functions.is_empty() {
                continue;
            }
            let callee = choose(service, interface, exporters)?;
            let mut slot = linker
                .instance(interface)
                .map_err(|error| engine_error(&name, &error))?;
            for (function, ty) in functions {
                check_async(&name, &exports, &function, &ty)?;
                let types = check_import(&name, function, &ty, &exporters[&callee])?;
                imports::service::define(&mut slot, callee, types, &ty)
                    .map_err(|error| engine_error(&name, &error))?;
            }
        }
        linker
            .instantiate_pre(&loaded.component)
            .map_err(|error| engine_error(&name, &error))
    }
}

fn engine_error(service: &str, error: &wasmtime::Error) -> LinkError {
    LinkError::Engine {
        service: service.to_owned(),
        reason: format!("{error:#}"),
    }
}

fn imported_functions(
    engine: &Engine,
    interface: &str,
    instance: &wasmtime::component::types::ComponentInstance,
) -> Vec<(FunctionName, ComponentFunc)> {
    let interface = interface::compatible(interface);
    instance
        .exports(engine)
        .filter_map(|(function, item)| match item.ty {
            ComponentItem::ComponentFunc(ty) => Some((
                FunctionName {
                    interface: interface.clone(),
                    function: function.to_owned(),
                },
                ty,
            )),
            ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::ComponentInstance(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => None,
        })
        .collect()
}

/// Exports of the host's own interfaces (`wasi:http`, `wasi:cli/run`) are called by the host and may use resources; all others are called by services.
fn check_exports(service: &str, exports: &Functions) -> Result<(), LinkError> {
    for (function, ty) in exports
        .iter()
        .filter(|(function, _)| !interface::is_platform(&function.interface))
    {
        if let Some(reason) = compat::not_a_value(ty) {
            return Err(LinkError::NotAValue {
                service: service.to_owned(),
                function: function.clone(),
                reason,
            });
        }
    }
    Ok(())
}

/// A query with a slip in its name would run as a command, only slower, and nobody would notice.
fn check_queries(service: &ServiceConfig, exports: &Functions) -> Result<(), LinkError> {
    let queries = service
        .replicated
        .iter()
        .flat_map(|replicated| &replicated.queries);
    // What the host calls, such as a timer's handler, is there to write.
    let callable = || {
        exports
            .keys()
            .filter(|function| !interface::is_platform(&function.interface))
    };
    for query in queries {
        if !callable().any(|function| query.matches(function)) {
            return Err(LinkError::NoQuery {
                service: service.name.to_string(),
                query: query.clone(),
                exports: callable()
                    .map(|function| {
                        let interface = interface::without_version(&function.interface);
                        format!("{interface}.{}", function.function)
                    })
                    .collect(),
            });
        }
    }
    Ok(())
}

/// What a daemon wrote would take effect only once it ends.
fn check_daemon(service: &ServiceConfig, exports: &Functions) -> Result<(), LinkError> {
    let runs = exports
        .keys()
        .find(|function| function.interface == RUN_INTERFACE);
    match (runs, &service.replicated) {
        (Some(run), Some(_)) => Err(LinkError::ReplicatedDaemon {
            service: service.name.to_string(),
            run: run.clone(),
        }),
        (Some(_), None) | (None, _) => Ok(()),
    }
}

fn check_platform(
    service: &ServiceConfig,
    interface: &str,
    item: &ComponentItem,
    exports: &Functions,
    engine: &Engine,
) -> Result<(), LinkError> {
    let name = || service.name.to_string();
    if offered::requirement(interface) == offered::Requirement::Unknown {
        return Err(LinkError::NoProvider {
            service: name(),
            interface: interface.to_owned(),
            platform: true,
        });
    }
    if let Some(line) = offered::missing_grant(interface, service.into()) {
        return Err(LinkError::NotGranted {
            service: name(),
            interface: interface.to_owned(),
            line,
        });
    }
    let path = interface::without_version(interface);
    let is_exported = |handler: &str| {
        exports
            .keys()
            .any(|function| interface::without_version(&function.interface) == handler)
    };
    if let Some((_, handler)) = CALLED_BACK
        .iter()
        .find(|(import, handler)| *import == path && !is_exported(handler))
    {
        return Err(LinkError::NoHandler {
            service: name(),
            interface: interface.to_owned(),
            handler,
        });
    }
    if let ComponentItem::ComponentInstance(instance) = item {
        for (function, ty) in imported_functions(engine, interface, instance) {
            check_async(&name(), exports, &function, &ty)?;
        }
    }
    Ok(())
}

/// A component all of whose exports are synchronous traps as soon as it waits for an asynchronous import.
fn check_async(
    service: &str,
    exports: &Functions,
    import: &FunctionName,
    ty: &ComponentFunc,
) -> Result<(), LinkError> {
    match exports.iter().next() {
        Some((export, _)) if ty.async_() && exports.values().all(|ty| !ty.async_()) => {
            Err(LinkError::SyncImportsAsync {
                service: service.to_owned(),
                export: export.clone(),
                import: import.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

fn choose(
    service: &ServiceConfig,
    interface: &str,
    exporters: &Exporters,
) -> Result<ServiceId, LinkError> {
    let compatible = interface::compatible(interface);
    let exports_it = |exporter: &Exporter| {
        exporter
            .functions
            .keys()
            .any(|function| function.interface == compatible)
    };
    let name = || service.name.to_string();
    let candidates: Vec<_> = exporters
        .iter()
        .filter(|(_, exporter)| exports_it(exporter))
        .collect();
    let names = || {
        let name = |(_, exporter): &(&ServiceId, &Exporter)| exporter.name.clone();
        candidates.iter().map(name).collect()
    };
    if let Some(to) = service.link(interface) {
        let linked = candidates
            .iter()
            .find(|(_, exporter)| exporter.name == to.as_str());
        return linked
            .map(|(id, _)| **id)
            .ok_or_else(|| LinkError::WrongLink {
                service: name(),
                interface: interface.to_owned(),
                to: to.to_string(),
                exporters: names(),
            });
    }
    match candidates.as_slice() {
        [(id, _)] => Ok(**id),
        [] => Err(LinkError::NoProvider {
            service: name(),
            interface: interface.to_owned(),
            platform: false,
        }),
        _ => Err(LinkError::Ambiguous {
            service: name(),
            interface: interface.to_owned(),
            exporters: names(),
        }),
    }
}

fn check_import(
    service: &str,
    function: FunctionName,
    ty: &ComponentFunc,
    exporter: &Exporter,
) -> Result<Arc<Signature>, LinkError> {
    let not_a_value = |reason: String| LinkError::NotAValue {
        service: service.to_owned(),
        function: function.clone(),
        reason,
    };
    if let Some(reason) = compat::not_a_value(ty) {
        return Err(not_a_value(reason));
    }
    let types = |ty| FunctionTypes::of(ty).map_err(|error| not_a_value(error.to_string()));
    let Some(exported) = exporter.functions.get(&function) else {
        return Err(LinkError::NoFunction {
            service: service.to_owned(),
            function,
            exporter: exporter.name.clone(),
        });
    };
    let imported = types(ty)?;
    compat::fit(&imported, &types(exported)?).map_err(|source| LinkError::Mismatch {
        service: service.to_owned(),
        function: function.clone(),
        exporter: exporter.name.clone(),
        source: Box::new(source),
    })?;
    let unnamed = || not_a_value("its name has characters that no request may have".into());
    let signature = Signature::new(&exporter.name, function.clone(), imported);
    signature.map(Arc::new).ok_or_else(unnamed)
}
