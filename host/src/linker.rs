//! Links a loaded component: every import gets the host's own implementation or a call to another service, or loading is refused.

use crate::compat::{self, Mismatch};
use crate::component::{Functions, Loaded};
use crate::config::{Query, ServiceConfig};
use crate::dispatch::{FunctionName, ServiceId};
use crate::imports::{self, CallState, offered};
use crate::interface;
use std::collections::BTreeMap;
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{InstancePre, Linker};

#[cfg(test)]
mod tests;

/// What the host answers with a call, and the interface of that call, which the component has to export for it.
const CALLED_BACK: [(&str, &str); 1] = [(
    "bookshop:platform/timers",
    "bookshop:platform/timer-handler",
)];

/// The interface of components that run for as long as their host.
pub const RUN_INTERFACE: &str = "wasi:cli/run@0.2";

/// Why a component cannot be linked. Each says which component, which import or export, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// An import of the host needs a grant.
    #[error(
        "{service} imports {interface}, which it is not granted; add to [service.{service}]: {line}"
    )]
    NotGranted {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// What to add to the configuration.
        line: &'static str,
    },
    /// An import that neither the host nor any service provides.
    #[error("{service} imports {interface}, which {}", if *.platform { "this host does not offer" } else { "no service of this cluster exports; add a service that does" })]
    NoProvider {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// Whether the name is one of the host's own.
        platform: bool,
    },
    /// Two services export what is imported.
    #[error("{service} imports {interface}, which {} export; add to [service.{service}]: links = {{ \"{}\" = {{ to = \"{}\" }} }}", .exporters.join(" and "), interface::without_version(.interface), .exporters[0])]
    Ambiguous {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// Names of the services that export it.
        exporters: Vec<String>,
    },
    /// The configured link leads to a service that does not export the interface.
    #[error("{service}: links sends {interface} to {to}, which does not export it; {}", if .exporters.is_empty() { "no service of this cluster does".to_owned() } else { format!("{} does", .exporters.join(" or ")) })]
    WrongLink {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// The configured exporter.
        to: String,
        /// Names of the services that do export it.
        exporters: Vec<String>,
    },
    /// The exporter lacks an imported function.
    #[error(
        "{service} imports {function}, but {exporter} does not have that function; build both against the same interface"
    )]
    NoFunction {
        /// The importer.
        service: String,
        /// The function.
        function: FunctionName,
        /// The service that should have it.
        exporter: String,
    },
    /// The exporter's function has another type.
    #[error(
        "{service} imports {function}, which {exporter} exports with another type; build both against the same interface"
    )]
    Mismatch {
        /// The importer.
        service: String,
        /// The function.
        function: FunctionName,
        /// The service that exports it.
        exporter: String,
        /// Where they differ. Boxed, since it is three texts of its own.
        #[source]
        source: Box<Mismatch>,
    },
    /// A function between services passes something that is not a value.
    #[error(
        "{service}: {function} cannot be called between services: {reason}; use records, variants, lists and results instead"
    )]
    NotAValue {
        /// The component.
        service: String,
        /// The function.
        function: FunctionName,
        /// Which part.
        reason: String,
    },
    /// A synchronous component waits for asynchronous imports.
    #[error(
        "{service} exports only functions that are not async ({export}) and imports {import}, which is: it could never wait for it; build it against the interfaces without async (wit/sync)"
    )]
    SyncImportsAsync {
        /// The component.
        service: String,
        /// One of its exports.
        export: FunctionName,
        /// The import.
        import: FunctionName,
    },
    /// An import that is not an interface.
    #[error(
        "{service} imports {name}, which is not an interface; import an interface of a WIT package instead"
    )]
    NotAnInterface {
        /// The component.
        service: String,
        /// The import.
        name: String,
    },
    /// An import of the host's that leads to a call of an export, which is missing.
    #[error(
        "{service} imports {interface}, for which the host calls {handler} of the same component; export that"
    )]
    NoHandler {
        /// The component.
        service: String,
        /// The import.
        interface: String,
        /// The interface that should be exported.
        handler: &'static str,
    },
    /// A daemon that would be replicated.
    #[error(
        "{service} exports {run}, which makes it a daemon, and has replicated: nothing that a daemon wrote would ever take effect; remove replicated, and keep the state in another service that this one calls"
    )]
    ReplicatedDaemon {
        /// The component.
        service: String,
        /// What makes it a daemon.
        run: FunctionName,
    },
    /// The configuration calls something a query that the component does not export.
    #[error("{service} has {query} among its queries and does not export it; {}", if .exports.is_empty() { "it exports nothing that services call".to_owned() } else { format!("it exports {}", .exports.join(", ")) })]
    NoQuery {
        /// The component.
        service: String,
        /// The query as the configuration names it.
        query: Query,
        /// What could be queries.
        exports: Vec<String>,
    },
    /// The engine refuses for a reason of its own.
    #[error("{service} cannot be linked: {reason}")]
    Engine {
        /// The component.
        service: String,
        /// In the engine's words.
        reason: String,
    },
}

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
                check_import(&name, &function, &ty, &exporters[&callee])?;
                imports::service::define(&mut slot, callee, function, &ty)
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
    function: &FunctionName,
    ty: &ComponentFunc,
    exporter: &Exporter,
) -> Result<(), LinkError> {
    if let Some(reason) = compat::not_a_value(ty) {
        return Err(LinkError::NotAValue {
            service: service.to_owned(),
            function: function.clone(),
            reason,
        });
    }
    let Some(exported) = exporter.functions.get(function) else {
        return Err(LinkError::NoFunction {
            service: service.to_owned(),
            function: function.clone(),
            exporter: exporter.name.clone(),
        });
    };
    compat::functions(ty, exported).map_err(|source| LinkError::Mismatch {
        service: service.to_owned(),
        function: function.clone(),
        exporter: exporter.name.clone(),
        source: Box::new(source),
    })
}
