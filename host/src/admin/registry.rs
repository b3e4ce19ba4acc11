//! `/v1/control`: the cluster file in force, those before it, and another in its place, for which the components come first.
//!
//! Any host answers for all: what is in force is asked of the service `control`, wherever it is led.

use crate::admin::{Admin, AdminError};
use crate::component::{Digest, short_digest};
use crate::config::Config;
use crate::control::difference::{Losses, refusals};
use crate::control::registry::{
    Application, ApplyError, Component, Registry, RegistryError, RevisionEntry, Standing, Turn,
    Value,
};
use crate::depot::{COMPONENT_BYTES_MAX, DepotError};
use crate::host::spread::Spread;
use crate::supervisor::{SupervisorError, chain};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use std::error::Error;
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

/// What `POST /v1/control/components/missing` takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    /// Digests of components.
    pub digests: Vec<Digest>,
}

/// What it answers with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Missing {
    /// Those that the host does not have.
    pub missing: Vec<Digest>,
}

/// What `POST /v1/control/fits` takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    /// The service.
    pub service: String,
    /// The component that could take the place of what it runs; this host has it.
    pub digest: Digest,
}

/// What it answers with, if it could.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fits {}

/// What `POST /v1/control/components` answers with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The digest of what came.
    pub digest: Digest,
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
    if let Some(value) = &current {
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
    }
    put_on_majority(spread(admin)?, &application.components).await?;
    match registry.apply(application).await {
        Ok(revision) => Ok(Done { revision }),
        Err(error @ (ApplyError::Invalid(_) | ApplyError::TooLarge { .. })) => {
            Err(AdminError::Invalid(error.to_string()))
        }
        Err(error) => Err(AdminError::Refused(chain(&error))),
    }
}

/// A revision with its file.
///
/// # Errors
/// [`AdminError::NotFound`]: it is not kept. [`AdminError::Refused`]: as for [`show`].
pub async fn at(admin: &Admin, revision: &str) -> Result<Value, AdminError> {
    let revision: u64 = revision
        .parse()
        .map_err(|_| AdminError::Invalid(format!("{revision:?} is no revision: write a number")))?;
    let found = registry(admin).at(revision).await.map_err(refused)?;
    found.ok_or_else(|| {
        AdminError::NotFound(format!(
            "revision {revision} is not kept; `bookshop-host control` lists those that are"
        ))
    })
}

/// Those of these components that this host does not have.
///
/// # Errors
/// [`AdminError::Refused`]: the cluster keeps no state of its own, or the disk does not do it.
pub async fn missing(admin: &Admin, digests: Vec<Digest>) -> Result<Missing, AdminError> {
    let missing = spread(admin)?.depot().missing(digests).await;
    missing
        .map(|missing| Missing { missing })
        .map_err(|error| AdminError::Refused(chain(&error)))
}

/// Whether a component could take the place of what a service runs, as this host sees it. Nothing changes.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service. [`AdminError::Refused`]: it could not, and why.
pub async fn fits(admin: &Admin, candidate: Candidate) -> Result<Fits, AdminError> {
    let component = spread(admin)?.pinned(candidate.digest);
    let fits = admin.supervisor.fits(&candidate.service, component).await;
    fits.map(|()| Fits {}).map_err(|error| match error {
        SupervisorError::Unknown(_) => AdminError::NotFound(error.to_string()),
        error => AdminError::Refused(chain(&error)),
    })
}

/// Keeps a component that somebody hands over.
///
/// # Errors
/// [`AdminError::Invalid`]: it is too large, or does not come to its end. [`AdminError::Refused`]: as for [`missing`].
pub async fn keep<B>(admin: &Admin, body: B) -> Result<Kept, AdminError>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let depot = spread(admin)?.depot();
    let unusable = |error: DepotError| AdminError::Refused(chain(&error));
    let _room = depot.room().await.map_err(unusable)?;
    let read = Limited::new(body, COMPONENT_BYTES_MAX).collect().await;
    let bytes = read
        .map_err(|error| AdminError::Invalid(format!("cannot read the component: {error}")))?
        .to_bytes();
    let digest = depot.put(bytes).await.map_err(unusable)?;
    Ok(Kept { digest })
}

/// An entry must never name what could be lost with one host.
async fn put_on_majority(spread: &Spread, components: &[Component]) -> Result<(), AdminError> {
    let mut problems = Vec::new();
    for component in components.iter().flat_map(Component::named) {
        let Component {
            service, digest, ..
        } = &component;
        // Of an earlier revision others may have it; if nobody has, the next says so.
        let _ = spread.obtain(&component, None).await;
        if let Err(error) = spread.to_majority(digest).await {
            let short = short_digest(digest);
            problems.push(format!("component {short} of {service}: {}", chain(&error)));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(AdminError::Refused(problems.join("\n")))
}

fn spread(admin: &Admin) -> Result<&Spread, AdminError> {
    let spread = admin.spread.as_ref();
    spread.ok_or_else(|| refused(RegistryError::Off))
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

fn refused(error: RegistryError) -> AdminError {
    AdminError::Refused(chain(&error))
}
