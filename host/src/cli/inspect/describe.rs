//! Takes a component apart: interfaces, functions, what it needs. Nothing is compiled or run.

use crate::component::{self, Digest};
use crate::imports::offered::{self, Given, Requirement};
use crate::interface;
use crate::version::HTTP_INTERFACE;
use serde::Serialize;
use std::path::Path;
use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{Function, PackageId, Resolve, WorldItem, WorldKey};

/// What is known about a component.
#[derive(Debug, Serialize)]
pub struct Description {
    /// The file's name.
    pub file: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Size of the file.
    pub bytes: usize,
    /// `http`, or `service`.
    pub kind: &'static str,
    /// What it offers.
    pub exports: Vec<Interface>,
    /// What it wants.
    pub imports: Vec<Interface>,
    /// Grants that it cannot run without, as the configuration writes them.
    pub grants: Vec<&'static str>,
    /// A section for the configuration.
    pub config: String,
    /// The WIT of its own packages: all but WASI's.
    #[serde(skip)]
    pub own_wit: String,
    /// All of its WIT.
    pub wit: String,
}

/// An imported or exported interface, or function outside any interface.
#[derive(Debug, Serialize)]
pub struct Interface {
    /// Its full name.
    pub name: String,
    /// Where an import comes from; `None` for an export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Its functions with their types: `check: func(order: order) -> verdict`.
    pub functions: Vec<String>,
}

/// Where an import comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// The host, for every component.
    Host,
    /// The host, for components with a grant.
    Grant,
    /// Another service.
    Service,
    /// Nobody: it has types only.
    Types,
    /// Nobody: the host does not know it.
    Nobody,
}

/// Takes the component in `bytes` apart; `path` gives it a name.
///
/// # Errors
/// Why it cannot be, in words.
pub fn describe(path: &Path, bytes: &[u8]) -> Result<Description, String> {
    let (resolve, world) = match wit_component::decode(bytes)
        .map_err(|error| format!("{error:#}"))?
    {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => return Err("it is a WIT package, which has no code".into()),
    };
    let (world, package) = (&resolve.worlds[world], resolve.worlds[world].package);
    let mut exports = interfaces(&resolve, &world.exports);
    let mut imports = interfaces(&resolve, &world.imports);
    exports.iter_mut().for_each(|export| export.provider = None);
    imports.retain(|import| import.provider.is_some());
    let is_http = exports
        .iter()
        .any(|export| interface::compatible(&export.name) == HTTP_INTERFACE);
    let sends_http = |import: &Interface| offered::requirement(&import.name) == Requirement::Http;
    let given = Given {
        reaches_outside: is_http || imports.iter().any(sends_http),
        ..Given::default()
    };
    let grants: Vec<&str> = imports
        .iter()
        .filter_map(|import| offered::missing_grant(&import.name, given))
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let file = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let is_own = |package: PackageId| resolve.packages[package].name.namespace != "wasi";
    Ok(Description {
        digest: component::digest(bytes),
        bytes: bytes.len(),
        kind: if is_http { "http" } else { "service" },
        config: config_section(&file, is_http, &grants),
        own_wit: wit(&resolve, package, is_own)?,
        wit: wit(&resolve, package, |_| true)?,
        file,
        exports,
        imports,
        grants,
    })
}

fn interfaces<'a>(
    resolve: &Resolve,
    items: impl IntoIterator<Item = (&'a WorldKey, &'a WorldItem)>,
) -> Vec<Interface> {
    let interface = |(key, item): (&WorldKey, &WorldItem)| {
        let name = resolve.name_world_key(key);
        let functions: Vec<String> = match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id]
                .functions
                .values()
                .map(|function| signature(resolve, function))
                .collect(),
            WorldItem::Function(function) => vec![signature(resolve, function)],
            // A type that the world names for its own functions.
            WorldItem::Type { .. } => return None,
        };
        let provider = provider(&name, functions.is_empty());
        Some(Interface {
            name,
            provider: Some(provider),
            functions,
        })
    };
    items.into_iter().filter_map(interface).collect()
}

fn provider(name: &str, has_types_only: bool) -> Provider {
    match offered::requirement(name) {
        Requirement::Free => Provider::Host,
        Requirement::Http | Requirement::Storage | Requirement::Replicated => Provider::Grant,
        Requirement::Unknown if has_types_only => Provider::Types,
        Requirement::Unknown if interface::is_platform(name) => Provider::Nobody,
        Requirement::Unknown => Provider::Service,
    }
}

/// A function as WIT writes it, with its name. Types keep their names, which stand in the WIT.
fn signature(resolve: &Resolve, function: &Function) -> String {
    let type_name = |ty: &wit_parser::Type| {
        let mut printer = WitPrinter::default();
        // A type that has no text cannot be in a component that was decoded.
        printer
            .print_type_name(resolve, ty)
            .map_or_else(|_| "?".to_owned(), |()| printer.output.to_string())
    };
    let parameters = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, type_name(&parameter.ty)))
        .collect::<Vec<_>>()
        .join(", ");
    let result = function
        .result
        .as_ref()
        .map(|ty| format!(" -> {}", type_name(ty)))
        .unwrap_or_default();
    let is_async = if function.kind.is_async() {
        "async "
    } else {
        ""
    };
    format!("{}: {is_async}func({parameters}){result}", function.name)
}

/// The WIT text of the component's world and of the packages that are `wanted`.
fn wit(
    resolve: &Resolve,
    package: Option<PackageId>,
    wanted: impl Fn(PackageId) -> bool,
) -> Result<String, String> {
    let package = package.ok_or("it has no world")?;
    let others: Vec<PackageId> = resolve
        .packages
        .iter()
        .map(|(id, _)| id)
        .filter(|id| *id != package && wanted(*id))
        .collect();
    let mut printer = WitPrinter::default();
    printer
        .print(resolve, package, &others)
        .map_err(|error| format!("{error:#}"))?;
    Ok(printer.output.to_string())
}

/// The section that makes a service of the file: its name, and what it cannot do without.
fn config_section(file: &str, is_http: bool, grants: &[&str]) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let kebab: String = stem
        .to_lowercase()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .collect();
    let name = kebab
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let name = if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name
    } else {
        format!("service-{name}").trim_end_matches('-').to_owned()
    };
    let mut lines = vec![format!("[service.{name}]"), format!("wasm = {file:?}")];
    if is_http {
        lines.push(r#"http = { path = "/" }"#.to_owned());
    }
    lines.extend(grants.iter().map(|grant| (*grant).to_owned()));
    lines.join("\n")
}
