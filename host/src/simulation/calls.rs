//! Calls on their way to the simulated host's groups, and their answers on the way back.

use super::history::{Caller, Cause};
use super::look::{find, query};
use super::node::{From, Pending};
use super::run::result;
use super::workload::{Heard, Looked, Request};
use super::world::{Happening, Step, Stop, World, violated};
use crate::call_error::CallError;
use crate::groups::{owner, run};
use crate::interface;
use crate::replica::event::{Answer, CommandId, Delivery, Event, Outgoing};
use crate::replica::keyspace::MessageId;
use crate::services::{FunctionType, address};
use crate::state::GroupId;
use serde_json::Value;
use std::sync::Arc;
use wasmtime::component::Val;

impl World<'_> {
    pub(super) fn arrive(&mut self, caller: Caller, attempt: u64, request: &Arc<Request>) -> Step {
        self.submit(
            &request.service,
            &request.interface,
            &request.function,
            &request.arguments.to_string(),
            request.key.clone(),
            Cause::Client(caller, Arc::clone(request)),
            From::Client(caller.0, attempt),
        )
    }

    pub(super) fn message(&mut self, sender: GroupId, outgoing: Outgoing) -> Step {
        let Outgoing { id, message, key } = outgoing;
        let cause = Cause::Message {
            from: (sender, id),
            function: message.function.clone(),
            arguments: message.arguments.clone(),
        };
        let key = Some(hex::encode(key));
        let from = From::Message(sender, id);
        self.submit(
            &message.service,
            interface::without_version(&message.interface),
            &message.function,
            &message.arguments,
            key,
            cause,
            from,
        )
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of a call, from the two kinds of callers"
    )]
    pub(super) fn submit(
        &mut self,
        service: &str,
        interface: &str,
        function: &str,
        arguments: &str,
        key: Option<String>,
        cause: Cause,
        from: From,
    ) -> Step {
        let Some(types) = find(&self.services, service, interface, function) else {
            return violated(format!("{service} has no function {interface}.{function}"));
        };
        let values = match address::arguments(&types, arguments) {
            Ok(values) => values,
            Err(text) => return violated(format!("{service}.{function}: {text}")),
        };
        let is_query = self
            .services
            .find(service)
            .and_then(|slot| slot.service.config.replicated.as_ref())
            .is_some_and(|replicated| replicated.is_query(&types.name));
        if is_query {
            if self.node.is_none() {
                return Ok(());
            }
            let answer = query(
                &self.services,
                &self.dispatch,
                &self.os,
                service,
                &types,
                values,
            )?;
            if let (Ok(values), Cause::Client(caller, request)) = (&answer, &cause) {
                let result = result(&types, values);
                let looked = Looked {
                    service,
                    client: caller.0,
                    request,
                    time_ms: None,
                    result: &result,
                };
                self.workload.looked(&looked).map_err(Stop::Violated)?;
                self.results.insert(*caller, result);
            }
            self.give(from, answer, Some(&types));
            return Ok(());
        }
        let Some(node) = &mut self.node else {
            return Ok(());
        };
        let Some(group) = node.find(service) else {
            return violated(format!("{service} has no group"));
        };
        let Some(member) = node.members.get_mut(&group) else {
            return Ok(());
        };
        let session = match &key {
            Some(key) => match run::session_key(key, &types, &values) {
                Ok(session) => Some(session),
                Err(text) => return violated(text),
            },
            None => None,
        };
        let id = CommandId(member.next_command);
        member.next_command += 1;
        member.commands.insert(
            id,
            Pending {
                from,
                cause,
                key: session.map(|session| session.hash),
                key_text: key,
                types,
                arguments: values,
                results: Vec::new(),
                seen: 0,
                looked: None,
            },
        );
        self.step(group, Event::Command { id, key: session })
    }

    pub(super) fn answer(&mut self, group: GroupId, id: CommandId, answer: Answer) -> Step {
        let Some(pending) = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group))
            .and_then(|member| member.commands.remove(&id))
        else {
            return Ok(());
        };
        let entry = pending
            .key
            .and_then(|key| self.histories.get(&group)?.1.entry_of(&key));
        if let Some((_, history)) = self.histories.get_mut(&group) {
            match &answer {
                // Its own entry, or the last one that it saw.
                Answer::Own | Answer::Recorded(_) => {
                    history.acknowledge(entry.unwrap_or(pending.seen))
                }
                Answer::Refused(_) => {}
            }
        }
        let types = Arc::clone(&pending.types);
        let answered = match answer {
            Answer::Own => Ok(pending.results),
            Answer::Recorded(recorded) => {
                match types.types.results.decode(&recorded.reply, 1 << 24) {
                    Ok(values) => Ok(values),
                    Err(error) => {
                        return violated(format!("a kept answer cannot be read: {error}"));
                    }
                }
            }
            Answer::Refused(refusal) => Err(owner::refused(types.name.interface.clone(), refusal)),
        };
        self.give(pending.from, answered, Some(&types));
        Ok(())
    }

    /// Sends an answer on its way.
    pub(super) fn give(
        &mut self,
        from: From,
        answer: Result<Vec<Val>, CallError>,
        types: Option<&FunctionType>,
    ) {
        match from {
            From::Client(client, attempt) => {
                let heard = match (answer, types) {
                    (Ok(values), Some(types)) => Heard::Result(result(types, &values)),
                    (Ok(_), None) => Heard::Result(Value::Null),
                    (Err(error), _) => Heard::Error(error),
                };
                let is_lost =
                    self.plan.faults.network && !self.is_settling && self.random.chance(10);
                if !is_lost {
                    self.soon(400, Happening::Heard(client, attempt, heard));
                }
            }
            From::Message(sender, id) => {
                let reply = match (answer, types) {
                    (Ok(values), Some(types)) => {
                        Some(Ok(Value::Array(vec![result(types, &values)]).to_string()))
                    }
                    (Ok(_), None) => None,
                    (Err(CallError::Unavailable { .. }), _) => None,
                    (Err(error), _) => Some(Err(error)),
                };
                let is_lost =
                    self.plan.faults.network && !self.is_settling && self.random.chance(20);
                let reply = if is_lost { None } else { reply };
                self.soon_alive(
                    if is_lost { 2_000_000 } else { 2_000 },
                    Happening::Delivered(sender, id, reply),
                );
            }
        }
    }

    pub(super) fn delivered(
        &mut self,
        group: GroupId,
        id: MessageId,
        reply: Option<Result<String, CallError>>,
    ) -> Step {
        let delivery = match reply {
            Some(reply) => {
                if let Some(member) = self
                    .node
                    .as_mut()
                    .and_then(|node| node.members.get_mut(&group))
                {
                    member.replies.insert(id, reply);
                }
                Delivery::Done
            }
            None => Delivery::Failed,
        };
        self.step(group, Event::Delivered { id, delivery })
    }
}
