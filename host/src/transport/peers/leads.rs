//! Who leads the groups of replicated services, as far as this host has heard: from its own replicas, from probes, and from hosts that were
//! asked and do not lead.

use crate::dispatch::ServiceId;
use crate::replica::standing::Standing;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::watch;

/// What a host that has a replica says of its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Led {
    /// The newest term that it knows.
    pub term: u64,
    /// The host that leads in that term, if it knows it.
    pub leader: Option<String>,
}

impl From<&Standing> for Led {
    fn from(standing: &Standing) -> Self {
        Self {
            term: standing.term,
            leader: standing.leader.as_ref().map(ToString::to_string),
        }
    }
}

/// The newest that is known of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lead {
    /// The newest term that was heard of.
    pub term: u64,
    /// Its leader by its place in the configuration, which may be this host; none while nobody has named one.
    pub leader: Option<usize>,
    /// When that was heard, on this host's monotonic clock.
    pub since: Duration,
}

impl Lead {
    /// Whether what somebody says is news: a newer term, or the leader of this one.
    fn is_older_than(&self, term: u64, leader: Option<usize>) -> bool {
        term > self.term || (term == self.term && self.leader.is_none() && leader.is_some())
    }

    /// Takes in what somebody says. Returns whether that is news.
    fn learn(&mut self, term: u64, leader: Option<usize>, now: Duration) -> bool {
        let is_news = self.is_older_than(term, leader);
        if is_news {
            *self = Self {
                term,
                leader,
                since: now,
            };
        }
        is_news
    }
}

/// The same for all services.
pub struct Leads(Vec<watch::Sender<Lead>>);

impl Leads {
    /// Nothing is known of any of so many services.
    pub(super) fn new(services: usize) -> Self {
        Self((0..services).map(|_| watch::Sender::default()).collect())
    }

    /// Takes in what somebody says of a service.
    pub(super) fn learn(
        &self,
        service: ServiceId,
        term: u64,
        leader: Option<usize>,
        now: Duration,
    ) {
        // Looked at first: it is said many times, and seldom news.
        if let Some(lead) = self.0.get(service.0 as usize)
            && lead.borrow().is_older_than(term, leader)
        {
            lead.send_if_modified(|lead| lead.learn(term, leader, now));
        }
    }

    /// What is known of a service, and waiting for more.
    pub(super) fn watch(&self, service: ServiceId) -> watch::Receiver<Lead> {
        self.0[service.0 as usize].subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_term_or_its_leader_is_news() {
        let mut lead = Lead::default();
        let mut check = |term, leader, expected, now: (u64, Option<usize>)| {
            let is_news = lead.learn(term, leader, Duration::from_secs(term));
            assert_eq!(is_news, expected, "{term} {leader:?}");
            assert_eq!((lead.term, lead.leader), now);
        };
        check(0, None, false, (0, None));
        check(2, Some(1), true, (2, Some(1)));
        // Who lags behind.
        check(1, Some(0), false, (2, Some(1)));
        check(2, None, false, (2, Some(1)));
        // An election has begun, and has an end.
        check(3, None, true, (3, None));
        check(2, Some(1), false, (3, None));
        check(3, Some(0), true, (3, Some(0)));
    }
}
