//! `/v1/chaos`: faults on the links of the whole cluster, whichever host is asked.
//!
//! What is said and answered, and this host's own part of it (`?scope=host`). A link belongs to the host that sends;
//! [`everywhere`] hands each host its own.

use crate::admin::{Admin, AdminError};
use crate::chaos::{ChaosError, Delay, Fault, Percent, Rule, milliseconds};
use crate::config::Config;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub mod everywhere;

#[cfg(test)]
mod tests;

/// The direction from one host to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Name of the host that sends.
    pub from: String,
    /// Name of the host that would receive.
    pub to: String,
}

/// `POST /v1/chaos`: what to inject where. A kind that is left out stays as it is on those links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// Where.
    pub links: Vec<Link>,
    /// The share of messages that vanish; 0 ends that.
    #[serde(default)]
    pub drop_percent: Option<Percent>,
    /// How long messages wait; 0 ends that.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// How much longer or shorter than `delay_ms` they may wait.
    #[serde(default)]
    pub jitter_ms: Option<u64>,
    /// Time after which it ends by itself; none: when it is healed.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// `POST /v1/chaos/heal`: where to end all faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healing {
    /// None: everywhere.
    #[serde(default)]
    pub links: Option<Vec<Link>>,
}

/// `POST /v1/chaos/services/NAME/stop|start`: on which host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Name of the host.
    pub host: String,
}

/// A link with at least one fault, as `GET /v1/chaos` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultyLink {
    /// Name of the host that sends.
    pub from: String,
    /// Name of the host that would receive.
    pub to: String,
    /// The share of messages that vanish.
    pub drop_percent: Option<Percent>,
    /// When that ends by itself.
    pub drop_for_ms: Option<u64>,
    /// How long messages wait.
    pub delay_ms: Option<u64>,
    /// How much longer or shorter they may wait.
    pub jitter_ms: Option<u64>,
    /// When that ends by itself.
    pub delay_for_ms: Option<u64>,
}

/// A host whose part is missing in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Name of the host.
    pub host: String,
    /// Why.
    pub reason: String,
}

/// `GET /v1/chaos`: the faults of the cluster, or of one host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Links with a fault.
    pub links: Vec<FaultyLink>,
    /// Hosts that did not say which they have.
    pub missing: Vec<Missing>,
}

/// What one host did: a sentence for each link.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Done {
    lines: Vec<String>,
}

/// The indices of the hosts that would receive, by that of the host that sends.
type Plan = BTreeMap<usize, BTreeSet<usize>>;

/// Faults on the links from this host.
///
/// # Errors
/// [`AdminError::Refused`]: chaos is not enabled.
pub fn faults(admin: &Admin) -> Result<Faults, AdminError> {
    admin.chaos.check_enabled()?;
    let now = admin.chaos.now();
    let left = |expires: Option<Duration>| Some(milliseconds(expires?.saturating_sub(now)));
    let link = |(to, rule): (usize, Rule)| FaultyLink {
        from: admin.host.to_string(),
        to: admin.config.hosts[to].name.to_string(),
        drop_percent: rule.drop.map(|drop| drop.value),
        drop_for_ms: rule.drop.and_then(|drop| left(drop.expires)),
        delay_ms: rule.delay.map(|delay| milliseconds(delay.value.mean())),
        jitter_ms: rule.delay.map(|delay| milliseconds(delay.value.jitter())),
        delay_for_ms: rule.delay.and_then(|delay| left(delay.expires)),
    };
    Ok(Faults {
        links: admin.chaos.rules().into_iter().map(link).collect(),
        missing: Vec::new(),
    })
}

/// Injects faults into links from this host.
///
/// # Errors
/// [`AdminError::Invalid`]: a link begins elsewhere, or the fault makes no sense. [`AdminError::Refused`]: chaos is not enabled.
pub fn inject(admin: &Admin, injection: &Injection) -> Result<Done, AdminError> {
    admin.chaos.check_enabled()?;
    let fault = injection.fault()?;
    let mut done = Done::default();
    for to in own_links(admin, &injection.links)? {
        let rule = admin.chaos.set(to, fault)?;
        let is = rule.describe(admin.chaos.now());
        done.lines.push(format!("{}: {is}", arrow(admin, to)));
    }
    Ok(done)
}

/// Ends all faults of links from this host.
///
/// # Errors
/// As [`inject`].
pub fn heal(admin: &Admin, healing: &Healing) -> Result<Done, AdminError> {
    admin.chaos.check_enabled()?;
    let links = match &healing.links {
        Some(links) => own_links(admin, links)?,
        None => admin.chaos.rules().into_iter().map(|(to, _)| to).collect(),
    };
    let mut done = Done::default();
    for to in links {
        if admin.chaos.heal(to)? {
            done.lines.push(format!("{}: healed", arrow(admin, to)));
        }
    }
    Ok(done)
}

impl Injection {
    fn fault(&self) -> Result<Fault, ChaosError> {
        if self.jitter_ms.is_some() && self.delay_ms.is_none() {
            return Err(ChaosError::Invalid(
                "a jitter varies a delay; give the delay too".into(),
            ));
        }
        let time = Duration::from_millis;
        let jitter = time(self.jitter_ms.unwrap_or(0));
        let delay = self.delay_ms.map(|mean| Delay::new(time(mean), jitter));
        Fault::new(self.drop_percent, delay.transpose()?, self.for_ms.map(time))
    }
}

impl From<ChaosError> for AdminError {
    fn from(error: ChaosError) -> Self {
        match error {
            ChaosError::Disabled { .. } => Self::Refused(error.to_string()),
            ChaosError::Invalid(message) => Self::Invalid(message),
        }
    }
}

/// The links by their hosts, each once.
fn plan(config: &Config, links: &[Link]) -> Result<Plan, AdminError> {
    let mut plan = Plan::new();
    for Link { from, to } in links {
        let index = |name| {
            config
                .host_index(name)
                .map_err(|error| AdminError::Invalid(error.to_string()))
        };
        let (from_index, to_index) = (index(from)?, index(to)?);
        if from_index == to_index {
            return Err(AdminError::Invalid(format!(
                "{from} has no link to itself; name two hosts"
            )));
        }
        plan.entry(from_index).or_default().insert(to_index);
    }
    Ok(plan)
}

/// The indices of the hosts that would receive, of links that must begin here.
fn own_links(admin: &Admin, links: &[Link]) -> Result<BTreeSet<usize>, AdminError> {
    if let Some(link) = links.iter().find(|link| link.from != admin.host.as_str()) {
        return Err(AdminError::Invalid(format!(
            "the link from {} to {} is kept by {}, and this is {}; ask without ?scope=host",
            link.from, link.to, link.from, admin.host
        )));
    }
    let plan = plan(&admin.config, links)?;
    Ok(plan.into_values().flatten().collect())
}

fn arrow(admin: &Admin, to: usize) -> String {
    format!("{} → {}", admin.host, admin.config.hosts[to].name)
}
