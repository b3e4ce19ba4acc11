//! Messages of other replicas, and states that they offer to one that lags too far behind.

use super::{Member, MemberError, Output, Save, boot};
use crate::config::HostName;
use crate::replica::consensus::Consensus;
use crate::replica::event::Action;
use crate::replica::identity::Position;
use crate::replica::mutant::Mutant;
use crate::replica::roster::{MEMBERS_MAX, Roster};
use crate::replica::wit;
use crate::state::View;
use bytes::Bytes;

impl<C: Consensus> Member<C> {
    pub(super) fn message(
        &mut self,
        from: HostName,
        message: wit::Message,
        outputs: &mut Vec<Output>,
    ) {
        // To the replica that this host had before it lost its disk, perhaps.
        if message.to != self.identity.id {
            return;
        }
        match self
            .roster
            .hosts
            .get(&message.from)
            .or_else(|| self.met.get(&message.from))
        {
            Some(known) if *known == from || self.has(Mutant::TrustStrangers) => {}
            // Nobody speaks for another host's replica.
            Some(_) => return,
            None if self.met.len() >= MEMBERS_MAX => return,
            // A member that was added later than this replica knows; its answers need an address.
            None => {
                self.met.insert(message.from, from);
            }
        }
        let Some(offered) = &message.snapshot else {
            self.events.push(wit::Event::Message(message));
            return;
        };
        let is_here = offered.index <= self.group.committed().2
            || self.engine.window().term(offered.index) == Some(offered.term);
        if is_here {
            // It needs no content to see that it has all this, and to say so.
            self.events.push(wit::Event::Message(message));
            return;
        }
        // The engine hears of it when the content is here. What was offered again meanwhile is the same or newer; one at a time is enough.
        if self.offer.is_some() {
            return;
        }
        let Some(from) = self.host_of(message.from) else {
            return;
        };
        let at = Position {
            index: offered.index,
            term: offered.term,
        };
        self.offer = Some(message);
        outputs.push(Output::Fetch { from, at });
    }

    /// Whether a state that was fetched is still newer than what is here.
    #[must_use]
    pub fn wants(&self, at: Position) -> bool {
        let Some(offer) = &self.offer else {
            return false;
        };
        let is_offered = offer
            .snapshot
            .as_ref()
            .is_some_and(|offer| offer.index == at.index);
        // The engine would take no notice of an earlier leader's offer.
        let is_current =
            self.standing.term <= offer.term && self.standing.role != wit::Role::Leader;
        is_offered && is_current && self.group.committed().2 < at.index
    }

    /// Before a fetched state is put in place: what has to be on the disk first, so that a crash in between is understood.
    pub fn installing(&mut self, at: Position) -> Bytes {
        self.identity.installing = Some(at);
        self.identity.to_bytes()
    }

    pub(super) fn installed(
        &mut self,
        message: wit::Message,
        view: View,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        let Some(snapshot) = message.snapshot.clone() else {
            return Ok(());
        };
        if snapshot.index <= self.group.committed().2 {
            // It has caught up by itself meanwhile. What is in the state store now is older, and the next checkpoint has all that is missing.
            return Ok(());
        }
        self.roster = boot::roster(&view)?.unwrap_or_else(Roster::empty);
        self.marked = None;
        self.group.set_alone(self.roster.is_alone(self.identity.id));
        self.group.replace(view, snapshot.index)?;
        if self.engine.window().term(snapshot.index) == Some(snapshot.term) {
            // The log leads to that state and goes on behind it: the engine keeps it, and only learns that so much is committed.
            self.identity.installing = None;
        } else {
            let at = Position {
                index: snapshot.index,
                term: snapshot.term,
            };
            self.engine.window_mut().restart(snapshot);
            self.restarting = Some((at, message.term));
            if self.broken.is_some() {
                self.restart_log(outputs);
            }
        }
        self.offer_state();
        if self.broken.is_none() {
            self.events.push(wit::Event::Message(message));
        }
        outputs.push(Output::Group(Action::Publish));
        Ok(())
    }

    /// Has the log begin after a state that was taken over, if the engine failed before it could say so.
    pub(super) fn restart_log(&mut self, outputs: &mut Vec<Output>) {
        let Some((at, term)) = self.restarting.take() else {
            return;
        };
        (self.identity.start, self.identity.installing) = (at, None);
        if term > self.identity.hard.term {
            (self.identity.hard.term, self.identity.hard.vote) = (term, 0);
        }
        outputs.push(Output::Save(Save {
            token: self.saves.order(),
            identity: Some(self.identity.to_bytes()),
            restart: Some(at.index),
            entries: Vec::new(),
        }));
    }
}
