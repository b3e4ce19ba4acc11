//! Faults on the links of the whole cluster: each host gets its own part, and what they say is put together.
//!
//! Hosts are asked at their admin addresses, all at once. No fault touches those.

use super::{Done, Faults, Healing, Injection, Link, Missing, Place, Plan, plan};
use crate::admin::client::{self, ClientError};
use crate::admin::control::{self, Change};
use crate::admin::{Admin, AdminError};
use crate::os::task;
use crate::supervisor::SupervisorError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// How long another host may take. It only looks at its memory, so one that takes longer is paused, or its machine is.
const PEER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a host did not do its part.
#[derive(Debug, thiserror::Error)]
enum AskError {
    /// Nobody listens at its admin address, so it has no faults either.
    #[error("it does not run")]
    Absent,
    /// It refused, or did not answer.
    #[error("{0}")]
    Failed(String),
}

/// A request to one host: the index of the host, and the body, which makes it a POST.
type Question = (usize, Option<Value>);

/// Faults on all links, as far as their hosts answer.
///
/// # Errors
/// [`AdminError::Refused`]: chaos is not enabled.
pub async fn faults(admin: &Admin) -> Result<Faults, AdminError> {
    let mut all = super::faults(admin)?;
    let questions = others(admin).map(|host| (host, None)).collect();
    for (host, answer) in ask(admin, "/v1/chaos?scope=host", questions).await {
        match answer {
            Ok(Faults { links, .. }) => all.links.extend(links),
            Err(failure) => all.missing.push(Missing {
                host: name(admin, host).to_owned(),
                reason: failure.to_string(),
            }),
        }
    }
    // The order of the configuration, whichever host was asked.
    let place = |name: &str| admin.config.host_index(name).ok();
    all.links
        .sort_by_key(|link| (place(&link.from), place(&link.to)));
    Ok(all)
}

/// Injects faults into links of the cluster.
///
/// # Errors
/// [`AdminError::Invalid`]: a link or the fault makes no sense; nothing was injected then.
/// [`AdminError::Refused`]: chaos is not enabled, or a host did not do its part; the message says which did.
pub async fn inject(admin: &Admin, injection: &Injection) -> Result<Value, AdminError> {
    admin.chaos.check_enabled()?;
    injection.fault()?;
    let plan = plan(&admin.config, &injection.links)?;
    if plan.is_empty() {
        let example = json!({ "from": "alpha", "to": "beta" });
        return Err(AdminError::Invalid(format!(
            "no link is named; name one, for example {example}"
        )));
    }
    let part = |links| Injection {
        links,
        ..injection.clone()
    };
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    let (own, others) = divided(admin, plan);
    if !own.is_empty() {
        lines.extend(super::inject(admin, &part(own))?.lines);
    }
    let questions = others
        .into_iter()
        .map(|(host, links)| (host, Some(json!(part(links)))))
        .collect();
    for (host, answer) in ask(admin, "/v1/chaos?scope=host", questions).await {
        match answer {
            Ok(Done { lines: more }) => lines.extend(more),
            Err(failure) => failed.push(format!("not on {}: {failure}", name(admin, host))),
        }
    }
    outcome(lines, failed)
}

/// Ends all faults of links of the cluster. A host that does not run has none, which is no failure.
///
/// # Errors
/// As [`inject`].
pub async fn heal(admin: &Admin, healing: &Healing) -> Result<Value, AdminError> {
    admin.chaos.check_enabled()?;
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    let questions = match &healing.links {
        None => {
            lines.extend(super::heal(admin, healing)?.lines);
            others(admin)
                .map(|host| (host, Some(json!(healing))))
                .collect()
        }
        Some(links) => {
            let (own, others) = divided(admin, plan(&admin.config, links)?);
            let part = |links| Healing { links: Some(links) };
            lines.extend(super::heal(admin, &part(own))?.lines);
            others
                .into_iter()
                .map(|(host, links)| (host, Some(json!(part(links)))))
                .collect()
        }
    };
    for (host, answer) in ask(admin, "/v1/chaos/heal?scope=host", questions).await {
        match answer {
            Ok(Done { lines: more }) => lines.extend(more),
            Err(AskError::Absent) => {}
            Err(failure @ AskError::Failed(_)) => {
                failed.push(format!("not on {}: {failure}", name(admin, host)));
            }
        }
    }
    if lines.is_empty() && failed.is_empty() {
        lines.push("there was no fault to heal".to_owned());
    }
    outcome(lines, failed)
}

/// Stops or starts a service on one host, and leaves it alone on the others.
///
/// # Errors
/// [`AdminError::Refused`]: chaos is not enabled, or the host did not do it.
/// [`AdminError::Invalid`] and [`AdminError::NotFound`]: there is no such host or service.
pub async fn service(
    admin: &Admin,
    service: &str,
    change: Change,
    place: &Place,
) -> Result<Value, AdminError> {
    admin.chaos.check_enabled()?;
    let index = admin
        .config
        .host_index(&place.host)
        .map_err(|error| AdminError::Invalid(error.to_string()))?;
    if admin.config.service(service).is_none() {
        let unknown = SupervisorError::Unknown(service.to_owned());
        return Err(AdminError::NotFound(unknown.to_string()));
    }
    let host = &admin.config.hosts[index];
    if host.name == admin.host {
        return control::own(admin, service, change).await;
    }
    control::on_peer(admin, host.admin, service, change)
        .await
        .map_err(|reason| AdminError::Refused(format!("not on {}: {reason}", host.name)))?;
    let message = format!("service {service} {} on {}", change.done(), host.name);
    Ok(json!({ "message": message }))
}

fn outcome(mut lines: Vec<String>, failed: Vec<String>) -> Result<Value, AdminError> {
    if failed.is_empty() {
        return Ok(json!({ "message": lines.join("\n") }));
    }
    lines.extend(failed);
    Err(AdminError::Refused(lines.join("; ")))
}

/// Asks the hosts all at once, and returns their answers in the same order.
async fn ask<T: DeserializeOwned>(
    admin: &Admin,
    path: &'static str,
    questions: Vec<Question>,
) -> Vec<(usize, Result<T, AskError>)> {
    let asked = questions.into_iter().map(|(host, body)| {
        let (os, address) = (admin.os.clone(), admin.config.hosts[host].admin);
        let answer = task::spawn(async move {
            client::request(&os, address, path, body.as_ref(), PEER_TIMEOUT).await
        });
        (host, answer)
    });
    // Collected first, which starts all of them.
    let asked: Vec<_> = asked.collect();
    let mut answers = Vec::new();
    for (host, answer) in asked {
        let answer = match answer.await {
            Ok(Ok((status, value))) if status.is_success() => {
                serde_json::from_value(value).map_err(|error| AskError::Failed(error.to_string()))
            }
            Ok(Ok((status, value))) => Err(AskError::Failed(
                value["error"]["message"]
                    .as_str()
                    .map_or_else(|| format!("it answers {status}"), ToOwned::to_owned),
            )),
            Ok(Err(ClientError::Connect { .. })) => Err(AskError::Absent),
            Ok(Err(error @ (ClientError::Timeout { .. } | ClientError::Protocol { .. }))) => {
                Err(AskError::Failed(error.to_string()))
            }
            Err(error) => Err(AskError::Failed(error.to_string())),
        };
        answers.push((host, answer));
    }
    answers
}

/// Names the links of a plan: those from this host, and those from each other host.
fn divided(admin: &Admin, plan: Plan) -> (Vec<Link>, Vec<(usize, Vec<Link>)>) {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (from, to) in plan {
        let link = |to| Link {
            from: name(admin, from).to_owned(),
            to: name(admin, to).to_owned(),
        };
        let links: Vec<Link> = to.into_iter().map(link).collect();
        if admin.config.hosts[from].name == admin.host {
            own = links;
        } else {
            others.push((from, links));
        }
    }
    (own, others)
}

fn others(admin: &Admin) -> impl Iterator<Item = usize> {
    let hosts = admin.config.hosts.iter().enumerate();
    hosts
        .filter(|(_, host)| host.name != admin.host)
        .map(|(index, _)| index)
}

fn name(admin: &Admin, host: usize) -> &str {
    admin.config.hosts[host].name.as_str()
}
