//! A version of a service: linked code, what it exports, and instances kept for reuse.

use crate::component::Functions;
use crate::dispatch::FunctionName;
use crate::imports::CallState;
use crate::linker::RUN_INTERFACE;
use crate::pool::Idle;
use crate::service::Service;
use std::collections::HashMap;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// The interface of components that serve HTTP.
pub const HTTP_INTERFACE: &str = "wasi:http/incoming-handler@0.2";

/// An exported function.
pub struct Export {
    /// Where the engine finds it.
    pub index: ComponentExportIndex,
    /// Its type.
    pub ty: ComponentFunc,
    /// Whether it changes the state of a replicated service, and has to wait for its turn.
    pub is_command: bool,
}

/// Linked code that can be called.
pub struct Version {
    /// SHA-256 of the wasm file.
    pub digest: String,
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
                },
            ))
        });
        let exports: HashMap<_, _> = exports.collect();
        let run = exports
            .iter()
            .find_map(|(name, export): (&FunctionName, &Export)| {
                (name.interface == RUN_INTERFACE && name.function == "run").then_some(export.index)
            });
        Self {
            // A component that answers HTTP is there for its requests, whatever else it exports.
            run: run.filter(|_| service.config.http.is_none()),
            exports,
            http: if is_http {
                ProxyPre::new(pre.clone()).ok()
            } else {
                None
            },
            digest,
            ordinal,
            service,
            pre,
            idle: Idle::default(),
        }
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
        let mut short = [0; 8];
        let digits = self.digest.get(..16).unwrap_or_default();
        // A digest is hexadecimal; were it not, the mark would be zeros.
        let _ = hex::decode_to_slice(digits, &mut short);
        short
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
