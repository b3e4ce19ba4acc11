//! Runs guests on simulated hosts: commands, timers' handlers and those of answers.

use super::history::{Cause, Origin};
use super::plan::HostMutant;
use super::run::Made;
use super::told::{Look, Sight};
use super::upgrades::writer;
use super::workload::CALLER;
use super::world::{Step, Stop, World, violated};
use crate::call_error::CallError;
use crate::dispatch::Dispatch;
use crate::envelope::Envelope;
use crate::groups::run::{self, Call};
use crate::os::Os;
use crate::replica::event::{CommandId, Event, Job, Outcome};
use crate::replica::keyspace::Meta;
use crate::replica::member::Input;
use crate::replica::work::{Access, Work};
use crate::services::{FunctionType, Slot};
use crate::state::{GroupId, View};
use serde_json::Value;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wasmtime::component::Val;

/// Polls after which a guest waits for something that a simulation does not have.
const POLLS_MAX: u32 = 10_000;

/// A job's run is over; its group hears of it when the time that it took has passed.
pub(super) struct Ran {
    /// Which job it was: those that were abandoned are not told of.
    pub job: u64,
    outcome: Outcome,
    command: Option<CommandId>,
    /// What it made; none if it failed.
    origin: Option<Origin>,
    /// Why it failed, for its caller.
    error: Option<CallError>,
    results: Vec<Val>,
    time_ms: u64,
    /// The form of states of the version that served when it began.
    serving: u64,
}

/// Runs what waits for nothing.
pub(super) fn block<T>(future: impl Future<Output = T>) -> Result<T, Stop> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
    }
    violated("a guest waits for something that a simulation does not have")
}

pub(super) fn envelope(os: &Os, caller: &str, key: Option<&str>) -> Envelope {
    let deadline = os.clock.monotonic() + Duration::from_secs(30);
    let mut envelope = Envelope::enter(os.entropy.as_ref(), &caller.into(), deadline, 8);
    envelope.idempotency_key = key.map(Into::into);
    envelope
}

/// The form of states of the version that serves.
fn serving(slot: &Slot) -> u64 {
    slot.running().map_or(0, |version| version.form)
}

impl World<'_> {
    /// Whether another version took the place of the one that served when a job began.
    fn was_replaced(&self, host: usize, group: GroupId, ran: &Ran) -> bool {
        let host = &self.hosts[host];
        let replica = host.replica(group);
        let slot = replica.and_then(|replica| host.services.find(&replica.name));
        slot.is_some_and(|slot| serving(slot) != ran.serving)
    }

    /// A job is done.
    pub(super) fn ran(&mut self, host: usize, group: GroupId, ran: Ran) -> Step {
        let is_cut = self.has(HostMutant::DrainSkipped) && self.was_replaced(host, group, &ran);
        let Ran {
            job,
            mut outcome,
            command,
            mut origin,
            mut error,
            results,
            time_ms,
            serving: _,
        } = ran;
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        if replica.job != job {
            return Ok(());
        }
        replica.job += 1;
        if is_cut {
            (outcome, origin, error) = (Outcome::Failed, None, Some(CallError::Cancelled));
        }
        // What runs fails for reasons of its own only, whatever becomes of its version meanwhile: guests of simulations trap, and do nothing else to fail.
        if let Some(error) = &error
            && !matches!(error, CallError::Trapped { .. })
        {
            return violated(format!("a job of {} ended: {error}", replica.name));
        }
        // What ran on entries that the log refused in the meantime runs again, and nobody hears of it.
        let runs_again = replica.member.group().is_stale();
        match (command, error) {
            (Some(id), Some(error)) => {
                if let Some(pending) = replica.commands.remove(&id) {
                    self.give(host, pending.from, Err(error), None);
                }
            }
            (None, Some(error)) => self.tell_of(host, || format!("a handler failed: {error}")),
            (Some(id), None) => {
                if let Some(pending) = replica.commands.get_mut(&id) {
                    pending.results = results;
                    let is_look =
                        matches!(&outcome, Outcome::Done { effects, .. } if effects.is_empty());
                    if is_look
                        && !runs_again
                        && pending.key.is_none()
                        && let (Cause::Client(caller, _, request), Some(origin)) =
                            (&pending.cause, &origin)
                    {
                        let look = Look {
                            host,
                            group,
                            seen: pending.seen,
                            sight: Sight {
                                caller: *caller,
                                request: Arc::clone(request),
                                time_ms,
                                result: origin.result.clone(),
                            },
                        };
                        self.looked(look)?;
                    }
                }
            }
            (None, None) => {}
        }
        let made = origin.map(|origin| Made { command, origin });
        self.step_with(host, group, Input::Group(Event::Ran(outcome)), made)
    }

    pub(super) fn run_job(
        &mut self,
        host: usize,
        group: GroupId,
        job: Job,
        view: View,
        meta: Meta,
        time_ms: u64,
    ) -> Result<Ran, Stop> {
        let history = self.histories.get(&group);
        let number = host;
        let host = &mut self.hosts[number];
        let (services, os) = (Arc::clone(&host.services), host.os.clone());
        let dispatch: Arc<dyn Dispatch> = Arc::clone(&host.dispatch) as Arc<dyn Dispatch>;
        let mut ran = Ran {
            job: 0,
            outcome: Outcome::Failed,
            command: None,
            origin: None,
            error: None,
            results: Vec::new(),
            time_ms,
            serving: 0,
        };
        let Some(replica) = host.replica_mut(group) else {
            return Ok(ran);
        };
        ran.job = replica.job;
        let Some(slot) = services.find(&replica.name) else {
            return violated(format!("{} does not run", replica.name));
        };
        ran.serving = serving(slot);
        let Some(version) = writer(slot, meta.form, self.plan.mutant) else {
            // Whoever can go on with the state leads or runs here soon.
            if let Job::Command { id, .. } = job
                && let Some(pending) = replica.commands.remove(&id)
            {
                self.send_elsewhere(number, group, pending.from);
            }
            return Ok(ran);
        };
        let limits = &slot.service.config.limits;
        let work = Work::new(view, meta, time_ms, limits.storage_bytes, Access::Write);
        let mut key = None;
        let mut types = None;
        let (cause, call) = match job {
            Job::Command { id, keeps_answer } => {
                let seen = replica.member.group().last_index();
                let known = (seen <= replica.applied).then(|| history?.1.term(seen));
                let term = known.flatten().unwrap_or(replica.member.standing().term);
                let Some(pending) = replica.commands.get_mut(&id) else {
                    return violated("a command runs that nobody waits for");
                };
                ran.command = Some(id);
                key = pending.key;
                types = Some(Arc::clone(&pending.types));
                pending.seen = (seen, term);
                let caller = pending.from.caller(self.workload);
                let call = Call {
                    function: Arc::clone(&pending.types.name),
                    arguments: pending.arguments.clone(),
                    envelope: envelope(&os, caller, pending.key_text.as_deref()),
                    types: Some(Arc::clone(&pending.types.signature)),
                    keeps_answer,
                };
                (pending.cause.clone(), call)
            }
            Job::Timer { key, payload } => {
                let call = Call::timer(key.clone(), &payload, envelope(&os, CALLER, None));
                (Cause::Timer(key), call)
            }
            Job::Reply { id, tag } if !version.handles(run::OUTBOX_HANDLER) => {
                ran.outcome = run::unchanged(meta);
                ran.origin = Some(Origin {
                    cause: Cause::Reply { id, tag },
                    key: None,
                    result: Value::Null,
                });
                return Ok(ran);
            }
            Job::Reply { id, tag } => {
                let Some(reply) = replica.replies.get(&id) else {
                    return violated(format!(
                        "the answer of message {id:?} is handled, which is not there"
                    ));
                };
                let call = Call::reply(tag.clone(), reply, envelope(&os, CALLER, None));
                (Cause::Reply { id, tag }, call)
            }
        };
        match block(run::run(&version, &call, work, dispatch))? {
            Ok((results, outcome)) => {
                let result = types.map_or(Value::Null, |types| result(&types, &results));
                ran.origin = Some(Origin { cause, key, result });
                ran.results = results;
                ran.outcome = outcome;
            }
            Err(error) => ran.error = Some(error),
        }
        Ok(ran)
    }
}

/// Null for no result, the result otherwise.
pub(super) fn result(types: &FunctionType, values: &[Val]) -> Value {
    let result = types.ty.results().zip(values).next();
    result.map_or(Value::Null, |(ty, value)| crate::json::to_json(value, &ty))
}
