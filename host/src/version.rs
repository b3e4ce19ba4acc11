//! A version of a service: linked code, what it exports, and instances kept for reuse.

use crate::component::Functions;
use crate::dispatch::FunctionName;
use crate::imports::CallState;
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
                },
            ))
        });
        Self {
            exports: exports.collect(),
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

    /// `http` or `service`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.http.is_some() {
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
