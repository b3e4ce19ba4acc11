//! The simulated host at work: requests arrive, groups step, guests run, messages travel.

use super::history::Cause;
use super::node::Sight;
use super::world::{Happening, Step, Stop, World, violated};
use crate::call_error::CallError;
use crate::dispatch::Dispatch;
use crate::envelope::Envelope;
use crate::groups::owner;
use crate::groups::run::{self, Call};
use crate::os::{Clock, Os};
use crate::replica::event::{Action, CommandId, Event, Job, Outcome};
use crate::replica::keyspace::Meta;
use crate::replica::time::Now;
use crate::replica::work::{Access, Work};
use crate::services::FunctionType;
use crate::state::{GroupId, View};
use serde_json::Value;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wasmtime::component::Val;

/// Of so many actions one is never carried out, because the host ends, where hosts may.
const ACTIONS_PER_CRASH: u64 = 3_000;
/// Times in a row that a group may want to be woken at once.
const HASTY_TICKS_MAX: u32 = 100;
/// Polls after which a guest waits for something that a simulation does not have.
const POLLS_MAX: u32 = 10_000;
/// How long a job takes: 30 µs to so many more.
const JOB_US: u64 = 300;

/// A job's run is over; its group hears of it when the time that it took has passed.
pub(super) struct Ran {
    outcome: Outcome,
    command: Option<CommandId>,
    /// What it made; none if it failed.
    made: Option<Made>,
    /// Why it failed, for its caller.
    error: Option<CallError>,
    results: Vec<Val>,
    time_ms: u64,
}

/// What a job made, until its entry is on its way.
pub(super) struct Made {
    pub command: Option<CommandId>,
    pub cause: Cause,
    pub key: Option<[u8; 16]>,
    pub result: Value,
}

/// The clocks now.
pub(super) fn now(clock: &dyn Clock) -> Now {
    owner::now(clock)
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

pub(super) fn envelope(os: &Os, key: Option<&str>) -> Envelope {
    let deadline = os.clock.monotonic() + Duration::from_secs(30);
    let mut envelope = Envelope::enter(os.entropy.as_ref(), &"simulation".into(), deadline, 8);
    envelope.idempotency_key = key.map(Into::into);
    envelope
}

impl World<'_> {
    /// Feeds a group an event and carries out what it wants done.
    pub(super) fn step(&mut self, group: GroupId, event: Event) -> Step {
        self.step_with(group, event, None)
    }

    fn step_with(&mut self, group: GroupId, event: Event, mut made: Option<Made>) -> Step {
        for action in self.ask(group, event)? {
            self.report.actions += 1;
            if self.plan.crash_at == Some(self.report.actions) {
                return Err(Stop::Ended);
            }
            let crashes =
                self.plan.faults.crashes && !self.is_settling && self.plan.crash_at.is_none();
            if crashes && self.random.below(ACTIONS_PER_CRASH) == 0 {
                return Err(Stop::Ended);
            }
            match action {
                Action::Run {
                    job,
                    view,
                    meta,
                    time_ms,
                } => {
                    let ran = self.run_job(group, job, view, meta, time_ms)?;
                    let took = Duration::from_micros(30 + self.random.below(JOB_US));
                    self.at(
                        self.now + took,
                        self.life,
                        Happening::Ran(group, Box::new(ran)),
                    );
                }
                Action::Append {
                    index,
                    generation,
                    entry,
                } => {
                    let Some(made) = made.take() else {
                        return violated("an entry was made of nothing");
                    };
                    self.append(group, index, generation, &entry, made)?;
                }
                Action::Answer { id, answer } => self.answer(group, id, answer)?,
                Action::Deliver(outgoing) => {
                    self.tell(|| format!("message {:?} leaves", outgoing.id));
                    let is_lost =
                        self.plan.faults.network && !self.is_settling && self.random.chance(20);
                    if is_lost {
                        self.soon_alive(3_000_000, Happening::Delivered(group, outgoing.id, None));
                    } else {
                        self.soon_alive(2_000, Happening::Message(group, outgoing));
                    }
                }
                Action::Publish => self.publish(group),
            }
        }
        self.schedule_tick(group)
    }

    /// A job is done.
    pub(super) fn ran(&mut self, group: GroupId, ran: Ran) -> Step {
        let Ran {
            outcome,
            command,
            made,
            error,
            results,
            time_ms,
        } = ran;
        let Some(member) = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group))
        else {
            return Ok(());
        };
        match (command, error) {
            (Some(id), Some(error)) => {
                if let Some(pending) = member.commands.remove(&id) {
                    self.give(pending.from, Err(error), None);
                }
            }
            (None, Some(error)) => self.tell(|| format!("a handler failed: {error}")),
            (Some(id), None) => {
                if let Some(pending) = member.commands.get_mut(&id) {
                    pending.results = results;
                    let is_look =
                        matches!(&outcome, Outcome::Done { effects, .. } if effects.is_empty());
                    if is_look
                        && pending.key.is_none()
                        && let (Cause::Client(caller, request), Some(made)) =
                            (&pending.cause, &made)
                    {
                        pending.looked = Some(Sight {
                            caller: *caller,
                            request: Arc::clone(request),
                            time_ms,
                            result: made.result.clone(),
                        });
                    }
                }
            }
            (None, None) => {}
        }
        self.settle_looks(group)?;
        self.step_with(group, Event::Ran(outcome), made)
    }

    fn ask(&mut self, group: GroupId, event: Event) -> Result<Vec<Action>, Stop> {
        let now = now(self.clock.as_ref());
        let mut actions = Vec::new();
        if let Some(member) = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group))
        {
            match member.group.step(now, event, &mut actions) {
                Ok(()) => {}
                Err(_) if self.disk.is_down() => return Err(Stop::Ended),
                Err(error) => {
                    let injected = self.disk.injected();
                    if injected.bit_flips + injected.lost_writes + injected.misdirected_writes > 0 {
                        self.report.found_damage = true;
                        return Err(Stop::Ended);
                    }
                    return violated(format!("the group must not go on: {error}"));
                }
            }
        }
        Ok(actions)
    }

    fn schedule_tick(&mut self, group: GroupId) -> Step {
        let now = now(self.clock.as_ref());
        let Some(member) = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group))
        else {
            return Ok(());
        };
        let next = member.group.next_tick(now);
        // A few times in a row are no harm: its time follows a clock that jumped ahead in steps.
        member.hasty_ticks = match next {
            Some(at) if at <= now.monotonic => member.hasty_ticks + 1,
            Some(_) | None => 0,
        };
        if member.hasty_ticks > HASTY_TICKS_MAX {
            return violated(
                "the group wants to be woken again and again, although there is nothing that it can do",
            );
        }
        if let Some(at) = next
            && (member.hasty_ticks > 0
                || member
                    .next_tick
                    .is_none_or(|known| at < known || known <= now.monotonic))
        {
            member.next_tick = Some(at);
            self.at(at, self.life, Happening::Tick(group));
        }
        Ok(())
    }

    pub(super) fn tick(&mut self, group: GroupId) -> Step {
        self.step(group, Event::Tick)
    }

    pub(super) fn publish(&mut self, group: GroupId) {
        let Some(member) = self.node.as_ref().and_then(|node| node.members.get(&group)) else {
            return;
        };
        let published = self
            .services
            .find(&member.name)
            .and_then(|slot| slot.service.published.as_ref());
        if let Some(published) = published {
            published.publish(member.group.snapshot());
        }
    }

    fn run_job(
        &mut self,
        group: GroupId,
        job: Job,
        view: View,
        meta: Meta,
        time_ms: u64,
    ) -> Result<Ran, Stop> {
        let services = Arc::clone(&self.services);
        let mut ran = Ran {
            outcome: Outcome::Failed,
            command: None,
            made: None,
            error: None,
            results: Vec::new(),
            time_ms,
        };
        let Some(member) = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group))
        else {
            return Ok(ran);
        };
        let Some((slot, version)) = services
            .find(&member.name)
            .and_then(|slot| Some((slot, slot.running()?)))
        else {
            return violated(format!("{} does not run", member.name));
        };
        let limits = &slot.service.config.limits;
        let work = Work::new(view, meta, time_ms, limits.storage_bytes, Access::Write);
        let mut key = None;
        let mut types = None;
        let (cause, call) = match job {
            Job::Command { id, keeps_answer } => {
                let Some(pending) = member.commands.get_mut(&id) else {
                    return violated("a command runs that nobody waits for");
                };
                ran.command = Some(id);
                key = pending.key;
                types = Some(Arc::clone(&pending.types));
                pending.seen = member.last;
                pending.looked = None;
                let call = Call {
                    function: Arc::clone(&pending.types.name),
                    arguments: pending.arguments.clone(),
                    envelope: envelope(&self.os, pending.key_text.as_deref()),
                    keeps: Some(Arc::clone(&pending.types)).filter(|_| keeps_answer),
                };
                (pending.cause.clone(), call)
            }
            Job::Timer { key, payload } => {
                let call = Call::timer(key.clone(), &payload, envelope(&self.os, None));
                (Cause::Timer(key), call)
            }
            Job::Reply { id, tag } if !version.handles(run::OUTBOX_HANDLER) => {
                ran.outcome = run::unchanged(meta);
                ran.made = Some(Made {
                    command: None,
                    cause: Cause::Reply { id, tag },
                    key: None,
                    result: Value::Null,
                });
                return Ok(ran);
            }
            Job::Reply { id, tag } => {
                let Some(reply) = member.replies.get(&id) else {
                    return violated(format!(
                        "the answer of message {id:?} is handled, which is not there"
                    ));
                };
                let call = Call::reply(tag.clone(), reply, envelope(&self.os, None));
                (Cause::Reply { id, tag }, call)
            }
        };
        let dispatch: Arc<dyn Dispatch> = Arc::clone(&self.dispatch) as Arc<dyn Dispatch>;
        match block(run::run(&version, &call, work, dispatch))? {
            Ok((results, outcome)) => {
                let result = types.map_or(Value::Null, |types| result(&types, &results));
                ran.made = Some(Made {
                    command: ran.command,
                    cause,
                    key,
                    result,
                });
                ran.results = results;
                ran.outcome = outcome;
            }
            Err(error) => ran.error = Some(error),
        }
        Ok(ran)
    }
}

/// Null for no result, the result otherwise.
pub(super) fn result(types: &FunctionType, values: &[wasmtime::component::Val]) -> Value {
    let result = types.ty.results().zip(values).next();
    result.map_or(Value::Null, |(ty, value)| crate::json::to_json(value, &ty))
}
