//! `POST /v1/services/NAME/stop|start`: on this host alone (`?scope=host`), or on every host that runs the service.

use crate::admin::{Admin, AdminError, client};
use crate::supervisor::SupervisorError;
use serde_json::{Value, json};
use std::time::Duration;

/// What another host gets beyond the drain timeout before it counts as not answering.
const PEER_MARGIN: Duration = Duration::from_secs(2);

/// What to do with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Let it finish its calls and take no more.
    Stop,
    /// Load it and let it take calls.
    Start,
}

impl Change {
    fn verb(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
        }
    }

    /// What the service does afterwards.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Stop => "is stopped",
            Self::Start => "runs",
        }
    }
}

/// Changes the service on this host.
///
/// # Errors
/// As the supervisor says.
pub async fn own(admin: &Admin, service: &str, change: Change) -> Result<Value, AdminError> {
    let changed = match change {
        Change::Stop => admin.supervisor.stop(service).await,
        Change::Start => admin.supervisor.start(service).await,
    };
    changed.map_err(supervisor_error)?;
    let message = format!("service {service} {} on {}", change.done(), admin.host);
    Ok(json!({ "message": message }))
}

/// Changes the service on every host it is placed on.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service. [`AdminError::Refused`]: at least one host did not do it; the message says which did.
pub async fn everywhere(admin: &Admin, service: &str, change: Change) -> Result<Value, AdminError> {
    let Some(config) = admin.config.service(service) else {
        return Err(supervisor_error(SupervisorError::Unknown(
            service.to_owned(),
        )));
    };
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for host in admin
        .config
        .hosts
        .iter()
        .filter(|host| config.is_placed_on(&host.name))
    {
        let changed = if host.name == admin.host {
            own(admin, service, change)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        } else {
            on_peer(admin, host.admin, service, change).await
        };
        match changed {
            Ok(()) => done.push(host.name.to_string()),
            Err(reason) => failed.push(format!("not on {}: {reason}", host.name)),
        }
    }
    let mut message = format!("service {service} {} on {}", change.done(), done.join(", "));
    match (done.is_empty(), failed.is_empty()) {
        (_, true) => return Ok(json!({ "message": message })),
        (true, false) => message = failed.join("; "),
        (false, false) => message = format!("{message}; {}", failed.join("; ")),
    }
    Err(AdminError::Refused(message))
}

/// Changes the service on the host whose admin interface is at `address`.
///
/// # Errors
/// Why that host did not do it, in words.
pub(super) async fn on_peer(
    admin: &Admin,
    address: std::net::SocketAddr,
    service: &str,
    change: Change,
) -> Result<(), String> {
    let path = format!("/v1/services/{service}/{}?scope=host", change.verb());
    let within = admin.config.cluster.drain_timeout + PEER_MARGIN;
    match client::request(&admin.os, address, &path, Some(&json!({})), within).await {
        Ok((status, _)) if status.is_success() => Ok(()),
        Ok((_, value)) => Err(client::reason(&value)),
        Err(error) => Err(error.to_string()),
    }
}

fn supervisor_error(error: SupervisorError) -> AdminError {
    match error {
        SupervisorError::Unknown(_) => AdminError::NotFound(error.to_string()),
        SupervisorError::Elsewhere(_)
        | SupervisorError::Failed { .. }
        | SupervisorError::NotSwapped { .. }
        | SupervisorError::DrainTimeout(_)
        | SupervisorError::Stopping => AdminError::Refused(error.to_string()),
    }
}
