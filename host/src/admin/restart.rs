//! `POST /v1/hosts/NAME/restart`: a host begins anew in the same process, asked directly or through any other.

use crate::admin::{Admin, AdminError, client};
use serde_json::{Value, json};
use std::time::Duration;

/// How long another host may take to answer that it will.
const PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks `name` to drain and to restart in place. The answer comes before it does.
///
/// # Errors
/// [`AdminError::NotFound`]: no such host. [`AdminError::Refused`]: it does not answer, or cannot.
pub async fn host(admin: &Admin, name: &str) -> Result<Value, AdminError> {
    let Some(host) = admin.config.host(name) else {
        let known: Vec<&str> = admin
            .config
            .hosts
            .iter()
            .map(|host| host.name.as_str())
            .collect();
        let known = known.join(", ");
        return Err(AdminError::NotFound(format!(
            "no host {name}; there are {known}"
        )));
    };
    if host.name == admin.host {
        admin
            .restart
            .ask()
            .map_err(|error| AdminError::Refused(error.to_string()))?;
        let message = format!("host {name} is draining and begins anew in the same process");
        return Ok(json!({ "message": message }));
    }
    let path = format!("/v1/hosts/{name}/restart");
    match client::request(&admin.os, host.admin, &path, Some(&json!({})), PEER_TIMEOUT).await {
        Ok((status, answer)) if status.is_success() => Ok(answer),
        Ok((_, answer)) => Err(AdminError::Refused(client::reason(&answer))),
        Err(error) => Err(AdminError::Refused(error.to_string())),
    }
}
