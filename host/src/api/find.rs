//! Which function of which service a path means.

use super::error::ApiError;
use crate::call_error::CallError;
use crate::interface;
use crate::services::{FunctionType, Services, Slot, not_running};
use std::sync::Arc;

/// A function that can be called.
pub struct Found<'a> {
    /// Its service.
    pub slot: &'a Slot,
    /// Its name and type.
    pub function: Arc<FunctionType>,
}

impl Found<'_> {
    /// The failure of a caller that uses the function wrongly.
    pub fn incompatible(&self, message: String) -> ApiError {
        CallError::Incompatible {
            service: self.slot.service.name.to_string(),
            message,
        }
        .into()
    }
}

/// The function of the service `target`, or of the interface `target`, whose version may be left out. The service need not run here.
///
/// # Errors
/// [`CallError::NotFound`] with what there is instead, [`CallError::Unavailable`] if the service could not be loaded,
/// [`ApiError::Ambiguous`] with what to write.
pub fn find<'a>(
    services: &'a Services,
    target: &str,
    function: &str,
) -> Result<Found<'a>, ApiError> {
    match services.find(target) {
        Some(slot) => of_service(slot, function),
        None => of_interface(services, target, function),
    }
}

fn of_service<'a>(slot: &'a Slot, function: &str) -> Result<Found<'a>, ApiError> {
    let service = &slot.service.name;
    let types = slot.types().ok_or_else(|| not_running(slot))?;
    let named = |known: &&Arc<FunctionType>| known.name.function == function;
    let found: Vec<_> = types.iter().filter(named).collect();
    match found.as_slice() {
        [function] => Ok(Found {
            slot,
            function: Arc::clone(function),
        }),
        [] => Err(CallError::NotFound {
            service: service.to_string(),
            message: format!(
                "it exports no function {function}; it exports {}",
                list(types.iter())
            ),
        }
        .into()),
        many => {
            let names: Vec<String> = many.iter().map(|one| one.name.to_string()).collect();
            Err(ApiError::Ambiguous(format!(
                "several interfaces of {service} have a function {function}; say which: {}",
                names.join(" or ")
            )))
        }
    }
}

fn of_interface<'a>(
    services: &'a Services,
    target: &str,
    function: &str,
) -> Result<Found<'a>, ApiError> {
    let wanted = interface::compatible(target);
    let fits = |name: &str| {
        !name.is_empty() && (name == wanted || interface::without_version(name) == target)
    };
    let mut candidates = Vec::new();
    for slot in services.iter() {
        let Some(types) = slot.types() else { continue };
        let mut interfaces: Vec<&str> = types
            .iter()
            .map(|known| known.name.interface.as_str())
            .filter(|name| fits(name))
            .collect();
        // Functions come in the order of their names, those of one interface together.
        interfaces.dedup();
        candidates.extend(
            interfaces
                .into_iter()
                .map(|interface| (slot, interface.to_owned())),
        );
    }
    let [(slot, interface)] = candidates.as_slice() else {
        return Err(if candidates.is_empty() {
            no_such_target(services, target)
        } else {
            several(&candidates, target, function)
        });
    };
    let types = slot.types().ok_or_else(|| not_running(slot))?;
    let of_interface = || {
        types
            .iter()
            .filter(|known| known.name.interface == *interface)
    };
    let found = of_interface().find(|known| known.name.function == function);
    let found = found.ok_or_else(|| CallError::NotFound {
        service: slot.service.name.to_string(),
        message: format!(
            "{interface} has no function {function}; it has {}",
            list(of_interface())
        ),
    })?;
    Ok(Found {
        slot,
        function: Arc::clone(found),
    })
}

fn no_such_target(services: &Services, target: &str) -> ApiError {
    let mut message =
        "no service has this name or exports an interface of this name; GET /functions lists them"
            .to_owned();
    let unloaded: Vec<&str> = services
        .iter()
        .filter(|slot| slot.types().is_none())
        .map(|slot| &*slot.service.name)
        .collect();
    if !unloaded.is_empty() {
        message = format!("{message} (could not be loaded: {})", unloaded.join(", "));
    }
    CallError::NotFound {
        service: target.to_owned(),
        message,
    }
    .into()
}

/// One interface of several services is told apart by their names, several versions in one service by the version.
fn several(candidates: &[(&Slot, String)], target: &str, function: &str) -> ApiError {
    let is_one_service = candidates
        .windows(2)
        .all(|pair| pair[0].0.service.id == pair[1].0.service.id);
    let names: Vec<String> = candidates
        .iter()
        .map(|(slot, interface)| {
            let of: &str = if is_one_service {
                interface
            } else {
                &slot.service.name
            };
            format!("{of}.{function}")
        })
        .collect();
    let names = names.join(" or ");
    ApiError::Ambiguous(if is_one_service {
        format!("there are several versions of {target}; say which: {names}")
    } else {
        format!("several services export {target}; say which: {names}")
    })
}

fn list<'a>(functions: impl Iterator<Item = &'a Arc<FunctionType>>) -> String {
    let mut names: Vec<&str> = functions
        .map(|known| known.name.function.as_str())
        .collect();
    names.sort_unstable();
    names.join(", ")
}
