//! A version of a service: linked code, what it exports, and instances kept for reuse.

use crate::call_error::CallError;
use crate::codec::FunctionTypes;
use crate::compat::Fit;
use crate::component::Functions;
use crate::dispatch::FunctionName;
use crate::imports::CallState;
use crate::linker::RUN_INTERFACE;
use crate::pool::Idle;
use crate::replica::keyspace::Meta;
use crate::service::Service;
use crate::signature::Signature;
use std::collections::HashMap;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

mod fits;

use fits::Fits;

/// The interface of components that serve HTTP.
pub const HTTP_INTERFACE: &str = "wasi:http/incoming-handler@0.2";

/// The interface of components that can read the state of other versions of their service.
pub const MIGRATION_INTERFACE: &str = "bookshop:platform/migration@0.1";

/// An exported function.
pub struct Export {
    /// Where the engine finds it.
    pub index: ComponentExportIndex,
    /// Its type.
    pub ty: ComponentFunc,
    /// Whether it changes the state of a replicated service, and has to wait for its turn.
    pub is_command: bool,
    /// What goes in and what comes out; none where that is more than values.
    types: Option<FunctionTypes>,
    /// How it is called with other types.
    fits: Fits,
}

/// Linked code that can be called.
pub struct Version {
    /// SHA-256 of the wasm file.
    pub digest: String,
    /// The mark of states that it has migrated: of the digest's first bytes, and never 0, which is that of states that no version has.
    pub form: u64,
    /// The how-manyeth version of its service on this host, from 1.
    pub ordinal: u32,
    /// The service it is a version of.
    pub service: Arc<Service>,
    /// Ready to be instantiated.
    pub pre: InstancePre<CallState>,
    /// The same, if it serves HTTP.
    pub http: Option<ProxyPre<CallState>>,
    /// Where the engine finds what a daemon does with its life, if it is one.
    pub run: Option<ComponentExportIndex>,
    /// What makes the state of another version its own, if it has that.
    pub migration: Option<Arc<FunctionName>>,
    /// What can be called.
    pub exports: HashMap<FunctionName, Export>,
    /// Instances waiting for their next call, if the service is pooled.
    pub idle: Idle,
}

impl Version {
    /// A version that can be called.
    #[must_use]
    pub fn new(
        service: Arc<Service>,
        digest: String,
        ordinal: u32,
        pre: InstancePre<CallState>,
        functions: &Functions,
    ) -> Self {
        let is_http = functions
            .keys()
            .any(|function| function.interface == HTTP_INTERFACE);
        let exports = functions.iter().filter_map(|(name, ty)| {
            let component = pre.component();
            let interface = match name.interface.as_str() {
                "" => None,
                interface => Some(export_index(component, pre.engine(), interface)?),
            };
            let index = component.get_export_index(interface.as_ref(), &name.function)?;
            Some((
                name.clone(),
                Export {
                    index,
                    ty: ty.clone(),
                    is_command: service.config.is_command(name),
                    types: FunctionTypes::of(ty).ok(),
                    fits: Fits::default(),
                },
            ))
        });
        let exports: HashMap<_, _> = exports.collect();
        let run = exports
            .iter()
            .find_map(|(name, export): (&FunctionName, &Export)| {
                (name.interface == RUN_INTERFACE && name.function == "run").then_some(export.index)
            });
        let migrates = |name: &&FunctionName| {
            name.interface == MIGRATION_INTERFACE && name.function == "migrate"
        };
        let migration = exports.keys().find(migrates);
        Self {
            migration: migration
                .filter(|_| service.config.replicated.is_some())
                .map(|name| Arc::new(name.clone())),
            // A component that answers HTTP is there for its requests, whatever else it exports.
            run: run.filter(|_| service.config.http.is_none()),
            exports,
            http: if is_http {
                ProxyPre::new(pre.clone()).ok()
            } else {
                None
            },
            form: form(&digest),
            digest,
            ordinal,
            service,
            pre,
            idle: Idle::default(),
        }
    }

    /// How a function is called by a caller that knows it with these types; none if they are its own. Without a caller, and for what is not there, none.
    ///
    /// # Errors
    /// [`CallError::Incompatible`]: they do not fit, which nobody saw before because caller and callee were replaced at the same time.
    pub fn fit(
        &self,
        function: &FunctionName,
        caller: Option<&Signature>,
    ) -> Result<Option<Arc<Fit>>, CallError> {
        let (Some(export), Some(caller)) = (self.exports.get(function), caller) else {
            return Ok(None);
        };
        let Some(own) = &export.types else {
            return Ok(None);
        };
        let fit = export.fits.find(own, &caller.types);
        fit.map_err(|mismatch| CallError::Incompatible {
            service: self.service.name.to_string(),
            message: format!("{function} has other types than the caller knows: {mismatch}"),
        })
    }

    /// Whether it exports an interface.
    #[must_use]
    pub fn handles(&self, interface: &str) -> bool {
        self.exports
            .keys()
            .any(|function| function.interface == interface)
    }

    /// The first bytes of the digest: what entries of a log are marked with.
    #[must_use]
    pub fn short_digest(&self) -> [u8; 8] {
        short_digest(&self.digest)
    }

    /// Whether it reads a state as it is: one in its own form, one that no version has migrated if it does not do so either, or one in which there is nothing.
    #[must_use]
    pub fn reads(&self, meta: &Meta) -> bool {
        meta.form == self.form
            || (meta.form == 0 && self.migration.is_none())
            || meta.data_bytes == 0
    }

    /// Whether it can go on with a state of this form: one that it reads, or makes its own first.
    #[must_use]
    pub fn goes_on_with(&self, form: u64) -> bool {
        form == 0 || form == self.form || self.migration.is_some()
    }

    /// `daemon`, `http` or `service`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.run.is_some() {
            "daemon"
        } else if self.http.is_some() {
            "http"
        } else {
            "service"
        }
    }
}

/// The mark of states that the version with this digest has migrated. Never 0.
#[must_use]
pub fn form(digest: &str) -> u64 {
    u64::from_be_bytes(short_digest(digest)).max(1)
}

fn short_digest(digest: &str) -> [u8; 8] {
    let mut short = [0; 8];
    let digits = digest.get(..16).unwrap_or_default();
    // A digest is hexadecimal; were it not, the mark would be zeros.
    let _ = hex::decode_to_slice(digits, &mut short);
    short
}

/// The exported interface whose name is compatible with `interface`.
fn export_index(
    component: &wasmtime::component::Component,
    engine: &Engine,
    interface: &str,
) -> Option<ComponentExportIndex> {
    let ty = component.component_type();
    let name = ty
        .exports(engine)
        .map(|(name, _)| name)
        .find(|name| crate::interface::compatible(name) == interface)?;
    component.get_export_index(None, name)
}
