//! The code that a cluster file names: digests of components, and whether the hosts have their bytes.

use crate::component::{self, LoadError};
use crate::config::{Config, ServiceConfig};
use crate::control::registry::Component;
use crate::os::Os;
use std::future::{Future, ready};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

/// Folder of components by their digests, below that of a host.
pub const COMPONENTS_FOLDER: &str = "components";

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
    })
}

/// Knows whether hosts have the bytes of components.
pub trait ComponentBytes: Send + Sync {
    /// Whether more than half of the hosts have the bytes of the component with this digest on their disks.
    fn is_on_majority<'a>(
        &'a self,
        digest: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}

/// Looks on this host only: for a file `DIGEST.wasm` among those that were handed to it.
pub struct OwnFolder {
    folder: PathBuf,
    os: Os,
}

impl OwnFolder {
    /// Looks in the folder of the host called `host`.
    #[must_use]
    pub fn new(config: &Config, host: &str, os: Os) -> Self {
        let folder = config.cluster.data.join(host).join(COMPONENTS_FOLDER);
        Self { folder, os }
    }
}

impl ComponentBytes for OwnFolder {
    fn is_on_majority<'a>(
        &'a self,
        digest: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let path = self.folder.join(format!("{digest}.wasm"));
        Box::pin(ready(self.os.disk.modified(&path).is_ok()))
    }
}
