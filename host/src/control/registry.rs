//! The registry of the service `control` in Rust: typed calls, made as by any other caller, and so answered by whichever host leads.
//!
//! `wit/control/registry.wit` says what each call means and how large what may be.

use crate::call_error::CallError;
use crate::config::HostName;
use crate::config::builtin::{CONTROL, INTERFACE};
use crate::dispatch::{Dispatch, FunctionName, Invocation, Reach};
use crate::envelope::Envelope;
use crate::json::to_json;
use crate::os::Os;
use crate::payload::Payload;
use crate::services::{FunctionType, Services, address};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

mod answer;

use answer::{Answer, Refusal, TurnRefusal};
pub use answer::{ApplyError, TurnError};

/// Who calls. Nobody else can be called so, since no name has a colon: the registry lets only hosts change anything.
const CALLER: &str = "control:host";

/// What the names of hosts begin with that apply something themselves: a canary's next share, or what was before something bad. No user is called so.
pub const BY_HOST: &str = "host:";

/// How long a call may take: several elections.
const WITHIN: Duration = Duration::from_secs(5);

/// The code of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The service.
    pub service: String,
    /// SHA-256 of its component, in hexadecimal digits.
    pub digest: String,
    /// Size of the component.
    pub bytes: u64,
    /// Another component that gets a share of its calls.
    #[serde(default)]
    pub canary: Option<Canary>,
}

/// A component on trial beside the one that a service has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// Size of the component.
    pub bytes: u64,
    /// Its share of the calls, 1 to 99 percent.
    pub percent: u32,
    /// The shares after that, ascending, at most 100.
    pub then: Vec<u32>,
    /// How long each share holds, in milliseconds.
    #[serde(rename = "every-ms")]
    pub every_ms: u64,
}

impl Component {
    /// The component in force, and the one on trial as if it were.
    pub fn named(&self) -> impl Iterator<Item = Self> {
        let canary = self.canary.as_ref().map(|canary| Self {
            service: self.service.clone(),
            digest: canary.digest.clone(),
            bytes: canary.bytes,
            canary: None,
        });
        let stable = Self {
            canary: None,
            ..self.clone()
        };
        std::iter::once(stable).chain(canary)
    }

    /// What follows when the canary has held its share for long enough: the next share, or the place of the one in force. None if it stays as it is.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let canary = self.canary.as_ref()?;
        let (percent, then) = canary.then.split_first()?;
        Some(match percent {
            100 => Self {
                service: self.service.clone(),
                digest: canary.digest.clone(),
                bytes: canary.bytes,
                canary: None,
            },
            percent => Self {
                canary: Some(Canary {
                    percent: *percent,
                    then: then.to_vec(),
                    ..canary.clone()
                }),
                ..self.clone()
            },
        })
    }
}

/// A cluster file with all that it names. What is written here has the names that the admin interface uses; the registry's are read too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// Its revision, from 1.
    pub revision: u64,
    /// The text of the file.
    pub config: String,
    /// The components of its services, in the order of their names.
    pub components: Vec<Component>,
    /// Who applied it.
    #[serde(alias = "applied-by")]
    pub applied_by: String,
    /// When, in milliseconds since 1970.
    #[serde(alias = "applied-at-ms")]
    pub applied_at_ms: u64,
}

impl Value {
    /// All components that it names, those on trial too.
    pub fn named(&self) -> impl Iterator<Item = Component> {
        self.components.iter().flat_map(Component::named)
    }
}

/// A revision without its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionEntry {
    /// Its number.
    pub revision: u64,
    /// Who applied it.
    #[serde(alias = "applied-by")]
    pub applied_by: String,
    /// When, in milliseconds since 1970.
    #[serde(alias = "applied-at-ms")]
    pub applied_at_ms: u64,
    /// What it changed, in the words of whoever applied it.
    pub summary: String,
    /// Whether its file is kept.
    #[serde(alias = "has-config")]
    pub has_config: bool,
}

/// What came of a revision on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It runs it.
    Running,
    /// It could, as far as that can be tried without running it, and waits for the others and its turn.
    Ready,
    /// It could not: why.
    Failed(String),
}

/// How far a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The host.
    pub host: String,
    /// The revision that it last reported on.
    pub revision: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// When it said so, in milliseconds since 1970.
    #[serde(alias = "at-ms")]
    pub at_ms: u64,
}

/// Which host may change to a revision now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The host.
    pub host: String,
    /// The revision that it takes up.
    pub revision: u64,
    /// Since when, in milliseconds since 1970.
    #[serde(alias = "since-ms")]
    pub since_ms: u64,
    /// Until when nobody else gets it.
    #[serde(alias = "until-ms")]
    pub until_ms: u64,
}

/// A file that is to be in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The revision that it replaces; 0 for none.
    pub base: u64,
    /// The text of the file.
    pub config: String,
    /// The components of its services.
    pub components: Vec<Component>,
    /// Who applies it.
    pub by: String,
    /// What it changes, in words.
    pub summary: String,
}

/// Why the registry did not answer.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The cluster keeps no state of its own.
    #[error(
        "the cluster keeps no state of its own; write control = true below [cluster] in its file, and start its hosts again"
    )]
    Off,
    /// The call failed: most likely there is no majority of its replicas.
    #[error("the service control does not answer")]
    Call(#[from] CallError),
    /// It is of another version than this host.
    #[error(
        "the service control answers with something else than this version of the host expects ({0})"
    )]
    Foreign(String),
}

/// Calls the registry on behalf of one host.
#[derive(Clone)]
pub struct Registry {
    services: Arc<Services>,
    dispatch: Arc<dyn Dispatch>,
    caller: Arc<str>,
    hops_max: u8,
    os: Os,
}

impl Registry {
    /// Calls by `dispatch`, which is of the calling thread.
    #[must_use]
    pub fn new(hops_max: u8, services: Arc<Services>, dispatch: Arc<dyn Dispatch>, os: Os) -> Self {
        Self {
            services,
            dispatch,
            caller: CALLER.into(),
            hops_max,
            os,
        }
    }

    /// What is in force; none before the first value.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn current(&self) -> Result<Option<Value>, RegistryError> {
        self.call("current", json!([])).await
    }

    /// The newest revisions, the newest first.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn history(&self, limit: u32) -> Result<Vec<RevisionEntry>, RegistryError> {
        self.call("history", json!([limit])).await
    }

    /// A revision with its file; none if it is not kept.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn at(&self, revision: u64) -> Result<Option<Value>, RegistryError> {
        self.call("at", json!([revision])).await
    }

    /// What hosts reported, in the order of their names.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn standings(&self) -> Result<Vec<Standing>, RegistryError> {
        self.call("standings", json!([])).await
    }

    /// Who has the turn.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn current_turn(&self) -> Result<Option<Turn>, RegistryError> {
        self.call("current-turn", json!([])).await
    }

    /// Puts a file in force, and returns its revision.
    ///
    /// # Errors
    /// See [`ApplyError`]. After [`ApplyError::Registry`] it may be in force all the same; to apply it again then is safe.
    pub async fn apply(&self, application: &Application) -> Result<u64, ApplyError> {
        let Application {
            base,
            config,
            components,
            by,
            summary,
        } = application;
        let arguments = json!([base, config, components, by, summary]);
        let answer: Answer<u64, Refusal> = self.call("apply", arguments).await?;
        answer.into_result()
    }

    /// Asks for the turn of `host` to take `revision` up.
    ///
    /// # Errors
    /// See [`TurnError`].
    pub async fn take_turn(&self, host: &HostName, revision: u64) -> Result<(), TurnError> {
        let arguments = json!([host.as_str(), revision]);
        let answer: Answer<(), TurnRefusal> = self.call("take-turn", arguments).await?;
        answer.into_result()
    }

    /// Says what came of `revision` on `host`. Returns whether that was noted.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn report(
        &self,
        host: &HostName,
        revision: u64,
        outcome: &Outcome,
    ) -> Result<bool, RegistryError> {
        let arguments = json!([host.as_str(), revision, outcome]);
        self.call("report", arguments).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        function: &str,
        arguments: Json,
    ) -> Result<T, RegistryError> {
        let slot = self.services.find(CONTROL).ok_or(RegistryError::Off)?;
        let types = slot
            .types()
            .ok_or_else(|| crate::services::not_running(slot))?;
        let name = FunctionName {
            interface: INTERFACE.into(),
            function: function.into(),
        };
        // The cluster does not keep its state, and the file has a service of this name.
        let types = types.get(&name).cloned().ok_or(RegistryError::Off)?;
        let values = address::arguments(&types, &arguments.to_string());
        let values = values.map_err(RegistryError::Foreign)?;
        let deadline = self.os.clock.monotonic().saturating_add(WITHIN);
        let entropy = self.os.entropy.as_ref();
        let mut envelope = Envelope::enter(entropy, &self.caller, deadline, self.hops_max);
        // With a key the call is tried on other hosts also if one of them may have executed it.
        let mut key = [0; 16];
        entropy.fill(&mut key);
        envelope.idempotency_key = Some(hex::encode(key).into());
        let answer = Arc::clone(&self.dispatch).dispatch(Invocation {
            service: slot.service.id,
            function: Arc::clone(&types.name),
            types: Some(Arc::clone(&types.signature)),
            arguments: Payload::Values(values),
            envelope,
            reach: Reach::Cluster,
        });
        read(&types, answer.await?)
    }
}

fn read<T: DeserializeOwned>(types: &FunctionType, answer: Payload) -> Result<T, RegistryError> {
    let foreign = |what: &str| RegistryError::Foreign(format!("{}: {what}", types.name));
    let Payload::Values(values) = answer else {
        return Err(foreign("no values"));
    };
    let (Some(value), Some(ty)) = (values.first(), types.ty.results().next()) else {
        return Err(foreign("no result"));
    };
    serde_json::from_value(to_json(value, &ty)).map_err(|error| foreign(&error.to_string()))
}
