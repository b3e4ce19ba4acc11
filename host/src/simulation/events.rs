//! What happens in a simulation, and when.

use super::calls::Reply;
use super::history::Caller;
use super::install::Parcel;
use super::jobs::Ran;
use super::node::Sender;
use super::workload::Request;
use super::world::{Step, World, violated};
use crate::call_error::CallError;
use crate::replica::event::Outgoing;
use crate::replica::keyspace::MessageId;
use crate::replica::member::Input;
use crate::replica::wit;
use crate::state::GroupId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Something that happens, not on any host.
pub(super) enum Happening {
    /// A client begins its next call.
    Client(usize),
    /// A client sends its request once more.
    Again(usize, u64),
    /// A client's answer arrives.
    Heard(usize, u64, Reply),
    /// A client has waited long enough.
    Impatient(usize, u64),
    /// Some host ends.
    End,
    /// Some host does nothing for a while.
    Pause,
    /// A wall clock jumps.
    Skew,
    /// A disk gets full.
    Fill,
    /// The disk of a host has room again.
    Empty(usize),
    /// Other links are cut, or none.
    Cut,
    /// A connection breaks for nothing.
    Alarm,
    /// Somebody says something in another one's name.
    Forge,
    /// Another host is to lead some group.
    Handover,
    /// A disk is lost.
    Wipe,
    /// Somebody orders that a host is to have no replica of some group.
    Removal,
    /// Some host goes on with taking up another version of a service, or with migrating what the one before wrote.
    Upgrade,
    /// Leaders look who gets a vote.
    Promote,
    /// Everything should long be over.
    Overdue,
    /// All calls should long be answered, and the faults over.
    Endless,
}

/// Something that happens on a host.
pub(super) enum Local {
    /// It starts.
    Start,
    /// It asks for replicas that it should have.
    Join,
    /// It looks whether its replica of a group was removed.
    Leave(GroupId),
    /// A client's request arrives.
    Arrive {
        /// The client and its call.
        caller: Caller,
        /// Which of the client's attempts it is.
        attempt: u64,
        /// What it calls.
        request: Arc<Request>,
    },
    /// A job of a group is done.
    Ran(GroupId, Box<Ran>),
    /// The log's thread syncs.
    Sync,
    /// The sync is done: of groups, up to these saves.
    Synced(Vec<(GroupId, u64)>),
    /// A step of an upgrade is taken in the middle of a job of this group.
    Upgrade(GroupId),
    /// What had no room is tried again.
    Retry,
    /// The log has no room for a group's saves, or has some again.
    Full(GroupId, bool),
    /// A group's time has come.
    Tick(GroupId),
    /// A group's engine is told of what happened.
    Turn(GroupId),
    /// Another host's replica says something.
    Peer(usize, GroupId, Box<wit::Message>),
    /// The connection to another host broke.
    Lost(usize),
    /// There is one again.
    Found(usize),
    /// A message of a group, from this host or another.
    Message(Sender, Box<Outgoing>),
    /// The fate of a message is known to a try of its sender.
    Delivered(GroupId, MessageId, u64, Option<Result<String, CallError>>),
    /// A part of a state, or what concerns one.
    Parcel(usize, GroupId, Parcel),
    /// A part of a state did not arrive in time.
    Stalled(GroupId, u64),
    /// A state that was fetched is put in place.
    Install(GroupId),
    /// It is known to a leader whether a state that it offered got through.
    Sent(GroupId, u64, bool),
    /// A checkpoint begins.
    Checkpoint,
    /// It is durable, or could not be made.
    Folded(Vec<(GroupId, u64)>, bool),
}

pub(super) enum Scheduled {
    Anywhere(Happening),
    On {
        host: usize,
        /// In this life of it; 0: in any.
        life: u64,
        local: Local,
    },
}

/// What is to happen, in order.
#[derive(Default)]
pub(super) struct Events {
    queue: BTreeMap<(Duration, u64), Scheduled>,
    next: u64,
}

impl Events {
    pub fn add(&mut self, at: Duration, scheduled: Scheduled) {
        self.next += 1;
        self.queue.insert((at, self.next), scheduled);
    }

    pub fn pop(&mut self) -> Option<(Duration, Scheduled)> {
        let ((at, _), scheduled) = self.queue.pop_first()?;
        Some((at, scheduled))
    }
}

impl World<'_> {
    pub(super) fn carry_out(&mut self, happening: Happening) -> Step {
        match happening {
            Happening::Client(client) => self.begin(client),
            Happening::Again(client, attempt) => self.again(client, attempt),
            Happening::Heard(client, attempt, reply) => self.answered(client, attempt, reply),
            Happening::Impatient(client, attempt) => self.impatient(client, attempt),
            Happening::Overdue => self.overdue(),
            Happening::Promote => self.promote(),
            Happening::Upgrade => self.upgrade_some(),
            Happening::Endless if !self.is_settling => self.overdue(),
            Happening::Endless => Ok(()),
            // All others are faults.
            _ if self.is_settling => Ok(()),
            Happening::End => self.end_some(),
            Happening::Pause => self.pause_some(),
            Happening::Skew => self.skew_some(),
            Happening::Fill => self.fill_some(),
            Happening::Empty(host) => self.empty(host),
            Happening::Cut => self.cut_some(),
            Happening::Alarm => self.alarm_some(),
            Happening::Forge => self.forge(),
            Happening::Handover => self.hand_over_some(),
            Happening::Wipe => self.wipe_some(),
            Happening::Removal => self.remove_some(),
        }
    }

    fn overdue(&mut self) -> Step {
        let groups: Vec<String> = self
            .histories
            .iter()
            .map(|(group, (name, history))| {
                let at = |host: &super::host::SimHost| {
                    let replica = host.replica(*group);
                    let replica = replica.map(|replica| {
                        let standing = replica.member.standing();
                        format!("{}/{} {}", replica.applied, history.through, standing.role)
                    });
                    replica.unwrap_or_else(|| "down".into())
                };
                let hosts: Vec<String> = self.hosts.iter().map(at).collect();
                let (timers, messages) = (history.timers.len(), history.messages.len());
                format!(
                    "{name}: {}, {timers} timers, {messages} messages",
                    hosts.join(", ")
                )
            })
            .collect();
        violated(format!(
            "not everything is done, long after it should be: {}",
            groups.join("; ")
        ))
    }

    pub(super) fn carry_out_on(&mut self, host: usize, local: Local) -> Step {
        match local {
            Local::Start => self.start(host),
            Local::Join => self.join(host),
            Local::Leave(group) => self.leave(host, group),
            Local::Arrive {
                caller,
                attempt,
                request,
            } => self.arrive(host, caller, attempt, &request),
            Local::Ran(group, ran) => self.ran(host, group, *ran),
            Local::Sync => self.sync(host),
            Local::Synced(durable) => self.synced(host, &durable),
            Local::Upgrade(group) => self.upgrade_amid(host, group),
            Local::Retry => self.retry(host),
            Local::Full(group, is_full) => self.step(host, group, Input::Full(is_full)),
            Local::Tick(group) | Local::Turn(group) => self.turn(host, group),
            Local::Peer(from, group, message) => self.peer(host, from, group, *message),
            Local::Lost(other) => self.of_peer(host, other, Input::PeerLost),
            Local::Found(other) => self.of_peer(host, other, Input::PeerFound),
            Local::Message(sender, outgoing) => self.message(host, sender, *outgoing),
            Local::Delivered(group, id, try_number, reply) => {
                self.delivered(host, group, id, try_number, reply)
            }
            Local::Parcel(from, group, parcel) => self.parcel(host, from, group, parcel),
            Local::Stalled(group, progress) => self.stalled(host, group, progress),
            Local::Install(group) => self.install(host, group),
            Local::Sent(group, member, is_there) => {
                self.step(host, group, Input::Sent(member, is_there))
            }
            Local::Checkpoint => self.checkpoint(host),
            Local::Folded(through, is_done) => self.folded(host, &through, is_done),
        }
    }
}
