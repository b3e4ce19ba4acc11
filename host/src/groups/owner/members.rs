//! Who belongs to the group: changes that are asked for, and those that the leader makes by itself.

use super::Owner;
use crate::config::HostName;
use crate::groups::handle::{MemberPart, Membership, Positions};
use crate::replica::member::{Change, ChangeError, Input, MemberError};
use crate::replica::roster::Roster;
use crate::replica::wit;
use std::time::Duration;
use tokio::sync::oneshot;

/// How far behind a replica may be that gets a vote: what is committed while the change is.
const BEHIND_MAX: u64 = 1_000;
/// How long a change of the members may take. It needs a majority, and may have to wait for another one.
const CHANGE_TIME: Duration = Duration::from_secs(10);
/// Changes that wait at once: an operator makes one after the other.
const CHANGES_MAX: usize = 16;

/// A change that somebody waits for.
pub(super) struct Changing {
    change: Change,
    /// The number that a replica gets which is added.
    id: Option<u64>,
    until: Duration,
    reply: oneshot::Sender<Result<(), String>>,
}

impl Owner {
    pub(super) fn begin_change(
        &mut self,
        change: Change,
        reply: oneshot::Sender<Result<(), String>>,
    ) -> Result<(), MemberError> {
        let (name, roster) = (&self.parts.name, self.member.roster());
        let refusal = match &change {
            _ if self.changing.len() >= CHANGES_MAX => {
                Some("too many changes of the members wait already".to_owned())
            }
            Change::Add(host) if !self.parts.origin.hosts.contains(host) => Some(format!(
                "the configuration of {} does not place {name} on {host}; change the file there, and start that host again, first",
                self.parts.host
            )),
            Change::Add(host) => roster
                .id_of(host)
                .map(|id| format!("{host} has a replica of {name} already, number {id}")),
            Change::Promote(_) | Change::Remove(_) | Change::KeepOut(_) => None,
        };
        if let Some(refusal) = refusal {
            // Whoever asked may have gone.
            let _ = reply.send(Err(refusal));
            return Ok(());
        }
        let until = self.now().monotonic + CHANGE_TIME;
        self.changing.push(Changing {
            change,
            id: None,
            until,
            reply,
        });
        self.next_upkeep = Duration::ZERO;
        Ok(())
    }

    /// Begins changes that can begin, and says which are done.
    pub(super) fn look_at_changes(&mut self, now: Duration) -> Result<(), MemberError> {
        for mut changing in std::mem::take(&mut self.changing) {
            let roster = self.member.roster();
            let is_done = match (&changing.change, changing.id) {
                (_, None) => false,
                (Change::Add(host), Some(id)) => roster.id_of(host) == Some(id),
                (Change::Promote(host), Some(_)) => {
                    let id = roster.id_of(host);
                    id.is_some_and(|id| roster.members.voters.contains(&id))
                }
                (Change::Remove(host) | Change::KeepOut(host), Some(_)) => {
                    roster.id_of(host).is_none()
                }
            };
            if is_done {
                let _ = changing.reply.send(Ok(()));
                continue;
            }
            if changing.id.is_none() {
                let id = roster.next_id;
                match self.member.check_change(&changing.change) {
                    Ok(()) => {
                        changing.id = Some(id);
                        self.tell(Input::Change(changing.change.clone()))?;
                    }
                    Err(ChangeError::Busy) => {}
                    Err(
                        error
                        @ (ChangeError::NotLeading | ChangeError::Unknown | ChangeError::Last),
                    ) => {
                        let _ = changing.reply.send(Err(error.to_string()));
                        continue;
                    }
                }
            } else if !self.member.group().leads() {
                let lost = "this replica leads no more; whether the change was made, `bookshop-host group members` shows";
                let _ = changing.reply.send(Err(lost.into()));
                continue;
            }
            if now >= changing.until {
                let late = "the change was not made in time: a majority of the members has to be there; it may still be made later";
                let _ = changing.reply.send(Err(late.into()));
                continue;
            }
            self.changing.push(changing);
        }
        Ok(())
    }

    /// Adds a replica for a host that has none, or none any more.
    pub(super) fn join(
        &mut self,
        host: HostName,
        reply: oneshot::Sender<Result<u64, String>>,
    ) -> Result<(), MemberError> {
        let name = &self.parts.name;
        let change = Change::Add(host.clone());
        let checked = if !self.parts.origin.hosts.contains(&host) {
            Err(format!("{host} is no host of this service"))
        } else if self.member.roster().kept_out.contains(&host) {
            Err(format!(
                "{host} was removed from the group of {name}; `bookshop-host group add {name} {host}` takes it in again"
            ))
        } else {
            self.member
                .check_change(&change)
                .map_err(|error| error.to_string())
        };
        let checked = match checked {
            Ok(()) => match self.unused_number(&host) {
                Some(id) => {
                    let _ = reply.send(Ok(id));
                    return Ok(());
                }
                None => Ok(()),
            },
            Err(reason) => Err(reason),
        };
        if let Err(reason) = checked {
            let _ = reply.send(Err(reason));
            return Ok(());
        }
        self.parts.log.info(
            None,
            &format!(
                "{host} has no state of {}: it gets a new replica",
                self.parts.name
            ),
        );
        self.joining
            .push((host, self.member.roster().next_id, reply));
        self.next_upkeep = Duration::ZERO;
        self.tell(Input::Change(change))
    }

    /// The number that an operator has given a host, or that it did not hear of: a learner that has nothing has promised nothing.
    fn unused_number(&mut self, host: &HostName) -> Option<u64> {
        let roster = self.member.roster();
        let id = roster.id_of(host)?;
        let is_learner = roster.members.learners.contains(&id);
        let progress = self.member.status().ok()?.progress;
        let has_nothing = progress.iter().any(|it| it.id == id && it.matched == 0);
        (is_learner && has_nothing).then_some(id)
    }

    /// Tells those who joined, gives votes to those who have caught up, and takes those out that the configuration has no more.
    pub(super) fn look_at_members(&mut self) -> Result<(), MemberError> {
        let roster = self.member.roster();
        self.joining.retain(|(_, _, reply)| !reply.is_closed());
        let joined = |it: &mut (HostName, u64, _)| roster.id_of(&it.0) == Some(it.1);
        for (_, id, reply) in self.joining.extract_if(.., joined) {
            let _ = reply.send(Ok(id));
        }
        if !self.member.group().leads() {
            return Ok(());
        }
        if self.leads_elsewhere(roster) {
            return self.hand_to_configured();
        }
        if roster.members.learners.is_empty() {
            return self.follow_configuration();
        }
        let Ok(status) = self.member.status() else {
            return Ok(());
        };
        let roster = self.member.roster();
        let has_caught_up = |it: &&wit::Progress| {
            let is_near = it.matched > 0 && it.matched + BEHIND_MAX >= status.last;
            roster.members.learners.contains(&it.id) && it.is_active && is_near && !it.is_snapshot
        };
        let ready = status.progress.iter().find(has_caught_up);
        let Some(host) = ready.and_then(|it| roster.hosts.get(&it.id)).cloned() else {
            return Ok(());
        };
        let change = Change::Promote(host);
        if self.member.check_change(&change).is_ok() {
            self.tell(Input::Change(change))?;
        }
        Ok(())
    }

    /// Whether this host leads a service that the configuration places on others only.
    fn leads_elsewhere(&self, roster: &Roster) -> bool {
        let origin = &self.parts.origin;
        origin.is_configured && !roster.is_joint() && !origin.hosts.contains(&self.parts.host)
    }

    /// Lets a host lead on which the configuration places the service. Hosts that are to get a replica ask only those, and have no way to this one.
    fn hand_to_configured(&mut self) -> Result<(), MemberError> {
        let Ok(status) = self.member.status() else {
            return Ok(());
        };
        let roster = self.member.roster();
        let could_lead = |host: &&HostName| {
            let id = roster.id_of(host);
            let voter = id.filter(|id| roster.members.voters.contains(id));
            let is_there = |it: &wit::Progress| Some(it.id) == voter && it.is_active;
            status.progress.iter().any(is_there)
        };
        let successor = self.parts.origin.hosts.iter().find(could_lead).cloned();
        match successor.filter(|_| self.handover.is_none()) {
            Some(successor) => {
                // Nobody waits for it: it is tried until it succeeds.
                let (reply, _) = oneshot::channel();
                self.transfer(successor, reply)
            }
            None => Ok(()),
        }
    }

    /// Takes out whom the configuration of this host does not place the service on, once all others are there.
    fn follow_configuration(&mut self) -> Result<(), MemberError> {
        let (origin, roster) = (&self.parts.origin, self.member.roster());
        let votes = |host: &HostName| {
            let id = roster.id_of(host);
            id.is_some_and(|id| roster.members.voters.contains(&id))
        };
        let mut wanted = origin
            .hosts
            .iter()
            .filter(|host| !roster.kept_out.contains(*host));
        if !origin.is_configured || roster.is_joint() || !wanted.all(votes) {
            return Ok(());
        }
        let mut unwanted = roster
            .hosts
            .values()
            .filter(|host| !origin.hosts.contains(host));
        let Some(host) = unwanted.next().cloned() else {
            return Ok(());
        };
        let change = Change::Remove(host.clone());
        if self.member.check_change(&change).is_ok() {
            let line = format!(
                "the configuration does not place {} on {host} any more: its replica is removed",
                self.parts.name
            );
            self.parts.log.info(None, &line);
            self.tell(Input::Change(change))?;
        }
        Ok(())
    }

    /// Has others hear who the members are, once that has changed.
    pub(super) fn show_members(&mut self) {
        let roster = self.member.roster();
        if self.shown.as_ref() != Some(roster) {
            self.parts.told.has_members(&self.parts.name, roster);
            self.shown = Some(roster.clone());
        }
        if roster.has_lost(self.member.id()) && !self.is_leaving {
            self.leaves("it was removed from the group");
        }
    }

    pub(super) fn membership(&mut self) -> Membership {
        let status = self.member.status().ok();
        let roster = self.member.roster();
        let status = status.filter(|_| self.member.group().leads());
        let members = roster.hosts.iter().map(|(id, host)| {
            let progress = status.as_ref().and_then(|status| {
                let progress = status.progress.iter().find(|it| it.id == *id)?;
                Some((progress, status.last))
            });
            let kind = if roster.members.voters.contains(id) {
                "voter"
            } else if roster.members.learners.contains(id) {
                "learner"
            } else {
                "leaving"
            };
            MemberPart {
                id: *id,
                host: host.to_string(),
                kind: kind.into(),
                matched: progress.map(|(it, _)| it.matched),
                lag: progress.map(|(it, last)| last.saturating_sub(it.matched)),
                active: progress.map(|(it, _)| it.is_active),
                is_fetching: progress.map(|(it, _)| it.is_snapshot),
            }
        });
        Membership {
            leads: self.member.group().leads(),
            members: members.collect(),
            kept_out: roster.kept_out.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn positions(&self) -> Positions {
        let (log_first, log_last) = self.member.kept();
        let (view, _, applied) = self.member.group().committed();
        Positions {
            applied,
            checkpoint: view.checkpoint(),
            log_first,
            log_last,
        }
    }
}
