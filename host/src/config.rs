//! The cluster file: read once, checked whole, then trusted.
//!
//! [`Config::read`] turns the text of a file into types that hold only what makes sense, or into a [`ConfigError`] that
//! lists every mistake with its line, its key and what to write instead. The file is the first value of the cluster's
//! state; nothing here touches the disk, starts anything or knows what a component contains.
//!
//! Every key is described in [`reference`], and read through it.

use std::io;
use std::path::{Component, Path, PathBuf};

use toml::de::DeTable;

pub mod builtin;
mod chaos;
mod cluster;
pub mod duration;
mod error;
mod grant;
mod host;
mod key_doc;
mod kind;
mod limits;
mod name;
mod nearest;
mod path;
mod quantity;
mod reference;
mod replicated;
mod section;
mod service;
pub mod size;
mod swap;
mod validate;
mod values;

#[cfg(test)]
mod tests;

pub use chaos::Chaos;
pub use cluster::Cluster;
pub use error::{ConfigError, InvalidValue, Problem};
pub use grant::Grant;
pub use host::Host;
pub use key_doc::{Absent, KeyDoc};
pub use kind::Kind;
pub use limits::Limits;
pub use name::{ClusterName, HostName, InterfaceName, ServiceName};
pub use reference::reference;
pub use replicated::{Query, Replicated};
pub use service::{Build, Http, InstanceMode, Pinned, ServiceConfig, StorageMode};
pub use swap::Swap;

use error::{Place, Report};
use host::RawHost;
use section::Section;
use service::RawService;

/// A cluster: its hosts and services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file this was read from.
    pub path: PathBuf,
    /// The cluster as a whole.
    pub cluster: Cluster,
    /// The hosts, at least one, in the order of the file.
    pub hosts: Vec<Host>,
    /// The services, in the order of their names, with the one that is part of the host if `cluster.control` is set.
    pub services: Vec<ServiceConfig>,
    /// Whether faults may be injected.
    pub chaos: Chaos,
}

impl Config {
    /// Reads the file at `path` with `read`, which stands for the disk.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong: every mistake that could be found.
    pub fn read(
        path: &Path,
        read: impl FnOnce(&Path) -> io::Result<String>,
    ) -> Result<Self, ConfigError> {
        let text = read(path).map_err(|cause| ConfigError::unreadable(path, &cause))?;
        Self::parse(path, &text)
    }

    /// Reads `text` as the content of the file at `path`, whose folder its relative paths start from.
    ///
    /// # Errors
    /// Something in it is wrong: every mistake that could be found.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let report = Report::new(path, text);
        let (document, mistakes) = DeTable::parse_recoverable(text);
        for mistake in &mistakes {
            let place = Place {
                key: String::new(),
                span: mistake.span().unwrap_or_default(),
            };
            let message = match mistake.message() {
                "duplicate key" => format!(
                    "{} is written twice; keep one of them",
                    report.source(&place.span)
                ),
                other => {
                    format!("not valid TOML: {other}; see https://toml.io for how it is written")
                }
            };
            report.add(&place, message);
        }
        if !mistakes.is_empty() {
            // What was recovered from broken syntax is a guess, and would only add mistakes that are none.
            report.finish()?;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let raw = RawConfig::read(Section::root(&report, document.get_ref()), folder);
        validate::check(&raw.hosts, &raw.services, &report);
        report.finish()?;
        Ok(raw
            .complete(path, folder)
            .expect("a part that could not be read was reported"))
    }

    /// Keeps everything in `data`, whatever the file says.
    pub fn keep_in(&mut self, data: &Path) {
        self.cluster.data = data.to_owned();
        let has_control = self.cluster.control;
        let mut services = self.services.iter_mut();
        if let Some(control) = services.find(|it| has_control && builtin::is_control(it)) {
            control.folder = builtin::folder(data);
        }
    }

    /// Has a service run this component, whatever the file says; nothing happens if there is no such service.
    pub fn pin(&mut self, service: &str, component: Pinned) {
        let mut services = self.services.iter_mut();
        if let Some(service) = services.find(|it| it.name.as_str() == service) {
            service.pinned = Some(component);
        }
    }

    /// The services that the file has: without the one that is part of the host.
    pub fn own_services(&self) -> impl Iterator<Item = &ServiceConfig> {
        self.services
            .iter()
            .filter(|service| !self.is_builtin(service))
    }

    /// Whether a service is part of the host.
    #[must_use]
    pub fn is_builtin(&self, service: &ServiceConfig) -> bool {
        self.cluster.control && builtin::is_control(service)
    }

    /// The host called `name`.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name.as_str() == name)
    }

    /// Where the host called `name` stands in `hosts`, which is how peers are told apart without comparing texts.
    ///
    /// # Errors
    /// There is none; the error names the one that was probably meant, and all there are.
    pub fn host_index(&self, name: &str) -> Result<usize, InvalidValue> {
        let found = self
            .hosts
            .iter()
            .position(|host| host.name.as_str() == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
            InvalidValue(validate::unknown("host", name, &known, "this cluster"))
        })
    }

    /// The service called `name`.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceConfig> {
        self.services
            .iter()
            .find(|service| service.name.as_str() == name)
    }

    /// Root of the Cargo workspace that services with `build` come from: the folder above that of the cluster file.
    #[must_use]
    pub fn workspace(&self) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        match (folder.components().next_back(), folder.parent()) {
            (Some(Component::Normal(_)), Some(above)) if above.as_os_str().is_empty() => {
                PathBuf::from(".")
            }
            (Some(Component::Normal(_)), Some(above)) => above.to_owned(),
            // The folder has no name to take away: it is the current one, or is itself given as one above.
            _ => folder.join(".."),
        }
    }

    /// Where cargo builds that workspace: `configured`, which is the value of `CARGO_TARGET_DIR`, or its own choice.
    #[must_use]
    pub fn cargo_target(&self, configured: Option<impl Into<PathBuf>>) -> PathBuf {
        configured.map_or_else(|| self.workspace().join("target"), Into::into)
    }
}

/// A file as far as it could be read, with the places of what must fit together.
struct RawConfig {
    cluster: Option<Cluster>,
    hosts: Vec<RawHost>,
    services: Vec<RawService>,
    chaos: Chaos,
}

impl RawConfig {
    fn read(root: Section<'_>, folder: &Path) -> Self {
        let cluster = root
            .optional_child("cluster")
            .and_then(|section| Cluster::read(section, folder));
        let has_control = cluster.as_ref().is_some_and(|cluster| cluster.control);
        let read_service = |(name, section): (Option<ServiceName>, Section<'_>)| {
            if has_control {
                builtin::refuse_name(name.as_ref(), &section);
            }
            RawService::read(name, section)
        };
        let raw = Self {
            hosts: root
                .children("host")
                .into_iter()
                .map(RawHost::read)
                .collect(),
            services: root
                .named("service", "NAME")
                .into_iter()
                .map(read_service)
                .collect(),
            chaos: Chaos::read(root.child("chaos")),
            cluster,
        };
        root.finish();
        raw
    }

    /// The whole; none if a part of it could not be read, which was reported then.
    fn complete(self, path: &Path, folder: &Path) -> Option<Config> {
        let hosts = self
            .hosts
            .into_iter()
            .map(RawHost::complete)
            .collect::<Option<Vec<_>>>()?;
        let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
        let cluster = self.cluster?;
        let services = self
            .services
            .into_iter()
            .map(|service| service.complete(folder, &names));
        let mut services: Vec<ServiceConfig> = services.collect::<Option<_>>()?;
        if cluster.control {
            let control = builtin::service(&cluster.data, &names);
            let place = services.partition_point(|service| service.name < control.name);
            services.insert(place, control);
        }
        Some(Config {
            services,
            path: path.to_owned(),
            cluster,
            hosts,
            chaos: self.chaos,
        })
    }
}
