//! A component with its place, limits and capabilities: `[service.NAME]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{At, InvalidValue, Place};
use super::grant::Grant;
use super::kind::Kind;
use super::limits::Limits;
use super::name::{HostName, InterfaceName, ServiceName};
use super::path;
use super::replicated::{RawReplicated, Replicated};
use super::section::Section;
use super::swap::Swap;
use crate::dispatch::FunctionName;

/// Where cargo puts components below its target folder: by target, then by profile.
const CARGO_COMPONENTS: &str = "wasm32-wasip2/component";

/// A service of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Name, unique in the file.
    pub name: ServiceName,
    /// The component as the file names it; [`wasm_path`](Self::wasm_path) says where it is.
    pub wasm: String,
    /// Folder of the cluster file.
    pub(super) folder: PathBuf,
    /// The component that the cluster's state names, which takes the place of what the file names; none if the file decides.
    pub pinned: Option<Pinned>,
    /// How the component is made; none if it is made elsewhere.
    pub build: Option<Build>,
    /// Hosts that run it, at least one, in the order of the file.
    pub hosts: Vec<HostName>,
    /// How long an instance lives.
    pub instance: InstanceMode,
    /// How long its state lives; none if it keeps none, or is replicated.
    pub storage: Option<StorageMode>,
    /// How it keeps state that outlives its host; none if it keeps none. Then it has neither `storage` nor `http` nor `grants`.
    pub replicated: Option<Replicated>,
    /// Which requests it answers; none if it answers no HTTP.
    pub http: Option<Http>,
    /// How another component that takes its place is watched.
    pub swap: Swap,
    /// What it may use.
    pub limits: Limits,
    /// What the component reads by `wasi:config`.
    pub config: BTreeMap<String, String>,
    /// What it may reach outside, without repetition.
    pub grants: Vec<Grant>,
    /// Services that imported interfaces lead to, where that is not clear of itself. All of them exist.
    pub links: BTreeMap<InterfaceName, ServiceName>,
}

impl ServiceConfig {
    /// Where the component is, or will be once it is built into the target folder `cargo_target`.
    #[must_use]
    pub fn wasm_path(&self, cargo_target: &Path) -> PathBuf {
        if let Some(pinned) = &self.pinned {
            return pinned.path.clone();
        }
        match &self.build {
            Some(_) => cargo_target.join(CARGO_COMPONENTS).join(&self.wasm),
            None => self.folder.join(&self.wasm),
        }
    }

    /// Whether `host` runs it.
    #[must_use]
    pub fn is_placed_on(&self, host: &HostName) -> bool {
        self.hosts.contains(host)
    }

    /// Whether its state is on several hosts, one of which leads.
    #[must_use]
    pub fn has_several_replicas(&self) -> bool {
        self.replicated
            .as_ref()
            .is_some_and(|replicated| replicated.replicas > 1)
    }

    /// Whether `function` may change state that is replicated. Not for every call: it looks through all queries.
    #[must_use]
    pub fn is_command(&self, function: &FunctionName) -> bool {
        self.replicated
            .as_ref()
            .is_some_and(|replicated| !replicated.is_query(function))
    }

    /// Where `interface` leads by a link of its own: one that names this version, or else one that names none.
    #[must_use]
    pub fn link(&self, interface: &str) -> Option<&ServiceName> {
        let without_version = interface
            .split_once('@')
            .map_or(interface, |(name, _)| name);
        self.links
            .get(interface)
            .or_else(|| self.links.get(without_version))
    }
}

/// A component by what it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Its sha256 digest, in hexadecimal digits.
    pub digest: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Which HTTP requests a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Those whose path is this or below it: `/`, or `/api` without a slash at its end. Unique on each host of the service.
    pub path: String,
}

/// How a component is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Cargo package of the workspace.
    pub cargo: String,
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceMode {
    /// For one call: nothing a call leaves behind is seen by another.
    PerCall,
    /// For many calls, one at a time.
    Pooled {
        /// Calls after which it is replaced, give or take a random part: 1 to 1000000, 1000 unless set.
        retire_after: u32,
    },
}

/// How long the state of a service lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageMode {
    /// As long as the host: it is in the memory of each host, for itself.
    Volatile,
}

/// The hosts of a service before it is known which hosts there are.
pub(super) enum RawHosts {
    All,
    Named(Vec<At<HostName>>),
}

/// A service as far as it could be read.
pub(super) struct RawService {
    pub name: Option<ServiceName>,
    pub wasm: Option<At<String>>,
    pub build: Option<At<String>>,
    pub hosts: RawHosts,
    /// Where `hosts` stands, if the file has it.
    pub hosts_place: Option<Place>,
    pub instance: InstanceMode,
    pub storage: Option<StorageMode>,
    pub replicated: Option<RawReplicated>,
    pub http: Option<At<String>>,
    pub swap: Swap,
    pub limits: Limits,
    pub config: BTreeMap<String, String>,
    pub grants: Vec<Grant>,
    pub links: Vec<(InterfaceName, At<ServiceName>)>,
}

impl RawService {
    pub fn read(name: Option<ServiceName>, section: Section<'_>) -> Self {
        let service = Self {
            name,
            wasm: section.text("wasm", path::file),
            build: section.optional_child("build").and_then(read_build),
            hosts: read_hosts(&section),
            hosts_place: section.place_if_present("hosts"),
            instance: read_instance(&section),
            storage: section.text("storage", read_storage).map(|at| at.value),
            replicated: section
                .optional_child("replicated")
                .map(RawReplicated::read),
            http: section.optional_child("http").map(read_http),
            swap: Swap::read(section.child("swap")),
            limits: Limits::read(section.child("limits")),
            config: section.texts("config").into_iter().collect(),
            grants: read_grants(&section),
            links: section
                .named("links", "INTERFACE")
                .into_iter()
                .filter_map(read_link)
                .collect(),
        };
        if let (Some(wasm), Some(_)) = (&service.wasm, &service.build)
            && Path::new(&wasm.value).components().count() > 1
        {
            let file = Path::new(&wasm.value)
                .file_name()
                .unwrap_or_default()
                .display();
            let message = format!(
                "{:?} is a path, but build puts the component into cargo's target folder; write the name alone, for example \"{file}\"",
                wasm.value
            );
            section.problem(&wasm.place, message);
        }
        if service.replicated.is_some() {
            refuse_beside_replicated(&section, !service.grants.is_empty());
        }
        section.finish();
        service
    }

    /// The service, given the hosts of the file; none if part of it could not be read.
    pub fn complete(self, folder: &Path, all: &[HostName]) -> Option<ServiceConfig> {
        let runs_on = |host: &&HostName| match &self.hosts {
            RawHosts::All => true,
            RawHosts::Named(names) => names.iter().any(|name| name.value == **host),
        };
        Some(ServiceConfig {
            hosts: all.iter().filter(runs_on).cloned().collect(),
            name: self.name?,
            wasm: self.wasm?.value,
            folder: folder.to_owned(),
            pinned: None,
            build: self.build.map(|cargo| Build { cargo: cargo.value }),
            instance: self.instance,
            storage: self.storage,
            replicated: match self.replicated {
                Some(replicated) => Some(replicated.complete()?),
                None => None,
            },
            http: self.http.map(|http| Http { path: http.value }),
            swap: self.swap,
            limits: self.limits,
            config: self.config,
            grants: self.grants,
            links: self
                .links
                .into_iter()
                .map(|(interface, to)| (interface, to.value))
                .collect(),
        })
    }
}

fn read_build(section: Section<'_>) -> Option<At<String>> {
    let package = |text: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        // Cargo would read a leading dash as an option.
        let fits = !text.is_empty() && !text.starts_with('-') && text.chars().all(letter);
        if fits {
            Ok(text.to_owned())
        } else {
            Err(Kind::Name.invalid(text, None))
        }
    };
    let cargo = section.text("cargo", package);
    section.finish();
    cargo
}

fn read_hosts(section: &Section<'_>) -> RawHosts {
    if !section.is_text("hosts") {
        return match section.list("hosts", str::parse) {
            Some(names) => RawHosts::Named(names),
            None => RawHosts::All,
        };
    }
    let meant = |text: &str| match text {
        "all" => Ok(()),
        name => Err(Kind::Hosts.invalid(name, Some(&format!("[{name:?}]")))),
    };
    section.text_or_default("hosts", meant);
    RawHosts::All
}

fn read_instance(section: &Section<'_>) -> InstanceMode {
    let retire_after = section.count("retire-after");
    let mode = |text: &str| match text {
        "per-call" => Ok(InstanceMode::PerCall),
        "pooled" => Ok(InstanceMode::Pooled { retire_after }),
        other => Err(Kind::Instance.invalid(other, None)),
    };
    let instance = section.text("instance", mode).map(|at| at.value);
    // A mode that cannot be read has been noted, and may have been meant to be the pooled one.
    let per_call =
        instance == Some(InstanceMode::PerCall) || section.place_if_present("instance").is_none();
    if let Some(place) = section
        .place_if_present("retire-after")
        .filter(|_| per_call)
    {
        section.problem(
            &place,
            "only pooled instances retire; add instance = \"pooled\", or remove this key",
        );
    }
    instance.unwrap_or(InstanceMode::PerCall)
}

fn read_storage(text: &str) -> Result<StorageMode, InvalidValue> {
    match text {
        "volatile" => Ok(StorageMode::Volatile),
        other => Err(Kind::Storage.invalid(other, None)),
    }
}

/// What a replicated service cannot have: each is a way to the outside that a command could take before it is known to last.
fn refuse_beside_replicated(section: &Section<'_>, has_grants: bool) {
    let refuse = |key: &str, message: &str| {
        if let Some(place) = section.place_if_present(key) {
            section.problem(&place, message);
        }
    };
    refuse(
        "storage",
        "a replicated service keeps its state on disk, so it cannot be volatile; remove this key, or replicated",
    );
    refuse(
        "http",
        "a replicated service answers no HTTP, since an answer could leave before what it rests on is safe on disk; remove this key, and let another service answer that calls this one",
    );
    if has_grants {
        refuse(
            "grants",
            "a replicated service reaches nothing outside, since what it did there could not be taken back with the call; remove this key, and tell other services by bookshop:platform/outbox",
        );
    }
}

fn read_http(section: Section<'_>) -> At<String> {
    let path = section.text_or_default("path", path::url_prefix);
    section.finish();
    path
}

fn read_grants(section: &Section<'_>) -> Vec<Grant> {
    let mut grants: Vec<Grant> = Vec::new();
    for grant in section
        .list("grants", str::parse::<Grant>)
        .unwrap_or_default()
    {
        if grants.contains(&grant.value) {
            section.problem(
                &grant.place,
                format!("\"{}\" is granted twice; remove one", grant.value),
            );
        } else {
            grants.push(grant.value);
        }
    }
    grants
}

fn read_link(
    (interface, section): (Option<InterfaceName>, Section<'_>),
) -> Option<(InterfaceName, At<ServiceName>)> {
    let to = section.text("to", str::parse::<ServiceName>);
    section.finish();
    Some((interface?, to?))
}
