//! The components of an application, loaded once for many simulations: the very files that a host would run.

use crate::call_error::CallError;
use crate::codec::FunctionTypes;
use crate::compile::Compiler;
use crate::component::{self, Functions, LoadError, Loaded};
use crate::config::{Config, ServiceConfig};
use crate::consensus::Engines;
use crate::control::code::{self, CodeError};
use crate::dispatch::{Address, Answer, Dispatch, Invocation, ServiceId};
use crate::engine::{self, Room};
use crate::imports::CallState;
use crate::linker::{Exporter, Exporters, LinkError, ServiceLinker};
use crate::os::Os;
use crate::replica::published::Published;
use crate::scratch::Scratch;
use crate::service::Service;
use crate::services::{FunctionType, ServiceTypes, Services, Slot, State};
use crate::signature::Signature;
use crate::telemetry::{Figures, Log, ServiceLog};
use crate::version::{MIGRATION_INTERFACE, Version};
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::InstancePre;

/// Calls under way at once in one simulation: one command for each group, and what its end overlaps with.
const CALLS: u32 = 64;

/// Why an application cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum GuestsError {
    /// The engine does not run here.
    #[error("cannot start the engine: {0}")]
    Engine(String),
    /// What is part of this program cannot be put where it is loaded from.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// A component cannot be loaded.
    #[error("service {service} cannot be loaded")]
    Load {
        /// The service.
        service: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A component cannot be linked.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// There is nothing whose state could be lost.
    #[error("{} has no service with `replicated`; there is nothing to simulate", .0.display())]
    Stateless(PathBuf),
}

/// An application, loaded.
pub struct Guests {
    config: Arc<Config>,
    guests: Vec<Guest>,
    engines: Engines,
    _engine: Engine,
}

struct Guest {
    config: ServiceConfig,
    digest: String,
    pre: InstancePre<CallState>,
    functions: Functions,
    types: Arc<ServiceTypes>,
}

impl Guest {
    fn version(&self, service: Arc<Service>) -> Arc<Version> {
        self.version_with(service, &self.functions)
    }

    /// The same as if it exported these functions.
    fn version_with(&self, service: Arc<Service>, functions: &Functions) -> Arc<Version> {
        let (digest, pre) = (self.digest.clone(), self.pre.clone());
        Arc::new(Version::new(service, digest, 1, pre, functions))
    }
}

impl Guests {
    /// Loads the replicated services of `config`. Components are compiled by `program`, a `bookshop-host`, unless that was done before.
    ///
    /// # Errors
    /// See [`GuestsError`].
    pub async fn load(
        config: Config,
        program: PathBuf,
        target: PathBuf,
        os: &Os,
    ) -> Result<Self, GuestsError> {
        let memory_bytes = config
            .services
            .iter()
            .map(|service| service.limits.memory_bytes)
            .max()
            .unwrap_or(0);
        let room = Room {
            calls: CALLS,
            memory_bytes,
        };
        let failed = |error: wasmtime::Error| GuestsError::Engine(format!("{error:#}"));
        let (engine, _) = engine::runtime(room).map_err(failed)?;
        code::write(&config, os)?;
        let cache = config.cluster.data.join(crate::host::COMPILED_FOLDER);
        let compiler = Compiler::new(program, cache, os.clone());
        let mut loaded: Vec<(ServiceConfig, Loaded)> = Vec::new();
        for service in &config.services {
            let path = service.wasm_path(&target);
            let component = component::load(&path, &engine, &compiler, os)
                .await
                .map_err(|source| GuestsError::Load {
                    service: service.name.to_string(),
                    source,
                })?;
            loaded.push((service.clone(), component));
        }
        let exporters: Exporters = (0..)
            .map(ServiceId)
            .zip(&loaded)
            .map(|(id, (service, component))| {
                let exporter = Exporter {
                    name: service.name.to_string(),
                    functions: component.exports(&engine),
                };
                (id, exporter)
            })
            .collect();
        let linker = ServiceLinker::new(&engine).map_err(failed)?;
        let mut guests = Vec::new();
        for (service, component) in &loaded {
            if service.replicated.is_none() {
                continue;
            }
            let functions = component.exports(&engine);
            guests.push(Guest {
                pre: linker.link(service, component, &exporters)?,
                digest: component.digest.clone(),
                types: Arc::new(ServiceTypes::new(service.name.as_str(), functions.clone())),
                functions,
                config: service.clone(),
            });
        }
        if guests.is_empty() {
            return Err(GuestsError::Stateless(config.path));
        }
        Ok(Self {
            config: Arc::new(config),
            guests,
            engines: Engines::new().map_err(|error| GuestsError::Engine(error.to_string()))?,
            _engine: engine,
        })
    }

    /// The application's configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The engine of replicas.
    #[must_use]
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// The component of the service `name`, as a version of `service`.
    #[must_use]
    pub fn version(&self, name: &str, service: &Arc<Service>) -> Option<Arc<Version>> {
        let guest = self.find(name)?;
        Some(guest.version(Arc::clone(service)))
    }

    /// The same as if it could not migrate anything, and took all for its own. For deliberate bugs.
    #[must_use]
    pub fn careless(&self, name: &str, service: &Arc<Service>) -> Option<Arc<Version>> {
        let guest = self.find(name)?;
        let mut functions = guest.functions.clone();
        functions.retain(|name, _| name.interface != MIGRATION_INTERFACE);
        Some(guest.version_with(Arc::clone(service), &functions))
    }

    /// What the component of the service `name` migrates states with.
    #[must_use]
    pub fn migration(&self, name: &str) -> Option<Arc<FunctionType>> {
        let guest = self.find(name)?;
        let mut functions = guest.functions.iter();
        let (function, ty) = functions.find(|(it, _)| it.interface == MIGRATION_INTERFACE)?;
        let types = FunctionTypes::of(ty).ok()?;
        let signature = Signature::new(guest.config.name.as_str(), function.clone(), types)?;
        Some(Arc::new(FunctionType {
            signature: Arc::new(signature),
            ty: ty.clone(),
        }))
    }

    fn find(&self, name: &str) -> Option<&Guest> {
        let mut guests = self.guests.iter();
        guests.find(|guest| guest.config.name.as_str() == name)
    }

    /// The replicated services of these names, running on a simulated host; all of them if there is no name.
    #[must_use]
    pub fn services(&self, os: &Os, names: &[&str]) -> Arc<Services> {
        let log = Log::silent("simulated", Arc::clone(&os.clock));
        let slot = |(index, guest): (u32, &Guest)| {
            let name: Arc<str> = guest.config.name.as_str().into();
            let service = Arc::new(Service {
                id: ServiceId(index),
                log: ServiceLog::new(log.clone(), Arc::clone(&name), u32::MAX),
                name,
                config: guest.config.clone(),
                figures: Figures::default(),
                scratch: Scratch::new(guest.config.limits.scratch_bytes),
                storage: None,
                published: Some(Published::default()),
                os: os.clone(),
            });
            let slot = Slot::new(Arc::clone(&service), State::Starting, None);
            slot.set_types(Arc::clone(&guest.types));
            slot.set(State::Running(guest.version(service)));
            slot
        };
        let wanted =
            |guest: &&Guest| names.is_empty() || names.contains(&guest.config.name.as_str());
        let guests = self.guests.iter().filter(wanted);
        Arc::new(Services::new((0..).zip(guests).map(slot).collect()))
    }
}

/// What guests reach in a simulation: addresses for their messages, and nobody directly.
pub struct NoCalls(pub Arc<Services>);

impl Dispatch for NoCalls {
    fn dispatch(self: Arc<Self>, invocation: Invocation) -> Answer {
        let error = CallError::Unavailable {
            service: invocation.function.to_string(),
            message: "calls that are no messages are not simulated".into(),
            maybe_executed: false,
        };
        Box::pin(std::future::ready(Err(error)))
    }

    fn address(
        &self,
        from: &ServiceConfig,
        interface: &str,
        function: &str,
        arguments_json: &str,
    ) -> Result<Address, String> {
        self.0.address(from, interface, function, arguments_json)
    }
}
