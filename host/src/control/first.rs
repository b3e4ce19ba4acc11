//! The first value of the cluster's state: the file that its hosts were started with.

use crate::config::{Config, HostName};
use crate::control::components::{ComponentsError, digests};
use crate::control::registry::{Application, ApplyError, Registry};
use crate::os::Os;
use std::io;
use std::path::Path;

/// Why there is no first value.
#[derive(Debug, thiserror::Error)]
pub enum FirstValueError {
    /// The file cannot be read again.
    #[error("cannot read the cluster file {file}")]
    File {
        /// The file.
        file: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A component is missing.
    #[error(transparent)]
    Components(#[from] ComponentsError),
    /// The registry has another value, or does not answer.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Makes the file that `host` was started with the first value. Every host may do so: where a value is in force it stays, and its revision is returned.
///
/// # Errors
/// See [`FirstValueError`].
pub async fn first_value(
    config: &Config,
    host: &HostName,
    target: &Path,
    registry: &Registry,
    os: &Os,
) -> Result<u64, FirstValueError> {
    let file = |source| FirstValueError::File {
        file: config.path.display().to_string(),
        source,
    };
    let text = os.disk.read(&config.path).map_err(file)?;
    let text = String::from_utf8(text)
        .map_err(|error| file(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    let application = Application {
        base: 0,
        config: text,
        components: digests(config, target, os)?,
        by: format!("host {host}"),
        summary: "the file that the hosts were started with".into(),
    };
    match registry.apply(&application).await {
        Ok(revision) | Err(ApplyError::Unchanged(revision) | ApplyError::Superseded(revision)) => {
            Ok(revision)
        }
        Err(error) => Err(error.into()),
    }
}
