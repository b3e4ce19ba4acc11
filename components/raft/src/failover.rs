//! Who campaigns when the leader is gone: do not wait for a timeout where its connection broke, but do not campaign all at once either.
//!
//! The living voter with the lowest id campaigns at once, the next ones later, one after the other, unless somebody leads by then. Who would vote for one
//! that asks waits for it; who would not, since that one lacks entries, campaigns at once. A replica that has not noticed yet refuses to vote against its
//! leader; it remembers that it was asked, and answers when it notices. Two that asked for votes in the same term try again in the same order, instead of
//! waiting for a timeout.

use crate::Message;
use std::collections::BTreeSet;

/// How much later the next voter campaigns: two round trips and a sync of the one before, on processors that are busy with all the calls that
/// lost their leader. Two at once would get one vote each, which costs more than this.
const STAGGER_MS: u64 = 30;

/// What is known about lost connections.
#[derive(Default)]
pub struct Failover {
    /// Replicas whose connection broke, and that are not known to be back. Followers say nothing to each other while they have a leader.
    lost: BTreeSet<u64>,
    /// The last leader that was known: a replica that voted in vain since then knows none.
    last_leader: u64,
    /// When to campaign, and in which term it was decided.
    campaign: Option<(u64, u64)>,
    /// A vote that was asked for while there was a leader, and when.
    ignored: Option<(u64, Message)>,
}

impl Failover {
    /// This is the leader now.
    pub fn leads(&mut self, leader: u64) {
        if leader != 0 {
            self.last_leader = leader;
            self.campaign = None;
        }
    }

    /// Something came from a replica, or could.
    pub fn heard(&mut self, id: u64) {
        self.lost.remove(&id);
    }

    /// A connection broke. Whether it was that to the leader, where `leader` is 0 if there is none.
    pub fn lose(&mut self, id: u64, leader: u64) -> bool {
        self.lost.insert(id);
        id == leader || (leader == 0 && id == self.last_leader)
    }

    /// How many ticks a replica waits longer for a leader that fell silent if `rank` others are to campaign before. One, at least: the others count
    /// from their own ticks, and shall have given up that leader too.
    pub fn stagger_ticks(rank: u64, tick_ms: u64) -> u64 {
        1 + rank.saturating_mul(STAGGER_MS.div_ceil(tick_ms.max(1)))
    }

    /// How many living voters come before `me`.
    pub fn rank(&self, me: u64, voters: impl Iterator<Item = u64>) -> u64 {
        voters
            .filter(|id| *id < me && !self.lost.contains(id))
            .count() as u64
    }

    /// Campaign when `rank` others had their chance.
    pub fn campaign_later(&mut self, now_ms: u64, rank: u64, term: u64) {
        self.campaign = Some((now_ms + STAGGER_MS * rank, term));
    }

    /// Somebody else has a chance to be elected: campaign only if that comes to nothing.
    pub fn give_way(&mut self, now_ms: u64) {
        if let Some((at_ms, _)) = &mut self.campaign {
            *at_ms = (*at_ms).max(now_ms + STAGGER_MS);
        }
    }

    /// Who comes before cannot be elected: no need to wait for it.
    pub fn hurry(&mut self, now_ms: u64) {
        if let Some((at_ms, _)) = &mut self.campaign {
            *at_ms = (*at_ms).min(now_ms);
        }
    }

    /// When to campaign.
    pub fn campaign_at_ms(&self) -> Option<u64> {
        self.campaign.map(|(at_ms, _)| at_ms)
    }

    /// Whether to campaign now. Not if there is another term: somebody else campaigned.
    pub fn is_due(&mut self, now_ms: u64, term: u64) -> bool {
        let Some((at_ms, decided)) = self.campaign else {
            return false;
        };
        if decided != term {
            self.campaign = None;
            return false;
        }
        let is_due = at_ms <= now_ms;
        if is_due {
            self.campaign = None;
        }
        is_due
    }

    /// Somebody asked for a vote against a leader that we believe to be alive.
    pub fn ignore(&mut self, now_ms: u64, message: Message) {
        self.ignored = Some((now_ms, message));
    }

    /// What was ignored within the last `patience_ms`.
    pub fn take_ignored(&mut self, now_ms: u64, patience_ms: u64) -> Option<Message> {
        let (at_ms, message) = self.ignored.take()?;
        (now_ms.saturating_sub(at_ms) <= patience_ms).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn living_voters_campaign_one_after_the_other() {
        let mut failover = Failover::default();
        failover.leads(1);
        assert!(failover.lose(1, 1));
        let rank = |failover: &Failover, me| failover.rank(me, [1, 2, 3].into_iter());
        assert_eq!((rank(&failover, 2), rank(&failover, 3)), (0, 1));
        assert!(!failover.lose(2, 0));
        assert_eq!(rank(&failover, 3), 0);
        failover.heard(1);
        assert_eq!(rank(&failover, 3), 1);
    }

    #[test]
    fn the_last_leader_counts_while_there_is_none() {
        let mut failover = Failover::default();
        failover.leads(1);
        failover.leads(0);
        assert!(failover.lose(1, 0));
        assert!(!failover.lose(1, 2));
    }

    #[test]
    fn nobody_campaigns_late_after_somebody_else() {
        let mut failover = Failover::default();
        failover.campaign_later(100, 2, 7);
        assert!(!failover.is_due(159, 7));
        assert!(failover.is_due(160, 7));
        assert!(!failover.is_due(161, 7), "once");
        failover.campaign_later(100, 2, 7);
        assert!(!failover.is_due(160, 8));
        failover.campaign_later(100, 2, 7);
        failover.leads(3);
        assert!(!failover.is_due(160, 7));
    }

    #[test]
    fn who_can_be_elected_gets_its_chance_and_who_cannot_is_not_waited_for() {
        let mut failover = Failover::default();
        failover.give_way(100);
        failover.hurry(100);
        assert_eq!(failover.campaign_at_ms(), None, "nothing to put off");
        failover.campaign_later(100, 1, 7);
        failover.give_way(120);
        assert_eq!(failover.campaign_at_ms(), Some(150));
        failover.give_way(110);
        assert_eq!(failover.campaign_at_ms(), Some(150), "never earlier");
        failover.hurry(130);
        assert!(failover.is_due(130, 7));
    }
}
