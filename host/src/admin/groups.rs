//! The groups of replicated services, over all hosts: `groups` of the status, `GET /v1/groups/SERVICE`, `POST /v1/groups/SERVICE/transfer`. [`changes`] has
//! what changes their members, [`snapshots`] what becomes of their states.

use crate::admin::{Admin, AdminError, client, status};
use crate::config::{HostName, ServiceConfig};
use crate::groups::handle::{MemberPart, Membership};
use crate::groups::{GroupHandle, GroupStatus};
use crate::services::Slot;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

pub mod changes;
pub mod snapshots;

/// How long another host may take to say who the members are.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a leader may take to hand over: several elections.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(10);

/// The replica of a service on one host, as that host shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplicaPart {
    service: String,
    host: String,
    role: String,
    term: u64,
    leader: Option<String>,
    #[serde(flatten)]
    status: GroupStatus,
}

/// A group as the status shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPart {
    /// The service.
    pub service: String,
    /// Its part of the service's keys: 0, since a service has one so far.
    pub partition: u32,
    /// The host that leads, if any replica knows it.
    pub leader: Option<String>,
    /// The newest term that any replica knows.
    pub term: u64,
    /// One for each host that the service is placed on, and for each member elsewhere.
    pub replicas: Vec<Replica>,
    /// Hosts that were removed by an operator, and stay away until they are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_out: Vec<String>,
}

/// A replica as the status shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// Where it is.
    pub host: String,
    /// Its number in the group; only where the members are asked for, so below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// `voter`, `learner`, or `leaving`; none if it is no member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The last entry that it has, as far as the leader knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<u64>,
    /// Entries of the leader that it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// Whether the leader has heard of it lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// How its state was found to differ from that of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<String>,
    /// `leader`, `follower`, `candidate`, `learner`, `removed`, or `unreachable` if its host does not answer or has not recovered it yet.
    pub role: String,
    /// Entries that it has ever applied.
    pub applied: Option<u64>,
    /// Hash of all that it keeps, as of `state_hash_at`: replicas that agree have the same.
    pub state_hash: Option<String>,
    /// The position that `state_hash` is of.
    pub state_hash_at: Option<u64>,
    /// What the service stores, in bytes.
    pub data_bytes: Option<u64>,
    /// What the answers to idempotency keys take.
    pub session_bytes: Option<u64>,
    /// Timers that are set.
    pub timers: Option<u64>,
    /// Messages on their way.
    pub messages: Option<u64>,
}

impl GroupPart {
    /// The last entry that any replica has.
    #[must_use]
    pub fn newest(&self) -> u64 {
        let applied = self.replicas.iter().filter_map(|replica| replica.applied);
        applied.max().unwrap_or(0)
    }

    /// The replica on a host.
    #[must_use]
    pub fn replica(&self, host: &str) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.host == host)
    }
}

/// The replica of a service on this host.
#[must_use]
pub fn own(slot: &Slot, host: &HostName) -> Option<ReplicaPart> {
    let group = slot.group.as_ref()?;
    let status = group.status()?;
    let standing = group.standing().borrow().clone();
    Some(ReplicaPart {
        service: slot.service.name.to_string(),
        host: host.to_string(),
        role: standing.role.to_string(),
        term: standing.term,
        leader: standing.leader.map(|leader| leader.to_string()),
        status,
    })
}

/// The groups of all services, of what their hosts say.
#[must_use]
pub fn all<'a>(
    services: &[ServiceConfig],
    said: impl Iterator<Item = &'a ReplicaPart> + Clone,
) -> Vec<GroupPart> {
    let replicated = services
        .iter()
        .filter(|service| service.replicated.is_some());
    replicated
        .map(|service| {
            let of_service = said
                .clone()
                .filter(|part| part.service == service.name.as_str());
            group(service, of_service)
        })
        .collect()
}

fn group<'a>(
    service: &ServiceConfig,
    said: impl Iterator<Item = &'a ReplicaPart> + Clone,
) -> GroupPart {
    let term = said.clone().map(|part| part.term).max().unwrap_or(0);
    // Who lags behind may name the leader of an older term.
    let leader = said
        .clone()
        .filter(|part| part.term == term)
        .find_map(|part| part.leader.clone());
    let replica = |host: &HostName| {
        let part = said.clone().find(|part| part.host == host.as_str());
        let hash = part.and_then(|part| part.status.state_hash.clone());
        let of = |number: fn(&GroupStatus) -> u64| part.map(|part| number(&part.status));
        Replica {
            host: host.to_string(),
            id: None,
            member: None,
            matched: None,
            lag: None,
            active: None,
            diverged: part.and_then(|part| part.status.diverged.clone()),
            role: part.map_or_else(|| "unreachable".to_owned(), |part| part.role.clone()),
            applied: of(|status| status.position),
            state_hash_at: hash.as_ref().map(|(index, _)| *index),
            state_hash: hash.map(|(_, hash)| hash),
            data_bytes: of(|status| status.data_bytes),
            session_bytes: of(|status| status.session_bytes),
            timers: of(|status| status.timers),
            messages: of(|status| status.messages),
        }
    };
    GroupPart {
        service: service.name.to_string(),
        partition: 0,
        leader,
        term,
        replicas: service.hosts.iter().map(replica).collect(),
        kept_out: Vec::new(),
    }
}

impl GroupPart {
    /// Takes in who the members are.
    fn join(&mut self, membership: Membership) {
        for part in membership.members {
            let MemberPart {
                id,
                host,
                kind,
                matched,
                lag,
                active,
                is_fetching: _,
            } = part;
            let known = self.replicas.iter_mut().rev();
            // A host that gets a new replica has two until that one has caught up.
            let mut free = known.filter(|replica| replica.host == host && replica.id.is_none());
            if let Some(replica) = free.next() {
                replica.id = Some(id);
                replica.member = Some(kind);
                (replica.matched, replica.lag, replica.active) = (matched, lag, active);
            } else {
                let role = if kind == "learner" {
                    "learner"
                } else {
                    "unreachable"
                };
                self.replicas.push(Replica {
                    host,
                    id: Some(id),
                    member: Some(kind),
                    matched,
                    lag,
                    active,
                    diverged: None,
                    role: role.into(),
                    applied: None,
                    state_hash: None,
                    state_hash_at: None,
                    data_bytes: None,
                    session_bytes: None,
                    timers: None,
                    messages: None,
                });
            }
        }
        self.kept_out = membership.kept_out;
    }
}

/// Where to hand the lead over to.
#[derive(Debug, Default, Deserialize)]
pub struct Transfer {
    /// The host; none for the one that is furthest.
    #[serde(default)]
    to: Option<String>,
}

/// The group of a service, as all of its hosts show it.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service, or it is not replicated.
pub async fn members(admin: &Admin, service: &str) -> Result<GroupPart, AdminError> {
    let config = replicated(admin, service)?;
    let parts = status::parts(admin).await;
    let said = parts.iter().flat_map(status::HostPart::groups);
    let said = said.filter(|part| part.service == config.name.as_str());
    let mut part = group(config, said);
    let membership = match part.leader.clone() {
        Some(leader) if leader != admin.host.as_str() => {
            let path = format!("/v1/groups/{service}/members?scope=host");
            let asked = ask(admin, &leader, &path, None, MEMBERS_TIMEOUT).await;
            asked
                .ok()
                .and_then(|value| serde_json::from_value(value).ok())
        }
        Some(_) | None => match group_here(admin, service) {
            Ok(group) => group.members().await,
            Err(_) => None,
        },
    };
    if let Some(membership) = membership {
        part.join(membership);
    }
    Ok(part)
}

/// Who the members are, as this host's replica knows it.
///
/// # Errors
/// [`AdminError::Refused`]: it has none that takes part.
pub async fn members_own(admin: &Admin, service: &str) -> Result<Value, AdminError> {
    replicated(admin, service)?;
    let members = group_here(admin, service)?.members().await;
    let members = members.ok_or_else(|| AdminError::Refused(no_replica(admin, service)))?;
    Ok(json!(members))
}

/// Asks another host's admin interface.
async fn ask(
    admin: &Admin,
    host: &str,
    path: &str,
    body: Option<&Value>,
    within: Duration,
) -> Result<Value, AdminError> {
    let refused = |reason: String| AdminError::Refused(reason);
    let place = admin.config.host_index(host);
    let place = place.map_err(|error| refused(error.to_string()))?;
    let address = admin.config.hosts[place].admin;
    match client::request(&admin.os, address, path, body, within).await {
        Ok((status, value)) if status.is_success() => Ok(value),
        Ok((_, value)) => Err(refused(client::reason(&value))),
        Err(error) => Err(refused(format!("host {host}: {error}"))),
    }
}

fn group_here<'a>(admin: &'a Admin, service: &str) -> Result<&'a GroupHandle, AdminError> {
    let slot = admin.services.find(service);
    let group = slot.and_then(|slot| slot.group.as_ref());
    group.ok_or_else(|| AdminError::Refused(no_replica(admin, service)))
}

fn no_replica(admin: &Admin, service: &str) -> String {
    format!("{} has no replica of {service}", admin.host)
}

/// The host that leads, if it is known.
fn leader_of(group: &GroupPart) -> Result<String, AdminError> {
    let nobody = || {
        AdminError::Refused(format!(
            "{} has no leader now: a majority of its replicas has to be there",
            group.service
        ))
    };
    group.leader.clone().ok_or_else(nobody)
}

/// Has the leader of a service hand over the lead, wherever it is.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service or host. [`AdminError::Refused`]: why it was not handed over.
pub async fn transfer(
    admin: &Admin,
    service: &str,
    transfer: Transfer,
) -> Result<Value, AdminError> {
    let group = members(admin, service).await?;
    let leader = leader_of(&group)?;
    let to = successor(&group, &leader, transfer.to)?;
    if leader == admin.host.as_str() {
        return hand_over(admin, service, &to).await;
    }
    let path = format!("/v1/groups/{service}/transfer?scope=host");
    let body = json!({ "to": to });
    ask(admin, &leader, &path, Some(&body), TRANSFER_TIMEOUT).await
}

/// Hands over the lead that this host has.
///
/// # Errors
/// As [`transfer`].
pub async fn transfer_own(
    admin: &Admin,
    service: &str,
    transfer: Transfer,
) -> Result<Value, AdminError> {
    replicated(admin, service)?;
    let to = transfer
        .to
        .ok_or_else(|| AdminError::Invalid("say to which host".into()))?;
    hand_over(admin, service, &to).await
}

async fn hand_over(admin: &Admin, service: &str, to: &str) -> Result<Value, AdminError> {
    let group = group_here(admin, service)?;
    let to: HostName = to
        .parse()
        .map_err(|error: crate::config::InvalidValue| AdminError::Invalid(error.to_string()))?;
    let handing = group.transfer(to.clone());
    let handed = crate::os::clock::timeout(admin.os.clock.as_ref(), TRANSFER_TIMEOUT, handing);
    let handed = handed.await.unwrap_or_else(|_elapsed| {
        Err(format!(
            "{to} did not take over within {} s",
            TRANSFER_TIMEOUT.as_secs()
        ))
    });
    handed.map_err(|reason| {
        AdminError::Refused(format!("{service} is not handed over to {to}: {reason}"))
    })?;
    Ok(json!({ "message": format!("{to} leads {service}") }))
}

/// The host that is to lead: the one that is asked for, or the one that has the least to catch up with.
fn successor(group: &GroupPart, leader: &str, asked: Option<String>) -> Result<String, AdminError> {
    if let Some(to) = asked {
        if group.replica(&to).is_none() {
            let hosts: Vec<&str> = group.replicas.iter().map(|it| it.host.as_str()).collect();
            return Err(AdminError::NotFound(format!(
                "{} has no replica on {to}; it has some on {}",
                group.service,
                hosts.join(", ")
            )));
        }
        if to == leader {
            return Err(AdminError::Refused(format!(
                "{to} leads {} already",
                group.service
            )));
        }
        return Ok(to);
    }
    let others = group.replicas.iter().filter(|it| it.host != leader);
    let best = others.filter(|it| it.role == "follower").max_by(|a, b| {
        // Of several the first in the configuration.
        a.applied.cmp(&b.applied).then(std::cmp::Ordering::Greater)
    });
    best.map(|best| best.host.clone()).ok_or_else(|| {
        AdminError::Refused(format!(
            "{} has no other replica that could lead",
            group.service
        ))
    })
}

fn replicated<'a>(admin: &'a Admin, service: &str) -> Result<&'a ServiceConfig, AdminError> {
    let config = admin
        .config
        .service(service)
        .ok_or_else(|| AdminError::NotFound(format!("there is no service {service}")))?;
    if config.replicated.is_none() {
        return Err(AdminError::NotFound(format!(
            "{service} is not replicated, so it has no group"
        )));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(host: &str, role: &str, applied: Option<u64>) -> Replica {
        Replica {
            host: host.into(),
            id: None,
            member: None,
            matched: None,
            lag: None,
            active: None,
            diverged: None,
            role: role.into(),
            applied,
            state_hash: None,
            state_hash_at: None,
            data_bytes: None,
            session_bytes: None,
            timers: None,
            messages: None,
        }
    }

    #[track_caller]
    fn check(asked: Option<&str>, replicas: &[Replica], expected: Result<&str, &str>) {
        let group = GroupPart {
            service: "orders".into(),
            partition: 0,
            leader: Some("alpha".into()),
            term: 3,
            replicas: replicas.to_vec(),
            kept_out: Vec::new(),
        };
        let chosen = successor(&group, "alpha", asked.map(Into::into));
        let chosen = chosen.map_err(|error| error.to_string());
        assert_eq!(chosen.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn the_lead_goes_to_whom_it_is_meant_for_or_who_is_furthest() {
        let leader = replica("alpha", "leader", Some(9));
        let beta = replica("beta", "follower", Some(7));
        let gamma = |applied| replica("gamma", "follower", Some(applied));
        let three = [leader.clone(), beta.clone(), gamma(7)];
        check(Some("gamma"), &three, Ok("gamma"));
        check(Some("alpha"), &three, Err("alpha leads orders already"));
        let nowhere = "orders has no replica on delta; it has some on alpha, beta, gamma";
        check(Some("delta"), &three, Err(nowhere));
        check(None, &three, Ok("beta"));
        check(None, &[leader.clone(), beta, gamma(8)], Ok("gamma"));
        let gone = replica("beta", "unreachable", None);
        check(None, &[leader.clone(), gone, gamma(1)], Ok("gamma"));
        let nobody = "orders has no other replica that could lead";
        check(None, &[leader], Err(nobody));
    }
}
