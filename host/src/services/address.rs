//! Finds the function that a message is for, among the types of all loaded services.

use super::{FunctionType, Services, Slot};
use crate::config::ServiceConfig;
use crate::dispatch::Address;
use crate::interface;
use crate::json::{from_json, keep_known_fields};
use serde_json::Value;
use std::sync::Arc;
use wasmtime::component::Val;

impl Services {
    /// The function of an interface, and the service that `from` reaches it on: by its links, or the only one that exports it.
    /// Checks the arguments, a JSON array.
    ///
    /// # Errors
    /// What is wrong and what to do, for people to read.
    pub fn address(
        &self,
        from: &ServiceConfig,
        target: &str,
        function: &str,
        arguments_json: &str,
    ) -> Result<Address, String> {
        let linked = from.link(target);
        let found: Vec<(&Slot, Arc<FunctionType>)> = self
            .iter()
            .filter(|slot| linked.is_none_or(|to| to.as_str() == &*slot.service.name))
            .filter_map(|slot| Some((slot, find(slot, target, function)?)))
            .collect();
        let (slot, types) = match found.as_slice() {
            [one] => one,
            [] => return Err(self.nowhere(linked.map(|to| to.as_str()), target, function)),
            several => {
                let names: Vec<&str> = several
                    .iter()
                    .map(|(slot, _)| &*slot.service.name)
                    .collect();
                return Err(format!(
                    "{} export {target}; add to [service.{}]: links = {{ \"{}\" = {{ to = \"{}\" }} }}",
                    names.join(" and "),
                    from.name,
                    interface::without_version(target),
                    names[0]
                ));
            }
        };
        arguments(types, arguments_json)?;
        Ok(Address {
            service: slot.service.name.to_string(),
            interface: types.name.interface.clone(),
            function: types.name.function.clone(),
        })
    }

    fn nowhere(&self, linked: Option<&str>, target: &str, function: &str) -> String {
        let unloaded: Vec<&str> = self
            .iter()
            .filter(|slot| slot.types().is_none())
            .map(|slot| &*slot.service.name)
            .collect();
        let whose = linked.map_or_else(
            || "no service".to_owned(),
            |to| format!("{to}, where links leads,"),
        );
        let verb = if linked.is_some() {
            "does not export"
        } else {
            "exports"
        };
        let loaded = if unloaded.is_empty() {
            String::new()
        } else {
            format!(" (not loaded: {})", unloaded.join(", "))
        };
        format!("{whose} {verb} {target} with a function {function}{loaded}")
    }
}

fn find(slot: &Slot, target: &str, function: &str) -> Option<Arc<FunctionType>> {
    let compatible = interface::compatible(target);
    let types = slot.types()?;
    let fits = |name: &str| name == compatible || interface::without_version(name) == target;
    types
        .iter()
        .find(|types| types.name.function == function && fits(&types.name.interface))
        .cloned()
}

/// The arguments of a function from a JSON array that was kept since its types may have been others: fields that they do not have any more are dropped.
///
/// # Errors
/// What does not fit, for people to read.
pub fn kept_arguments(types: &FunctionType, text: &str) -> Result<Vec<Val>, String> {
    let items: Result<Vec<Value>, _> = serde_json::from_str(text);
    let Ok(mut items) = items else {
        return arguments(types, text);
    };
    for (item, (_, shape)) in items.iter_mut().zip(types.types.arguments.parts()) {
        keep_known_fields(item, shape);
    }
    arguments(types, &Value::from(items).to_string())
}

/// The arguments of a function, from a JSON array.
///
/// # Errors
/// What does not fit, for people to read.
pub fn arguments(types: &FunctionType, text: &str) -> Result<Vec<Val>, String> {
    let items: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| format!("the arguments are no JSON array: {error}"))?;
    let parameters = types.ty.params();
    if parameters.len() != items.len() {
        return Err(format!(
            "{} takes {} arguments, there are {}",
            types.name,
            parameters.len(),
            items.len()
        ));
    }
    parameters
        .zip(&items)
        .map(|((name, ty), item)| from_json(item, &ty).map_err(|error| format!("{name}: {error}")))
        .collect()
}
