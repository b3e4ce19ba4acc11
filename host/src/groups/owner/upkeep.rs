//! What a replica's task looks after from time to time.

use super::{Ended, Owner};
use crate::config::HostName;
use crate::groups::journal::Order;
use crate::replica::member::{Input, MemberError};
use crate::state::Base;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often, if something waits for it, and if nothing does.
pub(super) const SOON: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_millis(100);
/// How long another replica has to take over.
const HANDOVER_TIME: Duration = Duration::from_secs(5);
/// Entries that are kept in memory and in the log for replicas that lag behind, in bytes: minutes of a busy shop. Who lags further is sent the state.
const KEEP_BYTES: usize = 8 << 20;

impl Owner {
    pub(super) fn upkeep(&mut self) -> Result<(), Ended> {
        let now = self.now().monotonic;
        if self.shows_at.is_some_and(|at| at <= now) {
            self.publish();
        }
        if now < self.next_upkeep {
            return Ok(());
        }
        let has_more = self.hash(now);
        self.ask_again()?;
        self.look_at_handover(now);
        self.give_way()?;
        self.look_at_changes(now)?;
        self.look_at_members()?;
        self.show_members();
        self.look_at_unclear(now);
        self.parts.pins.expire(now);
        let is_soon = has_more
            || !self.unanswered.is_empty()
            || self.handover.is_some()
            || !self.joining.is_empty()
            || !self.changing.is_empty();
        self.next_upkeep = now + if is_soon { SOON } else { IDLE };
        Ok(())
    }

    /// Asks again for those who could not be told anything.
    fn ask_again(&mut self) -> Result<(), MemberError> {
        for number in std::mem::take(&mut self.unanswered) {
            let Some(readers) = self.readers.get_mut(&number) else {
                continue;
            };
            readers.retain(|reader| !reader.is_closed());
            if readers.is_empty() {
                self.readers.remove(&number);
            } else {
                self.tell(Input::Read(number))?;
            }
        }
        Ok(())
    }

    pub(super) fn transfer(
        &mut self,
        to: HostName,
        reply: oneshot::Sender<Result<(), String>>,
    ) -> Result<(), MemberError> {
        let roster = self.member.roster();
        let is_voter = roster
            .id_of(&to)
            .is_some_and(|id| roster.members.voters.contains(&id));
        let refusal = if !is_voter {
            Some(format!(
                "{to} has no replica of {} that may lead",
                self.parts.name
            ))
        } else if self.member.standing().leader.as_ref() == Some(&to) {
            let _ = reply.send(Ok(()));
            return Ok(());
        } else if !self.member.group().leads() {
            Some("this replica does not lead".to_owned())
        } else if self.handover.is_some() {
            Some("another replica is taking over already".to_owned())
        } else {
            None
        };
        if let Some(refusal) = refusal {
            // Whoever asked may have gone.
            let _ = reply.send(Err(refusal));
            return Ok(());
        }
        let until = self.now().monotonic + HANDOVER_TIME;
        self.handover = Some((to.clone(), until, reply));
        self.next_upkeep = Duration::ZERO;
        self.tell(Input::Transfer(to))
    }

    /// Hands the lead over to the replica that has most of the log.
    pub(super) fn hand_over(
        &mut self,
        reply: oneshot::Sender<Result<(), String>>,
    ) -> Result<(), MemberError> {
        let status = self.member.status();
        let roster = self.member.roster();
        let own = self.member.id();
        let best = status.ok().and_then(|status| {
            let voters = status.progress.into_iter().filter(|it| {
                it.id != own && it.is_active && roster.members.voters.contains(&it.id)
            });
            voters.max_by_key(|it| it.matched)
        });
        match best.and_then(|best| roster.hosts.get(&best.id)).cloned() {
            Some(host) => self.transfer(host, reply),
            None => {
                let name = &self.parts.name;
                let _ = reply.send(Err(format!("no other replica of {name} is there")));
                Ok(())
            }
        }
    }

    /// A leader whose disk is full takes no commands; another one may have room.
    fn give_way(&mut self) -> Result<(), MemberError> {
        let has_others = self.member.roster().hosts.len() > 1;
        if self.seen.is_full && has_others && self.member.group().leads() && self.handover.is_none()
        {
            // Nobody waits for it: if it fails, it is tried again.
            let (reply, _) = oneshot::channel();
            self.hand_over(reply)?;
        }
        Ok(())
    }

    fn look_at_handover(&mut self, now: Duration) {
        let Some((to, until, _)) = &self.handover else {
            return;
        };
        let leader = self.member.standing().leader.as_ref();
        let told = if leader == Some(to) {
            Ok(())
        } else if now >= *until {
            Err(format!("{to} did not take over in time"))
        } else {
            return;
        };
        if let Some((_, _, reply)) = self.handover.take() {
            let _ = reply.send(told);
        }
    }

    pub(super) fn unfreeze(&mut self) {
        self.folding = None;
        self.member.group_mut().unfreeze();
    }

    /// A checkpoint is in the state store: the log may let go of what it has.
    pub(super) fn folded(&mut self, base: Base) {
        self.member.group_mut().folded(base);
        self.publish();
        if let Some(through) = self.folding.take() {
            let (through, record) = self.member.compact(through, KEEP_BYTES);
            self.parts
                .journal
                .order(Order::Compact(self.parts.id, through, record));
        }
    }
}
