//! Commands and handlers of a group on their way through its task: what is run, and what its caller is told.

use super::{Owner, Ran, Waiting, refuse};
use crate::call_error::CallError;
use crate::envelope::Envelope;
use crate::groups::handle::Command;
use crate::groups::run::{self, Call};
use crate::os::clock::timeout_at;
use crate::replica::event::{Answer, CommandId, Event, Job, Outcome, Refusal};
use crate::replica::keyspace::Meta;
use crate::replica::member::{Input, MemberError};
use crate::replica::sessions::{Recorded, SessionKey};
use crate::replica::work::{Access, Work};
use crate::services::{Slot, not_running};
use crate::signature::Signature;
use crate::state::View;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

/// Who calls a handler, as the handler sees it.
const HANDLER_CALLER: &str = "host";

impl Owner {
    pub(super) fn admit(&mut self, command: Command) -> Result<(), MemberError> {
        let types = command.types.clone().or_else(|| {
            let types = self.slot().and_then(Slot::types)?;
            Some(Arc::clone(&types.get(&command.function)?.signature))
        });
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
        types: Option<Arc<Signature>>,
        key: Option<SessionKey>,
    ) -> Result<(), MemberError> {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        let waiting = Waiting {
            command,
            types,
            results: None,
            room: 0,
        };
        self.commands.insert(id, waiting);
        self.tell(Input::Group(Event::Command { id, key }))
    }

    pub(super) fn ran(&mut self, ran: Ran) -> Result<(), MemberError> {
        let outcome = match ran.ended {
            Ok((results, outcome)) => {
                let runs_again = self.member.group().is_stale();
                if let Some(waiting) = ran.command.and_then(|id| self.commands.get_mut(&id)) {
                    if runs_again {
                        waiting.command.arguments = ran.arguments;
                    } else if let Some(bytes) = self.room.take(&results) {
                        // Another one may run while this one waits for the disks of others.
                        waiting.room = bytes;
                        waiting.command.permit = None;
                    }
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
        self.tell(Input::Group(Event::Ran(outcome)))
    }

    /// A handler failed; nobody but the operator hears of it.
    fn report(&self, error: &CallError) {
        if let Some(slot) = self.slot() {
            slot.service.log.failure(&format!(
                "a timer or an answer could not be handled, and is tried again: {error}"
            ));
        }
    }

    /// Begins a job. Returns what came of it, if that is known at once.
    pub(super) fn begin(
        &mut self,
        job: Job,
        view: View,
        meta: Meta,
        time_ms: u64,
    ) -> Option<Event> {
        let failed = Some(Event::Ran(Outcome::Failed));
        let services = Arc::clone(&self.parts.services);
        let slot = self.parts.service.and_then(|id| services.get(id));
        let Some((version, slot)) = slot.and_then(|slot| Some((slot.writer(meta.form)?, slot)))
        else {
            // Whoever can go on with the state leads or runs here soon.
            let error = self.slot().map(|slot| match slot.running() {
                Some(_) => self.elsewhere(),
                None => not_running(slot),
            });
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
                    types: waiting.types.clone(),
                    keeps_answer,
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

    pub(super) fn answer(&mut self, id: CommandId, answer: Answer) {
        let Some(waiting) = self.commands.remove(&id) else {
            return;
        };
        self.room.give(waiting.room);
        let service = self.name();
        let answered = match answer {
            Answer::Own => Ok(waiting.results.unwrap_or_default()),
            Answer::Recorded(recorded) => self.recorded(&waiting, &recorded),
            Answer::Refused(Refusal::NotLeading) => Err(self.elsewhere()),
            Answer::Refused(refusal) => Err(refused(service, refusal)),
            Answer::Unsure(doubt) => Err(CallError::Unavailable {
                service,
                message: doubt.to_string(),
                maybe_executed: true,
            }),
        };
        // A caller that has gone away is nobody's fault.
        let _ = waiting.command.reply.send(answered);
    }

    /// Nothing was executed here; whoever leads may be asked. While nobody is known to lead, or this replica hands over, that is this one: to be asked
    /// again, by when it knows more.
    fn elsewhere(&self) -> CallError {
        if self.member.roster().is_alone(self.member.id()) {
            return refused(self.name(), Refusal::NotLeading);
        }
        let leader = self.member.standing().leader.as_ref();
        CallError::Redirected {
            to: leader.unwrap_or(&self.parts.host).to_string(),
        }
    }

    /// The answer that was kept, if it can still be read.
    fn recorded(&self, waiting: &Waiting, recorded: &Recorded) -> Result<Vec<Val>, CallError> {
        let service = self.name();
        let results = waiting.types.as_ref().map(|types| &types.types.results);
        let Some(results) = results.filter(|it| it.hash().to_bytes() == recorded.type_hash) else {
            return Err(CallError::KeyExpired {
                service,
                message: "the call was executed, and its answer was kept with other types than the caller has now".into(),
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
}

/// A refusal in the caller's terms.
#[must_use]
pub fn refused(service: String, refusal: Refusal) -> CallError {
    let message = refusal.to_string();
    match refusal {
        Refusal::KeyReused => CallError::KeyReused { service, message },
        Refusal::KeyExpired => CallError::KeyExpired { service, message },
        Refusal::TooLarge { .. } => CallError::Incompatible { service, message },
        Refusal::DiskFull | Refusal::Overloaded | Refusal::NotLeading => CallError::Unavailable {
            service,
            message,
            maybe_executed: false,
        },
    }
}
