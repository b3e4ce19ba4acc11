//! The code that a cluster file names: digests of components, and whether the hosts have their bytes.

use crate::component::{self, LoadError};
use crate::config::{Config, ServiceConfig};
use crate::control::registry::Component;
use crate::os::Os;
use std::io;
use std::path::{Path, PathBuf};

/// A component that a file names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComponentsError {
    /// There is no such file.
    #[error("service {service}: there is no {}; {remedy}", .path.display())]
    Missing {
        /// The service.
        service: String,
        /// Where its component should be.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// The file is no component, or cannot be read.
    #[error("service {service}")]
    Unusable {
        /// The service.
        service: String,
        /// The reason.
        #[source]
        source: LoadError,
    },
}

/// The components of the services that a file has, in the order of its services; `target` is the folder that cargo builds into.
///
/// # Errors
/// The first that is missing or no component.
pub fn digests(config: &Config, target: &Path, os: &Os) -> Result<Vec<Component>, ComponentsError> {
    let services = config.own_services();
    services
        .map(|service| digest(config, service, target, os))
        .collect()
}

fn digest(
    config: &Config,
    service: &ServiceConfig,
    target: &Path,
    os: &Os,
) -> Result<Component, ComponentsError> {
    let name = service.name.to_string();
    let path = service.wasm_path(target);
    let bytes = match os.disk.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let remedy = match &service.build {
                Some(_) => format!(
                    "build it first: bookshop-host build {} {name}",
                    config.path.display()
                ),
                None => format!("put the component there, or correct service.{name}.wasm"),
            };
            return Err(ComponentsError::Missing {
                service: name,
                path,
                remedy,
            });
        }
        Err(source) => {
            return Err(ComponentsError::Unusable {
                service: name,
                source: LoadError::Read { path, source },
            });
        }
    };
    let checked = component::check_header(&path, &bytes);
    checked.map_err(|source| ComponentsError::Unusable {
        service: name.clone(),
        source,
    })?;
    Ok(Component {
        service: name,
        digest: component::digest(&bytes),
        bytes: bytes.len() as u64,
        canary: None,
    })
}
