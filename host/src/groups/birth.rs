//! How a replica comes into being.
//!
//! A group must begin once. If hosts with empty disks simply began, one that lost its disk would begin a second group, or would take part under a number whose promises
//! it has forgotten. So the first members get ready first ([`Birth::Prepared`]), when each has heard of every other that it has nothing, and take part only when each has heard
//! that every other is ready. A host that has nothing although others take part has lost its disk, or is new: it asks the leader for a new number.

use super::handle::Request;
use super::hello::{Born, Question, Reply, Told};
use super::journal::Order;
use super::owner::Parts;
use crate::call_error::CallError;
use crate::config::HostName;
use crate::os::clock::{sleep, timeout};
use crate::os::task;
use crate::replica::group;
use crate::replica::identity::{Birth, Identity};
use crate::replica::member::{Boot, MemberError, Record, Timing};
use crate::replica::roster::Roster;
use crate::replica::standing::{Role, Standing};
use crate::state::View;
use crate::supervisor::chain;
use bytes::Bytes;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the others are asked. A start of three hosts takes a few rounds.
const ROUND: Duration = Duration::from_millis(30);
/// After so many rounds the operator is told what is missing, and again after as many.
const ROUNDS_SILENT: u32 = 100;

/// How often one that was removed asks to be taken in again.
const REMOVED_ROUND: Duration = Duration::from_secs(1);
/// How long a start waits for others to say that this replica is no member any more. They answer in some milliseconds; one that cannot be reached must not keep a
/// majority from going on.
const LOST_TIMEOUT: Duration = Duration::from_millis(300);

/// What a replica begins with, or whom it begins with.
pub struct Origin {
    /// Its own record, if it has one.
    pub identity: Option<Identity>,
    /// The hosts that are to have replicas.
    pub hosts: Vec<HostName>,
    /// Other hosts that are to have one, or have one although they are not to.
    pub partners: Vec<HostName>,
    /// What it has of the state.
    pub view: View,
    /// As of which entry.
    pub applied: u64,
    /// What it has of the log.
    pub records: Vec<Record>,
    /// Whether neither the log nor the state store has anything of it.
    pub is_empty: bool,
    /// Why it was not taken in, as far as that was said.
    pub refusal: String,
    /// Whether the configuration has the service, and says where its replicas are to be.
    pub is_configured: bool,
    /// The service's options.
    pub options: group::Options,
    /// How the group keeps time.
    pub timing: Timing,
}

/// Brings a replica into being, however long that takes. None if the host stops meanwhile.
pub async fn boot(parts: &mut Parts) -> Result<Option<Boot>, MemberError> {
    let mut rounds = 0;
    let identity = loop {
        let known = parts.origin.identity.clone();
        if let Some(identity) = &known {
            parts.told.is_born(&parts.name, identity);
        }
        let is_removed = known
            .as_ref()
            .is_some_and(|it| matches!(it.birth, Birth::Removed | Birth::Void));
        match known {
            Some(identity) if identity.birth == Birth::Started => {
                if !has_lost(parts, &identity).await {
                    break identity;
                }
                let identity = Identity {
                    birth: Birth::Removed,
                    ..identity
                };
                if !record(parts, &identity).await {
                    return Ok(None);
                }
                parts.origin.identity = Some(identity);
                continue;
            }
            known => {
                if let Some(identity) = next(parts, known).await {
                    if !parts.origin.is_empty && is_removed && !give_up(parts).await {
                        return Ok(None);
                    }
                    if !record(parts, &identity).await {
                        return Ok(None);
                    }
                    parts.origin.identity = Some(identity);
                    continue;
                }
            }
        }
        if is_removed {
            parts.standing.send_replace(Standing {
                role: Role::Removed,
                has_others: true,
                ..Standing::default()
            });
        }
        rounds += 1;
        if !pause(parts, is_removed).await {
            return Ok(None);
        }
        if rounds % ROUNDS_SILENT == 0 && !is_removed {
            let name = &parts.name;
            let hosts: Vec<&str> = parts.origin.hosts.iter().map(HostName::as_str).collect();
            let line = format!(
                "{name} has no state here yet, and waits for all of its hosts ({}) to answer, or for a leader among them",
                hosts.join(", ")
            );
            parts.log.warn(None, &line);
        }
    };
    let origin = &mut parts.origin;
    Ok(Some(Boot {
        options: origin.options.clone(),
        identity,
        view: origin.view.clone(),
        applied: origin.applied,
        records: std::mem::take(&mut origin.records),
        timing: origin.timing,
        seed: parts.os.entropy.next(),
    }))
}

/// What the replica is next, if the others let it be something.
async fn next(parts: &mut Parts, known: Option<Identity>) -> Option<Identity> {
    if !parts.origin.hosts.contains(&parts.host) {
        // It is not to have a replica, and the file may say otherwise one day.
        return None;
    }
    let others = parts.origin.hosts.iter().filter(|it| **it != parts.host);
    let others: Vec<HostName> = others.cloned().collect();
    let mut answers = Vec::new();
    for other in &others {
        answers.push(ask(parts, other).await);
    }
    let all = |accepts: fn(&Told) -> bool| {
        answers
            .iter()
            .all(|answer| answer.as_ref().is_some_and(accepts))
    };
    let is_taking_part = |told: &Told| matches!(told.birth, Some(Born::Started | Born::Removed));
    match known {
        Some(identity) if identity.birth == Birth::Prepared => all(|told| told.birth.is_some())
            .then_some(Identity {
                birth: Birth::Started,
                ..identity
            }),
        None if !answers.iter().flatten().any(is_taking_part) && all(|_| true) => {
            let roster = Roster::first(&parts.origin.hosts);
            let id = roster.id_of(&parts.host)?;
            let birth = if others.is_empty() {
                Birth::Started
            } else {
                Birth::Prepared
            };
            Some(Identity::first(&parts.name, id, roster, birth))
        }
        None | Some(_) => {
            // Of a group that went on without some of its members both may lead for a moment.
            let leads = |told: &&Told| {
                told.leader
                    .as_ref()
                    .is_some_and(|leader| others.iter().any(|other| other.as_str() == leader))
            };
            let newest = answers
                .iter()
                .flatten()
                .filter(leads)
                .max_by_key(|told| told.next_id)?;
            let is_leader = |other: &&HostName| newest.leader.as_deref() == Some(other.as_str());
            let leader = others.iter().find(is_leader)?.clone();
            let id = join(parts, &leader).await?;
            parts.log.info(
                None,
                &format!(
                    "{} joins its group as replica {id}, and is brought up to date by {leader}",
                    parts.name
                ),
            );
            Some(Identity::added(&parts.name, id))
        }
    }
}

async fn ask(parts: &Parts, host: &HostName) -> Option<Told> {
    match question(parts, host, &Question::Hello).await? {
        Reply::Known(known) => Some(known.get(&*parts.name).cloned().unwrap_or_default()),
        Reply::Joined(_) => None,
    }
}

async fn join(parts: &mut Parts, leader: &HostName) -> Option<u64> {
    let question_ = Question::Join(parts.name.to_string());
    match question(parts, leader, &question_).await? {
        Reply::Joined(Ok(id)) => Some(id),
        Reply::Joined(Err(reason)) => {
            let line = format!(
                "{leader} does not add a replica of {}: {reason}",
                parts.name
            );
            // It is asked again and again.
            if parts.origin.refusal != line {
                parts.log.info(None, &line);
                parts.origin.refusal = line;
            }
            None
        }
        Reply::Known(_) => None,
    }
}

async fn question(parts: &Parts, host: &HostName, question: &Question) -> Option<Reply> {
    let asking = parts.asking.as_ref()?;
    let bytes = Bytes::from(serde_json::to_vec(question).ok()?);
    let answer = asking.hello(host, bytes).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

/// Whether another host can show that this replica, which takes part as far as it knows, is no member any more: its disk was away while the group gave its place to
/// another one, or went on without it. One that finds out later has nothing to say either, since the others ignore it; but several such could take themselves for a majority.
async fn has_lost(parts: &Parts, identity: &Identity) -> bool {
    let others = parts.origin.partners.iter();
    let mut asked: Vec<_> = others.map(|other| Box::pin(ask(parts, other))).collect();
    let mut is_lost = false;
    let found = std::future::poll_fn(|context| {
        asked.retain_mut(|question| match question.as_mut().poll(context) {
            Poll::Ready(told) => {
                is_lost |= told.is_some_and(|told| told.has_lost(identity.id));
                false
            }
            Poll::Pending => true,
        });
        if is_lost || asked.is_empty() {
            Poll::Ready(is_lost)
        } else {
            Poll::Pending
        }
    });
    let found = timeout(parts.os.clock.as_ref(), LOST_TIMEOUT, found).await;
    found == Ok(true)
}

/// Gives up what the replica has, on the disk too. False if the host stops.
async fn give_up(parts: &mut Parts) -> bool {
    let Some(identity) = parts.origin.identity.clone() else {
        return true;
    };
    let identity = Identity {
        birth: Birth::Void,
        ..identity
    };
    // From here on a start finishes what is begun.
    if !record(parts, &identity).await {
        return false;
    }
    let (reply, forgotten) = oneshot::channel();
    let (store, id) = (parts.store.clone(), parts.id);
    let thread = task::thread("forget", move || {
        // Nobody waits any more if the host stops.
        let _ = reply.send(store.forget(id).map(|()| store.base(id)));
    });
    let failed = |reason: String| parts.fatal.report(&format!("the state store: {reason}"));
    if let Err(error) = thread {
        failed(format!("cannot start a thread: {error}"));
        return false;
    }
    let base = match forgotten.await {
        Ok(Ok(Ok(base))) => base,
        Ok(Ok(Err(error))) => {
            failed(chain(&error));
            return false;
        }
        Ok(Err(error)) => {
            failed(chain(&error));
            return false;
        }
        Err(_) => {
            failed("the thread that gives up a state ended".into());
            return false;
        }
    };
    let (done, noted) = oneshot::channel();
    let order = Order::Forget(parts.id, identity.to_bytes(), done);
    parts.journal.order(order);
    if noted.await.is_err() {
        return false;
    }
    // What it was found to be before is said until there is something else.
    parts.compared.send_modify(|compared| compared.hash = None);
    let origin = &mut parts.origin;
    origin.identity = Some(identity);
    origin.view = View::new(base);
    origin.applied = 0;
    origin.records = Vec::new();
    origin.is_empty = true;
    true
}

/// Puts the replica's record on the disk. False if the host stops.
async fn record(parts: &Parts, identity: &Identity) -> bool {
    let (done, recorded) = oneshot::channel();
    parts
        .journal
        .order(Order::Record(parts.id, identity.to_bytes(), done));
    recorded.await.is_ok()
}

/// Waits for the next round, and turns away those who come too early. False if the host stops.
async fn pause(parts: &mut Parts, is_removed: bool) -> bool {
    let clock = std::sync::Arc::clone(&parts.os.clock);
    let round = if is_removed { REMOVED_ROUND } else { ROUND };
    let mut over = std::pin::pin!(sleep(clock.as_ref(), round));
    loop {
        tokio::select! {
            biased;
            () = &mut over => return true,
            // Others have the state; whoever waits here would wait for ever.
            () = parts.readers.came(), if is_removed => drop(parts.readers.take()),
            request = parts.requests.recv() => match request {
                Some(request) => turn_away(parts, request),
                None => return false,
            },
        }
    }
}

fn turn_away(parts: &mut Parts, request: Request) {
    const REASON: &str = "its replicas are not ready yet";
    match request {
        Request::Command(command) => {
            let error = CallError::Unavailable {
                service: parts.name.to_string(),
                message: REASON.into(),
                maybe_executed: false,
            };
            // Whoever asked may have gone; so below.
            let _ = command.reply.send(Err(error));
        }
        Request::Freeze(reply) => {
            let _ = reply.send(None);
        }
        Request::Transfer(_, reply) | Request::Change(_, reply) | Request::HandOver(reply) => {
            let _ = reply.send(Err(REASON.into()));
        }
        Request::Join(_, reply) => {
            let _ = reply.send(Err(REASON.into()));
        }
        Request::Members(reply) => {
            let _ = reply.send(None);
        }
        Request::Positions(reply) => {
            let _ = reply.send(None);
        }
        Request::Delivered(..) | Request::Folded(_) | Request::Unfreeze | Request::Heard(..) => {}
    }
}
