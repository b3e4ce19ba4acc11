//! What the endpoint says of itself and of what can be called.

use super::find::Found;
use crate::codec::MessageType;
use crate::config::{Config, HostName};
use crate::services::{FunctionType, Services};
use serde_json::{Value, json};

/// What this is, for somebody who opens the address.
pub fn about(config: &Config, host: &HostName) -> Value {
    json!({
        "program": "bookshop-host",
        "version": env!("CARGO_PKG_VERSION"),
        "cluster": config.cluster.name.as_str(),
        "host": host.as_str(),
        "requests": {
            "POST /call/{interface or service}/{function}": "calls a function; the body is a JSON array of its arguments, or an object by parameter name",
            "GET /functions": "everything that can be called",
            "GET /types/{interface or service}/{function}": "one function and its types",
        },
    })
}

/// Every function, by service in the order of the configuration.
pub fn functions(services: &Services) -> Value {
    let mut functions = Vec::new();
    for slot in services.iter() {
        let Some(types) = slot.types() else { continue };
        functions.extend(types.iter().map(|function| {
            json!({
                "service": &*slot.service.name,
                "interface": function.name.interface,
                "function": function.name.function,
                "signature": signature(function),
            })
        }));
    }
    json!({ "functions": functions })
}

/// One function and its types.
pub fn types(found: &Found<'_>) -> Value {
    let function = &found.function;
    json!({
        "service": &*found.slot.service.name,
        "interface": function.name.interface,
        "function": function.name.function,
        "signature": signature(function),
        "arguments": message(&function.types.arguments),
        "results": message(&function.types.results),
    })
}

/// What a writer or reader of binary values has to know.
fn message(ty: &MessageType) -> Value {
    json!({ "hash": ty.hash().to_string(), "parts": ty.parts() })
}

/// The function as WIT would declare it, with the structure of its types in place of their names, which compiled code no longer has.
pub fn signature(function: &FunctionType) -> String {
    let parameters: Vec<String> = function
        .types
        .arguments
        .parts()
        .iter()
        .map(|(name, shape)| format!("{name}: {shape}"))
        .collect();
    let asynchronous = if function.ty.async_() { "async " } else { "" };
    let result = function.types.results.parts().first();
    let result = result.map_or_else(String::new, |(_, shape)| format!(" -> {shape}"));
    format!(
        "{}: {asynchronous}func({}){result};",
        function.name.function,
        parameters.join(", ")
    )
}
