//! Commands on their way to the host that leads their group.
//!
//! Makes one attempt on one host and says what may come of another; the router decides where to go.

use super::{Failed, Outgoing};
use crate::call_error::CallError;
use crate::envelope::Envelope;
use crate::os::clock::{Elapsed, sleep, timeout_at};
use crate::replica::standing::{Role, Standing};
use crate::services::Slot;
use crate::signature::Signature;
use crate::transport::peers::Peers;
use crate::transport::peers::leads::Lead;
use bytes::Bytes;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wasmtime::component::Val;

/// How long a leader that was replaced may still answer what it was asked before: it may have committed it, and be about to say so.
/// One that vanished never will, and its host is known to be gone only when probes say so.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// A command as it is sent, however often.
pub struct Prepared {
    function: Arc<Signature>,
    body: Bytes,
}

impl Prepared {
    /// Writes the arguments of a function of `slot`.
    ///
    /// # Errors
    /// [`CallError::Incompatible`]: a bug of whoever made them.
    pub fn new(
        slot: &Slot,
        function: Arc<Signature>,
        arguments: &[Val],
    ) -> Result<Self, CallError> {
        let encoded = function.types.arguments.encode(arguments);
        let encoded = encoded.map_err(|error| incompatible(slot, error.to_string()))?;
        Ok(Self {
            function,
            body: encoded.into(),
        })
    }

    /// The arguments again, for an attempt on this host after another.
    ///
    /// # Errors
    /// [`CallError::Incompatible`]: a bug, since they were written here.
    pub fn arguments(&self, slot: &Slot) -> Result<Vec<Val>, CallError> {
        let limit = slot.service.config.limits.arguments_bytes;
        let bytes_max = usize::try_from(limit).unwrap_or(usize::MAX);
        let decoded = self.function.types.arguments.decode(&self.body, bytes_max);
        decoded.map_err(|error| incompatible(slot, error.to_string()))
    }
}

fn incompatible(slot: &Slot, message: String) -> CallError {
    CallError::Incompatible {
        service: slot.service.name.to_string(),
        message,
    }
}

/// What came of one attempt.
pub enum Attempted {
    /// It was executed.
    Done(Vec<Val>),
    /// It failed, and would again.
    Failed(CallError),
    /// It may be made again, with whoever leads then.
    Again {
        /// How it failed.
        error: CallError,
        /// Whether it may have been executed all the same.
        maybe_executed: bool,
    },
}

impl Attempted {
    /// Of an attempt that failed. `is_leader` is whether the host that was asked says that it leads, so that nobody else can do better.
    #[must_use]
    pub fn failed(error: CallError, is_leader: bool, has_key: bool) -> Self {
        let (may_repeat, maybe_executed) = match &error {
            CallError::Redirected { .. } => (true, false),
            CallError::Unavailable {
                maybe_executed: false,
                ..
            } => (!is_leader, false),
            // Only a key keeps it from happening twice.
            CallError::Unavailable {
                maybe_executed: true,
                ..
            } => (has_key, true),
            CallError::NotFound { .. }
            | CallError::NotGranted { .. }
            | CallError::Incompatible { .. }
            | CallError::Overloaded { .. }
            | CallError::DeadlineExceeded { .. }
            | CallError::Cancelled
            | CallError::Trapped { .. }
            | CallError::HopLimit { .. }
            | CallError::KeyReused { .. }
            | CallError::KeyExpired { .. } => (false, false),
        };
        if may_repeat {
            Self::Again {
                error,
                maybe_executed,
            }
        } else {
            Self::Failed(error)
        }
    }
}

/// Watches who leads one group: by the replica on this host, if it has one, and by what others say.
#[derive(Clone)]
pub struct Watching<'a> {
    slot: &'a Slot,
    peers: &'a Peers,
    standing: Option<watch::Receiver<Standing>>,
    lead: watch::Receiver<Lead>,
}

impl Watching<'_> {
    /// What is known now. Only what comes later is a change then.
    pub fn lead(&mut self) -> Lead {
        if let Some(standing) = &mut self.standing {
            let standing = standing.borrow_and_update();
            let leader = standing
                .leader
                .as_ref()
                .map(crate::config::HostName::as_str);
            self.peers
                .learn(self.slot.service.id, standing.term, leader);
        }
        *self.lead.borrow_and_update()
    }

    /// Whether the replica on this host takes commands, as far as anybody knows: not if another was elected since.
    #[must_use]
    pub fn serves_here(&self) -> bool {
        let standing = self.standing.as_ref().map(watch::Receiver::borrow);
        standing.is_some_and(|it| it.serves && it.term >= self.lead.borrow().term)
    }

    /// Resolves when something changes.
    pub async fn changed(&mut self) {
        let standing = async {
            let changed = match &mut self.standing {
                Some(standing) => standing.changed().await.is_ok(),
                None => false,
            };
            if !changed {
                pending().await
            }
        };
        let lead = async {
            if self.lead.changed().await.is_err() {
                pending().await
            }
        };
        tokio::select! {
            () = standing => {}
            () = lead => {}
        }
    }
}

impl Outgoing {
    /// Watches who leads the group of `slot`.
    #[must_use]
    pub fn watch<'a>(&'a self, slot: &'a Slot) -> Watching<'a> {
        Watching {
            slot,
            peers: &self.peers,
            standing: slot.group.as_ref().map(|group| group.standing()),
            lead: self.peers.lead(slot.service.id),
        }
    }

    /// The hosts that may be asked for the leader where it is not known, the best first.
    #[must_use]
    pub fn others(&self, slot: &Slot, envelope: &Envelope) -> Vec<usize> {
        self.peers.candidates(slot.service.id, envelope.trace_id)
    }

    /// The leader's host, if that is another one which may be asked: one that answers, and that has shown lately that it leads, where it has to.
    #[must_use]
    pub fn reachable(&self, watching: &mut Watching<'_>) -> Option<usize> {
        let lead = watching.lead();
        // A replica here that knows the leader's term has heard of it from nobody else.
        let is_shown = watching.standing.as_ref().is_some_and(|standing| {
            let standing = standing.borrow();
            standing.role != Role::Removed && standing.term == lead.term
        });
        let is_open = |index: &usize| {
            *index != self.peers.own()
                && self.peers.may_lead(*index, lead.since)
                && !(is_shown && self.peers.is_silent(*index))
        };
        lead.leader.filter(is_open)
    }

    /// This host's own place in the configuration.
    #[must_use]
    pub fn own(&self) -> usize {
        self.peers.own()
    }

    /// Asks one host to execute a command. A leader that is replaced meanwhile is given up soon.
    pub async fn ask_to_lead(
        &self,
        index: usize,
        slot: &Slot,
        prepared: &Prepared,
        envelope: &Envelope,
        started: Duration,
        watching: &Watching<'_>,
    ) -> Attempted {
        let attempt = self.attempt(
            index,
            slot,
            &prepared.function,
            envelope,
            prepared.body.clone(),
        );
        let attempt = async {
            tokio::select! {
                biased;
                attempted = attempt => attempted,
                () = self.replaced(index, watching.clone()) => Err(Failed {
                    error: self.unavailable(index, slot, "was replaced as the leader and did not answer", true),
                    did_nothing: false,
                    led: None,
                }),
            }
        };
        let attempted = timeout_at(self.os.clock.as_ref(), envelope.deadline, attempt).await;
        match attempted {
            Ok(Ok(values)) => Attempted::Done(values),
            Ok(Err(failed)) => {
                let name = self.peers.get(index).name.as_str();
                let is_leader = failed
                    .led
                    .is_some_and(|led| led.leader.as_deref() == Some(name));
                let has_key = envelope.idempotency_key.is_some();
                Attempted::failed(failed.error, is_leader, has_key)
            }
            Err(Elapsed) => Attempted::Failed(self.late(index, slot, envelope, started)),
        }
    }

    /// Resolves when another leader has been known for a while.
    async fn replaced(&self, index: usize, mut watching: Watching<'_>) {
        let before = watching.lead().term;
        loop {
            watching.changed().await;
            let lead = watching.lead();
            if lead.term > before && lead.leader.is_some_and(|leader| leader != index) {
                return sleep(self.os.clock.as_ref(), LAST_WORDS).await;
            }
        }
    }

    /// No host could be found that leads the group.
    #[must_use]
    pub fn leaderless(
        &self,
        slot: &Slot,
        last: Option<&CallError>,
        maybe_executed: bool,
    ) -> CallError {
        let last = last.map_or_else(|| self.peers.why_not(slot.service.id), ToString::to_string);
        let last = if last.is_empty() {
            last
        } else {
            format!(" ({last})")
        };
        let executed = if maybe_executed {
            "; the call may have been executed"
        } else {
            "; the call was not executed"
        };
        CallError::Unavailable {
            service: slot.service.name.to_string(),
            message: format!("no leader of its replicas was found in time{last}{executed}"),
            maybe_executed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` without and with a key: whether it may be made again, and whether it may have been executed then.
    #[track_caller]
    fn check(error: CallError, is_leader: bool, expected: [Option<bool>; 2]) {
        let attempted = [false, true].map(|has_key| {
            match Attempted::failed(error.clone(), is_leader, has_key) {
                Attempted::Again { maybe_executed, .. } => Some(maybe_executed),
                Attempted::Done(_) | Attempted::Failed(_) => None,
            }
        });
        assert_eq!(attempted, expected, "{error}");
    }

    #[test]
    fn a_command_is_sent_again_only_where_it_cannot_be_executed_twice() {
        let unavailable = |maybe_executed| CallError::Unavailable {
            service: "orders".into(),
            message: "why".into(),
            maybe_executed,
        };
        let redirected = CallError::Redirected { to: "beta".into() };
        check(redirected, false, [Some(false), Some(false)]);
        check(unavailable(false), false, [Some(false), Some(false)]);
        // The leader itself will not, and nobody else may.
        check(unavailable(false), true, [None, None]);
        check(unavailable(true), false, [None, Some(true)]);
        check(unavailable(true), true, [None, Some(true)]);
        let trapped = CallError::Trapped {
            service: "orders".into(),
            message: "why".into(),
        };
        check(trapped, true, [None, None]);
    }
}
