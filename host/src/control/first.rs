//! The first value of the cluster's state: the file that its hosts were started with.

use crate::config::HostName;
use crate::control::registry::{Application, ApplyError, Component, Registry};

/// Makes the file that `host` was started with the first value. Every host may do so: where a value is in force it stays, and its revision is returned.
///
/// # Errors
/// See [`ApplyError`].
pub async fn first_value(
    config: String,
    components: Vec<Component>,
    host: &HostName,
    registry: &Registry,
) -> Result<u64, ApplyError> {
    let application = Application {
        base: 0,
        config,
        components,
        by: format!("host {host}"),
        summary: "the file that the hosts were started with".into(),
    };
    match registry.apply(&application).await {
        Err(ApplyError::Unchanged(revision) | ApplyError::Superseded(revision)) => Ok(revision),
        answered => answered,
    }
}
