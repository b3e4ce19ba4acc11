//! `POST /v1/groups/SERVICE/snapshot`: every replica folds what it has into its state store now. `…/backup` and `…/chunk`: a state of it is read.

use super::{ask, group_here, leader_of, members, replicated};
use crate::admin::{Admin, AdminError};
use crate::groups::handle::Positions;
use crate::os::clock::timeout;
use crate::replica::published::Snapshot;
use crate::state::View;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a replica may take for a checkpoint: as much as was applied since the last one has to be written, and that of all groups of its host.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take until there is a state that is not older than the question, and until a part of it is read.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// A part of a state on its way into a backup, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// What a replica answers to a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Taken {
    /// Its host.
    pub host: String,
    /// Where its entries are now.
    pub positions: Option<Positions>,
    /// Why it made none.
    pub error: Option<String>,
}

/// What all replicas of a service answer to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshots {
    /// The service.
    pub service: String,
    /// By host.
    pub replicas: Vec<Taken>,
}

/// Has every replica of a service make a checkpoint.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service. What a replica could not do is part of the answer.
pub async fn everywhere(admin: &Admin, service: &str) -> Result<Snapshots, AdminError> {
    let group = members(admin, service).await?;
    let mut replicas: Vec<Taken> = Vec::new();
    for replica in group.replicas {
        if replicas.iter().any(|taken| taken.host == replica.host) {
            continue;
        }
        let taken = if replica.host == admin.host.as_str() {
            here(admin, service).await
        } else {
            let path = format!("/v1/groups/{service}/snapshot?scope=host");
            let asked = ask(
                admin,
                &replica.host,
                &path,
                Some(&json!({})),
                SNAPSHOT_TIMEOUT,
            )
            .await;
            asked.and_then(|value| {
                serde_json::from_value(value).map_err(|error| {
                    AdminError::Refused(format!("it answered something else: {error}"))
                })
            })
        };
        let (positions, error) = match taken {
            Ok(positions) => (Some(positions), None),
            Err(error) => (None, Some(error.to_string())),
        };
        replicas.push(Taken {
            host: replica.host,
            positions,
            error,
        });
    }
    Ok(Snapshots {
        service: service.to_owned(),
        replicas,
    })
}

/// Has the replica on this host make a checkpoint.
///
/// # Errors
/// [`AdminError::Refused`]: why it could not.
pub async fn here(admin: &Admin, service: &str) -> Result<Positions, AdminError> {
    replicated(admin, service)?;
    let made = group_here(admin, service)?.checkpoint().await;
    made.map_err(AdminError::Refused)
}

/// A state that is kept for a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The host that keeps it.
    pub host: String,
    /// The entry that it is of.
    pub index: u64,
    /// The term in which that was known to be committed.
    pub term: u64,
    /// The hosts of the members.
    pub members: Vec<String>,
    /// What the service stores, in bytes.
    pub data_bytes: u64,
}

/// Which part of a state.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChunkAsked {
    /// The host that keeps it.
    pub host: String,
    /// The entry that it is of.
    pub index: u64,
    /// The key that it comes after, in hexadecimal; none for the first.
    pub after: Option<String>,
}

/// A part of a state.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChunkPart {
    /// Keys and values, in hexadecimal.
    pub pairs: Vec<(String, String)>,
    /// Whether nothing follows.
    pub is_last: bool,
}

/// The name under which a state is kept for a backup. Those for other replicas come and go as these need them, and have names of services.
fn pin_name(service: &str) -> String {
    format!("{service} backup")
}

/// Has the leader of a service keep the state as it is now.
///
/// # Errors
/// [`AdminError::NotFound`]: no such service. [`AdminError::Refused`]: why it cannot.
pub async fn keep(admin: &Admin, service: &str) -> Result<Value, AdminError> {
    let group = members(admin, service).await?;
    let leader = leader_of(&group)?;
    if leader == admin.host.as_str() {
        return keep_here(admin, service).await;
    }
    let path = format!("/v1/groups/{service}/backup?scope=host");
    ask(admin, &leader, &path, Some(&json!({})), BACKUP_TIMEOUT).await
}

/// Keeps the state that this host's replica has, which is not older than the question.
///
/// # Errors
/// As [`keep`].
pub async fn keep_here(admin: &Admin, service: &str) -> Result<Value, AdminError> {
    replicated(admin, service)?;
    let group = group_here(admin, service)?;
    let read = timeout(admin.os.clock.as_ref(), BACKUP_TIMEOUT, group.read()).await;
    let late = |_elapsed| {
        AdminError::Refused(format!(
            "no leader of {service} said in time that the state here is the newest"
        ))
    };
    let snapshot = read.map_err(late)?;
    let snapshot: Arc<Snapshot> =
        snapshot.map_err(|error| AdminError::Refused(error.to_string()))?;
    let now = admin.os.clock.monotonic();
    let view: View = snapshot.view.clone();
    admin
        .pins
        .pin(&pin_name(service), snapshot.index, view, now);
    let members = group
        .members()
        .await
        .map(|it| it.members)
        .unwrap_or_default();
    let kept = Kept {
        host: admin.host.to_string(),
        index: snapshot.index,
        term: group.standing().borrow().term,
        members: members.into_iter().map(|it| it.host).collect(),
        data_bytes: snapshot.meta.data_bytes,
    };
    Ok(json!(kept))
}

/// A part of a state that a host keeps.
///
/// # Errors
/// [`AdminError::Refused`]: it is not kept, or not any more.
pub async fn chunk(admin: &Admin, service: &str, asked: ChunkAsked) -> Result<Value, AdminError> {
    replicated(admin, service)?;
    if asked.host != admin.host.as_str() {
        let path = format!("/v1/groups/{service}/chunk");
        return ask(
            admin,
            &asked.host.clone(),
            &path,
            Some(&json!(asked)),
            BACKUP_TIMEOUT,
        )
        .await;
    }
    let after = asked.after.as_deref().map(hex::decode).transpose();
    let after = after.map_err(|error| AdminError::Invalid(format!("the key: {error}")))?;
    let view = admin.pins.view(&pin_name(service), asked.index);
    let view = view.map_err(|error| AdminError::Refused(error.to_string()))?;
    let part = view.chunk(after.map(Bytes::from).as_ref(), CHUNK_BYTES);
    let part = part.map_err(|error| AdminError::Refused(error.to_string()))?;
    let pairs = part.pairs.iter();
    Ok(json!(ChunkPart {
        pairs: pairs
            .map(|(key, value)| (hex::encode(key), hex::encode(value)))
            .collect(),
        is_last: part.is_last,
    }))
}
