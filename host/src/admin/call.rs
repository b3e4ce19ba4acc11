//! `POST /v1/call`: calls a function with arguments as text (WAVE), by the name of an interface or of a service.

use crate::admin::{Admin, AdminError};
use crate::dispatch::{FunctionName, Invocation};
use crate::envelope::Envelope;
use crate::payload::Payload;
use crate::services::Slot;
use crate::version::{Export, Version};
use crate::{compat, interface, json, router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// The body of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// `INTERFACE.FUNCTION` or `SERVICE.FUNCTION`; the interface's version may be left out.
    function: String,
    /// One WAVE text per parameter.
    #[serde(default)]
    arguments: Vec<String>,
    /// How long the answer may take; the service's own limit by default.
    timeout_ms: Option<u64>,
    /// Calls with equal keys have one effect.
    idempotency_key: Option<String>,
}

/// Carries out the call on this host.
///
/// # Errors
/// [`AdminError::Invalid`]: the name or an argument makes no sense. [`AdminError::Call`]: the call failed.
pub async fn call(admin: &Admin, request: CallRequest) -> Result<Value, AdminError> {
    let (target, function) = request
        .function
        .rsplit_once('.')
        .filter(|(target, function)| !target.is_empty() && !function.is_empty())
        .ok_or_else(|| {
            AdminError::Invalid(format!(
                "{:?} is not TARGET.FUNCTION, for example bookshop:shop/suggestions.suggest",
                request.function
            ))
        })?;
    let (slot, version, name) = find(admin, target, function)?;
    let export = version
        .exports
        .get(&name)
        .ok_or_else(|| AdminError::NotFound(format!("no function {name}")))?;
    let arguments = arguments(export, &name, &request.arguments)?;
    let now = admin.os.clock.monotonic();
    let time = request
        .timeout_ms
        .map_or(slot.service.config.limits.time, Duration::from_millis);
    let mut envelope = Envelope::enter(
        admin.os.entropy.as_ref(),
        &Arc::from("admin"),
        now.saturating_add(time),
        admin.config.cluster.hops_max,
    );
    envelope.idempotency_key = request.idempotency_key.map(Arc::from);
    let invocation = Invocation {
        service: slot.service.id,
        function: Arc::new(name),
        arguments: Payload::Values(arguments),
        envelope,
    };
    let Payload::Values(results) = Arc::clone(&admin.dispatch).dispatch(invocation).await? else {
        return Err(AdminError::Refused(
            "the function answers with an HTTP response; use the http address instead".into(),
        ));
    };
    let results = export
        .ty
        .results()
        .zip(&results)
        .map(|(ty, value)| result(value, &ty))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "results": results }))
}

fn result(value: &Val, ty: &Type) -> Result<Value, AdminError> {
    let wave = value.to_wave().map_err(|error| {
        AdminError::Refused(format!("the result cannot be written as text: {error:#}"))
    })?;
    Ok(json!({ "wave": wave, "json": json::to_json(value, ty) }))
}

/// The running service that exports the function: by the service's name, or by an interface that exactly one service exports.
fn find<'a>(
    admin: &'a Admin,
    target: &str,
    function: &str,
) -> Result<(&'a Slot, Arc<Version>, FunctionName), AdminError> {
    if let Some(slot) = admin.services.find(target) {
        let version = slot.running().ok_or_else(|| router::not_running(slot))?;
        let matches = |name: &&FunctionName| {
            name.function == function && !interface::is_platform(&name.interface)
        };
        let name = version
            .exports
            .keys()
            .find(matches)
            .cloned()
            .ok_or_else(|| {
                AdminError::NotFound(format!(
                    "{target} exports no function {function}; it exports {}",
                    list(&version)
                ))
            })?;
        return Ok((slot, version, name));
    }
    let wanted = interface::compatible(target);
    let fits =
        |interface: &str| interface == wanted || interface::without_version(interface) == target;
    let candidates: Vec<_> = admin
        .services
        .iter()
        .filter_map(|slot| {
            let version = slot.running()?;
            let name = version
                .exports
                .keys()
                .find(|name| fits(&name.interface) && !interface::is_platform(&name.interface))?
                .clone();
            Some((slot, version, name.interface))
        })
        .collect();
    match candidates.as_slice() {
        [(slot, version, interface)] => {
            let name = FunctionName {
                interface: interface.clone(),
                function: function.to_owned(),
            };
            if !version.exports.contains_key(&name) {
                return Err(AdminError::NotFound(format!(
                    "{interface} has no function {function}; it has {}",
                    list(version)
                )));
            }
            Ok((slot, Arc::clone(version), name))
        }
        [] => Err(AdminError::NotFound(format!(
            "no service that runs on this host is named {target} or exports an interface of that name"
        ))),
        many => {
            let names = many
                .iter()
                .map(|(slot, ..)| format!("{}.{function}", slot.service.name))
                .collect::<Vec<_>>()
                .join(" or ");
            Err(AdminError::Invalid(format!(
                "several services export {target}; say which: {names}"
            )))
        }
    }
}

fn list(version: &Version) -> String {
    let mut names: Vec<&str> = version
        .exports
        .keys()
        .map(|name| name.function.as_str())
        .collect();
    names.sort_unstable();
    names.join(", ")
}

fn arguments(
    export: &Export,
    name: &FunctionName,
    texts: &[String],
) -> Result<Vec<Val>, AdminError> {
    let parameters = || {
        let list = export.ty.params();
        let list = list.map(|(name, ty)| format!("{name}: {}", short(&compat::describe(&ty))));
        list.collect::<Vec<_>>().join(", ")
    };
    if export.ty.params().len() != texts.len() {
        return Err(AdminError::Invalid(format!(
            "{name} takes {} arguments ({}), but {} were given",
            export.ty.params().len(),
            parameters(),
            texts.len()
        )));
    }
    let parse = |((parameter, ty), text): ((&str, Type), &String)| {
        Val::from_wave(&ty, text).map_err(|error| {
            AdminError::Invalid(format!(
                "argument {parameter} of {name} is not WAVE text of type {}: {error:#}",
                short(&compat::describe(&ty))
            ))
        })
    };
    export.ty.params().zip(texts).map(parse).collect()
}

/// The beginning of a type: a large record in full would hide what is wrong.
fn short(ty: &str) -> String {
    const CHARACTERS_MAX: usize = 120;
    if ty.chars().count() <= CHARACTERS_MAX {
        return ty.to_owned();
    }
    let beginning: String = ty.chars().take(CHARACTERS_MAX).collect();
    format!("{beginning}…")
}
