//! What the task of a replica is told by this host and by others, and what it tells them.

use super::Owner;
use crate::config::HostName;
use crate::groups::handle::Request;
use crate::replica::event::{Delivery, Event};
use crate::replica::member::{Input, MemberError};
use crate::replica::message;
use crate::replica::network::{Frame, Incoming};
use crate::replica::wit::Message;
use std::sync::Arc;

impl Owner {
    pub(super) fn send(&self, to: &HostName, message: &Message) {
        let Some(network) = &self.parts.network else {
            return;
        };
        match message::encode(message) {
            Ok(body) => network.send(
                to,
                Frame {
                    service: Arc::clone(&self.parts.name),
                    lane: message::lane(message.kind),
                    body,
                },
            ),
            Err(error) => self.parts.log.warn(
                None,
                &format!("a message of {} to {to} is lost: {error}", self.parts.name),
            ),
        }
    }

    pub(super) fn hear(&mut self, incoming: Incoming) -> Result<(), MemberError> {
        match incoming {
            Incoming::Message { from, body, .. } => match message::decode(body) {
                Ok(message) => self.tell(Input::Message(from, message)),
                Err(error) => {
                    let name = &self.parts.name;
                    let line = format!("a message of {from} for {name} is dropped: {error}");
                    self.parts.log.warn(None, &line);
                    Ok(())
                }
            },
            Incoming::Lost(host) => self.tell(Input::PeerLost(host)),
            Incoming::Connected(host) => self.tell(Input::PeerFound(host)),
        }
    }

    /// Asks for all who came meanwhile, as one. Whether there were any.
    pub(super) fn take_readers(&mut self) -> Result<bool, MemberError> {
        let came = self.parts.readers.take();
        if came.is_empty() {
            return Ok(false);
        }
        let number = self.next_reader;
        self.next_reader += 1;
        self.readers.insert(number, came);
        self.tell(Input::Read(number))?;
        Ok(true)
    }

    pub(super) fn take(&mut self, request: Request) -> Result<(), MemberError> {
        match request {
            Request::Command(command) => self.admit(command),
            Request::Delivered(id, reply) => {
                let delivery = match reply {
                    // What was sent when this replica led before is of no use here.
                    Some(reply) if self.member.group().leads() => {
                        self.replies.insert(id, reply);
                        Delivery::Done
                    }
                    Some(_) | None => Delivery::Failed,
                };
                self.tell(Input::Group(Event::Delivered { id, delivery }))
            }
            Request::Freeze(reply) => {
                // A state that waits for room may be in the store already, where nothing older may follow.
                let frozen = match self.staged {
                    Some(_) => None,
                    None => self.member.group_mut().freeze(),
                };
                self.folding = frozen.as_ref().map(|(index, _)| *index);
                // Whoever asked may have gone; then what was frozen counts as recent again.
                if let Err(Some(_)) = reply.send(frozen) {
                    self.unfreeze();
                }
                Ok(())
            }
            Request::Folded(base) => {
                self.folded(base);
                Ok(())
            }
            Request::Unfreeze => {
                self.unfreeze();
                Ok(())
            }
            Request::Transfer(to, reply) => self.transfer(to, reply),
            Request::HandOver(reply) => self.hand_over(reply),
            Request::Join(host, reply) => self.join(host, reply),
            Request::Change(change, reply) => self.begin_change(change, reply),
            Request::Members(reply) => {
                // Whoever asked may have gone; so below.
                let _ = reply.send(Some(self.membership()));
                Ok(())
            }
            Request::Positions(reply) => {
                let _ = reply.send(Some(self.positions()));
                Ok(())
            }
            Request::Heard(host, told) => {
                self.heard(&host, told);
                Ok(())
            }
        }
    }
}
