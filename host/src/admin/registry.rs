//! `GET /v1/control` and `POST /v1/control/apply`: the cluster file in force, and another in its place.
//!
//! Any host answers for all: what is in force is asked of the service `control`, wherever it is led.

use crate::admin::{Admin, AdminError};
use crate::config::Config;
use crate::control::components::{ComponentBytes, digests};
use crate::control::difference::{Losses, refusals};
use crate::control::registry::{
    Application, ApplyError, Component, Registry, RegistryError, RevisionEntry, Standing, Turn,
    Value,
};
use crate::os::process;
use crate::supervisor::chain;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All revisions that the registry remembers.
const HISTORY_MAX: u32 = 50;

/// The state of the cluster as `GET /v1/control` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPart {
    /// What is in force; none before the first file.
    pub current: Option<Value>,
    /// How far hosts are.
    pub standings: Vec<Standing>,
    /// Who has the turn.
    pub turn: Option<Turn>,
    /// The newest revisions, the newest first.
    pub history: Vec<RevisionEntry>,
}

/// What `POST /v1/control/apply` takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Apply {
    /// The file, and what it replaces.
    #[serde(flatten)]
    pub application: Application,
    /// Whether what services keep may be lost.
    #[serde(default)]
    pub accept_data_loss: bool,
}

/// What it answers with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    /// The revision of the file.
    pub revision: u64,
}

/// What is in force, what was, and how far the hosts are.
///
/// # Errors
/// [`AdminError::Refused`]: the cluster keeps no state of its own, or there is no majority to say so.
pub async fn show(admin: &Admin) -> Result<ControlPart, AdminError> {
    let registry = registry(admin);
    Ok(ControlPart {
        current: registry.current().await.map_err(refused)?,
        standings: registry.standings().await.map_err(refused)?,
        turn: registry.current_turn().await.map_err(refused)?,
        history: registry.history(HISTORY_MAX).await.map_err(refused)?,
    })
}

/// Puts a file in force.
///
/// # Errors
/// [`AdminError::Invalid`]: the file is wrong. [`AdminError::Refused`]: it cannot be applied as things are, and why.
pub async fn apply(admin: &Admin, apply: &Apply) -> Result<Done, AdminError> {
    let (registry, application) = (registry(admin), &apply.application);
    let config = read(admin, &application.config)?;
    check_components(&config, &application.components)?;
    let current = registry.current().await.map_err(refused)?;
    let known = match &current {
        Some(value) => {
            let before = read(admin, &value.config)?;
            let losses = if apply.accept_data_loss {
                Losses::Accepted
            } else {
                Losses::Refused
            };
            let problems = refusals(&before, &config, &application.config, losses);
            if !problems.is_empty() {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return Err(AdminError::Refused(lines.join("\n")));
            }
            value.components.clone()
        }
        // Before the first value, hosts run what their file names.
        None => own_components(admin)?,
    };
    let is_known = |new: &&Component| known.iter().all(|known| known.digest != new.digest);
    let missing = missing(
        admin.component_bytes.as_ref(),
        application.components.iter().filter(is_known),
    );
    let missing = missing.await;
    if !missing.is_empty() {
        return Err(AdminError::Refused(missing.join("\n")));
    }
    match registry.apply(application).await {
        Ok(revision) => Ok(Done { revision }),
        Err(error @ (ApplyError::Invalid(_) | ApplyError::TooLarge { .. })) => {
            Err(AdminError::Invalid(error.to_string()))
        }
        Err(error) => Err(AdminError::Refused(chain(&error))),
    }
}

/// Which of these components hosts do not have, in words. An entry must never name what could be lost with one host.
async fn missing<'a>(
    bytes: &dyn ComponentBytes,
    components: impl Iterator<Item = &'a Component>,
) -> Vec<String> {
    let mut missing = Vec::new();
    for Component {
        service, digest, ..
    } in components
    {
        if !bytes.is_on_majority(digest).await {
            let short = digest.get(..12).unwrap_or(digest);
            missing.push(format!(
                "the bytes of {service} ({short}) are not on the hosts yet"
            ));
        }
    }
    missing
}

fn registry(admin: &Admin) -> Registry {
    Registry::new(
        admin.config.cluster.hops_max,
        Arc::clone(&admin.services),
        Arc::clone(&admin.dispatch),
        admin.os.clone(),
    )
}

/// Reads a file as if it were the one that this host was started with: relative paths mean the same.
fn read(admin: &Admin, text: &str) -> Result<Config, AdminError> {
    let config = Config::parse(&admin.config.path, text);
    config.map_err(|error| AdminError::Invalid(error.to_string()))
}

/// Each service has one component, and nothing else has.
fn check_components(config: &Config, components: &[Component]) -> Result<(), AdminError> {
    let mut named: Vec<&str> = components.iter().map(|it| it.service.as_str()).collect();
    named.sort_unstable();
    let services: Vec<&str> = config.own_services().map(|it| it.name.as_str()).collect();
    if named == services {
        return Ok(());
    }
    Err(AdminError::Invalid(format!(
        "the file has the services {}, but there are components of {}",
        services.join(", "),
        named.join(", ")
    )))
}

fn own_components(admin: &Admin) -> Result<Vec<Component>, AdminError> {
    let target = admin
        .config
        .cargo_target(process::variable("CARGO_TARGET_DIR"));
    let components = digests(&admin.config, &target, &admin.os);
    components.map_err(|error| AdminError::Refused(chain(&error)))
}

fn refused(error: RegistryError) -> AdminError {
    AdminError::Refused(chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future, ready};
    use std::pin::Pin;

    /// Hosts that have one component.
    struct Only(&'static str);

    impl ComponentBytes for Only {
        fn is_on_majority<'a>(
            &'a self,
            digest: &'a str,
        ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
            Box::pin(ready(digest == self.0))
        }
    }

    #[tokio::test]
    async fn what_hosts_do_not_have_is_named() {
        let component = |service: &str, digest: &str| Component {
            service: service.into(),
            digest: digest.into(),
            bytes: 1,
        };
        let components = [component("a", "0123456789abcdef"), component("b", "ff")];
        let none = missing(&Only("ff"), components[1..].iter()).await;
        assert!(none.is_empty());
        assert_eq!(
            missing(&Only("ff"), components.iter()).await,
            ["the bytes of a (0123456789ab) are not on the hosts yet"]
        );
    }
}
