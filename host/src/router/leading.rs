//! Commands and queries of services with several replicas: a command goes to the replica that leads, wherever it entered; a query sees
//! everything that was answered before it began.
//!
//! Nothing waits longer than its deadline for a leader, and a command is made again only if it was not executed or carries an idempotency key.

use super::{Called, Router, not_an_argument, report, types};
use crate::call_error::CallError;
use crate::dispatch::{FunctionName, Invocation, Reach};
use crate::envelope::Envelope;
use crate::groups::GroupHandle;
use crate::os::clock::{Elapsed, sleep, timeout_at};
use crate::payload::Payload;
use crate::replica::published::Snapshot;
use crate::replica::standing::{Role, Standing};
use crate::services::waits::{Place, RETRY_AFTER};
use crate::services::{Slot, not_running};
use crate::signature::Signature;
use crate::transport::outgoing::leading::{Attempted, Prepared};
use crate::version::Version;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

/// Calls of one thread that wait for a leader or its word, at once: twice what one connection carries. More would only make an election
/// longer for those that wait already.
const UNDECIDED_MAX: u32 = 4096;
/// How often those are looked for anew that wait for a leader, where no event tells: a host that comes back is one.
const LOOK: Duration = Duration::from_millis(10);

/// Where to go with a command.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// The replica on this host.
    Here,
    /// Another host.
    Peer(usize),
    /// Nowhere until something changes.
    Nobody,
}

/// Where to go. `serves_here`: the replica on this host takes commands. `leader`: the host that leads, if it can be asked. `others`: hosts that may
/// know, looked for only where this one has no replica. Nobody is asked twice without a pause, so redirects cannot go in circles.
fn choose(
    own: usize,
    serves_here: bool,
    leader: impl FnOnce() -> Option<usize>,
    others: impl FnOnce() -> Vec<usize>,
    asked: &[usize],
) -> Target {
    let is_new = |index: &usize| !asked.contains(index);
    if serves_here && is_new(&own) {
        return Target::Here;
    }
    leader()
        .filter(is_new)
        .or_else(|| others().into_iter().find(is_new))
        .map_or(Target::Nobody, Target::Peer)
}

impl Router {
    /// Has a command executed by the replica that leads.
    pub(super) async fn led(
        self: Arc<Self>,
        slot: &Slot,
        mut invocation: Invocation,
        started: Duration,
    ) -> Result<Payload, CallError> {
        let arguments = std::mem::replace(&mut invocation.arguments, Payload::Values(Vec::new()));
        let Payload::Values(arguments) = arguments else {
            return Err(not_an_argument(slot));
        };
        let types = types(slot, &invocation)?;
        let called = Called {
            function: invocation.function,
            types: Some(Arc::clone(&types)),
            envelope: invocation.envelope,
            arguments,
        };
        let executed = match invocation.reach {
            Reach::Cluster => self.led_anywhere(slot, called, types, started).await,
            Reach::Here => self.led_here(slot, called, started).await,
        };
        executed.map(Payload::Values)
    }

    /// Another host takes this one for the leader. If it is not, that host hears who is.
    async fn led_here(
        &self,
        slot: &Slot,
        called: Called,
        started: Duration,
    ) -> Result<Vec<Val>, CallError> {
        let Some(group) = slot.group.as_ref().filter(|_| slot.running().is_some()) else {
            return Err(not_running(slot));
        };
        let mut standing = group.standing();
        // Elected, and about to take commands: whoever asked could only ask again.
        let settled = async {
            let settled = standing.wait_for(|it| it.role != Role::Leader || it.serves);
            settled.await.is_ok()
        };
        let deadline = called.envelope.deadline;
        let settled = timeout_at(self.os.clock.as_ref(), deadline, settled).await;
        if settled == Ok(true) && group.serves() {
            return self.execute_here(slot, group, called, started).await;
        }
        Err(elsewhere(slot, &group.standing().borrow()))
    }

    async fn led_anywhere(
        &self,
        slot: &Slot,
        called: Called,
        types: Arc<Signature>,
        started: Duration,
    ) -> Result<Vec<Val>, CallError> {
        let Called {
            function,
            envelope,
            arguments,
            ..
        } = called;
        let prepared = Prepared::new(slot, Arc::clone(&types), &arguments)?;
        let mut arguments = Some(arguments);
        let mut watching = self.outgoing.watch(slot);
        let (mut asked, mut last, mut was_maybe_executed) = (Vec::new(), None, false);
        let mut place = None;
        loop {
            let serves_here = watching.serves_here();
            let leader = || self.outgoing.reachable(&mut watching);
            let others = || match &slot.group {
                // The replica here hears of a leader as soon as anybody.
                Some(group) if !group.is_removed() => Vec::new(),
                Some(_) | None => self.outgoing.others(slot, &envelope),
            };
            let own = self.outgoing.own();
            let attempted = match (
                choose(own, serves_here, leader, others, &asked),
                &slot.group,
            ) {
                (Target::Here, Some(group)) => {
                    asked.push(own);
                    if slot.running().is_none() {
                        return Err(not_running(slot));
                    }
                    let called = Called {
                        function: Arc::clone(&function),
                        types: Some(Arc::clone(&types)),
                        envelope: envelope.clone(),
                        arguments: match arguments.take() {
                            Some(arguments) => arguments,
                            None => prepared.arguments(slot)?,
                        },
                    };
                    let has_key = envelope.idempotency_key.is_some();
                    match self.execute_here(slot, group, called, started).await {
                        Ok(values) => Attempted::Done(values),
                        // One that lost its place meanwhile knows no better than the others.
                        Err(error) => Attempted::failed(error, group.serves(), has_key),
                    }
                }
                (Target::Peer(index), _) => {
                    asked.push(index);
                    self.outgoing
                        .ask_to_lead(index, slot, &prepared, &envelope, started, &watching)
                        .await
                }
                (Target::Here | Target::Nobody, _) => {
                    asked.clear();
                    if place.is_none() {
                        place = Some(self.undecided(slot)?);
                    }
                    let clock = self.os.clock.as_ref();
                    let change = async {
                        tokio::select! {
                            () = watching.changed() => {}
                            () = sleep(clock, LOOK) => {}
                        }
                    };
                    match timeout_at(clock, envelope.deadline, change).await {
                        Ok(()) => continue,
                        Err(Elapsed) => {
                            return Err(self.outgoing.leaderless(
                                slot,
                                last.as_ref(),
                                was_maybe_executed,
                            ));
                        }
                    }
                }
            };
            match attempted {
                Attempted::Done(values) => return Ok(values),
                Attempted::Failed(error) => return Err(error),
                Attempted::Again {
                    error,
                    maybe_executed,
                } => {
                    was_maybe_executed |= maybe_executed;
                    last = Some(error);
                }
            }
        }
    }

    async fn execute_here(
        &self,
        slot: &Slot,
        group: &GroupHandle,
        called: Called,
        started: Duration,
    ) -> Result<Vec<Val>, CallError> {
        let executed = async {
            let permit = self.admit(slot, called.envelope.deadline, started).await?;
            self.execute(slot, group, called, permit, started).await
        };
        executed.await.inspect_err(|error| {
            if !matches!(error, CallError::Redirected { .. }) {
                slot.service.figures.refused_or_failed();
                report(&slot.service, error);
            }
        })
    }

    /// The state that a query is to see.
    pub(super) async fn read(
        &self,
        slot: &Slot,
        group: &GroupHandle,
        envelope: &Envelope,
    ) -> Result<Arc<Snapshot>, CallError> {
        let _place = if group.has_others() {
            if envelope.is_stale_ok
                && let Some(snapshot) = group.published().newest()
            {
                return Ok(snapshot);
            }
            Some(self.undecided(slot)?)
        } else {
            None
        };
        let read = timeout_at(self.os.clock.as_ref(), envelope.deadline, group.read()).await;
        read.unwrap_or_else(|Elapsed| Err(unread(slot)))
    }

    /// The state that a query is to see and the version that reads it, where that is not the one which serves: while a version takes the place of another one
    /// whose state it migrates, that is the one before, or the next one a moment later.
    pub(super) async fn read_soon(
        &self,
        slot: &Slot,
        group: &GroupHandle,
        function: &FunctionName,
        envelope: &Envelope,
    ) -> Result<(Arc<Version>, Arc<Snapshot>), CallError> {
        let clock = self.os.clock.as_ref();
        loop {
            let snapshot = self.read(slot, group, envelope).await?;
            if let Some(version) = slot.reader(&snapshot.meta, function) {
                return Ok((version, snapshot));
            }
            if slot.running().is_none() {
                return Err(not_running(slot));
            }
            let paused = timeout_at(clock, envelope.deadline, sleep(clock, LOOK)).await;
            paused.map_err(|Elapsed| unreadable(slot))?;
        }
    }

    fn undecided(&self, slot: &Slot) -> Result<Place<'_>, CallError> {
        Place::take(&self.undecided, UNDECIDED_MAX).ok_or_else(|| CallError::Overloaded {
            service: slot.service.name.to_string(),
            retry_after: RETRY_AFTER,
        })
    }
}

fn unreadable(slot: &Slot) -> CallError {
    CallError::Unavailable {
        service: slot.service.name.to_string(),
        message: "its state is in the form of another version, and was not migrated to that of the one that runs here, nor was that one replaced, in time; the call was not executed".into(),
        maybe_executed: false,
    }
}

fn unread(slot: &Slot) -> CallError {
    CallError::Unavailable {
        service: slot.service.name.to_string(),
        message: "no leader of its replicas said in time that the state here is the newest; the call was not executed".into(),
        maybe_executed: false,
    }
}

/// What a host answers that was taken for the leader.
fn elsewhere(slot: &Slot, standing: &Standing) -> CallError {
    match &standing.leader {
        Some(leader) if standing.role != Role::Leader => CallError::Redirected {
            to: leader.to_string(),
        },
        Some(_) | None => CallError::Unavailable {
            service: slot.service.name.to_string(),
            message: "its replicas have no leader now".into(),
            maybe_executed: false,
        },
    }
}

#[cfg(test)]
mod tests;
