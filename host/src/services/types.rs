//! What functions a service has and of which types: known on every host, wherever the service runs.
//!
//! Made once for each loaded component. Whoever calls by name (the `api` endpoint, peers) looks here, and never at a running version.

use crate::codec::FunctionTypes;
use crate::component::Functions;
use crate::dispatch::FunctionName;
use crate::interface;
use crate::signature::Signature;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;
use wasmtime::component::types::ComponentFunc;

/// A function that can be called by name.
pub struct FunctionType {
    /// The function as its service has it.
    pub signature: Arc<Signature>,
    /// Parameters and result, for the engine's values.
    pub ty: ComponentFunc,
}

impl Deref for FunctionType {
    type Target = Signature;

    fn deref(&self) -> &Signature {
        &self.signature
    }
}

/// The functions of one service.
#[derive(Default)]
pub struct ServiceTypes {
    functions: BTreeMap<FunctionName, Arc<FunctionType>>,
    /// The same by their names as texts, as they come from other hosts.
    by_text: HashMap<String, Arc<FunctionType>>,
}

impl ServiceTypes {
    /// The types of the exports of a component that runs as `service`. Left out is what nobody can call by name: the interfaces of the platform,
    /// which the host itself calls, and functions whose signature has more than values.
    #[must_use]
    pub fn new(service: &str, functions: Functions) -> Self {
        let functions: BTreeMap<_, _> = functions
            .into_iter()
            .filter(|(name, _)| !interface::is_platform(&name.interface))
            .filter_map(|(name, ty)| {
                let types = FunctionTypes::of(&ty).ok()?;
                let signature = Arc::new(Signature::new(service, name.clone(), types)?);
                Some((name, Arc::new(FunctionType { signature, ty })))
            })
            .collect();
        let by_text = |(name, function): (&FunctionName, &Arc<FunctionType>)| {
            (name.to_string(), Arc::clone(function))
        };
        Self {
            by_text: functions.iter().map(by_text).collect(),
            functions,
        }
    }

    /// The function of this name.
    #[must_use]
    pub fn get(&self, name: &FunctionName) -> Option<&Arc<FunctionType>> {
        self.functions.get(name)
    }

    /// The function whose name is written so: `INTERFACE.FUNCTION`.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Arc<FunctionType>> {
        self.by_text.get(text)
    }

    /// All functions, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<FunctionType>> {
        self.functions.values()
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;
    use crate::component::Loaded;
    use crate::engine;

    /// `expected` is how many functions can be called by name of a component that exports one, in this interface.
    #[track_caller]
    fn check(interface: &str, expected: usize) {
        let text = format!(
            r#"(component
                (core module $module (func (export "f")))
                (core instance $instance (instantiate $module))
                (func $f (canon lift (core func $instance "f")))
                (instance $exported (export "f" (func $f)))
                (export "{interface}" (instance $exported)))"#
        );
        let bytes = wat::parse_str(text).expect("a component's text");
        let engine = engine::compiler().expect("an engine");
        let loaded = Loaded {
            digest: String::new(),
            bytes: bytes.len(),
            component: Component::new(&engine, bytes).expect("a component"),
        };
        let types = ServiceTypes::new("a", loaded.exports(&engine));
        assert_eq!(types.iter().count(), expected, "{interface}");
    }

    /// Programs outside and other hosts name what they call, and find only what is here.
    #[test]
    fn what_the_host_calls_nobody_else_can() {
        check("bookshop:shop/order-queue@0.1.0", 1);
        check("bookshop:platform/timer-handler@0.1.0", 0);
        check("bookshop:platform/outbox-handler@0.1.0", 0);
        check("wasi:cli/run@0.2.6", 0);
    }
}
