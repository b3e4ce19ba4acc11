//! What a new cluster file changes, in words, and what of it cannot be done.
//!
//! Pure: two files as they were read, with the digests of the components that they name, become a list of changes. [`keys`] says what a section
//! comes to, [`refusal`] what is refused.

use crate::config::{Config, HostName, ServiceConfig};
use crate::control::registry::Component;
use serde::{Deserialize, Serialize};
use std::fmt;

mod keys;
mod refusal;

pub use refusal::{Losses, refusals};

/// A file with the components that it names.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The file.
    pub config: &'a Config,
    /// The components of its services.
    pub components: &'a [Component],
}

/// One thing that becomes another. Displays as a line: `~ service fraud-detection: limits.memory 32MiB → 64MiB`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What changes: `cluster`, `chaos`, `host alpha`, `service database`.
    pub section: String,
    /// Which key of it; none if the whole is new or gone.
    pub key: Option<String>,
    /// The value before; none if there was none.
    pub before: Option<String>,
    /// The value after; none if there is none.
    pub after: Option<String>,
    /// What follows from it, beyond that hosts take it up.
    pub effect: Option<String>,
}

/// What a change does to a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The whole is new.
    Added,
    /// The whole is gone.
    Removed,
    /// A key is another.
    Changed,
}

impl Change {
    /// What it does to its section.
    #[must_use]
    pub fn sign(&self) -> Sign {
        match (&self.key, &self.after) {
            (Some(_), _) => Sign::Changed,
            (None, Some(_)) => Sign::Added,
            (None, None) => Sign::Removed,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            section,
            key,
            before,
            after,
            effect,
        } = self;
        let shown = |value: &Option<String>| match (value, key.as_deref()) {
            (None, _) => "unset".to_owned(),
            // Twelve digits are what people compare.
            (Some(digest), Some(keys::COMPONENT)) => digest.chars().take(12).collect(),
            (Some(value), _) => value.clone(),
        };
        match (self.sign(), key) {
            (Sign::Changed, Some(key)) => {
                write!(f, "~ {section}: {key} {} → {}", shown(before), shown(after))?;
            }
            (Sign::Removed, _) => write!(f, "- {section}")?,
            (Sign::Added | Sign::Changed, _) => write!(f, "+ {section} ({})", shown(after))?,
        }
        match effect {
            Some(effect) => write!(f, "; {effect}"),
            None => Ok(()),
        }
    }
}

/// Everything that differs: the cluster first, then its hosts, then its services.
#[must_use]
pub fn difference(before: Side<'_>, after: Side<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(
        "cluster",
        &keys::cluster(before.config),
        &keys::cluster(after.config),
        |_| None,
        &mut changes,
    );
    compare(
        "chaos",
        &keys::chaos(before.config),
        &keys::chaos(after.config),
        |_| None,
        &mut changes,
    );
    hosts(before.config, after.config, &mut changes);
    services(before, after, &mut changes);
    changes
}

/// A short text for the history: the lines of the changes, as far as they fit into so many bytes.
#[must_use]
pub fn summary(changes: &[Change], bytes_max: usize) -> String {
    let mut summary = String::new();
    for (index, change) in changes.iter().enumerate() {
        let line = change.to_string();
        if index > 0 {
            summary.push('\n');
        }
        let rest = format!("… and {} more", changes.len() - index);
        // Room for the line, the next newline, and what is said of the others.
        if summary.len() + line.len() + 1 + rest.len() > bytes_max {
            summary.push_str(&rest);
            return summary;
        }
        summary.push_str(&line);
    }
    summary
}

/// Adds a change for each key whose value differs.
fn compare(
    section: &str,
    before: &[(String, String)],
    after: &[(String, String)],
    effect: impl Fn(&str) -> Option<String>,
    changes: &mut Vec<Change>,
) {
    let of = |keys: &[(String, String)], key: &str| {
        let found = keys.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    let is_new = |(key, _): &&(String, String)| of(before, key).is_none();
    for (key, _) in before.iter().chain(after.iter().filter(is_new)) {
        let (was, is) = (of(before, key), of(after, key));
        if was != is {
            changes.push(Change {
                section: section.to_owned(),
                key: Some(key.clone()),
                before: was,
                after: is,
                effect: effect(key),
            });
        }
    }
}

fn hosts(before: &Config, after: &Config, changes: &mut Vec<Change>) {
    for host in &before.hosts {
        let section = format!("host {}", host.name);
        match after.host(host.name.as_str()) {
            Some(other) => compare(
                &section,
                &keys::host(host),
                &keys::host(other),
                |_| None,
                changes,
            ),
            None => changes.push(Change {
                section,
                key: None,
                before: Some(host.peer.to_string()),
                after: None,
                effect: Some("it leaves; stop it once the others run this revision".into()),
            }),
        }
    }
    let is_new = |name: &HostName| before.host(name.as_str()).is_none();
    for host in after.hosts.iter().filter(|host| is_new(&host.name)) {
        changes.push(Change {
            section: format!("host {}", host.name),
            key: None,
            before: None,
            after: Some(host.peer.to_string()),
            effect: Some("it joins; start it with this file".into()),
        });
    }
}

fn services(before: Side<'_>, after: Side<'_>, changes: &mut Vec<Change>) {
    for service in &before.config.services {
        let section = format!("service {}", service.name);
        let Some(other) = after.config.service(service.name.as_str()) else {
            changes.push(Change {
                section,
                key: None,
                before: Some(placed(service)),
                after: None,
                effect: service.replicated.as_ref().map(|_| keeps_nothing(service)),
            });
            continue;
        };
        let effect = |key: &str| match key {
            keys::HOSTS => moves(service, other),
            keys::REPLICAS if other.replicated.is_none() => Some(keeps_nothing(service)),
            keys::REPLICAS if service.replicated.is_none() => Some("it begins empty".into()),
            _ => None,
        };
        let (was, is) = (keys::service(before, service), keys::service(after, other));
        compare(&section, &was, &is, effect, changes);
    }
    let is_new = |service: &&ServiceConfig| before.config.service(service.name.as_str()).is_none();
    for service in after.config.services.iter().filter(is_new) {
        changes.push(Change {
            section: format!("service {}", service.name),
            key: None,
            before: None,
            after: Some(placed(service)),
            effect: service
                .replicated
                .as_ref()
                .map(|_| "it begins empty".to_owned()),
        });
    }
}

fn placed(service: &ServiceConfig) -> String {
    format!("on {}", keys::names(&service.hosts))
}

fn keeps_nothing(service: &ServiceConfig) -> String {
    format!("what it keeps is lost on {}", keys::names(&service.hosts))
}

/// What follows when a service gets other hosts.
fn moves(before: &ServiceConfig, after: &ServiceConfig) -> Option<String> {
    let without = |these: &ServiceConfig, those: &ServiceConfig| -> Vec<HostName> {
        let others = these
            .hosts
            .iter()
            .filter(|host| !those.hosts.contains(host));
        others.cloned().collect()
    };
    let (new, gone) = (without(after, before), without(before, after));
    let is_replicated = before.replicated.is_some() && after.replicated.is_some();
    let (starts, ends) = if is_replicated {
        ("fetches its state and joins", "leaves its group")
    } else {
        ("starts it", "stops it")
    };
    let said = [(new, starts), (gone, ends)]
        .into_iter()
        .filter(|(hosts, _)| !hosts.is_empty())
        .map(|(hosts, verb)| {
            let each: Vec<String> = hosts.iter().map(|host| format!("{host} {verb}")).collect();
            each.join(", ")
        });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests;
