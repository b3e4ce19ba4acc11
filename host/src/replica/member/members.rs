//! Changes of who belongs to the group, and of who leads it.

use super::{Member, MemberError, Output};
use crate::config::HostName;
use crate::replica::consensus::Consensus;
use crate::replica::keyspace::ROSTER;
use crate::replica::roster;
use crate::replica::time::Now;
use crate::replica::wit::{self, ChangeKind, MemberChange};
use bytes::Bytes;

/// A change of the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new replica of this host listens. If the host had one, its disk is gone, and so is that one.
    Add(HostName),
    /// The replica of this host, which has caught up, gets a vote; one that it takes the place of loses its own.
    Promote(HostName),
    /// The replicas of this host are no members any more.
    Remove(HostName),
    /// The same, and the host does not join again until it is added.
    KeepOut(HostName),
}

/// A change is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another replica leads, or none does.
    #[error("this replica does not lead")]
    NotLeading,
    /// One change at a time.
    #[error("another change of the members is under way")]
    Busy,
    /// It has no such replica.
    #[error("the group has no such replica on that host")]
    Unknown,
    /// Somebody has to stay.
    #[error("the group would be left without a voter")]
    Last,
}

impl<C: Consensus> Member<C> {
    /// Whether a change can begin now.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub fn check_change(&self, change: &Change) -> Result<(), ChangeError> {
        self.plan(change).map(|_| ())
    }

    /// Puts a change into the log. One that cannot begin is dropped: [`check_change`](Self::check_change) says why.
    pub(super) fn change(&mut self, change: &Change) {
        let Ok((changes, added)) = self.plan(change) else {
            return;
        };
        let index = self.group.reserve();
        let added = added.as_ref().map(|(id, host)| (*id, host));
        self.events.push(wit::Event::Change(wit::ChangeProposal {
            term: self.standing.term,
            index,
            changes,
            context: roster::added(added).into(),
        }));
    }

    #[allow(
        clippy::type_complexity,
        reason = "what a proposal is made of, used twice here"
    )]
    fn plan(
        &self,
        change: &Change,
    ) -> Result<(Vec<MemberChange>, Option<(u64, HostName)>), ChangeError> {
        if !self.group.leads() {
            return Err(ChangeError::NotLeading);
        }
        if self.roster.is_joint() || self.group.is_changing() {
            return Err(ChangeError::Busy);
        }
        let members = &self.roster.members;
        let of = |host: &HostName| -> Vec<u64> {
            let hosts = self.roster.hosts.iter();
            hosts
                .filter(|(_, known)| *known == host)
                .map(|(id, _)| *id)
                .collect()
        };
        let to = |kind| move |id: u64| MemberChange { kind, id };
        match change {
            Change::Add(host) => {
                // A learner that was being added before is given up; a voter stays one until its successor has caught up.
                let given_up = of(host)
                    .into_iter()
                    .filter(|id| members.learners.contains(id));
                let mut changes: Vec<_> = given_up.map(to(ChangeKind::Remove)).collect();
                let id = self.roster.next_id;
                changes.push(to(ChangeKind::AddLearner)(id));
                Ok((changes, Some((id, host.clone()))))
            }
            Change::Promote(host) => {
                let ids = of(host);
                let learner = ids.iter().rev().find(|id| members.learners.contains(id));
                let learner = *learner.ok_or(ChangeError::Unknown)?;
                let others = ids.into_iter().filter(|id| *id != learner);
                let mut changes = vec![to(ChangeKind::AddVoter)(learner)];
                changes.extend(others.map(to(ChangeKind::Remove)));
                Ok((changes, None))
            }
            Change::Remove(host) | Change::KeepOut(host) => {
                let ids = of(host);
                if ids.is_empty() {
                    return Err(ChangeError::Unknown);
                }
                if members.voters.iter().all(|voter| ids.contains(voter)) {
                    return Err(ChangeError::Last);
                }
                let is_kept_out = matches!(change, Change::KeepOut(_));
                let kept_out = is_kept_out.then(|| (roster::KEPT_OUT, host.clone()));
                let changes = ids.into_iter().map(to(ChangeKind::Remove));
                Ok((changes.collect(), kept_out))
            }
        }
    }

    /// A group whose membership changes in two steps takes the second as soon as it can.
    pub(super) fn leave_joint(&mut self) {
        if !self.group.leads() || !self.roster.is_joint() || self.group.is_changing() {
            return;
        }
        let index = self.group.reserve();
        self.events.push(wit::Event::Change(wit::ChangeProposal {
            term: self.standing.term,
            index,
            changes: Vec::new(),
            context: Vec::new(),
        }));
    }

    /// The other replicas that a host has or had.
    pub(super) fn others_on(&self, host: &HostName) -> impl Iterator<Item = u64> {
        let known = self.roster.hosts.iter();
        let others = known.filter(move |(id, known)| *known == host && **id != self.identity.id);
        others.map(|(id, _)| *id)
    }

    /// A change is committed: it counts from here on.
    pub(super) fn changed(
        &mut self,
        changed: wit::Changed,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        let wit::Changed {
            index,
            members,
            context,
        } = changed;
        self.roster.change(members, context.into())?;
        self.group.set_alone(self.roster.is_alone(self.identity.id));
        self.group
            .set(Bytes::from_static(ROSTER), &self.roster.to_bytes());
        self.note_change(index, outputs);
        Ok(())
    }

    /// Lets nothing new begin, and hands over as soon as nothing is under way.
    pub(super) fn transfer(&mut self, now: Now, to: &HostName) {
        let successor = self.roster.id_of(to);
        let successor = successor.filter(|id| self.roster.members.voters.contains(id));
        if let Some(id) = successor
            && self.group.leads()
            && id != self.id()
        {
            // A successor that does not take over by then will not.
            let until = now.monotonic.saturating_add(self.timing.election * 2);
            self.successor = Some((id, until));
            self.group.set_closing(true);
        }
    }

    pub(super) fn hand_over(&mut self, now: Now) {
        let Some((id, until)) = self.successor else {
            return;
        };
        if now.monotonic >= until {
            self.successor = None;
            self.is_handing = false;
            self.group.set_closing(false);
        } else if !self.is_handing && (!self.group.is_busy() || self.group.is_full()) {
            // What is under way on a full disk may take for ever here, and is in good hands with the others.
            self.is_handing = true;
            self.events.push(wit::Event::Transfer(id));
        }
    }
}
