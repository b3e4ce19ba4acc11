//! The task of one group: feeds it events, carries out its actions in order, and runs its guests, one at a time.

use super::delivery::Courier;
use super::handle::{Command, Request};
use super::journal::{Fatal, Journal, Order, Progress};
use super::run::{self, Call};
use crate::call_error::CallError;
use crate::dispatch::{Dispatch, ServiceId};
use crate::envelope::Envelope;
use crate::os::Os;
use crate::os::clock::{self, timeout_at};
use crate::replica::event::{Action, Answer, CommandId, Delivery, Event, Job, Outcome, Refusal};
use crate::replica::group::{Group, GroupError};
use crate::replica::keyspace::{MessageId, Meta};
use crate::replica::published::Published;
use crate::replica::sessions::{Recorded, SessionKey};
use crate::replica::time::Now;
use crate::replica::work::{Access, Work};
use crate::services::{FunctionType, Services, Slot, not_running};
use crate::state::{GroupId, View};
use crate::supervisor::chain;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use wasmtime::component::Val;

/// Who calls a handler, as the handler sees it.
const HANDLER_CALLER: &str = "host";

/// Everything a group's task works with.
pub struct Parts {
    /// The group, recovered.
    pub group: Group,
    /// Its number in the log and the state store.
    pub id: GroupId,
    /// Its service; none if the configuration has it no more. Its state is kept all the same.
    pub service: Option<ServiceId>,
    /// The services of this host.
    pub services: Arc<Services>,
    /// What it is told.
    pub requests: mpsc::Receiver<Request>,
    /// How far the log is.
    pub progress: watch::Receiver<Progress>,
    /// The log.
    pub journal: Journal,
    /// Where its committed state is shown.
    pub published: Published,
    /// Sends its messages.
    pub courier: Courier,
    /// Carries out calls of its guests.
    pub dispatch: Arc<dyn Dispatch>,
    /// Where to say that the host must stop.
    pub fatal: Fatal,
    /// Calls below one of its own.
    pub hops_max: u8,
    /// The outside.
    pub os: Os,
}

/// A command that waits, runs, or waits for the disk.
struct Waiting {
    command: Command,
    types: Option<Arc<FunctionType>>,
    /// What it answers once everything is on the disk.
    results: Option<Vec<Val>>,
}

type Running = Pin<Box<dyn Future<Output = Ran> + Send>>;

/// How a job ended, and for whom.
struct Ran {
    command: Option<CommandId>,
    /// What it was called with: a command whose state was dropped meanwhile runs again.
    arguments: Vec<Val>,
    ended: Result<(Vec<Val>, Outcome), CallError>,
}

/// The task.
pub struct Owner {
    parts: Parts,
    commands: BTreeMap<CommandId, Waiting>,
    next_command: u64,
    /// Answers of messages, until their handler has taken effect.
    replies: BTreeMap<MessageId, Result<String, CallError>>,
    running: Option<Running>,
    seen: Progress,
}

impl Owner {
    /// The task of a group whose recovered state is published.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            commands: BTreeMap::new(),
            next_command: 0,
            replies: BTreeMap::new(),
            running: None,
            seen: Progress::default(),
        }
    }

    /// Runs until nobody can reach the group any more, or the host must stop.
    pub async fn run(mut self) {
        if let Err(error) = self.work().await {
            self.parts
                .fatal
                .report(&format!("the state of a service: {}", chain(&error)));
        }
    }

    async fn work(&mut self) -> Result<(), GroupError> {
        self.step(Event::Tick)?;
        loop {
            let now = self.now();
            let tick = self.parts.group.next_tick(now);
            let clock = Arc::clone(&self.parts.os.clock);
            let sleep = async {
                match tick {
                    Some(moment) => clock.sleep_until(moment).await,
                    None => std::future::pending().await,
                }
            };
            let running = async {
                match &mut self.running {
                    Some(running) => running.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                changed = self.parts.progress.changed() => match changed {
                    Ok(()) => self.progressed()?,
                    Err(_) => {
                        // If it failed it has said so, and the first reason counts.
                        self.parts.fatal.report("the thread of the log has ended");
                        return Ok(());
                    }
                },
                ran = running => {
                    self.running = None;
                    self.ran(ran)?;
                }
                request = self.parts.requests.recv() => match request {
                    Some(request) => self.take(request)?,
                    None => return Ok(()),
                },
                () = sleep => self.step(Event::Tick)?,
            }
        }
    }

    fn now(&self) -> Now {
        now(self.parts.os.clock.as_ref())
    }

    fn take(&mut self, request: Request) -> Result<(), GroupError> {
        match request {
            Request::Command(command) => self.admit(command),
            Request::Delivered(id, reply) => {
                let delivery = match reply {
                    Some(reply) => {
                        self.replies.insert(id, reply);
                        Delivery::Done
                    }
                    None => Delivery::Failed,
                };
                self.step(Event::Delivered { id, delivery })
            }
            Request::Freeze(reply) => {
                // Whoever asked may have gone; then what was frozen counts as recent again.
                if let Err(Some(_)) = reply.send(self.parts.group.freeze()) {
                    self.parts.group.unfreeze();
                }
                Ok(())
            }
            Request::Folded(base) => {
                self.parts.group.folded(base);
                self.publish();
                Ok(())
            }
            Request::Unfreeze => {
                self.parts.group.unfreeze();
                Ok(())
            }
        }
    }

    fn admit(&mut self, command: Command) -> Result<(), GroupError> {
        let types = self.slot().and_then(Slot::types);
        let types = types.and_then(|types| types.get(&command.function).cloned());
        let key = match (&command.envelope.idempotency_key, &types) {
            (Some(key), Some(types)) => match run::session_key(key, types, &command.arguments) {
                Ok(key) => Some(key),
                Err(message) => {
                    let service = self.name();
                    refuse(command, CallError::Incompatible { service, message });
                    return Ok(());
                }
            },
            (Some(_), None) => {
                let service = self.name();
                let message = format!("it has no function {}", command.function);
                refuse(command, CallError::NotFound { service, message });
                return Ok(());
            }
            (None, _) => None,
        };
        self.admitted(command, types, key)
    }

    fn admitted(
        &mut self,
        command: Command,
        types: Option<Arc<FunctionType>>,
        key: Option<SessionKey>,
    ) -> Result<(), GroupError> {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        let waiting = Waiting {
            command,
            types,
            results: None,
        };
        self.commands.insert(id, waiting);
        self.step(Event::Command { id, key })
    }

    fn progressed(&mut self) -> Result<(), GroupError> {
        let progress = *self.parts.progress.borrow_and_update();
        if progress.durable > self.seen.durable {
            self.step(Event::Committed(progress.durable))?;
        }
        if let Some((index, generation)) = progress.refused
            && progress.refused != self.seen.refused
        {
            self.step(Event::Refused { index, generation })?;
        }
        self.seen = progress;
        Ok(())
    }

    fn ran(&mut self, ran: Ran) -> Result<(), GroupError> {
        let outcome = match ran.ended {
            Ok((results, outcome)) => {
                if let Some(waiting) = ran.command.and_then(|id| self.commands.get_mut(&id)) {
                    waiting.command.arguments = ran.arguments;
                    waiting.results = Some(results);
                }
                outcome
            }
            Err(error) => {
                match ran.command.and_then(|id| self.commands.remove(&id)) {
                    Some(waiting) => refuse(waiting.command, error),
                    None => self.report(&error),
                }
                Outcome::Failed
            }
        };
        self.step(Event::Ran(outcome))
    }

    /// A handler failed; nobody but the operator hears of it.
    fn report(&self, error: &CallError) {
        if let Some(slot) = self.slot() {
            slot.service.log.failure(&format!(
                "a timer or an answer could not be handled, and is tried again: {error}"
            ));
        }
    }

    fn step(&mut self, event: Event) -> Result<(), GroupError> {
        let mut actions = Vec::new();
        self.parts.group.step(self.now(), event, &mut actions)?;
        // Each action in turn; running a job may fail at once, which is one more event.
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            if let Some(event) = self.carry_out(action) {
                let mut more = Vec::new();
                self.parts.group.step(self.now(), event, &mut more)?;
                actions.extend(more);
            }
        }
        Ok(())
    }

    /// Does one thing. Returns what came of it, if that is known at once.
    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Run {
                job,
                view,
                meta,
                time_ms,
            } => self.begin(job, view, meta, time_ms),
            Action::Append {
                index,
                generation,
                entry,
            } => {
                self.parts.journal.order(Order::Append {
                    group: self.parts.id,
                    index,
                    generation,
                    entry,
                });
                None
            }
            Action::Answer { id, answer } => {
                self.answer(id, answer);
                None
            }
            Action::Deliver(outgoing) => {
                self.parts.courier.send(outgoing);
                None
            }
            Action::Publish => {
                self.publish();
                None
            }
        }
    }

    fn begin(&mut self, job: Job, view: View, meta: Meta, time_ms: u64) -> Option<Event> {
        let failed = Some(Event::Ran(Outcome::Failed));
        let services = Arc::clone(&self.parts.services);
        let slot = self.parts.service.and_then(|id| services.get(id));
        let Some((version, slot)) = slot.and_then(|slot| Some((slot.running()?, slot))) else {
            let error = self.slot().map(not_running);
            if let (Job::Command { id, .. }, Some(error)) = (&job, error)
                && let Some(waiting) = self.commands.remove(id)
            {
                refuse(waiting.command, error);
            }
            return failed;
        };
        let limits = &slot.service.config.limits;
        let work = Work::new(view, meta, time_ms, limits.storage_bytes, Access::Write);
        let deadline = self.parts.os.clock.monotonic().saturating_add(limits.time);
        let (command, call) = match job {
            Job::Command { id, keeps_answer } => {
                let Some(waiting) = self.commands.get_mut(&id) else {
                    return failed;
                };
                if waiting.command.reply.is_closed() {
                    self.commands.remove(&id);
                    return failed;
                }
                let call = Call {
                    function: Arc::clone(&waiting.command.function),
                    arguments: std::mem::take(&mut waiting.command.arguments),
                    envelope: waiting.command.envelope.clone(),
                    keeps: waiting.types.clone().filter(|_| keeps_answer),
                };
                (Some(id), call)
            }
            Job::Timer { key, payload } => {
                (None, Call::timer(key, &payload, self.envelope(deadline)))
            }
            Job::Reply { .. } if !version.handles(run::OUTBOX_HANDLER) => {
                return Some(Event::Ran(run::unchanged(meta)));
            }
            Job::Reply { id, tag } => {
                // Taken: if the handler has to run again, the message is sent again, and its answer is the same.
                let Some(reply) = self.replies.remove(&id) else {
                    return failed;
                };
                (None, Call::reply(tag, &reply, self.envelope(deadline)))
            }
        };
        let deadline = call.envelope.deadline;
        let name = slot.service.name.to_string();
        let (clock, dispatch) = (
            Arc::clone(&self.parts.os.clock),
            Arc::clone(&self.parts.dispatch),
        );
        self.running = Some(Box::pin(async move {
            let ended = run::run(&version, &call, work, dispatch);
            let ended = match timeout_at(clock.as_ref(), deadline, ended).await {
                Ok(ended) => ended,
                Err(_elapsed) => Err(CallError::DeadlineExceeded {
                    service: name,
                    message: "did not answer in time; it had no effect".into(),
                }),
            };
            Ran {
                command,
                arguments: call.arguments,
                ended,
            }
        }));
        None
    }

    fn envelope(&self, deadline: Duration) -> Envelope {
        Envelope::enter(
            self.parts.os.entropy.as_ref(),
            &HANDLER_CALLER.into(),
            deadline,
            self.parts.hops_max,
        )
    }

    fn answer(&mut self, id: CommandId, answer: Answer) {
        let Some(waiting) = self.commands.remove(&id) else {
            return;
        };
        let service = self.name();
        let answered = match answer {
            Answer::Own => Ok(waiting.results.unwrap_or_default()),
            Answer::Recorded(recorded) => self.recorded(&waiting, &recorded),
            Answer::Refused(refusal) => Err(refused(service, refusal)),
        };
        // A caller that has gone away is nobody's fault.
        let _ = waiting.command.reply.send(answered);
    }

    /// The answer that was kept, if it can still be read.
    fn recorded(&self, waiting: &Waiting, recorded: &Recorded) -> Result<Vec<Val>, CallError> {
        let service = self.name();
        let results = waiting.types.as_ref().map(|types| &types.types.results);
        let Some(results) = results.filter(|it| it.hash().to_bytes() == recorded.type_hash) else {
            return Err(CallError::KeyExpired {
                service,
                message: "the call was executed by an older version of the service, whose answer has another type".into(),
            });
        };
        let bytes_max = recorded
            .reply
            .len()
            .saturating_mul(64)
            .saturating_add(1 << 20);
        results
            .decode(&recorded.reply, bytes_max)
            .map_err(|error| CallError::KeyExpired {
                service,
                message: format!("the call was executed, and its answer cannot be read: {error}"),
            })
    }

    fn publish(&self) {
        self.parts.published.publish(self.parts.group.snapshot());
    }

    fn slot(&self) -> Option<&Slot> {
        self.parts.services.get(self.parts.service?)
    }

    fn name(&self) -> String {
        self.slot()
            .map(|slot| slot.service.name.to_string())
            .unwrap_or_default()
    }
}

/// The clocks now.
#[must_use]
pub fn now(clock: &dyn clock::Clock) -> Now {
    Now {
        monotonic: clock.monotonic(),
        wall_ms: u64::try_from(clock.wall().as_millis()).unwrap_or(u64::MAX),
    }
}

fn refuse(command: Command, error: CallError) {
    let _ = command.reply.send(Err(error));
}

/// A refusal in the caller's terms.
#[must_use]
pub fn refused(service: String, refusal: Refusal) -> CallError {
    let message = refusal.to_string();
    match refusal {
        Refusal::KeyReused => CallError::KeyReused { service, message },
        Refusal::KeyExpired => CallError::KeyExpired { service, message },
        Refusal::TooLarge { .. } => CallError::Incompatible { service, message },
        Refusal::DiskFull | Refusal::Overloaded => CallError::Unavailable {
            service,
            message,
            maybe_executed: false,
        },
    }
}
