//! `POST /v1/groups/SERVICE/add` and `…/remove`: changes of who belongs to a group, made by the host that leads, wherever they are asked for.

use super::{Transfer, ask, group_here, leader_of, members, replicated, transfer};
use crate::admin::{Admin, AdminError};
use crate::config::HostName;
use crate::os::clock::sleep;
use crate::replica::member::Change;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a change may take: as long as the group tries, and the way there.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(12);
/// How often it is looked whether a leader that is to be removed leads no more, and for how long.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 100;

/// What is done with the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A host gets a replica.
    Add,
    /// It has none any more.
    Remove,
}

/// With whom.
#[derive(Debug, Deserialize, Serialize)]
pub struct Target {
    host: HostName,
}

/// Has the leader of a service change who the members are.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service. [`AdminError::Refused`]: why it was not changed.
pub async fn anywhere(
    admin: &Admin,
    service: &str,
    verb: Verb,
    target: Target,
) -> Result<Value, AdminError> {
    let mut group = members(admin, service).await?;
    let mut leader = leader_of(&group)?;
    let (name, host) = match verb {
        Verb::Add => ("add", &target.host),
        Verb::Remove => ("remove", &target.host),
    };
    let others = group.replicas.iter().filter(|it| it.host != leader);
    let has_others = others
        .into_iter()
        .any(|it| it.member.as_deref() == Some("voter"));
    if verb == Verb::Remove && leader == host.as_str() && has_others {
        // Whoever is to go should not lead: the others would have to elect somebody first.
        transfer(admin, service, Transfer::default()).await?;
        let mut looks = 0;
        while leader == host.as_str() {
            if looks >= LOOKS_MAX {
                return Err(AdminError::Refused(format!("{host} still leads {service}")));
            }
            looks += 1;
            sleep(admin.os.clock.as_ref(), LOOK).await;
            group = members(admin, service).await?;
            leader = group.leader.clone().unwrap_or(leader);
        }
    }
    if leader == admin.host.as_str() {
        return here(admin, service, verb, target).await;
    }
    let path = format!("/v1/groups/{service}/{name}?scope=host");
    ask(admin, &leader, &path, Some(&json!(target)), CHANGE_TIMEOUT).await
}

/// Changes who the members are of a group that this host leads.
///
/// # Errors
/// As [`anywhere`].
pub async fn here(
    admin: &Admin,
    service: &str,
    verb: Verb,
    target: Target,
) -> Result<Value, AdminError> {
    replicated(admin, service)?;
    let host = target.host;
    let group = group_here(admin, service)?;
    let (change, done) = match verb {
        Verb::Add => (
            Change::Add(host.clone()),
            format!(
                "{host} gets a new replica of {service}, which has a vote once it has caught up"
            ),
        ),
        Verb::Remove => (
            Change::KeepOut(host.clone()),
            format!(
                "{host} has no replica of {service} any more, and gets none before `bookshop-host group add {service} {host}`; what it has stays on its disk"
            ),
        ),
    };
    let changed = group.change(change).await;
    changed.map_err(|reason| {
        AdminError::Refused(format!(
            "the members of {service} are not changed: {reason}"
        ))
    })?;
    Ok(json!({ "message": done, "service": service, "host": host.to_string() }))
}
