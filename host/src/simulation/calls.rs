//! Calls on their way to the groups of simulated hosts, and their answers on the way back.

use super::events::{Happening, Local};
use super::history::{Caller, Cause};
use super::jobs::result;
use super::look::{find, query, time_ms};
use super::node::{From, Pending, Query, Sender};
use super::workload::{Heard, Looked, Request};
use super::world::{Step, Stop, World, violated};
use crate::call_error::CallError;
use crate::groups::{owner, run};
use crate::interface;
use crate::replica::event::{Answer, CommandId, Delivery, Event, Outgoing, Refusal};
use crate::replica::keyspace::MessageId;
use crate::replica::member::Input;
use crate::services::{FunctionType, Slot, address};
use crate::state::GroupId;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

/// How long the sender of a message waits for its answer.
const MESSAGE_US: u64 = 3_000_000;

/// What comes back from a host.
pub(super) enum Reply {
    /// For the client.
    Heard(Heard),
    /// Nothing was executed; that host may know more.
    Elsewhere(Option<usize>),
    /// It may take effect, or not.
    Unsure,
}

/// A call, as either kind of caller makes it.
struct Call<'a> {
    service: &'a str,
    interface: &'a str,
    function: &'a str,
    arguments: &'a str,
    key: Option<String>,
    cause: Cause,
    from: From,
}

impl World<'_> {
    pub(super) fn arrive(
        &mut self,
        host: usize,
        caller: Caller,
        attempt: u64,
        request: &Arc<Request>,
    ) -> Step {
        let call = Call {
            service: &request.service,
            interface: &request.interface,
            function: &request.function,
            arguments: &request.arguments.to_string(),
            key: request.key.clone(),
            cause: Cause::Client(caller, attempt, Arc::clone(request)),
            from: From::Client(caller.0, attempt),
        };
        self.submit(host, call)
    }

    pub(super) fn message(&mut self, host: usize, sender: Sender, outgoing: Outgoing) -> Step {
        let Outgoing { id, message, key } = outgoing;
        let call = Call {
            service: &message.service,
            interface: interface::without_version(&message.interface),
            function: &message.function,
            arguments: &message.arguments,
            key: Some(hex::encode(key)),
            cause: Cause::Message {
                from: (sender.group, id),
                function: message.function.clone(),
                arguments: message.arguments.clone(),
            },
            from: From::Message(sender),
        };
        self.submit(host, call)
    }

    fn submit(&mut self, host: usize, call: Call<'_>) -> Step {
        let Call {
            service,
            interface,
            function,
            arguments,
            key,
            cause,
            from,
        } = call;
        let services = Arc::clone(&self.hosts[host].services);
        let Some(types) = find(&services, service, interface, function) else {
            return violated(format!("{service} has no function {interface}.{function}"));
        };
        let values = match address::arguments(&types, arguments) {
            Ok(values) => values,
            Err(text) => return violated(format!("{service}.{function}: {text}")),
        };
        let is_query = services
            .find(service)
            .and_then(|slot| slot.service.config.replicated.as_ref())
            .is_some_and(|replicated| replicated.is_query(&types.name));
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        if node.missing.values().any(|name| name == service) {
            self.reply(host, from, Reply::Elsewhere(None));
            return Ok(());
        }
        let Some(group) = node.find(service) else {
            return violated(format!("{service} has no group"));
        };
        let Some(replica) = node.replicas.get_mut(&group) else {
            return Ok(());
        };
        if is_query {
            let id = replica.next_query;
            replica.next_query += 1;
            let query = Query {
                from,
                cause,
                types,
                version: services.find(service).and_then(Slot::running),
                arguments: values,
                since: self
                    .histories
                    .get(&group)
                    .map_or(0, |(_, history)| history.acknowledged),
            };
            replica.queries.insert(id, query);
            return self.step(host, group, Input::Read(id));
        }
        let session = match &key {
            Some(key) => match run::session_key(key, &types, &values) {
                Ok(session) => Some(session),
                Err(text) => return violated(text),
            },
            None => None,
        };
        let id = CommandId(replica.next_command);
        replica.next_command += 1;
        replica.commands.insert(
            id,
            Pending {
                from,
                cause,
                key: session.map(|session| session.hash),
                key_text: key,
                types,
                arguments: values,
                results: Vec::new(),
                seen: (0, 0),
            },
        );
        let event = Event::Command { id, key: session };
        self.step(host, group, Input::Group(event))
    }

    /// A replica's state has everything that a query must see.
    pub(super) fn read(&mut self, host: usize, group: GroupId, id: u64, index: u64) -> Step {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let Some(asked) = replica.queries.remove(&id) else {
            return Ok(());
        };
        let name = replica.name.clone();
        let services = Arc::clone(&self.hosts[host].services);
        let published = services
            .find(&name)
            .and_then(|slot| slot.service.published.as_ref()?.newest());
        let shown = published.map_or(0, |published| published.index);
        let at = format!("{name} on {}", self.names[host]);
        if shown < index {
            return violated(format!(
                "{at} shows queries the state of entry {shown}, and says that they see entry {index}"
            ));
        }
        if shown < asked.since {
            return violated(format!(
                "{at} answers a query from the state of entry {shown}, although callers had been told of entry {} when it came",
                asked.since
            ));
        }
        let Some(version) = self.reader(host, &name, &asked) else {
            // Another version runs here in a moment, or is made the state's own.
            self.send_elsewhere(host, group, asked.from);
            return Ok(());
        };
        let caller = asked.from.caller(self.workload);
        let state = &self.hosts[host];
        let time_ms = time_ms(state, &name);
        let answer = query(state, caller, version, &asked.types, asked.arguments)?;
        if let (Ok(values), Cause::Client(caller, _, request)) = (&answer, &asked.cause) {
            let result = result(&asked.types, values);
            let through = self
                .histories
                .get(&group)
                .map_or(0, |(_, history)| history.through);
            if through == shown {
                let looked = Looked {
                    service: &name,
                    client: caller.0,
                    request,
                    is_query: true,
                    time_ms,
                    result: &result,
                };
                self.workload.looked(&looked).map_err(Stop::Violated)?;
            } else {
                self.report.older_looks += 1;
            }
            self.results.entry(*caller).or_default().push(result);
        }
        if let Some((_, history)) = self.histories.get_mut(&group) {
            history.acknowledge(shown, None).map_err(Stop::Violated)?;
        }
        self.give(host, asked.from, answer, Some(&asked.types));
        Ok(())
    }

    /// Nobody can say which state is new enough for a query.
    pub(super) fn not_read(&mut self, host: usize, group: GroupId, id: u64) {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return;
        };
        if let Some(asked) = replica.queries.remove(&id) {
            self.send_elsewhere(host, group, asked.from);
        }
    }

    pub(super) fn answer(
        &mut self,
        host: usize,
        group: GroupId,
        id: CommandId,
        answer: Answer,
    ) -> Step {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let Some(pending) = replica.commands.remove(&id) else {
            return Ok(());
        };
        let name = replica.name.clone();
        let wrong = |what: String| Stop::Violated(format!("{name}: {what}"));
        if let Some((_, history)) = self.histories.get_mut(&group) {
            match &answer {
                // Its own entry, or the last one that it saw.
                Answer::Own => {
                    let (index, term) = pending.seen;
                    history.acknowledge(index, Some(term)).map_err(wrong)?;
                }
                Answer::Recorded(_) => {
                    let key = pending.key.unwrap_or_default();
                    let Some(entry) = history.entry_of(&key) else {
                        return violated(format!(
                            "{name}: a caller is given a kept answer, and nothing with its key is committed"
                        ));
                    };
                    history.acknowledge(entry, None).map_err(wrong)?;
                }
                Answer::Refused(_) | Answer::Unsure(_) => {}
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
            Answer::Refused(Refusal::NotLeading) => {
                self.send_elsewhere(host, group, pending.from);
                return Ok(());
            }
            Answer::Refused(refusal) => {
                let is_full = refusal == Refusal::DiskFull;
                self.report.refusals += u64::from(is_full);
                Err(owner::refused(types.name.interface.clone(), refusal))
            }
            Answer::Unsure(_) => {
                self.reply(host, pending.from, Reply::Unsure);
                return Ok(());
            }
        };
        self.give(host, pending.from, answered, Some(&types));
        Ok(())
    }

    /// Tells a caller that nothing was executed here, and who leads, if that is known.
    pub(super) fn send_elsewhere(&mut self, host: usize, group: GroupId, from: From) {
        let leader = self.leader(host, group).filter(|leader| *leader != host);
        self.reply(host, from, Reply::Elsewhere(leader));
    }

    /// Who leads a group, as far as a host knows.
    fn leader(&self, host: usize, group: GroupId) -> Option<usize> {
        let replica = self.hosts[host].replica(group)?;
        self.find_host(replica.member.standing().leader.as_ref()?)
    }

    /// Sends an answer on its way.
    pub(super) fn give(
        &mut self,
        host: usize,
        from: From,
        answer: Result<Vec<Val>, CallError>,
        types: Option<&FunctionType>,
    ) {
        match from {
            From::Client(..) => {
                let heard = match (answer, types) {
                    (Ok(values), Some(types)) => Heard::Result(result(types, &values)),
                    (Ok(_), None) => Heard::Result(Value::Null),
                    (Err(error), _) => Heard::Error(error),
                };
                self.reply(host, from, Reply::Heard(heard));
            }
            From::Message(sender) => {
                let reply = match (answer, types) {
                    (Ok(values), Some(types)) => {
                        Some(Ok(Value::Array(vec![result(types, &values)]).to_string()))
                    }
                    (Ok(_), None) | (Err(CallError::Unavailable { .. }), _) => None,
                    (Err(error), _) => Some(Err(error)),
                };
                self.reply_message(host, sender, reply);
            }
            From::Host => {}
        }
    }

    fn reply(&mut self, host: usize, from: From, reply: Reply) {
        match from {
            From::Client(client, attempt) => {
                let is_lost =
                    self.plan.faults.network && !self.is_settling && self.random.chance(10);
                if !is_lost {
                    self.soon(400, Happening::Heard(client, attempt, reply));
                }
            }
            From::Message(sender) => self.reply_message(host, sender, None),
            From::Host => {}
        }
    }

    fn reply_message(
        &mut self,
        host: usize,
        sender: Sender,
        reply: Option<Result<String, CallError>>,
    ) {
        let is_lost = self.plan.faults.network && !self.is_settling && self.random.chance(20);
        if is_lost {
            return;
        }
        let Sender {
            host: to,
            life,
            group,
            id,
            try_number,
        } = sender;
        if self.hosts[to].life != life {
            return;
        }
        for at in self.network.send(host, to, self.now) {
            let reply = reply.clone();
            self.alive(to, at, Local::Delivered(group, id, try_number, reply));
        }
    }

    /// Sends a message of a group to the host that leads its receiver, as far as is known.
    pub(super) fn deliver(&mut self, host: usize, group: GroupId, outgoing: Outgoing) {
        self.tell_of(host, || {
            format!("message {:?} of group {} leaves", outgoing.id, group.0)
        });
        let any = self.any_host();
        let life = self.hosts[host].life;
        let Some(node) = &mut self.hosts[host].node else {
            return;
        };
        let receiver = node.find(&outgoing.message.service);
        let Some(replica) = node.replicas.get_mut(&group) else {
            return;
        };
        replica.next_try += 1;
        let try_number = replica.next_try;
        replica.sent.insert(outgoing.id, try_number);
        let sender = Sender {
            host,
            life,
            group,
            id: outgoing.id,
            try_number,
        };
        let to = receiver
            .and_then(|receiver| self.leader(host, receiver))
            .unwrap_or(any);
        let late = self.now + Duration::from_micros(MESSAGE_US);
        self.alive(
            host,
            late,
            Local::Delivered(group, outgoing.id, try_number, None),
        );
        let is_lost = self.plan.faults.network && !self.is_settling && self.random.chance(20);
        if is_lost {
            return;
        }
        for at in self.network.send(host, to, self.now) {
            let outgoing = Box::new(outgoing.clone());
            self.on(to, at, Local::Message(sender, outgoing));
        }
    }

    pub(super) fn delivered(
        &mut self,
        host: usize,
        group: GroupId,
        id: MessageId,
        try_number: u64,
        reply: Option<Result<String, CallError>>,
    ) -> Step {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        // Whoever sends a message hears of each try once.
        if replica.sent.get(&id) != Some(&try_number) {
            return Ok(());
        }
        replica.sent.remove(&id);
        let delivery = match reply {
            Some(reply) => {
                replica.replies.insert(id, reply);
                Delivery::Done
            }
            None => Delivery::Failed,
        };
        self.step(host, group, Input::Group(Event::Delivered { id, delivery }))
    }
}
